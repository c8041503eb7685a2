"""Keeps the messages true that show how far a backfill is: edited in place while it runs, and once more at its end."""

from __future__ import annotations

import asyncio

import structlog
from telegram import Bot
from telegram.constants import ParseMode
from telegram.error import BadRequest, Forbidden, TelegramError

from forwarder.backfill import BackfillService, BackfillView
from forwarder.bot.screens.backfills import progress
from forwarder.bot.texts import Texts
from forwarder.bot.visit import Screen, politely
from forwarder.errors import Unavailable
from forwarder.models import Language
from forwarder.services.users import UserService

log = structlog.get_logger(__name__)

LOOK_AGAIN = 5.0
"""Seconds between two edits: a person sees it move, and the chat keeps its pace for other answers."""


class ProgressMessages:
    """``run`` lives in the process that has the bot's updates."""

    def __init__(self, bot: Bot, backfills: BackfillService, users: UserService) -> None:
        self._bot, self._backfills, self._users = bot, backfills, users
        self._shown: dict[int, str] = {}

    async def run(self) -> None:
        while True:
            try:
                await self.show()
            except Unavailable as error:
                log.warning("progress_waits", reason=str(error))
            except Exception:
                # An outer door: a message that cannot be edited must not end the process that hears posts.
                log.exception("progress_not_shown")
            await asyncio.sleep(LOOK_AGAIN)

    async def show(self) -> None:
        """Bring every message up to date whose run is not shown as ended yet."""
        for run in await self._backfills.shown():
            person = await self._users.admit(run.asked_by) if run.asked_by is not None else None
            screen = progress(Texts(person.language if person else Language.EN), run)
            if self._shown.get(run.id) != screen.text and not await self._edit(run, screen):
                continue
            self._shown[run.id] = screen.text
            if run.ended_at is not None:
                await self._backfills.told(run.id)
                self._shown.pop(run.id, None)

    async def _edit(self, run: BackfillView, screen: Screen) -> bool:
        """False where it is to be tried again. A message that the person deleted needs no edit."""
        assert run.shown is not None, "only runs with a message are asked for"
        chat_id, message_id = run.shown
        try:
            await politely(
                lambda: self._bot.edit_message_text(
                    screen.text,
                    chat_id=chat_id,
                    message_id=message_id,
                    parse_mode=ParseMode.HTML,
                    reply_markup=screen.keyboard,
                )
            )
        except (BadRequest, Forbidden) as error:
            log.info("progress_message_left", backfill=run.id, reason=error.message)
        except TelegramError as error:
            log.warning("progress_put_off", backfill=run.id, reason=error.message)
            return False
        return True
