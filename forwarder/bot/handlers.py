"""What each kind of update leads to: the gate first, then a room; one error handler at the outer door."""

from __future__ import annotations

import secrets
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

import structlog
from telegram import Bot, ReplyKeyboardRemove, Update, User
from telegram.error import Forbidden, TelegramError
from telegram.ext import Application, ApplicationHandlerStop, CallbackContext

from forwarder.bot.access import Pace, RateLimit
from forwarder.bot.cb import OpenAdmin, OpenHelp
from forwarder.bot.commands import commands_for
from forwarder.bot.dialog import Adding, Backfilling, Draft, Grouping
from forwarder.bot.membership import rights_of
from forwarder.bot.review_presses import OpenReviews
from forwarder.bot.rooms import open_room
from forwarder.bot.screens import adding, admin, backfills, groups, menu, new_mapping, reviews, why
from forwarder.bot.texts import Texts, every, plain
from forwarder.bot.visit import BotServices, Screen, Visit, politely
from forwarder.errors import ForwarderError
from forwarder.message import GENERAL_TOPIC, AccountKind
from forwarder.services.users import guess_language

log = structlog.get_logger(__name__)


class Context(CallbackContext[Bot, dict[Any, Any], dict[Any, Any], dict[Any, Any]]):
    """What goes with one update from the gate to the room: the visit, once the person is let in."""

    visit: Visit | None = None


Handler = Callable[[Update, Context], Coroutine[Any, Any, None]]
Act = Callable[[Visit], Awaitable[None]]

CANCEL_LABELS = frozenset(every("button.cancel"))


class Handlers:
    """The doors of the bot, over its services."""

    def __init__(self, services: BotServices, limit: RateLimit) -> None:
        self._services = services
        self._limit = limit

    async def gate(self, update: Update, context: Context) -> None:
        """Let in who may come in; everybody else is told so, politely, and goes no further."""
        if update.my_chat_member is not None:
            return
        user, chat = update.effective_user, update.effective_chat
        if user is None or chat is None or chat.type != chat.PRIVATE:
            raise ApplicationHandlerStop
        pace = self._limit.check(user.id)
        if pace is Pace.QUIET:
            await answer_quietly(update)
            raise ApplicationHandlerStop
        person = await self._services.users.admit(user.id, user.full_name, user.language_code)
        texts = Texts(person.language if person else guess_language(user.language_code))
        if pace is Pace.TOLD:
            sentence = texts.plain("slow_down", seconds=self._limit.wait(user.id))
            await turn_away(update, context.bot, user, sentence, sentence)
            raise ApplicationHandlerStop
        if person is None:
            log.info("stranger turned away", telegram_id=user.id)
            sentence = texts("stranger", telegram_id=user.id)
            await turn_away(
                update, context.bot, user, sentence, texts.plain("stranger.alert", telegram_id=user.id)
            )
            raise ApplicationHandlerStop
        context.visit = Visit(update, context.bot, person, texts, self._services)

    def room(self, act: Act) -> Handler:
        """A handler around a room: errors become sentences, and every press is answered."""

        async def handle(update: Update, context: Context) -> None:
            visit = context.visit
            assert visit is not None, "the gate comes first"
            try:
                await act(visit)
            except ForwarderError as error:
                await say_error(visit, error)
            finally:
                await visit.answer()

        return handle

    async def press(self, visit: Visit) -> None:
        query = visit.update.callback_query
        await open_room(visit, (query.data if query else None) or "")

    async def command(self, visit: Visit) -> None:
        """All commands; one that does not exist gets the same answer as any text that means nothing."""
        word, *words = visit.text.split()
        name = word.partition("@")[0].removeprefix("/").lower()
        if name == "start":
            await commands_for(visit.bot, visit.person)
            await menu.start(visit)
        elif name == "help":
            await menu.open_help(visit, OpenHelp())
        elif name == "cancel":
            await menu.cancel_by_text(visit)
        elif name == "admin":
            await admin.open_admin(visit, OpenAdmin())
        elif name == "why":
            await why.tell(visit, " ".join(words))
        elif name == "review":
            await reviews.open_reviews(visit, OpenReviews())
        elif name == "allow":
            await admin.allow(visit, words)
        elif name == "deny":
            await admin.deny(visit, words)
        else:
            await visit.say(visit.texts("unknown_text"))

    async def message(self, visit: Visit) -> None:
        """A shared chat, or the answer to what a dialog asked."""
        message = visit.update.message
        if message is None:
            return
        if message.chat_shared is not None:
            await adding.by_picker(visit, message)
            return
        if message.forward_origin is None and visit.text in CANCEL_LABELS:
            await menu.cancel_by_text(visit)
            return
        dialog = await visit.dialog()
        if isinstance(dialog, Adding):
            await adding.by_message(visit, message, dialog.side)
            return
        if isinstance(dialog, Backfilling):
            await backfills.by_text(visit, dialog)
            return
        if isinstance(dialog, Grouping):
            await groups.by_text(visit, dialog)
            return
        if isinstance(dialog, Draft) and dialog.step in new_mapping.AFTER_TOPICS:
            await new_mapping.topic_by_text(visit, dialog)
            return
        if dialog is None and why.is_link(visit.text):
            await why.tell(visit, visit.text)
            return
        screen = await menu.menu(visit)
        await visit.say(visit.texts("unknown_text"), ReplyKeyboardRemove())
        await visit.show(Screen(screen.text, screen.keyboard))

    async def membership(self, update: Update, context: Context) -> None:
        """The bot's rights changed somewhere. Chats that are none of ours are left in peace."""
        changed = update.my_chat_member
        if changed is None or changed.chat.type == changed.chat.PRIVATE:
            return
        rights = rights_of(
            changed.new_chat_member,
            changed.chat.type,
            reads_groups=bool(context.bot.bot.can_read_all_group_messages),
        )
        channel = await self._services.channels.access_changed(changed.chat.id, AccountKind.BOT, rights)
        if channel is None:
            log.info("rights changed in a chat not ours", chat=changed.chat.id)
            return
        routing = await self._services.mappings.refresh_routes(channel.id)
        log.info(
            "rights of the bot changed",
            channel=channel.id,
            rerouted=routing.rerouted,
            paused=routing.paused,
            resumed=routing.resumed,
        )

    async def topic_opened(self, update: Update, context: Context) -> None:
        """A closed topic was opened again: the mappings that waited for it go on."""
        message = update.effective_message
        if message is None:
            return
        topic = message.message_thread_id or GENERAL_TOPIC
        resumed = await self._services.topics.opened(message.chat.id, topic)
        if resumed:
            log.info("topic is open again", chat=message.chat.id, topic=topic, resumed=resumed)

    async def trouble(self, update: object, context: Context) -> None:
        """The outer door: what nobody expected is recorded under a number, which the person is told."""
        error = context.error
        if isinstance(error, Forbidden):
            log.info("person does not want to hear from the bot", reason=error.message)
            return
        number = secrets.token_hex(4)
        known = error if isinstance(error, ForwarderError) else None
        if known is not None:  # the gate itself could not be passed: the database is away, say
            log.warning("update not handled", number=number, reason=str(known))
        else:
            log.error("update failed", number=number, exc_info=error)
        if not isinstance(update, Update) or update.effective_user is None or update.my_chat_member:
            return
        user = update.effective_user
        texts = Texts(guess_language(user.language_code))
        sentence = texts.error(known) if known is not None else texts("trouble", number=number)
        try:
            await answer_quietly(update)
            await politely(lambda: context.bot.send_message(user.id, sentence, parse_mode="HTML"))
        except TelegramError:
            log.warning("person could not be told", number=number)


async def say_error(visit: Visit, error: ForwarderError) -> None:
    """An alert for a press, a message for a text."""
    sentence = visit.texts.error(error)
    log.info("request refused", reason=getattr(error, "code", type(error).__name__))
    if visit.update.callback_query is not None and not visit.answered:
        visit.alert(plain(sentence), loud=True)
    else:
        await visit.say(sentence)


async def turn_away(update: Update, bot: Bot, user: User, sentence: str, alert: str) -> None:
    """Say one sentence in the private chat, or in answer to a press."""
    query = update.callback_query
    if query is not None:
        await politely(lambda: query.answer(alert, show_alert=True))
    else:
        await politely(lambda: bot.send_message(user.id, sentence, parse_mode="HTML"))


async def answer_quietly(update: Update) -> None:
    if update.callback_query is not None:
        try:
            await update.callback_query.answer()
        except TelegramError:
            pass  # answered already, or too old to be answered


AnyApplication = Application[Bot, Context, dict[Any, Any], dict[Any, Any], dict[Any, Any], Any]
