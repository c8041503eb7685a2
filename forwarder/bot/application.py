"""Joins the rooms to python-telegram-bot. Updates are fed from outside: posts must be stored first."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import structlog
from telegram import Bot, Update
from telegram.ext import (
    Application,
    CallbackQueryHandler,
    ChatMemberHandler,
    ContextTypes,
    MessageHandler,
    TypeHandler,
    filters,
)

from forwarder.bot.access import RateLimit
from forwarder.bot.handlers import AnyApplication, Context, Handlers
from forwarder.bot.visit import BotServices

log = structlog.get_logger(__name__)

BACKLOG = 100
"""Updates of one person that may wait their turn; what comes beyond is dropped, for nobody types so fast."""


def build_application(bot: Bot, services: BotServices, *, limit: RateLimit | None = None) -> AnyApplication:
    """The application without a poller: feed it through :class:`Door`.

    ``initialize()`` asks Telegram who the bot is; ``shutdown()`` closes its connections.
    """
    handlers = Handlers(services, limit or RateLimit())
    builder: Any = Application.builder()  # its six type parameters follow from the calls below
    application: AnyApplication = (
        builder.bot(bot).updater(None).job_queue(None).context_types(ContextTypes(context=Context)).build()
    )
    add = application.add_handler
    # Groups do not pass the gate, which is for people.
    opened = filters.StatusUpdate.FORUM_TOPIC_REOPENED
    add(MessageHandler(opened, handlers.topic_opened), group=-2)
    add(TypeHandler(Update, handlers.gate), group=-1)
    add(ChatMemberHandler(handlers.membership, ChatMemberHandler.MY_CHAT_MEMBER))
    add(CallbackQueryHandler(handlers.room(handlers.press)))
    private = filters.ChatType.PRIVATE & filters.UpdateType.MESSAGE
    add(MessageHandler(private & filters.COMMAND & ~filters.FORWARDED, handlers.room(handlers.command)))
    add(MessageHandler(private & ~filters.StatusUpdate.ALL, handlers.room(handlers.message)))
    add(MessageHandler(private & filters.StatusUpdate.CHAT_SHARED, handlers.room(handlers.message)))
    application.add_error_handler(handlers.trouble)
    return application


class Door:
    """Takes updates in at once and handles them one after another for each person, side by side for many.

    A slow answer to one person (an account that is asked, a wait that Telegram wants) holds up nobody else,
    and never the loop that fetches updates.
    """

    def __init__(
        self, application: AnyApplication, expect: Callable[[], Awaitable[None]] | None = None
    ) -> None:
        """``expect`` is told of each update before it is handled: an answer is about to be given."""
        self._application, self._expect = application, expect
        self._lines: dict[int, asyncio.Queue[Update]] = {}
        self._tasks: dict[int, asyncio.Task[None]] = {}

    async def feed(self, update: Update) -> None:
        """Put an update into its person's line."""
        if self._expect is not None:
            await self._expect()
        key = update.effective_user.id if update.effective_user else 0
        line = self._lines.setdefault(key, asyncio.Queue(BACKLOG))
        try:
            line.put_nowait(update)
        except asyncio.QueueFull:
            log.warning("too many updates of one person", telegram_id=key)
            return
        if key not in self._tasks:
            self._tasks[key] = asyncio.create_task(self._serve(key, line))

    async def _serve(self, key: int, line: asyncio.Queue[Update]) -> None:
        try:
            while not line.empty():
                await self._application.process_update(line.get_nowait())
        finally:
            # No await between the last look and these lines: nothing can have come in.
            self._lines.pop(key, None)
            self._tasks.pop(key, None)

    async def close(self, seconds: float = 5.0) -> None:
        """Let what is being handled end, for at most ``seconds``, and give up the rest."""
        tasks = list(self._tasks.values())
        if not tasks:
            return
        _, late = await asyncio.wait(tasks, timeout=seconds)
        for task in late:
            task.cancel()
        await asyncio.gather(*late, return_exceptions=True)
