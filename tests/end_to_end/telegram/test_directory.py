"""What a chat is and what our accounts may do there, as each API tells it."""

from __future__ import annotations

import pytest

from forwarder.errors import InvalidRequest, TelegramError
from forwarder.message import ChatKind
from forwarder.sandbox.faults import FaultRule
from forwarder.telegram.bot_directory import BotDirectory
from forwarder.telegram.directory import UserDirectory

from .conftest import Town


@pytest.mark.parametrize("reference", ["@news_source", "https://t.me/news_source/5", "@NEWS_source"])
async def test_a_public_channel_is_found_by_name_by_both(town: Town, reference: str) -> None:
    top = town.post("one")
    async with town.bot() as bot, town.client("sender", town.user) as client:
        by_bot = await BotDirectory(bot).look_up(reference)
        by_user = await UserDirectory(client).look_up(reference)
    for card in (by_bot, by_user):
        assert (card.chat_id, card.kind, card.title) == (town.source, ChatKind.CHANNEL, "News")
        assert card.username == "news_source"
        assert card.may_read
        assert card.may_post
        assert card.may_edit
        assert card.may_delete
    assert (by_user.top_id, by_bot.top_id) == (top, 0)
    assert by_user.access_hash


async def test_a_private_channel_is_found_by_its_id_and_by_links(town: Town) -> None:
    number = str(town.target).removeprefix("-100")
    invite = town.world.create_invite(town.owner, town.target).hash
    async with town.bot() as bot, town.client("sender", town.user) as client:
        for reference in (str(town.target), f"https://t.me/c/{number}/4"):
            assert (await BotDirectory(bot).look_up(reference)).chat_id == town.target
            assert (await UserDirectory(client).look_up(reference)).chat_id == town.target
        assert (await UserDirectory(client).look_up(f"https://t.me/+{invite}")).chat_id == town.target


async def test_rights_are_told_as_they_are(town: Town) -> None:
    town.world.promote(town.owner, town.target, town.user, frozenset({"edit_messages"}))
    town.world.promote(town.owner, town.target, town.robot, frozenset({"delete_messages"}))
    async with town.bot() as bot, town.client("sender", town.user) as client:
        by_bot = await BotDirectory(bot).look_up(str(town.target))
        by_user = await UserDirectory(client).look_up(str(town.target))
    assert (by_user.may_post, by_user.may_edit, by_user.may_delete) == (False, True, False)
    assert (by_bot.may_post, by_bot.may_edit, by_bot.may_delete) == (False, False, True)


async def test_protection_slow_mode_and_the_linked_group_are_told(town: Town) -> None:
    group = town.world.create_supergroup(town.owner, "Talk", username="news_talk").id
    town.world.change_chat(town.owner, group, slow_mode=30)
    town.world.change_chat(town.owner, town.source, protected=True, linked=group)
    town.world.add_member(town.owner, group, town.user)
    async with town.client("sender", town.user) as client:
        source = await UserDirectory(client).look_up("@news_source")
        talk = await UserDirectory(client).look_up("@news_talk")
    assert (source.protected, source.linked_chat_id) == (True, group)
    assert (talk.kind, talk.slow_mode, talk.may_post) == (ChatKind.SUPERGROUP, 30, True)
    assert talk.slowed
    town.world.promote(town.owner, group, town.user, frozenset({"delete_messages"}))
    async with town.client("sender", town.user) as client:
        assert not (await UserDirectory(client).look_up("@news_talk")).slowed


async def test_a_public_channel_may_be_read_without_being_in_it(town: Town) -> None:
    town.world.create_channel(town.owner, "Open", username="open_channel")
    async with town.client("sender", town.user) as client:
        card = await UserDirectory(client).look_up("@open_channel")
    assert (card.may_read, card.may_post) == (True, False)


async def test_an_invite_to_a_chat_we_are_not_in_is_not_joined(town: Town) -> None:
    private = town.world.create_channel(town.owner, "Private").id
    invite = town.world.create_invite(town.owner, private).hash
    async with town.bot() as bot, town.client("sender", town.user) as client:
        with pytest.raises(InvalidRequest, match="Private") as refusal:
            await UserDirectory(client).look_up(f"https://t.me/+{invite}")
        assert refusal.value.code == "not_a_member"
        with pytest.raises(InvalidRequest, match="invite link") as refusal:
            await BotDirectory(bot).look_up(f"https://t.me/+{invite}")
        assert refusal.value.code == "bot_cannot_use_invite"
    assert private not in {chat.id for chat in town.world.chats_of(town.user)}


@pytest.mark.parametrize(
    ("reference", "by_user", "by_bot"),
    [
        ("@nobody_at_all", "chat_not_found", "chat_not_found"),
        ("-1009999999999", "chat_not_found", "chat_not_found"),
        ("https://t.me/+AAAAAAAAAAAAAAAA", "chat_not_found", "bot_cannot_use_invite"),
        ("@olga_owner", "not_a_chat", "chat_not_found"),
        ("what?", "bad_reference", "bad_reference"),
    ],
)
async def test_what_is_no_chat_of_ours_gets_its_code_and_a_sentence(
    town: Town, reference: str, by_user: str, by_bot: str
) -> None:
    async with town.bot() as bot, town.client("sender", town.user) as client:
        with pytest.raises(InvalidRequest) as refusal:
            await UserDirectory(client).look_up(reference)
        assert refusal.value.code == by_user
        with pytest.raises(InvalidRequest) as refusal:
            await BotDirectory(bot).look_up(reference)
        assert refusal.value.code in (by_bot, by_user)


async def test_a_chat_that_put_us_out_is_known_but_unreadable(town: Town) -> None:
    town.world.ban(town.owner, town.target, town.user)
    town.world.promote(town.owner, town.target, town.robot, frozenset())
    async with town.bot() as bot, town.client("sender", town.user) as client:
        for directory in (BotDirectory(bot), UserDirectory(client)):
            with pytest.raises(InvalidRequest) as refusal:
                await directory.look_up(str(town.target))
            assert refusal.value.code in ("chat_unreadable", "chat_not_found")


async def test_a_basic_group_has_a_card_too(town: Town) -> None:
    group = town.world.create_group(town.owner, "Friends", (town.user,)).id
    async with town.client("sender", town.user) as client:
        card = await UserDirectory(client).look_up(str(group))
    assert (card.chat_id, card.kind, card.may_read, card.may_post) == (group, ChatKind.GROUP, True, True)


async def test_a_wait_is_no_missing_chat(town: Town) -> None:
    town.fault(FaultRule("error", method="contacts.resolveUsername", error="FLOOD_WAIT_X", seconds=300))
    async with town.client("sender", town.user) as client:
        with pytest.raises(TelegramError, match="FLOOD_WAIT"):
            await UserDirectory(client).look_up("@news_source")
