"""Both senders against a Telegram that enforces its rules."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Literal

import pytest
import telegram

from forwarder.errors import OutcomeUnknown, TelegramError
from forwarder.message import (
    AccountKind,
    DeleteOrder,
    EditOrder,
    Entity,
    FindOrder,
    Kind,
    Medium,
    Mode,
    SendOrder,
)
from forwarder.retry import Verdict, decide
from forwarder.sandbox.faults import FaultRule
from forwarder.sandbox.world import Content, Edit
from forwarder.telegram.bot_sender import BotSender
from forwarder.telegram.bot_values import to_source
from forwarder.telegram.finder import MtprotoFinder
from forwarder.telegram.user_sender import UserSender

from .conftest import Town

Wait = Callable[[Callable[[], bool]], Awaitable[None]]


def order(town: Town, ids: list[int], mode: Mode = Mode.COPY, first_random: int = 1000) -> SendOrder:
    randoms = tuple(range(first_random, first_random + len(ids)))
    return SendOrder(town.source, tuple(ids), town.target, mode, randoms, album=len(ids) > 1)


async def test_work_under_way_does_not_bring_back_a_login_that_was_let_go(town: Town) -> None:
    """Somebody else has the login by then: Telegram would destroy it for being used on two connections."""
    ids = [town.post("one")]
    async with town.client("sender", town.user) as client:
        await client.ready()
        await client.close()
        with pytest.raises(TelegramError, match="CONNECT_FAILED"):
            await UserSender(client, 1).send(order(town, ids))
    assert not list(town.mtproto.online())


async def test_a_login_that_is_let_go_while_it_connects_is_not_left_connected(
    town: Town, wait_until: Wait
) -> None:
    async with town.client("sender", town.user) as client:
        connecting = asyncio.ensure_future(client.ready())
        await asyncio.sleep(0)
        await client.close()
        await asyncio.gather(connecting, return_exceptions=True)
        assert not client.is_connected()
    await wait_until(lambda: not list(town.mtproto.online()))


@pytest.mark.parametrize("mode", list(Mode))
async def test_a_user_sends_many_in_one_call_and_learns_each_id(town: Town, mode: Mode) -> None:
    ids = [town.post(f"post {number}") for number in range(5)]
    async with town.client("sender", town.user) as client:
        sent = await UserSender(client, 1).send(order(town, ids, mode))
    assert [town.texts(town.target)[copy or 0] for copy in sent] == [f"post {number}" for number in range(5)]
    made = [town.world.message(town.owner, town.target, copy or 0) for copy in sent]
    assert {message is not None and message.forward is not None for message in made} == {mode is Mode.FORWARD}


async def test_a_user_repeating_an_order_sends_nothing_and_learns_the_same_ids(town: Town) -> None:
    ids = [town.post("one"), town.post("two")]
    async with town.client("sender", town.user) as client:
        first = await UserSender(client, 1).send(order(town, ids))
    async with town.client("another-login", town.user) as client:
        assert await UserSender(client, 1).send(order(town, ids)) == first
    assert list(town.texts(town.target).values()) == ["one", "two"]


async def test_a_message_that_was_deleted_is_passed_over_in_its_own_place(town: Town) -> None:
    ids = [town.post("one"), town.post("two"), town.post("three")]
    town.world.delete(town.owner, town.source, [ids[1]])
    async with town.client("sender", town.user) as client:
        sent = await UserSender(client, 1).send(order(town, ids))
    assert sent[1] is None
    assert list(town.texts(town.target).values()) == ["one", "three"]


async def test_a_lost_answer_is_an_unknown_outcome_and_the_repeat_is_safe(
    town: Town,
) -> None:
    ids = [town.post("one")]
    async with town.client("sender", town.user) as client:
        sender = UserSender(client, 1)
        await client.ready()
        client.call_timeout = 0.5
        town.fault(FaultRule("drop", "after", method="messages.forwardMessages"))
        with pytest.raises(OutcomeUnknown):
            await sender.send(order(town, ids))
        assert await sender.send(order(town, ids)) == (max(town.texts(town.target)),)
    assert list(town.texts(town.target).values()) == ["one"]


@pytest.mark.parametrize("moment", ["before", "after"])
async def test_a_call_given_up_that_telethon_sends_again_after_a_reconnect_makes_no_second_message(
    town: Town, wait_until: Wait, moment: Literal["before", "after"]
) -> None:
    ids = [town.post("one"), town.post("two")]
    async with town.client("sender", town.user) as client:
        sender = UserSender(client, 1)
        await client.ready()
        client.call_timeout = 0.5
        town.fault(FaultRule("drop", moment, method="messages.forwardMessages", times=1))
        with pytest.raises(OutcomeUnknown):
            await sender.send(order(town, ids))
        town.mtproto.cut(town.user)
        await wait_until(lambda: town.guard.record.by_method["messages.forwardMessages"] == 2)
        client.call_timeout = 20
        assert await sender.send(order(town, ids)) == tuple(town.texts(town.target))
    assert list(town.texts(town.target).values()) == ["one", "two"]


async def test_a_flood_wait_says_how_long_and_does_not_spread_to_other_chats(town: Town) -> None:
    other = town.world.create_channel(town.owner, "Other").id
    town.world.add_member(town.owner, other, town.user)
    town.world.promote(town.owner, other, town.user, frozenset({"post_messages"}))
    ids = [town.post("one")]
    town.fault(
        FaultRule(
            "error", method="messages.forwardMessages", chat=town.target, error="FLOOD_WAIT_X", seconds=77
        )
    )
    # Telethon's own memory of waits works only in clients that receive updates.
    async with town.client("sender", town.user, listens=True) as client:
        sender = UserSender(client, 1)
        with pytest.raises(TelegramError) as met:
            await sender.send(order(town, ids))
        assert (met.value.name, met.value.seconds) == ("FLOOD_WAIT", 77)
        elsewhere = SendOrder(town.source, tuple(ids), other, Mode.COPY, (5000,))
        assert (await sender.send(elsewhere))[0] is not None


async def test_a_500_of_a_used_random_id_is_a_retry(town: Town) -> None:
    ids = [town.post("one")]
    town.fault(FaultRule("error", method="messages.forwardMessages", error="RANDOM_ID_DUPLICATE"))
    async with town.client("sender", town.user) as client:
        with pytest.raises(TelegramError) as met:
            await UserSender(client, 1).send(order(town, ids))
    assert decide(met.value, api=AccountKind.USER).reason == "random_id_busy"


async def test_protected_content_is_refused_by_name(town: Town) -> None:
    ids = [town.post("secret")]
    town.world.change_chat(town.owner, town.source, protected=True)
    async with town.client("sender", town.user) as client:
        with pytest.raises(TelegramError) as met:
            await UserSender(client, 1).send(order(town, ids))
    assert decide(met.value, api=AccountKind.USER).reason == "protected_content"


async def test_a_user_edits_and_deletes_its_copies_and_repeats_do_no_harm(town: Town) -> None:
    ids = [town.post("one"), town.post("two")]
    async with town.client("sender", town.user) as client:
        sender = UserSender(client, 1)
        first, second = await sender.send(order(town, ids))
        assert first
        assert second
        edit = EditOrder(town.target, first, Kind.TEXT, "newer", (Entity("bold", 0, 5),))
        await sender.edit(edit)
        await sender.edit(edit)
        await sender.delete(DeleteOrder(town.target, (second,)))
        await sender.delete(DeleteOrder(town.target, (second,)))
    assert town.texts(town.target) == {first: "newer"}
    kept = town.world.message(town.owner, town.target, first)
    assert kept is not None
    assert [entity.kind for entity in kept.entities] == ["bold"]


async def test_an_unknown_chat_is_refused_after_one_look_at_the_dialogs(town: Town) -> None:
    stranger = town.world.create_channel(town.owner, "Private").id
    async with town.client("sender", town.user) as client:
        sender = UserSender(client, 1)
        for _ in range(3):
            with pytest.raises(TelegramError, match="CHANNEL_INVALID"):
                await sender.delete(DeleteOrder(stranger, (5,)))
    assert len(list(town.guard.record.calls(method="messages.getDialogs"))) == 1


async def test_a_dead_telegram_is_a_call_that_never_left(town: Town) -> None:
    ids = [town.post("one")]
    async with town.client("sender", town.user) as client:
        await town.mtproto.stop()
        with pytest.raises(TelegramError, match="CONNECT_FAILED"):
            await UserSender(client, 1).send(order(town, ids))


@pytest.mark.parametrize("mode", list(Mode))
async def test_a_bot_sends_a_post(town: Town, mode: Mode) -> None:
    message_id = town.post("hello")
    async with town.bot() as bot:
        (copy,) = await BotSender(bot, 2).send(order(town, [message_id], mode))
    assert town.texts(town.target) == {copy: "hello"}


@pytest.mark.parametrize("mode", list(Mode))
@pytest.mark.parametrize("route", ["bot", "user"])
async def test_an_album_stays_one_album_in_its_order(town: Town, mode: Mode, route: str) -> None:
    ids = town.album(["a", "b", "c"])
    if route == "bot":
        async with town.bot() as bot:
            sent = await BotSender(bot, 2).send(order(town, ids, mode))
    else:
        async with town.client("sender", town.user) as client:
            sent = await UserSender(client, 1).send(order(town, ids, mode))
    assert [town.texts(town.target)[copy or 0] for copy in sent] == ["a", "b", "c"]
    made = [town.world.message(town.owner, town.target, copy or 0) for copy in sent]
    albums = {message.grouped_id for message in made if message is not None}
    assert len(albums) == 1
    assert None not in albums


async def test_a_bots_album_with_a_gap_is_an_unknown_outcome(town: Town) -> None:
    ids = town.album(["a", "b", "c"])
    town.world.delete(town.owner, town.source, [ids[1]])
    async with town.bot() as bot:
        with pytest.raises(OutcomeUnknown, match="PARTIAL_ALBUM"):
            await BotSender(bot, 2).send(order(town, ids))


async def test_a_bot_edits_texts_and_captions_and_repeats_do_no_harm(town: Town) -> None:
    text = town.post("old")
    photo = town.post(Content("old caption", media=town.world.add_photo(b"picture")))
    async with town.bot() as bot:
        sender = BotSender(bot, 2)
        (first,) = await sender.send(order(town, [text]))
        (second,) = await sender.send(order(town, [photo]))
        assert first
        assert second
        for _ in range(2):
            await sender.edit(EditOrder(town.target, first, Kind.TEXT, "new", (Entity("italic", 0, 3),)))
            await sender.edit(EditOrder(town.target, second, Kind.PHOTO, "new caption"))
        assert town.texts(town.target) == {first: "new", second: "new caption"}
        for _ in range(2):
            await sender.delete(DeleteOrder(town.target, (first, second)))
            await sender.delete(DeleteOrder(town.target, (first,)))
    assert town.texts(town.target) == {}


async def test_a_user_replaces_a_medium_with_the_sources_new_one(town: Town) -> None:
    number = town.post(Content("old", media=town.world.add_photo(b"one")))
    async with town.client("sender", town.user) as client:
        sender = UserSender(client, 1)
        (copy,) = await sender.send(order(town, [number]))
        video = town.world.add_document(b"two", "two.mp4", kind="video", mime_type="video/mp4")
        town.world.edit(town.owner, town.source, number, Edit("new", media=video))
        for _ in range(2):
            await sender.edit(
                EditOrder(town.target, copy or 0, Kind.VIDEO, "new", medium=Medium(town.source, number))
            )
    made = town.world.message(town.owner, town.target, copy or 0)
    assert made is not None
    assert made.content == Content("new", media=video)


async def test_a_bot_replaces_a_medium_that_it_has_heard(town: Town) -> None:
    number = town.post(Content("old", media=town.world.add_photo(b"one")))
    async with town.bot() as bot:
        sender = BotSender(bot, 2)
        (copy,) = await sender.send(order(town, [number]))
        photo = town.world.add_photo(b"two")
        town.world.edit(town.owner, town.source, number, Edit("new", media=photo))
        async with telegram.Bot(town.token, base_url=f"{town.bot_api.url}/bot") as ears:
            updates = await ears.get_updates(allowed_updates=["channel_post", "edited_channel_post"])
        heard = to_source(updates[-1].edited_channel_post)
        medium = Medium(town.source, number, heard.file_id)
        for _ in range(2):
            await sender.edit(EditOrder(town.target, copy or 0, Kind.PHOTO, "new", medium=medium))
    made = town.world.message(town.owner, town.target, copy or 0)
    assert made is not None
    assert made.content == Content("new", media=photo)


async def test_a_bot_edits_the_caption_and_says_that_it_has_not_heard_the_medium(town: Town) -> None:
    number = town.post(Content("old", media=town.world.add_photo(b"one")))
    async with town.bot() as bot:
        sender = BotSender(bot, 2)
        (copy,) = await sender.send(order(town, [number]))
        with pytest.raises(TelegramError) as met:
            await sender.edit(
                EditOrder(town.target, copy or 0, Kind.PHOTO, "new", medium=Medium(town.source, number))
            )
    assert decide(met.value, api=AccountKind.BOT, order="edit").reason == "medium_not_heard"
    assert town.texts(town.target) == {copy: "new"}


@pytest.mark.parametrize(
    ("rule", "name"),
    [
        (FaultRule("http", "after", method="copyMessage", status=502), "SERVER_ERROR"),
        (FaultRule("cut", "after", method="copyMessage"), "DISCONNECTED"),
    ],
)
async def test_a_bots_lost_answer_is_an_unknown_outcome(town: Town, rule: FaultRule, name: str) -> None:
    message_id = town.post("hello")
    town.fault(rule)
    async with town.bot() as bot:
        with pytest.raises(OutcomeUnknown, match=name) as met:
            await BotSender(bot, 2).send(order(town, [message_id]))
    assert decide(met.value, api=AccountKind.BOT).verdict is Verdict.UNSURE
    assert list(town.texts(town.target).values()) == ["hello"]


@pytest.mark.parametrize("mode", list(Mode))
@pytest.mark.parametrize("who", ["user", "robot"])
@pytest.mark.parametrize("album", [False, True])
async def test_a_copy_whose_answer_was_lost_is_found(town: Town, mode: Mode, who: str, album: bool) -> None:
    ids = town.album(["a", "b"]) if album else [town.post("hello")]
    before = town.post("noise before", town.target)
    async with town.bot() as bot, town.client("reader", getattr(town, who)) as client:
        finder = MtprotoFinder(client)
        wanted = FindOrder(town.source, tuple(ids), town.target, mode, after_id=before)
        assert await finder.find(wanted) is None
        town.post("noise after", town.target)
        assert await finder.find(wanted) is None
        sent = await BotSender(bot, 2).send(order(town, ids, mode))
        assert await finder.find(wanted) == sent
        known = frozenset(copy for copy in sent if copy)
        again = FindOrder(town.source, tuple(ids), town.target, mode, after_id=before, known_ids=known)
        assert await finder.find(again) is None
