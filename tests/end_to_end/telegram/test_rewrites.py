"""What rules have changed is sent anew, on both ways; nothing of what they took away is ever shown."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest
import telegram

from forwarder.errors import AccountNotReady, TelegramError
from forwarder.message import (
    AccountKind,
    Button,
    EditOrder,
    Entity,
    FindOrder,
    Kind,
    Look,
    Medium,
    Mode,
    NewPart,
    Remembered,
    Rewrite,
    SendOrder,
)
from forwarder.retry import Verdict, decide
from forwarder.sandbox.faults import FaultRule
from forwarder.sandbox.world import Content, Message, Photo
from forwarder.seam import Sender
from forwarder.telegram.bot_sender import BotSender
from forwarder.telegram.bot_values import to_source
from forwarder.telegram.finder import MtprotoFinder
from forwarder.telegram.user_sender import UserSender

from .conftest import Town

BOLD = (Entity("bold", 0, 3),)
WORDS = ("one", "two", "three")
BUTTON = Button("Source", "https://t.me/news_source/1")
both = pytest.mark.parametrize("route", ["bot", "user"])


@asynccontextmanager
async def sender_of(town: Town, route: str) -> AsyncIterator[Sender]:
    if route == "bot":
        async with town.bot() as bot:
            yield BotSender(bot, 2)
    else:
        async with town.client("sender", town.user) as client:
            yield UserSender(client, 1)


def order(town: Town, *parts: NewPart, reply_to: int | None = None, **of_rewrite: object) -> SendOrder:
    ids = tuple(part.message_id for part in parts)
    return SendOrder(
        town.source, ids, town.target, Mode.COPY, tuple(7000 + number for number in ids),
        album=len(ids) > 1, reply_to=reply_to, rewrite=Rewrite(parts, **of_rewrite),  # type: ignore[arg-type]
    )  # fmt: skip


def new(message_id: int, kind: Kind, words: str, **values: object) -> NewPart:
    return NewPart(message_id, kind, words, BOLD if words else (), changed=True, **values)  # type: ignore[arg-type]


def shown(town: Town) -> list[Message]:
    return [message for message in town.world.history(town.target) if message.service is None]


def buttons(message: Message) -> list[tuple[str, str | None]]:
    rows = message.markup.rows if message.markup is not None else ()
    return [(button.text, button.url) for row in rows for button in row]


async def files(town: Town) -> dict[int, str]:
    """What the bot calls the media that it has heard in the source."""
    async with telegram.Bot(town.token, base_url=f"{town.bot_api.url}/bot") as ears:
        updates = await ears.get_updates(allowed_updates=["channel_post"])
    heard = [to_source(update.channel_post) for update in updates if update.channel_post]
    return {one.message_id: one.file_id for one in heard if one.file_id}


@both
async def test_a_text_says_what_the_rules_have_made_of_it(town: Town, route: str) -> None:
    number = town.post("what was written")
    async with sender_of(town, route) as sender:
        changed = order(town, new(number, Kind.TEXT, "new words"), button=BUTTON)
        (copy,) = await sender.send(changed)
    [message] = shown(town)
    assert (message.id, message.text, message.forward) == (copy, "new words", None)
    assert [(e.kind, e.offset, e.length) for e in message.entities] == [("bold", 0, 3)]
    assert buttons(message) == ([("Source", BUTTON.url)] if route == "bot" else [])


@both
async def test_a_preview_is_shown_hidden_or_chosen_as_it_is_asked_for(town: Town, route: str) -> None:
    number = town.post("https://example.org/")
    looks = (
        Look(),
        Look(preview_hidden=True),
        Look(preview_url="https://example.com/", preview_large=True, inverted=True),
    )
    async with sender_of(town, route) as sender:
        for index, look in enumerate(looks):
            part = new(number, Kind.TEXT, "https://example.org/", look=look)
            await sender.send(replace(order(town, part), random_ids=(index + 1,)))
    plain, hidden, chosen = [message.content for message in shown(town)]
    assert plain.page is not None
    assert hidden.page is None
    assert (chosen.page and chosen.page.url, chosen.inverted) == ("https://example.com/", True)


@both
async def test_a_medium_gets_its_new_caption_or_none(town: Town, route: str) -> None:
    picture, voice = town.world.add_photo(b"one"), town.world.add_document(b"hm", "v.ogg", kind="voice")
    first, second = town.post(Content("secret", media=picture)), town.post(Content("secret", media=voice))
    async with sender_of(town, route) as sender:
        await sender.send(order(town, new(first, Kind.PHOTO, "new words", look=Look(inverted=True))))
        await sender.send(order(town, new(second, Kind.VOICE, "")))
    photo, sound = shown(town)
    assert (photo.text, photo.media, photo.content.inverted) == ("new words", picture, True)
    assert (sound.text, sound.media) == ("", voice)


@both
async def test_an_answer_that_rules_have_changed_answers_still(town: Town, route: str) -> None:
    first = town.post("first", town.target)
    number = town.post("words")
    async with sender_of(town, route) as sender:
        await sender.send(order(town, new(number, Kind.TEXT, "new words"), reply_to=first))
    assert shown(town)[-1].reply_to == first


@pytest.mark.parametrize("what", ["photo", "album", "answer", "edit"])
async def test_media_are_asked_for_anew_each_time_so_that_a_stale_reference_is_mended_by_the_next_try(
    town: Town, what: str
) -> None:
    first, other = (town.world.add_photo(name) for name in (b"one", b"two"))
    ids = town.album(["a", "b"]) if what == "album" else [town.post(Content("words", media=first))]
    answered = town.post(Content("copy", media=other), town.target) if what in ("answer", "edit") else None
    changed = order(town, *(new(number, Kind.PHOTO, "new words") for number in ids))
    if what == "answer":
        changed = replace(changed, rewrite=None, reply_to=answered)
    async with town.client("sender", town.user) as client:
        sender = UserSender(client, 1)
        if what == "edit":
            answered = (await sender.send(changed))[0] or 0

        async def attempt() -> None:
            if what == "edit":
                medium = Medium(town.source, ids[0])
                await sender.edit(EditOrder(town.target, answered or 0, Kind.PHOTO, "newer", medium=medium))
            else:
                await sender.send(changed)

        method = {"album": "messages.sendMultiMedia", "edit": "messages.editMessage"}.get(
            what, "messages.sendMedia"
        )
        # Of an album's parts Telegram says which one it means.
        name = "FILE_REFERENCE_1_EXPIRED" if what == "album" else "FILE_REFERENCE_EXPIRED"
        town.fault(FaultRule("error", method=method, error=name))
        town.guard.record.clear()
        with pytest.raises(TelegramError) as refusal:
            await attempt()
        decision = decide(refusal.value, api=AccountKind.USER, order="edit" if what == "edit" else "send")
        assert (decision.verdict, decision.reason) == (Verdict.RETRY, "file_reference_expired")
        await attempt()
    assert len(list(town.guard.record.calls(method="channels.getMessages"))) == 2
    last = shown(town)[-len(ids) :]
    wanted = {"answer": ["words"], "edit": ["newer"]}.get(what, ["new words"] * len(ids))
    assert [message.text for message in last] == wanted
    assert all(isinstance(message.media, Photo) for message in last)


@both
async def test_a_medium_is_covered(town: Town, route: str) -> None:
    number = town.post(Content("words", media=town.world.add_photo(b"one")))
    file_id = (await files(town))[number]
    async with sender_of(town, route) as sender:
        part = NewPart(number, Kind.PHOTO, "words", spoiler=True, cover=True)
        if route == "bot":
            with pytest.raises(TelegramError, match="COVER_NOT_HEARD"):
                await sender.send(order(town, part))
            part = replace(part, file_id=file_id)
        await sender.send(order(town, part))
    [message] = shown(town)
    assert isinstance(message.media, Photo)
    assert (message.media.spoiler, message.text) == (True, "words")


async def test_no_part_of_an_album_is_shown_uncovered_because_the_bot_has_not_heard_another(
    town: Town,
) -> None:
    ids = town.album(["a", "b"])
    async with town.bot() as bot:
        heard = await files(town)
        parts = [
            new(ids[0], Kind.PHOTO, "new", file_id=heard[ids[0]], spoiler=True, cover=True),
            new(ids[1], Kind.PHOTO, "", spoiler=True),
        ]
        with pytest.raises(TelegramError, match="COVER_NOT_HEARD"):
            await BotSender(bot, 2).send(order(town, *parts, captions_follow=True))
    assert shown(town) == []


async def test_a_bot_that_has_heard_an_album_sends_it_in_one_call_with_its_new_captions(town: Town) -> None:
    ids = town.album(["secret", "b", "c"])
    async with town.bot() as bot:
        heard = await files(town)
        parts = [
            new(number, Kind.PHOTO, word, file_id=heard[number])
            for number, word in zip(ids, WORDS, strict=True)
        ]
        sent = await BotSender(bot, 2).send(order(town, *parts))
    assert [message.id for message in shown(town)] == list(sent)
    assert [message.text for message in shown(town)] == list(WORDS)
    assert len({message.grouped_id for message in shown(town)} - {None}) == 1


async def test_an_album_that_the_bot_has_not_heard_arrives_without_captions_and_gets_them_then(
    town: Town,
) -> None:
    ids = town.album(["secret", "b"])
    parts = [new(ids[0], Kind.PHOTO, "new"), NewPart(ids[1], Kind.PHOTO, "b")]
    async with town.bot() as bot:
        sent = await BotSender(bot, 2).send(order(town, *parts, captions_follow=True))
        assert [message.text for message in shown(town)] == ["", ""]
        for copy, part in zip(sent, parts, strict=True):
            await BotSender(bot, 2).edit(EditOrder(town.target, copy or 0, Kind.PHOTO, part.text))
    assert [message.text for message in shown(town)] == ["new", "b"]


async def test_the_users_album_is_one_with_its_new_captions(town: Town) -> None:
    ids = town.album(["secret", "b"])
    async with sender_of(town, "user") as sender:
        changed = order(town, new(ids[0], Kind.PHOTO, "new"), NewPart(ids[1], Kind.PHOTO, "b"))
        sent = await sender.send(changed)
        assert await sender.send(changed) == sent, "a repeat sends nothing"
    assert [message.text for message in shown(town)] == ["new", "b"]
    assert len({message.grouped_id for message in shown(town)} - {None}) == 1


@pytest.mark.parametrize("lost", ["before", "after"])
async def test_a_changed_text_whose_answer_was_lost_is_repeated_and_sent_once(town: Town, lost: str) -> None:
    number = town.post("words")
    changed = order(town, new(number, Kind.TEXT, "new words"))
    async with town.client("sender", town.user) as client:
        sender = UserSender(client, 1)
        await client.ready()
        client.call_timeout = 0.5
        town.fault(FaultRule("drop", lost, method="messages.sendMessage"))  # type: ignore[arg-type]
        with pytest.raises(TelegramError):
            await sender.send(changed)
        await sender.send(changed)
    assert list(town.texts(town.target).values()) == ["new words"]


async def test_a_medium_that_is_gone_from_the_source_is_a_message_that_is_gone(town: Town) -> None:
    number = town.post(Content("words", media=town.world.add_photo(b"one")))
    town.world.delete(town.owner, town.source, [number])
    for route in ("bot", "user"):
        async with sender_of(town, route) as sender:
            with pytest.raises(TelegramError, match="(?i)MESSAGE_ID_INVALID|message to copy not found"):
                await sender.send(order(town, new(number, Kind.PHOTO, "new")))


async def test_an_edit_keeps_the_button_and_covers_what_takes_a_mediums_place(town: Town) -> None:
    number = town.post("words")
    photo = town.post(Content("words", media=town.world.add_photo(b"one")))
    async with town.bot() as bot:
        sender = BotSender(bot, 2)
        (copy,) = await sender.send(order(town, new(number, Kind.TEXT, "new"), button=BUTTON))
        await sender.edit(EditOrder(town.target, copy or 0, Kind.TEXT, "newer", button=BUTTON))
        (picture,) = await sender.send(order(town, new(photo, Kind.PHOTO, "new")))
        medium = Medium(town.source, photo, (await files(town))[photo])
        await sender.edit(EditOrder(town.target, picture or 0, Kind.PHOTO, "x", medium=medium, cover=True))
    text, covered = shown(town)
    assert (text.text, buttons(text)) == ("newer", [("Source", BUTTON.url)])
    assert isinstance(covered.media, Photo)
    assert covered.media.spoiler


# --- found again


async def test_a_changed_copy_is_found_by_what_was_sent_and_not_by_what_the_source_says(town: Town) -> None:
    number = town.post("words")
    before = town.post("noise before", town.target)
    town.post("words", town.target)
    async with town.bot() as bot, town.client("reader", town.user) as client:
        sought = FindOrder(
            town.source, (number,), town.target, Mode.COPY, after_id=before,
            remembered=(Remembered(number, Kind.TEXT, ("new words",), rewritten=True),),
        )  # fmt: skip
        finder = MtprotoFinder(client)
        assert await finder.find(sought) is None
        sent = await BotSender(bot, 2).send(order(town, new(number, Kind.TEXT, "new words")))
        assert await finder.find(sought) == sent
        town.world.delete(town.owner, town.source, [number])
        assert await finder.find(sought) == sent


async def test_a_changed_album_is_found_before_and_after_its_captions_are_put_in(town: Town) -> None:
    ids = town.album(["secret", "b"])
    before = town.post("noise", town.target)
    parts = [new(ids[0], Kind.PHOTO, "new"), NewPart(ids[1], Kind.PHOTO, "b")]
    remembered = tuple(
        Remembered(part.message_id, part.kind, (part.text, ""), "bot:x", in_album=True, rewritten=True)
        for part in parts
    )
    async with town.bot() as bot, town.client("reader", town.user) as client:
        sent = await BotSender(bot, 2).send(order(town, *parts, captions_follow=True))
        sought = FindOrder(
            town.source, tuple(ids), town.target, Mode.COPY, after_id=before, remembered=remembered
        )
        assert await MtprotoFinder(client).find(sought) == sent
        await BotSender(bot, 2).edit(EditOrder(town.target, sent[0] or 0, Kind.PHOTO, "new"))
        assert await MtprotoFinder(client).find(sought) == sent
        town.world.delete(town.owner, town.source, ids)
        with pytest.raises(AccountNotReady, match="deleted"):
            await MtprotoFinder(client).find(sought)
