"""The bot's own getUpdates loop: what it hears is stored before the next poll confirms it.

python-telegram-bot's own poller confirms updates that are still in its memory, and one update that its
classes cannot read fails a whole batch for ever. So the raw answer is read here, update by update.
"""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import Awaitable, Callable, Sequence
from typing import Any
from urllib.parse import urlencode

import structlog
import telegram
from telegram.constants import ChatType
from telegram.request import HTTPXRequest

from forwarder.errors import AccountNotReady, TelegramError
from forwarder.message import Edited, Kind, News
from forwarder.retry import back_off
from forwarder.telegram.bot_values import to_source
from forwarder.telegram.errors import translated

log = structlog.get_logger(__name__)

LONG_POLL = 25
"""Seconds that one poll waits for news; the server's limit is 50."""
CONFIRM_TIMEOUT = 1.0
STORE_PAUSE = 1.0

ALLOWED_UPDATES = (
    "message",
    "edited_message",
    "channel_post",
    "edited_channel_post",
    "callback_query",
    "my_chat_member",
)

Store = Callable[[Sequence[News]], Awaitable[None]]
Feed = Callable[[telegram.Update], Awaitable[None]]
Broken = Callable[[bytes, Exception], Awaitable[None]]
Tell = Callable[[str], Awaitable[None]]


async def tell_nobody(sentence: str) -> None:
    log.warning("bot_poller", sentence=sentence)


class BotPoller:
    """One poller per token: Telegram ends the older of two.

    ``store`` gets posts and edits of channels and groups and is asked again until it succeeds; ``feed`` gets
    everything else, and the service messages of groups too. ``on_broken`` gets what cannot be read, raw.
    ``on_trouble`` is told once, in a sentence, when polling is held up, and '' when it goes on.
    """

    def __init__(
        self,
        bot: telegram.Bot,
        store: Store,
        feed: Feed,
        on_broken: Broken,
        allowed_updates: Sequence[str] = ALLOWED_UPDATES,
        *,
        on_trouble: Tell = tell_nobody,
    ) -> None:
        self._bot = bot
        self._store = store
        self._feed = feed
        self._on_broken = on_broken
        self._allowed = json.dumps(list(allowed_updates))
        self._on_trouble = on_trouble
        self._request = HTTPXRequest(
            connection_pool_size=2, read_timeout=LONG_POLL + 10.0, connect_timeout=10.0
        )
        self._offset = 0
        self._stop = asyncio.Event()
        self._rng = random.Random()

    def stop(self) -> None:
        """Ask :meth:`run` to end: what came is stored and confirmed, a poll that waits is dropped."""
        self._stop.set()

    async def run(self) -> None:
        """Poll until :meth:`stop`. Raises :class:`~forwarder.errors.AccountNotReady` for a refused token."""
        trouble, attempts = "", 0
        try:
            while not self._stop.is_set():
                try:
                    updates = await self._until_stopped(self._poll(LONG_POLL))
                except TelegramError as error:
                    attempts += 1
                    sentence = trouble_sentence(error)
                    if sentence != trouble:
                        trouble = sentence
                        await self._on_trouble(sentence)
                    await self._pause(error.seconds or back_off(attempts, self._rng))
                    continue
                if trouble:
                    trouble = ""
                    await self._on_trouble("")
                attempts = 0
                await self._take(updates or [])
        finally:
            await self._confirm()
            await self._request.shutdown()

    async def _poll(self, seconds: int, limit: int = 100) -> list[dict[str, Any]]:
        """Updates above those that are stored; asking for them confirms the stored ones."""
        query = {
            "offset": self._offset,
            "limit": limit,
            "timeout": seconds,
            "allowed_updates": self._allowed,
        }
        async with translated():
            answer = await self._request.retrieve(
                f"{self._bot.base_url}/getUpdates?{urlencode(query)}", read_timeout=seconds + 10.0
            )
        updates: list[dict[str, Any]] = json.loads(answer)["result"]
        return updates

    async def _until_stopped(self, poll: Awaitable[list[dict[str, Any]]]) -> list[dict[str, Any]] | None:
        """The answer, or None where somebody asked to stop first: nothing of it was confirmed."""
        polling = asyncio.ensure_future(poll)
        stopping = asyncio.ensure_future(self._stop.wait())
        try:
            await asyncio.wait((polling, stopping), return_when=asyncio.FIRST_COMPLETED)
            return await polling if polling.done() else None
        finally:
            for task in (polling, stopping):
                task.cancel()
            await asyncio.gather(polling, stopping, return_exceptions=True)

    async def _take(self, updates: list[dict[str, Any]]) -> None:
        """Store what is news, in one go; then feed the rest; only then count the batch as heard."""
        news: list[News] = []
        others: list[telegram.Update] = []
        for raw in updates:
            try:
                update = telegram.Update.de_json(raw, self._bot)
                heard = news_of(update)
            except Exception as error:  # one unreadable update must not hold up the others
                await self._on_broken(json.dumps(raw).encode(), error)
                continue
            if heard is not None:
                news.append(heard)
            if heard is None or is_service(heard):
                others.append(update)
        if news and not await self._store_surely(news):
            return
        for update in others:
            await self._feed_one(update)
        if updates:
            self._offset = max(int(raw["update_id"]) for raw in updates) + 1

    async def _feed_one(self, update: telegram.Update) -> None:
        try:
            await self._feed(update)
        except Exception as error:  # one press of a button that ends badly must not end the polling
            await self._on_broken(update.to_json().encode(), error)

    async def _store_surely(self, news: list[News]) -> bool:
        """False where the store failed and somebody asked to stop: Telegram keeps updates for 24 hours."""
        while True:
            try:
                await self._store(news)
                return True
            except Exception as error:  # whatever the store suffers from, the posts must not be confirmed
                log.error("posts_not_stored", posts=len(news), error=str(error), kind=type(error).__name__)
            if self._stop.is_set():
                return False
            await self._pause(STORE_PAUSE)

    async def _confirm(self) -> None:
        """Tell Telegram what is stored, so that the next start does not hear it again. Best effort."""
        if self._offset == 0:
            return
        try:
            async with asyncio.timeout(CONFIRM_TIMEOUT):
                await self._poll(0, limit=1)
        except (TelegramError, TimeoutError):
            log.info("updates_not_confirmed", offset=self._offset)

    async def _pause(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self._stop.wait()
        except TimeoutError:
            pass


def news_of(update: telegram.Update) -> News | None:
    """What a source may have to say; None for what belongs to the control bot."""
    if (post := update.channel_post or in_group(update.message)) is not None:
        return to_source(post)
    if (edited := update.edited_channel_post or in_group(update.edited_message)) is not None:
        return Edited(to_source(edited))
    return None


def in_group(message: telegram.Message | None) -> telegram.Message | None:
    return message if message is not None and message.chat.type != ChatType.PRIVATE else None


def is_service(news: News) -> bool:
    return not isinstance(news, Edited) and getattr(news, "kind", None) is Kind.SERVICE


def trouble_sentence(error: TelegramError) -> str:
    """Why polling is held up. Raises AccountNotReady where it makes no sense to go on."""
    text = error.name.lower()
    if error.name == "TOKEN_REFUSED":
        raise AccountNotReady(
            "Telegram refuses BOT_TOKEN: it was revoked or copied incompletely. Take the current token from "
            "@BotFather (/mybots, API Token) and set BOT_TOKEN."
        ) from error
    if "webhook" in text:
        return (
            "The bot has a webhook, so it hears nothing here. Another program seems to use this token. If it "
            "is not needed any more, remove the webhook with deleteWebhook; polling goes on by itself then."
        )
    if error.code == 409:
        return (
            "Another program polls with this BOT_TOKEN, and Telegram serves only one of them. Stop the other "
            "one, or give this program a bot of its own; polling goes on by itself then."
        )
    if error.code == 429:
        return f"Telegram asked the bot to wait {error.seconds or 0:g} s before it polls again."
    return "Telegram's Bot API does not answer; polling goes on by itself when it does."
