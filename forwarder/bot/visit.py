"""One update of one person, and what a room may do with it: show, say, ask, remember."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import TypeVar

from telegram import (
    Bot,
    InlineKeyboardMarkup,
    LinkPreviewOptions,
    Message,
    ReplyKeyboardMarkup,
    ReplyKeyboardRemove,
    Update,
)
from telegram.constants import ParseMode
from telegram.error import BadRequest, RetryAfter

from forwarder.backfill import BackfillService
from forwarder.bot.dialog import Dialog, from_json, to_json
from forwarder.bot.texts import Texts, shortened
from forwarder.comparing.audit import Auditor
from forwarder.comparing.mending import Mender
from forwarder.errors import InvalidRequest
from forwarder.message import without_nul
from forwarder.services.accounts import AccountService
from forwarder.services.channels import ChannelService
from forwarder.services.groups import GroupService
from forwarder.services.late import LateService
from forwarder.services.mappings import MappingService
from forwarder.services.reopening import Reopening
from forwarder.services.reviews import ReviewService
from forwarder.services.status import StatusSource
from forwarder.services.takeback import TakebackService
from forwarder.services.tempo import TempoService
from forwarder.services.users import Person, UserService
from forwarder.services.why import Explanation

LONGEST_TEXT = 1000
"""Characters of a person's message that are read; names and links are far shorter."""

LONGEST_ALERT = 200
"""Characters of an answer to a button (core.telegram.org/bots/api#answercallbackquery)."""

PATIENCE = 30.0
"""Seconds that one answer may wait in all, when Telegram asks for a wait."""

T = TypeVar("T")
Keyboard = InlineKeyboardMarkup | ReplyKeyboardMarkup | ReplyKeyboardRemove


@dataclass(frozen=True, slots=True)
class BotServices:
    """What the rooms ask. ``explain`` tells the story of the post that a link names. Without API_ID nobody reads chats
    again: there is neither ``auditor`` nor ``mender`` then."""

    users: UserService
    accounts: AccountService
    channels: ChannelService
    mappings: MappingService
    groups: GroupService
    late: LateService
    reviews: ReviewService
    backfills: BackfillService
    tempo: TempoService
    status: StatusSource
    takeback: TakebackService
    auditor: Auditor | None
    mender: Mender | None
    topics: Reopening
    explain: Callable[[str], Awaitable[Explanation]]


@dataclass(frozen=True, slots=True)
class Screen:
    text: str
    keyboard: InlineKeyboardMarkup | None = None


@dataclass(slots=True)
class Visit:
    """``texts`` speak the person's language; an alert is shown when the press is answered."""

    update: Update
    bot: Bot
    person: Person
    texts: Texts
    services: BotServices
    _alert: str = ""
    _loud: bool = False
    _answered: bool = False
    _known_dialog: list[Dialog | None] = field(default_factory=list)

    @property
    def answered(self) -> bool:
        return self._answered

    @property
    def actor(self) -> int:
        return self.person.telegram_id

    @property
    def text(self) -> str:
        """What the person wrote, cleaned: no NUL, and no longer than anything we ask for."""
        message = self.update.effective_message
        return without_nul((message.text if message else None) or "")[:LONGEST_TEXT].strip()

    @property
    def shown_in(self) -> tuple[int, int] | None:
        """Chat and message of the pressed button."""
        message = self.update.callback_query.message if self.update.callback_query else None
        return (message.chat.id, message.message_id) if message is not None else None

    def alert(self, text: str, *, loud: bool = False) -> None:
        """What the answer to the press says; ``loud`` opens a box that must be closed."""
        self._alert, self._loud = shortened(text, LONGEST_ALERT), loud

    async def answer(self) -> None:
        """Answer the press, once; a person whose press is not answered sees a clock turning."""
        query = self.update.callback_query
        if query is None or self._answered:
            return
        self._answered = True
        try:
            await politely(lambda: query.answer(self._alert or None, show_alert=self._loud))
        except BadRequest:
            pass  # the query is too old to be answered: the person has long gone on

    async def show(self, screen: Screen) -> None:
        """Put the screen where the pressed button stands, else send it below."""
        message = self.update.callback_query.message if self.update.callback_query else None
        if isinstance(message, Message):
            try:
                await politely(
                    lambda: self.bot.edit_message_text(
                        screen.text,
                        chat_id=message.chat_id,
                        message_id=message.message_id,
                        parse_mode=ParseMode.HTML,
                        reply_markup=screen.keyboard,
                        link_preview_options=LinkPreviewOptions(is_disabled=True),
                    )
                )
                return
            except BadRequest as error:
                if "not modified" in error.message.lower():
                    return
                # The message is gone or too old to be edited: the screen goes below.
        await self.say(screen.text, screen.keyboard)

    async def say(self, text: str, keyboard: Keyboard | None = None) -> None:
        await politely(
            lambda: self.bot.send_message(
                self.person.telegram_id,
                text,
                parse_mode=ParseMode.HTML,
                reply_markup=keyboard,
                link_preview_options=LinkPreviewOptions(is_disabled=True),
            )
        )

    async def dialog(self) -> Dialog | None:
        if not self._known_dialog:
            self._known_dialog = [from_json(await self.services.users.load_dialog(self.person.telegram_id))]
        return self._known_dialog[0]

    async def remember(self, dialog: Dialog | None) -> None:
        """Keep where the dialog stands; None ends it."""
        stored = to_json(dialog) if dialog is not None else None
        await self.services.users.save_dialog(self.person.telegram_id, stored)
        self._known_dialog = [dialog]

    def must_change(self) -> None:
        """Raise InvalidRequest for somebody who may only look."""
        if not self.person.may_change:
            raise InvalidRequest("viewer", "This person may look, but not change anything.")

    def must_administrate(self) -> None:
        if not self.person.administrates:
            raise InvalidRequest("administrators_only", "This is for administrators only.")


async def politely(call: Callable[[], Awaitable[T]]) -> T:
    """Call Telegram; where it asks for a wait that a person would sit through, wait and call again."""
    waited = 0.0
    while True:
        try:
            return await call()
        except RetryAfter as error:
            # The public property warns about one of its two types.
            pause = error._retry_after.total_seconds()
            if waited + pause > PATIENCE:
                raise
            waited += pause
            await asyncio.sleep(pause)
