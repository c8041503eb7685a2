"""What one listener heard, brought to the rows: together when it came together, at once when it came alone.

News wait in memory only until the next commit; whoever must confirm them to Telegram awaits ``store``. An
item that cannot be stored is put into quarantine and holds up nobody.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence

import structlog
from sqlalchemy import text

from forwarder.db import Database
from forwarder.errors import TelegramError, Unavailable
from forwarder.ingest import Ingest, Received, chat_of
from forwarder.message import AccountKind, Empty, News, SourceMessage
from forwarder.models import NoticeKind
from forwarder.outbox import Due
from forwarder.services import notices

log = structlog.get_logger(__name__)

MOST_TOGETHER = 500
LONGEST_PAUSE = 5.0
BETWEEN_LOOKS = 0.5
"""Seconds in which albums that have fallen silent gather, so that many share one look at their sources."""


class Intake:
    """``ring`` is told of due lanes after each commit; ``on_holes(chat, ids)``, once set, of missing ids.

    ``look``, once set, is awaited before an album is closed by silence: it stores what the chats named have and
    we have not. Silence may be a connection that is down.
    """

    def __init__(
        self,
        db: Database,
        ingest: Ingest,
        account_id: int,
        kind: AccountKind,
        ring: Callable[[Sequence[Due]], Awaitable[None]],
    ) -> None:
        self._db, self._ingest, self._ring = db, ingest, ring
        self.on_holes: Callable[[int, Sequence[int]], None] | None = None
        self.look: Callable[[Sequence[int]], Awaitable[object]] | None = None
        self._account_id, self._kind = account_id, kind
        self._waiting: asyncio.Queue[tuple[Sequence[News], asyncio.Future[None] | None]] = asyncio.Queue()
        self._albums: dict[int, asyncio.TimerHandle] = {}
        self._silent: set[int] = set()
        self._settling: asyncio.Task[None] | None = None
        self._due: list[Due] = []
        self._ringing: asyncio.Task[None] | None = None

    def put(self, news: Sequence[News]) -> None:
        """Hand over news that need no confirmation: a loss before the commit is found by reconciliation."""
        self._waiting.put_nowait((news, None))

    async def store(self, news: Sequence[News]) -> None:
        """Return when these news are committed (or in quarantine). Waits as long as PostgreSQL is away."""
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.put_nowait((news, done))
        await done

    async def run(self) -> None:
        """Store what comes, until cancelled."""
        while True:
            batch = [await self._waiting.get()]
            size = len(batch[0][0])
            while size < MOST_TOGETHER and not self._waiting.empty():
                batch.append(self._waiting.get_nowait())
                size += len(batch[-1][0])
            await self._store_surely([item for news, _ in batch for item in news])
            for _, done in batch:
                if done is not None and not done.done():
                    done.set_result(None)

    async def drain(self, seconds: float) -> None:
        """Wait until everything handed over is stored, for at most ``seconds``."""
        try:
            await asyncio.wait_for(self.store(()), seconds)
        except TimeoutError:
            log.warning("intake_not_drained", waiting=self._waiting.qsize())
        for timer in self._albums.values():
            timer.cancel()
        if self._settling is not None:
            self._settling.cancel()
        if self._ringing is not None:
            await asyncio.wait([self._ringing], timeout=seconds)

    async def _store_surely(self, news: Sequence[News]) -> None:
        pause = 0.2
        while news:
            try:
                await self._store_once(news)
            except Unavailable as error:
                log.warning("posts_wait_for_postgresql", waiting=len(news), reason=str(error))
                await asyncio.sleep(pause)
                pause = min(pause * 2, LONGEST_PAUSE)
            except Exception as error:
                # Whatever it is: to end here would bring the same item again at the next start, and for ever.
                await self._split(news, error)
                return
            else:
                return

    async def _store_once(self, news: Sequence[News]) -> None:
        async with self._db.begin() as session:
            received = await self._ingest.receive(session, self._account_id, self._kind, news)
        self._after(received)

    async def _split(self, news: Sequence[News], error: Exception) -> None:
        """One item is refused by the database or by our own code: find it, keep it raw, store the others."""
        if len(news) > 1:
            half = len(news) // 2
            await self._store_surely(news[:half])
            await self._store_surely(news[half:])
            return
        log.error("update_quarantined", chat=chat_of(news[0]), error=type(error).__name__)
        await self.quarantine(repr(news[0]).encode("utf-8", "backslashreplace"), error)
        if isinstance(news[0], SourceMessage):
            # Kept in quarantine it counts as known, or its id would be a hole that holds the source for ever.
            await self._store_surely([Empty(news[0].chat_id, (news[0].message_id,))])

    async def quarantine(self, raw: bytes, error: Exception) -> None:
        """Keep an update that could not be stored, and let administrators know. Waits for PostgreSQL."""
        while True:
            try:
                await self._quarantine_once(raw, error)
            except Unavailable as outage:
                log.warning("quarantine_waits_for_postgresql", reason=str(outage))
                await asyncio.sleep(LONGEST_PAUSE)
            else:
                return

    async def _quarantine_once(self, raw: bytes, error: Exception) -> None:
        async with self._db.begin() as session:
            await session.execute(
                text("insert into quarantine (account_id, raw, error) values (:account, :raw, :error)"),
                {"account": self._account_id, "raw": raw, "error": shown(error)},
            )
            await notices.leave(session, NoticeKind.QUARANTINED, self._account_id, type(error).__name__)

    def _after(self, received: Received) -> None:
        self._due += received.due
        if self._due and self._ringing is None:
            self._ringing = asyncio.create_task(self._ring_bells())
        if self.on_holes is not None:
            for chat_id, ids in received.holes.items():
                self.on_holes(chat_id, ids)
        for chat_id, seconds in received.look_again.items():
            self._look_again(chat_id, seconds)

    async def _ring_bells(self) -> None:
        """Ring for what is due, beside the next batch: the rows are safe, and what comes meanwhile goes along."""
        try:
            while self._due:
                due, self._due = self._due, []
                await self._ring(due)
        finally:
            self._ringing = None

    def _look_again(self, chat_id: int, seconds: float) -> None:
        if (old := self._albums.pop(chat_id, None)) is not None:
            old.cancel()

        def settle() -> None:
            self._albums.pop(chat_id, None)
            self._settle({chat_id})

        self._albums[chat_id] = asyncio.get_running_loop().call_later(seconds + 0.02, settle)

    async def close_albums(self) -> None:
        """Settle all that is still open in this account's sources: who collected it may have died over it."""
        async with self._db.begin() as session:
            chats = await session.scalars(
                text(
                    "select distinct c.telegram_id from posts p join channels c on c.id = p.channel_id"
                    " where p.state = 'collecting' and c.listener_id = :account"
                ),
                {"account": self._account_id},
            )
            self._settle(chats)

    def _settle(self, chat_ids: Iterable[int]) -> None:
        self._silent.update(chat_ids)
        if self._silent and self._settling is None:
            self._settling = asyncio.create_task(self._settle_all())

    async def _settle_all(self) -> None:
        """One look for all that fell silent together."""
        try:
            while self._silent:
                chats, self._silent = sorted(self._silent), set()
                await self._settle_once(chats)
                await asyncio.sleep(BETWEEN_LOOKS)
        finally:
            self._settling = None

    async def _settle_once(self, chat_ids: Sequence[int]) -> None:
        try:
            if self.look is not None:
                await self.look(chat_ids)
            async with self._db.begin() as session:
                received = await self._ingest.settle(session, chat_ids, self._account_id)
        except (TelegramError, Unavailable) as error:
            log.warning("albums_stay_open", chats=len(chat_ids), reason=str(error))
            for chat_id in chat_ids:
                self._look_again(chat_id, LONGEST_PAUSE)
        else:
            self._after(received)


def shown(error: Exception) -> str:
    """The error's name and first line: what follows may quote the message itself."""
    first = (str(error).splitlines() or [""])[0]
    return f"{type(error).__name__}: {first}"[:500]
