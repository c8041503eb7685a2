"""The Bot API door under a real, unmodified python-telegram-bot."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import timedelta
from urllib.error import HTTPError
from urllib.request import urlopen

import pytest

os.environ.setdefault("PTB_TIMEDELTA", "true")

from telegram import (
    Bot,
    ChatAdministratorRights,
    InlineKeyboardButton,
    InlineKeyboardMarkup,
    InputMediaDocument,
    InputMediaPhoto,
    KeyboardButton,
    KeyboardButtonRequestChat,
    MessageEntity,
    ReplyKeyboardMarkup,
    Update,
)
from telegram.error import (
    BadRequest,
    Conflict,
    EndPointNotFound,
    Forbidden,
    InvalidToken,
    NetworkError,
    RetryAfter,
    TimedOut,
)
from telegram.ext import Application, CommandHandler
from telegram.request import HTTPXRequest

from forwarder.sandbox.bot_api import BotApiDoor
from forwarder.sandbox.faults import FaultRule
from forwarder.sandbox.guard import Guard
from forwarder.sandbox.limits import NO_QUOTAS, Limit, Quotas
from forwarder.sandbox.world import Content, Edit, ManualClock, Poll, World
from forwarder.sandbox.world.detect import found_entities

PNG = b"\x89PNG\r\n\x1a\n" + b"\0\0\0\rIHDR" + (300).to_bytes(4, "big") + (200).to_bytes(4, "big") + b"..."
POSTER = frozenset({"post_messages", "edit_messages", "delete_messages"})


@dataclass
class Town:
    """A world with one person, one bot, a channel for each of them, and a real client of the bot."""

    world: World
    clock: ManualClock
    guard: Guard
    door: BotApiDoor
    token: str
    bot_id: int
    owner: int
    source: int
    target: int
    bot: Bot

    def client(self, token: str | None = None, read_timeout: float = 5.0) -> Bot:
        return Bot(
            token or self.token,
            base_url=f"{self.door.url}/bot",
            base_file_url=f"{self.door.url}/file/bot",
            request=HTTPXRequest(read_timeout=read_timeout),
            get_updates_request=HTTPXRequest(read_timeout=read_timeout),
        )

    def talk(self) -> None:
        """The owner starts the bot, so that it may write to them."""
        self.world.send(self.owner, self.bot_id, "/start")


@pytest.fixture
async def town() -> AsyncIterator[Town]:
    clock = ManualClock()
    world = World(clock=clock, seed=3)
    owner = world.create_user("Olga", username="olga_owner")
    robot = world.create_bot("Forwarder", username="forwarder_bot", owner=owner.id)
    source = world.create_channel(owner.id, "News", username="news_source")
    target = world.create_channel(owner.id, "Copies")
    for chat in (source, target):
        world.promote(owner.id, chat.id, robot.id, POSTER)
    guard = Guard(world, quotas=NO_QUOTAS)
    door = BotApiDoor(world, guard)
    await door.start()
    assert robot.bot is not None
    town = Town(
        world, clock, guard, door, robot.bot.token, robot.id, owner.id, source.id, target.id, Bot("1:a")
    )
    town.bot = town.client()
    await town.bot.initialize()
    yield town
    await town.bot.shutdown()
    await door.stop()
    assert guard.record.unknown == [], "python-telegram-bot called something that the sandbox has not got"


async def test_posts_of_a_channel_reach_the_bot_and_are_confirmed_by_offset(town: Town) -> None:
    town.world.send(town.owner, town.source, "first")
    town.world.send(town.owner, town.source, "second")
    updates = await town.bot.get_updates(allowed_updates=["channel_post"])
    assert [update.channel_post.text for update in updates if update.channel_post] == ["first", "second"]
    assert updates[-1].update_id == updates[-2].update_id + 1
    again = await town.bot.get_updates(offset=updates[-1].update_id)
    assert [update.update_id for update in again] == [updates[-1].update_id]
    assert await town.bot.get_updates(offset=updates[-1].update_id + 1) == ()


async def test_a_long_poll_ends_as_soon_as_something_is_posted(town: Town) -> None:
    poll = asyncio.create_task(town.bot.get_updates(timeout=20))
    await asyncio.sleep(0.1)
    town.world.send(town.owner, town.source, "news")
    updates = await asyncio.wait_for(poll, 5)
    assert updates[0].channel_post is not None


async def test_a_negative_offset_keeps_only_the_newest(town: Town) -> None:
    for number in range(5):
        town.world.send(town.owner, town.source, f"post {number}")
    newest = await town.bot.get_updates(offset=-2)
    assert [update.channel_post.text for update in newest if update.channel_post] == ["post 3", "post 4"]
    assert len(await town.bot.get_updates()) == 2


async def test_updates_are_gone_after_a_day(town: Town) -> None:
    town.world.send(town.owner, town.source, "old")
    town.clock.advance(3600)
    town.world.send(town.owner, town.source, "new")
    town.clock.advance(24 * 3600 - 1800)
    texts = [update.channel_post.text for update in await town.bot.get_updates() if update.channel_post]
    assert texts == ["new"]


async def test_own_posts_and_those_of_other_bots_are_not_echoed(town: Town) -> None:
    other = town.world.create_bot("Other")
    town.world.promote(town.owner, town.source, other.id, POSTER)
    await town.bot.send_message(town.source, "mine")
    town.world.send(other.id, town.source, "a bot's")
    assert [update for update in await town.bot.get_updates() if update.channel_post] == []


async def test_a_second_poller_ends_the_first_with_a_conflict(town: Town) -> None:
    async with town.client() as rival:
        first = asyncio.create_task(town.bot.get_updates(timeout=20))
        await asyncio.sleep(0.2)
        second = asyncio.create_task(rival.get_updates(timeout=20))
        with pytest.raises(Conflict, match="terminated by other getUpdates request"):
            await asyncio.wait_for(first, 5)
        town.world.send(town.owner, town.source, "for the second")
        assert len(await asyncio.wait_for(second, 5)) == 1


async def test_a_webhook_shuts_getupdates_out_until_it_is_deleted(town: Town) -> None:
    await town.bot.set_webhook("https://bot.example/hook")
    assert (await town.bot.get_webhook_info()).url == "https://bot.example/hook"
    with pytest.raises(Conflict, match="webhook is active"):
        await town.bot.get_updates()
    town.world.send(town.owner, town.source, "kept")
    await town.bot.delete_webhook()
    assert (await town.bot.get_updates())[-1].channel_post is not None
    await town.bot.delete_webhook(drop_pending_updates=True)
    assert (await town.bot.get_webhook_info()).pending_update_count == 0


async def test_a_wrong_token_is_refused(town: Town) -> None:
    for token in ("123:wrong", "nonsense"):
        client = town.client(token)
        with pytest.raises(InvalidToken):
            await client.initialize()
        await client.shutdown()


async def test_an_unknown_method_is_refused_loudly(town: Town) -> None:
    with pytest.raises(EndPointNotFound):
        await town.bot.do_api_request("sendSoup")
    assert [one.method for one in town.guard.record.unknown] == ["sendSoup"]
    town.guard.record.unknown.clear()


# -- sending ---------------------------------------------------------------------------------------------


async def test_formatted_text_arrives_with_its_entities(town: Town) -> None:
    message = await town.bot.send_message(
        town.target,
        "\N{GRINNING FACE} <b>bold &amp; <i>both</i></b> <a href='https://x.org/'>link</a>",
        parse_mode="HTML",
    )
    stored = town.world.history(town.target)[-1]
    assert stored.text == "\N{GRINNING FACE} bold & both link" == message.text
    assert [(e.kind, e.offset, e.length, e.url) for e in stored.entities] == [
        ("bold", 3, 11, ""),
        ("italic", 10, 4, ""),
        ("text_link", 15, 4, "https://x.org/"),
    ]
    assert message.parse_entity(message.entities[1]) == "both"


async def test_markdown_is_understood_and_its_errors_are_named(town: Town) -> None:
    sent = await town.bot.send_message(
        town.target, r"*bold* _it_ `code` [l](https://x.org) 1\.5", parse_mode="MarkdownV2"
    )
    assert sent.text == "bold it code l 1.5"
    assert [entity.type for entity in sent.entities] == ["bold", "italic", "code", "text_link"]
    with pytest.raises(BadRequest, match="(?i)character '\\.' is reserved"):
        await town.bot.send_message(town.target, "1.5", parse_mode="MarkdownV2")
    with pytest.raises(BadRequest, match="(?i)can't find end tag"):
        await town.bot.send_message(town.target, "<b>open", parse_mode="HTML")
    with pytest.raises(BadRequest, match="(?i)unsupported start tag"):
        await town.bot.send_message(town.target, "<table>", parse_mode="HTML")


async def test_photos_and_documents_travel_with_their_bytes(town: Town) -> None:
    photo = await town.bot.send_photo(town.target, PNG, caption="A view")
    assert (photo.photo[-1].width, photo.photo[-1].height) == (300, 200)
    document = await town.bot.send_document(town.target, b"figures", filename="figures.csv")
    assert document.document is not None
    assert document.document.file_name == "figures.csv"
    file = await town.bot.get_file(document.document.file_id)
    assert bytes(await file.download_as_bytearray()) == b"figures"
    again = await town.bot.send_photo(town.target, photo.photo[-1].file_id)
    assert again.photo[-1].file_unique_id == photo.photo[-1].file_unique_id
    with pytest.raises(BadRequest, match="rong file identifier"):
        await town.bot.send_photo(town.target, "nonsense")


async def test_a_file_id_is_worth_nothing_to_another_bot(town: Town) -> None:
    other = town.world.create_bot("Other")
    town.world.promote(town.owner, town.target, other.id, POSTER)
    photo = await town.bot.send_photo(town.target, PNG)
    assert other.bot is not None
    async with town.client(other.bot.token) as rival:
        with pytest.raises(BadRequest, match="rong file identifier"):
            await rival.send_photo(town.target, photo.photo[-1].file_id)


async def test_an_album_is_one_group_and_mixes_only_what_belongs_together(town: Town) -> None:
    sent = await town.bot.send_media_group(
        town.target, [InputMediaPhoto(PNG, caption="one"), InputMediaPhoto(PNG)]
    )
    assert len({message.media_group_id for message in sent}) == 1
    assert [message.caption for message in sent] == ["one", None]
    with pytest.raises(BadRequest, match="media of the specified type"):
        await town.bot.send_media_group(
            town.target, [InputMediaPhoto(PNG), InputMediaDocument(b"x", filename="x")]
        )


async def test_polls_contacts_places_and_dice_are_sent_too(town: Town) -> None:
    poll = await town.bot.send_poll(town.target, "Tea or coffee?", ["Tea", "Coffee"])
    assert poll.poll is not None
    assert [option.text for option in poll.poll.options] == ["Tea", "Coffee"]
    quiz = await town.bot.send_poll(town.target, "2+2?", ["4", "5"], type="quiz", correct_option_ids=[0])
    assert quiz.poll is not None
    assert quiz.poll.type == "quiz"
    assert (await town.bot.send_contact(town.target, "+1", "Ann")).contact is not None
    assert (await town.bot.send_location(town.target, 1.5, 2.5)).location is not None
    assert (await town.bot.send_venue(town.target, 1.5, 2.5, "Cafe", "Street")).venue is not None
    assert (await town.bot.send_dice(town.target)).dice is not None
    assert (await town.bot.send_voice(town.target, b"ogg", duration=3)).voice is not None
    assert (await town.bot.send_video(town.target, b"mp4", duration=3)).video is not None
    assert (await town.bot.send_animation(town.target, b"gif")).animation is not None
    assert (await town.bot.send_audio(town.target, b"mp3", title="Song")).audio is not None
    assert (await town.bot.send_sticker(town.target, b"webp")).sticker is not None
    assert (await town.bot.send_video_note(town.target, b"mp4", length=240)).video_note is not None


@pytest.mark.parametrize(
    ("text", "words"), [("", "text is empty"), ("x" * 4097, "message is too long")], ids=["empty", "long"]
)
async def test_texts_that_telegram_refuses_are_refused(town: Town, text: str, words: str) -> None:
    with pytest.raises(BadRequest, match=f"(?i){words}"):
        await town.bot.send_message(town.target, text)


async def test_a_long_caption_is_refused(town: Town) -> None:
    with pytest.raises(BadRequest, match="caption is too long"):
        await town.bot.send_photo(town.target, PNG, caption="x" * 1025)


async def test_callback_data_has_at_most_64_bytes(town: Town) -> None:
    def keyboard(data: str) -> InlineKeyboardMarkup:
        return InlineKeyboardMarkup([[InlineKeyboardButton("Go", callback_data=data)]])

    await town.bot.send_message(town.target, "ok", reply_markup=keyboard("x" * 64))
    with pytest.raises(BadRequest, match="(?i)button_data_invalid"):
        await town.bot.send_message(town.target, "no", reply_markup=keyboard("я" * 33))


async def test_rights_are_asked_for(town: Town) -> None:
    town.world.promote(town.owner, town.target, town.bot_id, frozenset({"delete_messages"}))
    with pytest.raises(BadRequest, match="(?i)need administrator rights in the channel chat"):
        await town.bot.send_message(town.target, "no")
    town.world.ban(town.owner, town.target, town.bot_id)
    with pytest.raises(Forbidden, match="kicked from the channel chat"):
        await town.bot.send_message(town.target, "no")
    strange = town.world.create_channel(town.owner, "Strange")
    with pytest.raises(BadRequest, match="(?i)chat not found"):
        await town.bot.send_message(strange.id, "no")
    public = town.world.create_channel(town.owner, "Public", username="public_one")
    with pytest.raises(Forbidden, match="not a member of the channel chat"):
        await town.bot.send_message("@public_one", "no")
    assert (await town.bot.get_chat("@public_one")).id == public.id


async def test_an_upgraded_group_says_where_it_went(town: Town) -> None:
    group = town.world.create_group(town.owner, "Friends", (town.bot_id,))
    new = town.world.migrate_group(town.owner, group.id)
    reply = json.loads(
        await asyncio.to_thread(
            _get, f"{town.door.url}/bot{town.token}/sendMessage?chat_id={group.id}&text=x"
        )
    )
    assert reply["parameters"] == {"migrate_to_chat_id": new.id}
    assert "upgraded to a supergroup chat" in reply["description"]


def _get(url: str) -> bytes:
    try:
        with urlopen(url, timeout=5) as answer:
            return bytes(answer.read())
    except HTTPError as error:
        with error:
            return bytes(error.read())


# -- forwarding, copying, editing, deleting ----------------------------------------------------------------


async def test_a_forward_shows_its_origin_and_a_copy_does_not(town: Town) -> None:
    post = town.world.send(town.owner, town.source, "news")
    forward = await town.bot.forward_message(town.target, town.source, post.id)
    assert forward.forward_origin is not None
    assert forward.forward_origin.type == "channel"
    copy = await town.bot.copy_message(town.target, town.source, post.id)
    stored = town.world.history(town.target)[-1]
    assert (stored.id, stored.text, stored.forward) == (copy.message_id, "news", None)
    assert stored.made_from is not None
    assert stored.made_from.id == post.id


async def test_a_copy_may_have_a_new_caption(town: Town) -> None:
    post = town.world.send(town.owner, town.source, Content("old", (), town.world.add_photo(PNG)))
    entities = [MessageEntity("bold", 0, 3)]
    await town.bot.copy_message(town.target, town.source, post.id, caption="new", caption_entities=entities)
    stored = town.world.history(town.target)[-1]
    assert (stored.text, [entity.kind for entity in stored.entities]) == ("new", ["bold"])


async def test_batches_skip_what_is_missing_and_keep_albums(town: Town) -> None:
    photo = town.world.add_photo(PNG)
    album = town.world.send_album(town.owner, town.source, [Content("a", (), photo), Content("b", (), photo)])
    single = town.world.send(town.owner, town.source, "text")
    numbers = [album[0].id, album[1].id, single.id, single.id + 50]
    made = await town.bot.copy_messages(town.target, town.source, numbers)
    stored = town.world.history(town.target)[-3:]
    assert [one.message_id for one in made] == [one.id for one in stored]
    assert stored[0].grouped_id == stored[1].grouped_id is not None
    assert stored[2].grouped_id is None
    with pytest.raises(BadRequest, match="(?i)strictly increasing"):
        await town.bot.copy_messages(town.target, town.source, [5, 4])
    with pytest.raises(BadRequest, match="(?i)message to copy not found"):
        await town.bot.copy_messages(town.target, town.source, [900])
    with pytest.raises(BadRequest, match="(?i)message to forward not found"):
        await town.bot.forward_message(town.target, town.source, 900)


async def test_protected_posts_are_not_forwarded(town: Town) -> None:
    post = town.world.send(town.owner, town.source, "secret")
    town.world.change_chat(town.owner, town.source, protected=True)
    with pytest.raises(BadRequest, match="(?i)protected content and can't be forwarded"):
        await town.bot.forward_message(town.target, town.source, post.id)
    assert (await town.bot.get_chat(town.source)).has_protected_content


async def test_a_quiz_whose_answer_is_unknown_can_not_be_copied(town: Town) -> None:
    quiz = Poll(town.world.big_id(), "2+2?", ("4", "5"), quiz=True, correct=(0,))
    post = town.world.send(town.owner, town.source, Content(media=quiz))
    with pytest.raises(BadRequest, match="(?i)message can't be copied"):
        await town.bot.copy_message(town.target, town.source, post.id)
    assert (await town.bot.forward_message(town.target, town.source, post.id)).poll is not None


async def test_edits_change_the_message_and_an_equal_one_is_refused(town: Town) -> None:
    sent = await town.bot.send_message(town.target, "one")
    await town.bot.edit_message_text("two", town.target, sent.message_id)
    assert town.world.history(town.target)[-1].text == "two"
    with pytest.raises(BadRequest, match="exactly the same as a current content"):
        await town.bot.edit_message_text("two", town.target, sent.message_id)
    with pytest.raises(BadRequest, match="(?i)message to edit not found"):
        await town.bot.edit_message_text("two", town.target, 999)
    photo = await town.bot.send_photo(town.target, PNG, caption="old")
    await town.bot.edit_message_caption(town.target, photo.message_id, caption="new")
    await town.bot.edit_message_media(InputMediaPhoto(PNG, caption="other"), town.target, photo.message_id)
    assert town.world.history(town.target)[-1].text == "other"
    keyboard = InlineKeyboardMarkup([[InlineKeyboardButton("Go", callback_data="go")]])
    await town.bot.edit_message_reply_markup(town.target, photo.message_id, reply_markup=keyboard)
    assert town.world.history(town.target)[-1].text == "other"
    forward = await town.bot.forward_message(town.target, town.target, sent.message_id)
    with pytest.raises(BadRequest, match="(?i)message can't be edited"):
        await town.bot.edit_message_text("x", town.target, forward.message_id)


async def test_edits_of_posts_arrive_as_edited_channel_posts(town: Town) -> None:
    post = town.world.send(town.owner, town.source, "typo")
    town.world.edit(town.owner, town.source, post.id, Edit("fixed"))
    updates = await town.bot.get_updates()
    edited = [update.edited_channel_post for update in updates if update.edited_channel_post]
    assert [message.text for message in edited] == ["fixed"]


async def test_deleting_is_possible_for_two_days(town: Town) -> None:
    first, second = [await town.bot.send_message(town.target, text) for text in ("a", "b")]
    assert await town.bot.delete_message(town.target, first.message_id)
    with pytest.raises(BadRequest, match="(?i)message to delete not found"):
        await town.bot.delete_message(town.target, first.message_id)
    town.clock.advance(48 * 3600 + 1)
    with pytest.raises(BadRequest, match="(?i)message can't be deleted"):
        await town.bot.delete_message(town.target, second.message_id)
    assert await town.bot.delete_messages(town.target, [first.message_id, second.message_id])


# -- people ------------------------------------------------------------------------------------------------


async def test_a_bot_does_not_write_first(town: Town) -> None:
    with pytest.raises(Forbidden, match="can't initiate conversation"):
        await town.bot.send_message(town.owner, "hello")
    stranger = town.world.create_user("Stranger")
    with pytest.raises(BadRequest, match="(?i)chat not found"):
        await town.bot.send_message(stranger.id, "hello")
    town.talk()
    await town.bot.send_message(town.owner, "hello")
    town.world.block(town.owner, town.bot_id)
    with pytest.raises(Forbidden, match="blocked by the user"):
        await town.bot.send_message(town.owner, "hello")
    assert (await town.bot.get_updates())[-1].my_chat_member is not None


async def test_a_pressed_button_is_a_callback_query_that_wants_an_answer(town: Town) -> None:
    town.talk()
    keyboard = InlineKeyboardMarkup([[InlineKeyboardButton("Go", callback_data="go")]])
    await town.bot.send_message(town.owner, "Ready?", reply_markup=keyboard)
    seen = town.world.history(town.bot_id, viewer=town.owner)[-1]
    town.world.press(town.owner, town.bot_id, seen.id, b"go")
    query = (await town.bot.get_updates())[-1].callback_query
    assert query is not None
    assert query.data == "go"
    assert await query.answer("done")
    with pytest.raises(BadRequest, match="(?i)query is too old"):
        await town.bot.answer_callback_query(query.id)


async def test_a_shared_chat_gives_the_bot_its_rights(town: Town) -> None:
    town.talk()
    fresh = town.world.create_channel(town.owner, "Fresh")
    rights = ChatAdministratorRights(
        False, True, False, False, False, False, False, False, False, False, False, can_post_messages=True
    )
    button = KeyboardButton(
        "Choose",
        request_chat=KeyboardButtonRequestChat(
            7, True, user_administrator_rights=rights, bot_administrator_rights=rights, request_title=True
        ),
    )
    await town.bot.send_message(
        town.owner, "Which?", reply_markup=ReplyKeyboardMarkup([[button]], is_persistent=True)
    )
    markup = town.world.history(town.bot_id, viewer=town.owner)[-1].markup
    assert markup is not None
    request = markup.rows[0][0].request
    assert request is not None
    town.world.share_chat(town.owner, town.bot_id, request, fresh.id)
    updates = await town.bot.get_updates()
    member = next(
        update.my_chat_member
        for update in updates
        if update.my_chat_member and update.my_chat_member.chat.id == fresh.id
    )
    assert member.new_chat_member.status == "administrator"
    shared = updates[-1].message
    assert shared is not None
    assert shared.chat_shared is not None
    assert (shared.chat_shared.request_id, shared.chat_shared.chat_id, shared.chat_shared.title) == (
        7,
        fresh.id,
        "Fresh",
    )
    await town.bot.send_message(fresh.id, "thank you")


async def test_chats_and_members_are_told(town: Town) -> None:
    chat = await town.bot.get_chat("@news_source")
    assert (chat.id, chat.title, chat.type) == (town.source, "News", "channel")
    me = await town.bot.get_chat_member(town.source, town.bot_id)
    assert me.status == "administrator"
    assert me.can_post_messages  # type: ignore[union-attr]
    admins = await town.bot.get_chat_administrators(town.source)
    assert {admin.status for admin in admins} == {"creator", "administrator"}
    assert await town.bot.get_chat_member_count(town.source) == 2
    assert await town.bot.leave_chat(town.source)
    with pytest.raises(Forbidden):
        await town.bot.get_chat_administrators(town.source)


async def test_commands_and_menu_are_kept_per_scope(town: Town) -> None:
    await town.bot.set_my_commands([("start", "Begin"), ("help", "Help")], language_code="en")
    assert [one.command for one in await town.bot.get_my_commands(language_code="en")] == ["start", "help"]
    assert await town.bot.get_my_commands() == ()
    await town.bot.delete_my_commands(language_code="en")
    assert await town.bot.get_my_commands(language_code="en") == ()
    assert await town.bot.set_chat_menu_button()


async def test_a_whole_application_polls_and_answers(town: Town) -> None:
    running = Application.builder().token(town.token).base_url(f"{town.door.url}/bot").build()

    async def start(update, context):  # type: ignore[no-untyped-def]
        await update.message.reply_text("Welcome")

    running.add_handler(CommandHandler("start", start))
    await running.initialize()
    assert running.updater is not None
    await running.updater.start_polling(timeout=1)
    await running.start()
    town.world.send(town.owner, town.bot_id, Content("/start", found_entities("/start")))
    for _ in range(500):
        if any(message.text == "Welcome" for message in town.world.history(town.bot_id, viewer=town.owner)):
            break
        await asyncio.sleep(0.01)
    else:
        pytest.fail("The application did not answer /start.")
    await running.updater.stop()
    await running.stop()
    await running.shutdown()


# -- limits and faults ---------------------------------------------------------------------------------------


async def test_a_limit_is_a_429_with_the_seconds_to_wait(town: Town) -> None:
    town.guard.limits.configure(quotas=Quotas(bot_group=(Limit(1, 60.0),)))
    await town.bot.send_message(town.target, "one")
    with pytest.raises(RetryAfter) as caught:
        await town.bot.send_message(town.target, "two")
    assert caught.value.retry_after == timedelta(seconds=60)
    assert town.guard.record.flood_waits_met == 1
    town.clock.advance(60)
    await town.bot.send_message(town.target, "two")


async def test_a_fault_after_execution_leaves_the_message_there(town: Town) -> None:
    town.guard.faults.add(FaultRule("http", "after", method="sendMessage", status=502))
    with pytest.raises(NetworkError):
        await town.bot.send_message(town.target, "sent all the same")
    assert town.world.history(town.target)[-1].text == "sent all the same"


async def test_a_fault_before_execution_leaves_nothing(town: Town) -> None:
    before = len(town.world.history(town.target))
    town.guard.faults.add(FaultRule("cut", method="sendMessage"))
    with pytest.raises(NetworkError):
        await town.bot.send_message(town.target, "never")
    town.guard.faults.add(FaultRule("error", method="sendMessage", error="CHAT_WRITE_FORBIDDEN"))
    with pytest.raises(BadRequest, match="(?i)no write access"):
        await town.bot.send_message(town.target, "never")
    assert len(town.world.history(town.target)) == before


async def test_a_lost_answer_is_a_timeout_although_the_message_is_there(town: Town) -> None:
    town.guard.faults.add(FaultRule("drop", "after", method="sendMessage"))
    async with town.client(read_timeout=0.3) as hasty:
        with pytest.raises(TimedOut):
            await hasty.send_message(town.target, "lost answer")
    assert town.world.history(town.target)[-1].text == "lost answer"


async def test_a_late_update_holds_back_its_own_chat_and_no_other(town: Town) -> None:
    town.guard.faults.add(FaultRule("delay", "push", chat=town.source, method="channel_post", seconds=0.3))
    other = town.world.create_channel(town.owner, "Other").id
    town.world.promote(town.owner, other, town.bot_id, POSTER)
    for chat, text in ((town.source, "one"), (other, "elsewhere"), (town.source, "two")):
        town.world.send(town.owner, chat, text)
    assert [update.channel_post.text for update in await read(town, 1)] == ["elsewhere"]
    updates = await read(town, 3)
    assert [update.channel_post.text for update in updates] == ["elsewhere", "one", "two"]
    assert [update.update_id for update in updates] == sorted({update.update_id for update in updates})


async def read(town: Town, count: int) -> list[Update]:
    """The bot's posts, when there are so many of them."""
    async with asyncio.timeout(10):
        while True:
            updates = [update for update in await town.bot.get_updates() if update.channel_post]
            if len(updates) >= count:
                return updates
            await asyncio.sleep(0.02)


async def test_an_offset_of_other_numbers_confirms_nothing(town: Town) -> None:
    town.world.send(town.owner, town.source, "kept")
    newest = (await town.bot.get_updates())[-1].update_id
    kept = await town.bot.get_updates(offset=newest + 1000)
    assert [update.update_id for update in kept][-1] == newest
    assert await town.bot.get_updates(offset=newest + 1) == ()


async def test_updates_may_be_lost_doubled_and_reordered(town: Town) -> None:
    for action in ("drop", "double", "swap"):
        town.guard.faults.add(FaultRule(action, "push", method="channel_post"))  # type: ignore[arg-type]
    for text in ("lost", "twice", "late", "early"):
        town.world.send(town.owner, town.source, text)
    updates = await town.bot.get_updates()
    assert [update.channel_post.text for update in updates if update.channel_post] == [
        "twice",
        "twice",
        "early",
        "late",
    ]
    assert [update.update_id for update in updates] == sorted({update.update_id for update in updates})
