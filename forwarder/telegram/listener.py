"""Hears posts over MTProto. Pushes are hints: what they miss is found by the marks (reconciliation)."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Collection, Sequence
from typing import Any

import structlog
from telethon import events, utils
from telethon.tl import functions, types

from forwarder.errors import ForwarderError, TelegramError, Unavailable
from forwarder.message import Deleted, Edited, Heard, News
from forwarder.retry import back_off, raise_if_over
from forwarder.telegram.client import Client
from forwarder.telegram.errors import translate
from forwarder.telegram.peers import read_dialogs
from forwarder.telegram.place import keep_place, save_place
from forwarder.telegram.protection import OnProtection, flags_of, nobody_asks
from forwarder.telegram.telethon_values import to_source

log = structlog.get_logger(__name__)

MOST_WAITING = 2000
BATCH = 500
STORE_PAUSE = 1.0
PULSE_SECONDS = 60.0
SETTLED_SECONDS = 60.0
LAST_PLACE = 2.0
"""Seconds for what was heard last to be stored, when asked to stop."""
UNNUMBERED_CHAT = 0
"""The chat id of a deletion that names no chat: the ids count in the account's own numbering."""

OnNews = Callable[[Sequence[News]], Awaitable[None]]
OnBroken = Callable[[bytes, Exception], Awaitable[None]]
OnReconnect = Callable[[], Awaitable[None]]

NEW = (types.UpdateNewChannelMessage, types.UpdateNewMessage)
EDIT = (types.UpdateEditChannelMessage, types.UpdateEditMessage)


class Listener:
    """Hands on what one login hears, in order and in batches.

    ``on_news`` is asked again until it succeeds. ``on_reconnect`` is awaited after the first connection and
    after every later one: between two connections anything may have been missed. ``on_broken`` gets updates
    that cannot be read, as raw TL. ``on_protection`` is told of chats whose flag is new or has changed, before
    what came with it is handed on. ``sources``, once set, are the chats whose messages are wanted: an account
    hears a good deal else, its own copies among them. Service messages always count: a chat may become another.
    """

    sources: Collection[int] | None = None

    def __init__(
        self,
        client: Client,
        on_news: OnNews,
        on_reconnect: OnReconnect,
        on_broken: OnBroken,
        on_protection: OnProtection = nobody_asks,
    ) -> None:
        self._client = client
        self._on_news = on_news
        self._on_reconnect = on_reconnect
        self._on_broken = on_broken
        self._on_protection = on_protection
        self._flags: dict[int, bool] = {}
        self._heard: asyncio.Queue[News] = asyncio.Queue(MOST_WAITING)
        self._put = self._stored = 0
        self._stop = asyncio.Event()
        self._rng = random.Random()

    def stop(self) -> None:
        self._stop.set()

    async def run(self) -> None:
        """Listen until :meth:`stop`, reconnecting for ever.

        Raises :class:`~forwarder.errors.AccountNotReady` where the login is dead: only a person can help.
        """
        self._client.add_event_handler(self._hear, events.Raw(NEW + EDIT + DELETED + CHANGED))
        self._client.on_reconnect = self._after_reconnect
        self._client.place_is_kept = True
        tasks = [asyncio.create_task(self._hand_on(), name="listener-news")]
        tasks.append(asyncio.create_task(keep_place(self._client, lambda: self._put, lambda: self._stored)))
        try:
            await self._stay_connected()
            await self._wait(save_place(self._client, lambda: self._put, lambda: self._stored), LAST_PLACE)
        finally:
            self._client.remove_event_handler(self._hear)
            self._client.on_reconnect = None
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await self._client.close()

    async def _stay_connected(self) -> None:
        attempts = 0
        loop = asyncio.get_running_loop()
        while not self._stop.is_set():
            started = loop.time()
            try:
                await self._one_connection()
            except (TelegramError, Unavailable) as error:
                raise_if_over(error)
                attempts = 1 if loop.time() - started > SETTLED_SECONDS else attempts + 1
                pause = getattr(error, "seconds", None) or back_off(attempts, self._rng)
                log.warning("listener_disconnected", error=str(error), again_in=round(pause, 1))
                await self._wait(self._stop.wait(), pause)

    async def _one_connection(self) -> None:
        """Until the connection is lost for good (raises) or somebody asks to stop (returns)."""
        await self._client.ready()
        await self._check_login()
        # Only a channel whose pts is known is watched for gaps, and the dialogs bring every pts.
        await read_dialogs(self._client)
        await self._on_reconnect()
        while not self._stop.is_set():
            await self._wait_for_end()
            if self._stop.is_set():
                return
            # Telethon finds out about a dead session only when a call fails.
            await self._check_login()

    async def _wait_for_end(self) -> None:
        stopping = asyncio.ensure_future(self._stop.wait())
        ended = asyncio.ensure_future(self._client.disconnected)
        done: set[Any] = set()
        try:
            done, _ = await asyncio.wait(
                (stopping, ended), timeout=PULSE_SECONDS, return_when=asyncio.FIRST_COMPLETED
            )
        finally:
            stopping.cancel()
            if ended not in done:
                ended.cancel()
                await asyncio.gather(ended, return_exceptions=True)
        if ended in done:
            reason = ended.exception()
            raise (translate(reason) if isinstance(reason, Exception) else None) or TelegramError(
                "DISCONNECTED"
            )

    async def _check_login(self) -> None:
        await self._client.ask(functions.users.GetUsersRequest([types.InputUserSelf()]))

    async def _after_reconnect(self) -> None:
        """Telethon reconnected by itself and asks for nothing: what was missed must be asked for."""
        await self._client.catch_up()
        try:
            await self._on_reconnect()
        except ForwarderError as error:
            log.warning("reconciliation_failed", error=str(error))

    async def _hear(self, update: Any) -> None:
        await self._notice_protection(update)
        try:
            news = news_of(update) if self._is_wanted(update) else None
        except Exception as error:  # an update of a shape we do not know must not hold up the others
            await self._on_broken(bytes(update), error)
            return
        if news is not None:
            # A full queue holds up Telethon's own loop, and Telegram keeps the rest.
            self._put += 1
            await self._heard.put(news)

    def _is_wanted(self, update: Any) -> bool:
        if self.sources is None or not isinstance(update, NEW + EDIT):
            return True
        message = update.message
        return not isinstance(message, types.Message) or utils.get_peer_id(message.peer_id) in self.sources

    async def _notice_protection(self, update: Any) -> None:
        """Telethon gives each update the chats that came with it."""
        flags = flags_of((getattr(update, "_entities", None) or {}).values())
        fresh = {chat: on for chat, on in flags.items() if self._flags.get(chat) is not on}
        if not fresh:
            return
        try:
            await self._on_protection(fresh)
        except Exception as error:  # reconciliation sees it within a minute; posts must not wait for this
            log.warning("protection_not_noted", error=str(error))
        else:
            self._flags |= fresh

    async def _hand_on(self) -> None:
        while True:
            batch = [await self._heard.get()]
            while len(batch) < BATCH and not self._heard.empty():
                batch.append(self._heard.get_nowait())
            await self._store_surely(batch)
            self._stored += len(batch)

    async def _store_surely(self, batch: list[News]) -> None:
        while True:
            try:
                await self._on_news(batch)
                return
            except Exception as error:  # whatever the store suffers from, what was heard must not be dropped
                log.error("posts_not_stored", posts=len(batch), error=str(error), kind=type(error).__name__)
            await asyncio.sleep(STORE_PAUSE)

    @staticmethod
    async def _wait(awaitable: Awaitable[Any], seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await awaitable
        except TimeoutError:
            pass


DELETED = (types.UpdateDeleteChannelMessages, types.UpdateDeleteMessages)
CHANGED = (types.UpdateChannel, types.UpdateChat)


def news_of(update: Any) -> News | None:
    """What an update says about messages. Edits that changed nothing visible are passed on too."""
    if isinstance(update, NEW):
        return to_source(update.message, Heard.PUSH) if has_chat(update.message) else None
    if isinstance(update, EDIT):
        return Edited(to_source(update.message, Heard.PUSH)) if has_chat(update.message) else None
    if isinstance(update, types.UpdateDeleteChannelMessages):
        return Deleted(utils.get_peer_id(types.PeerChannel(update.channel_id)), tuple(update.messages))
    if isinstance(update, types.UpdateDeleteMessages):
        return Deleted(UNNUMBERED_CHAT, tuple(update.messages))
    return None


def has_chat(message: Any) -> bool:
    return not isinstance(message, types.MessageEmpty)
