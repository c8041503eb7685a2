"""People walk through the control bot's rooms, over real HTTP against a local Telegram."""

from __future__ import annotations

import asyncio
from dataclasses import replace

from telegram import BotCommandScopeAllPrivateChats, BotCommandScopeChat

from forwarder.bot.commands import publish
from forwarder.bot.screens.notices import screen_of
from forwarder.bot.texts import Texts
from forwarder.errors import Unavailable
from forwarder.message import AccountKind
from forwarder.models import Language, Role
from forwarder.services.status import AccountStatus
from forwarder.services.telling import HeldByOutage, HeldUnsure
from forwarder.services.tempo import TooFast


async def add_both(town) -> None:  # type: ignore[no-untyped-def]
    """A source and a destination, picked with Telegram's own list of chats."""
    await town.type("/start", "Message forwarder")
    await town.press("📥 Sources", "There are none yet")
    await town.press("➕ Add a source", "New source")
    await town.owner.share_chat(town.robot, "📢 Pick a channel", town.source)
    await town.wait("All is well")
    await town.type("/start", "Message forwarder")
    await town.press("📤 Destinations", "There are none yet")
    await town.press("➕ Add a destination", "New destination")
    await town.owner.share_chat(town.robot, "📢 Pick a channel", town.target)
    await town.wait("All is well")


async def map_them(town, mode: str = "📄 Copy") -> None:  # type: ignore[no-untyped-def]
    await town.type("/start", "Message forwarder")
    await town.press("➕ New mapping", "1 of 4")
    await town.press("▫️ News @news_source", "☑️ News @news_source")
    await town.press("Next (1) ›", "2 of 4")
    await town.press("▫️ Copies", "☑️ Copies")
    await town.press("Next (1) ›", "3 of 4")
    await town.press(mode, "4 of 4")
    await town.press("✅ Create", "Created: 1 mapping.")


async def test_a_person_sets_a_mapping_up_with_buttons_alone(town) -> None:  # type: ignore[no-untyped-def]
    await add_both(town)
    await map_them(town)
    await town.press("🔀 Mappings", "1 in all")
    await town.press("▶️ News → Copies", "Mapping #1")
    screen = await town.wait("the bot")
    assert screen.last is not None
    assert "copy, the author is not shown" in screen.last.text
    mapping = (await town.services.mappings.list()).items[0]
    assert (mapping.source.telegram_id, mapping.destination.telegram_id) == (town.source, town.target)


async def test_pausing_resuming_and_disabling_take_a_press_or_two(town) -> None:  # type: ignore[no-untyped-def]
    await add_both(town)
    await map_them(town, "↪️ Forward")
    await town.press("🔀 Mappings", "1 in all")
    await town.press("▶️ News → Copies", "Active")
    await town.press("⏸ Pause", "Paused: by hand")
    await town.press("▶️ Resume", "Active")
    await town.press("⏹ Disable", "Disable #1")
    await town.press("‹ Back", "Active")
    await town.press("⏹ Disable", "Disable #1")
    await town.press("⏹ Yes, disable", "⏹ Disabled")


async def test_screens_replace_one_another_in_place(town) -> None:  # type: ignore[no-untyped-def]
    before = await town.type("/start", "Message forwarder")
    await town.press("❓ Help", "How it works")
    after = await town.press("🏠 Menu", "Message forwarder")
    assert [message.id for message in after.messages] == [message.id for message in before.messages]


async def test_a_stranger_is_told_their_number_in_their_language(town) -> None:  # type: ignore[no-untyped-def]
    screen = await town.type("/start", "закрытый бот", town.stranger)
    assert str(town.stranger.id) in screen.last.text
    assert await town.services.users.admit(town.stranger.id) is None


async def test_an_administrator_lets_somebody_in_to_look_but_not_to_change(town) -> None:  # type: ignore[no-untyped-def]
    await town.type("/start", "закрытый бот", town.stranger)
    await town.type(f"/allow {town.stranger.id} viewer", "may use the bot now")
    screen = await town.type("/start", "Пересылка сообщений", town.stranger)
    assert not screen.has("Новая связка")
    await town.type("/admin", "только для администраторов", town.stranger)
    await town.type(f"/allow {town.stranger.id}", "may use the bot now")
    person = await town.services.users.admit(town.stranger.id)
    assert person is not None
    assert person.role is Role.OPERATOR
    await town.type(f"/deny {town.stranger.id}", "no access any more")
    await town.type("/start", "закрытый бот", town.stranger)


async def test_the_language_can_be_changed_and_stays(town) -> None:  # type: ignore[no-untyped-def]
    await town.type("/start", "Message forwarder")
    await town.press("⚙️ Settings", "Settings")
    await town.press("Русский", "Язык бота: русский")
    await town.restart()
    await town.type("/start", "Пересылка сообщений")


async def test_a_wrong_name_is_refused_with_the_remedy_and_the_question_stays_open(town) -> None:  # type: ignore[no-untyped-def]
    await town.type("/start", "Message forwarder")
    await town.press("📥 Sources", "There are none yet")
    await town.press("➕ Add a source", "New source")
    await town.type("what is this?", "no name, link or id")
    await town.type("@nobody_at_all", "can't find this chat")
    await town.type("@news_source", "can read")
    town.world.promote(town.owner.id, town.source, town.robot, frozenset({"post_messages"}))
    await town.type("https://t.me/news_source", "All is well")


async def test_a_forwarded_post_names_its_channel(town) -> None:  # type: ignore[no-untyped-def]
    town.world.promote(town.owner.id, town.source, town.robot, frozenset({"post_messages"}))
    post = await town.owner.post(town.source, "hello")
    await town.type("/start", "Message forwarder")
    await town.press("📥 Sources", "There are none yet")
    await town.press("➕ Add a source", "New source")
    await town.owner.forward_to(town.robot, town.source, [post])
    await town.wait("All is well")


async def test_a_dialog_goes_on_after_a_restart_and_ends_with_cancel(town) -> None:  # type: ignore[no-untyped-def]
    await add_both(town)
    await town.type("/start", "Message forwarder")
    await town.press("➕ New mapping", "1 of 4")
    await town.press("▫️ News @news_source", "☑️ News @news_source")
    await town.restart()
    await town.press("Next (1) ›", "2 of 4")
    await town.press("✖️ Cancel", "Message forwarder")
    await town.type("/cancel", "Message forwarder")


async def test_an_old_button_of_a_thing_that_is_gone_says_so(town) -> None:  # type: ignore[no-untyped-def]
    await add_both(town)
    await map_them(town)
    await town.press("🔀 Mappings", "1 in all")
    screen = await town.press("▶️ News → Copies", "Mapping #1")
    card = screen.last.id
    await town.services.mappings.disable(1)
    await town.owner.press(town.robot, "⏸ Pause", card)
    await town.wait("disabled. Create it anew")
    source = (await town.services.channels.list(side="source")).items[0]
    await town.services.channels.remove(source.id)
    await town.type("/start", "Message forwarder")
    await town.press("➕ New mapping", "First add a source")


async def test_a_channel_in_use_is_not_removed_and_one_that_is_free_is(town) -> None:  # type: ignore[no-untyped-def]
    await add_both(town)
    await map_them(town)
    await town.type("/start", "Message forwarder")
    await town.press("📥 Sources", "1 in all")
    await town.press("News @news_source", "All is well")
    await town.press("🗑 Remove", "from the sources?")
    await town.press("🗑 Yes, remove", "used by the mappings #1")
    await town.services.mappings.disable(1)
    await town.press("🗑 Yes, remove", "There are none yet")


async def test_losing_the_rights_pauses_the_mapping_and_their_return_resumes_it(town) -> None:  # type: ignore[no-untyped-def]
    await add_both(town)
    await map_them(town)
    await town.press("🔀 Mappings", "1 in all")
    await town.press("▶️ News → Copies", "Active")
    await town.owner.promote(town.target, town.robot, frozenset())
    await state_becomes(town, "paused")
    await town.press("🔄 Refresh", "no account has the rights")
    await town.owner.promote(town.target, town.robot, frozenset({"post_messages"}))
    await state_becomes(town, "active")


async def state_becomes(town, state: str) -> None:  # type: ignore[no-untyped-def]
    async with asyncio.timeout(10):
        while (await town.services.mappings.get(1)).state != state:  # noqa: ASYNC110 - the row is in PostgreSQL
            await asyncio.sleep(0.02)


async def test_the_state_of_everything_is_one_press_away_for_administrators(town) -> None:  # type: ignore[no-untyped-def]
    screen = await town.type("/admin", "Administration")
    assert "❌ worker" in screen.last.text
    assert "Failed 3" in screen.last.text
    town.status.broken = Unavailable("PostgreSQL is away")
    await town.press("🔄 Refresh", "database does not answer")


async def test_what_nobody_expected_gets_a_number_and_no_traceback(town) -> None:  # type: ignore[no-untyped-def]
    town.status.broken = RuntimeError("boom")
    screen = await town.type("/admin", "Something went wrong, number")
    assert "boom" not in screen.last.text
    town.status.broken = None
    await town.type("/admin", "Administration")
    town.status.broken = RuntimeError("boom")
    await town.press("🔄 Refresh", "Something went wrong, number")


async def test_why_asks_for_a_link_and_says_what_it_knows(town) -> None:  # type: ignore[no-untyped-def]
    await add_both(town)
    await town.type("/why", "Send the link of a post")
    await town.type("/why @news_source", "no link to a post")
    await town.type("/why https://t.me/news_source/7", "has not come to us")
    await town.type("/why https://t.me/elsewhere/7", "not here")


async def test_a_person_in_a_hurry_is_asked_to_slow_down(town) -> None:  # type: ignore[no-untyped-def]
    town.clock.stop()
    for _ in range(31):
        await town.owner.type(town.robot, "/help")
    screen = await town.owner.wait_screen(town.robot, lambda screen: screen.has("a bit fast"))
    assert screen.last is not None


async def test_menus_of_commands_speak_both_languages_and_administrators_have_more(town) -> None:  # type: ignore[no-untyped-def]
    await town.type("/start", "Message forwarder")
    await publish(town.bot, [town.owner.id, 999])
    everybody = BotCommandScopeAllPrivateChats()
    for language, first in ((None, "Main menu"), ("ru", "Главное меню")):
        shown = await town.bot.get_my_commands(everybody, language_code=language)
        assert [command.command for command in shown] == ["start", "help", "why", "review", "cancel"]
        assert shown[0].description == first
    own = await town.bot.get_my_commands(BotCommandScopeChat(town.owner.id))
    assert own[-1].command == "admin"


async def test_a_chat_that_is_none_of_ours_hears_nothing_from_the_bot(town) -> None:  # type: ignore[no-untyped-def]
    strange = town.world.create_channel(town.stranger.id, "Strange").id
    town.world.promote(town.stranger.id, strange, town.robot, frozenset({"post_messages"}))
    await town.type("/start", "Message forwarder")
    assert [message.text for message in town.world.history(strange) if message.service is None] == []
    assert (await town.services.channels.list()).total == 0


async def test_an_administrator_turns_alerts_off_and_on(town) -> None:  # type: ignore[no-untyped-def]
    await town.type("/start", "Message forwarder")
    await town.press("⚙️ Settings", "an owner: on")
    await town.press("🔕 Turn alerts off", "an owner: off")
    person = await town.services.users.admit(town.owner.id)
    assert person is not None
    assert not person.alerts
    await town.press("🔔 Turn alerts on", "an owner: on")


async def test_the_state_says_what_to_do_and_a_stopped_account_works_again_at_a_tap(town) -> None:  # type: ignore[no-untyped-def]
    await add_both(town)
    await map_them(town)
    paused = await town.services.mappings.pause(1, reason="topic_closed")
    account = (await town.services.accounts.list())[0]
    await town.services.accounts.stop(account.id, "spam_limited", actor=town.owner.id)
    stopped = AccountStatus(AccountKind.BOT, "forwarder_bot", "stopped", "spam_limited", None, account.id)
    town.status.now = replace(town.status.now, accounts=(stopped,), alerts=(paused,))
    screen = await town.type("/admin", "Paused by an error")
    assert "News → Copies: the topic is closed or deleted" in screen.last.text
    assert "→ open the topic again" in screen.last.text
    assert "→ write to @SpamBot" in screen.last.text
    await town.press("▶️ Let @forwarder_bot work again", "It works again.")
    assert (await town.services.accounts.list())[0].state == "active"


async def test_posts_of_unknown_outcome_are_settled_at_a_tap(town) -> None:  # type: ignore[no-untyped-def]
    await add_both(town)
    await map_them(town)
    mapping = await town.services.mappings.get(1)
    screen = screen_of(Texts(Language.EN), HeldUnsure(mapping, 1, (7,), 7))
    await town.bot.send_message(town.owner.id, screen.text, parse_mode="HTML", reply_markup=screen.keyboard)
    await town.press("✅ It has arrived", "Mapping #1")


async def test_the_question_after_an_outage_is_answered_at_a_tap(town) -> None:  # type: ignore[no-untyped-def]
    await add_both(town)
    await map_them(town)
    mapping = await town.services.mappings.get(1)
    screen = screen_of(Texts(Language.EN), HeldByOutage(mapping, 6))
    await town.bot.send_message(town.owner.id, screen.text, parse_mode="HTML", reply_markup=screen.keyboard)
    await town.press("The last 5", "▶️ Active")


async def test_what_becomes_of_late_posts_is_set_with_buttons(town) -> None:  # type: ignore[no-untyped-def]
    await add_both(town)
    await map_them(town)
    town.status.now = replace(town.status.now, outages=((await town.services.mappings.get(1), 12),))
    await town.type("/admin", "News → Copies: 12 posts")
    screen = screen_of(Texts(Language.EN), HeldByOutage(await town.services.mappings.get(1), 1))
    await town.bot.send_message(town.owner.id, screen.text, parse_mode="HTML", reply_markup=screen.keyboard)
    await town.press("🔀 Open the mapping", "▶️ Active")
    await town.press("🕓 Late posts", "After an outage: you are asked")
    await town.press("Skip after 6 h", "posts older than 6 h are left out")
    await town.press("Send", "After an outage: all posts of that time are sent")
    settings = (await town.services.mappings.get(1)).settings
    assert (settings.skip_hours, settings.after_outage) == (6, "send")


async def test_a_source_that_is_too_fast_is_named_when_it_is_mapped(town) -> None:  # type: ignore[no-untyped-def]
    await add_both(town)
    town.tempo.now = TooFast("News", "Copies", 3600, 1200)
    await map_them(town)
    await town.wait("News posts about 3600 times an hour; Copies may receive 1200")


async def test_a_destination_is_put_into_a_group_and_out_of_it(town) -> None:  # type: ignore[no-untyped-def]
    await add_both(town)
    screen = await town.press("🔗 Group", "the name of a new one")
    assert not screen.has("No group")
    await town.press("‹ Back", "All is well")
    assert await town.services.users.load_dialog(town.owner.id) is None
    await town.press("🔗 Group", "the name of a new one")
    await town.type("Papers", "Group: Papers")
    await town.press("🔗 Group", "Papers: Copies")
    await town.press("No group", "All is well")
    assert await town.services.groups.list() == ()
