"""Updates are hints: this room makes sure that nothing between a source's mark and its top is missing.

At start, after every reconnect and on a timer the newest id of each source is compared with its mark, many in
one call, and only what differs is fetched. An id that is empty and was first asked for less than ten seconds
ago may still become visible: it is asked for again. Edits and deletions leave no gap in the ids: at start and
after a reconnect the newest messages of each source are read again, for what happened to them unheard; on the timer
the fresh ones, and the posts that are next to be sent.
"""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping, Sequence

import structlog
from sqlalchemy import text

from forwarder.collect import Progress
from forwarder.db import Database
from forwarder.errors import NotUnderstood, TelegramError, Unavailable
from forwarder.message import Deleted, Edited, Empty, Fetched, News, is_channel
from forwarder.retry import end_of_login, raise_if_over
from forwarder.seam import Reader

log = structlog.get_logger(__name__)

YOUNG = 10.0
ASK_AGAIN = 2.0
PAGE = 200
"""Ids in one ``channels.getMessages`` (the most that Telegram answers, core.telegram.org/api/updates)."""

PAGE_OF_MANY_CHATS = 10_000
"""The same outside channels, where most ids of a long span are other chats'."""

EVERY = 60.0

POLL_EVERY = 5.0
POLLED_AT_ONCE = 10
"""Sources looked at between the turns of the timer: Telegram asks that no more than ten be polled at a time
(core.telegram.org/api/updates, "subscribing to updates of channels")."""
POLLED_FOR = 3600.0
"""Seconds that a source is polled after a look that found what no push had brought."""

READ_AGAIN = 200
READ_AGAIN_HOURS = 48.0
"""How many of a source's newest messages are read again, and how old these may be: after that even a copy
cannot be edited any more by everybody (telegram-facts section 6)."""

STILL_FRESH_HOURS = 0.25
"""How old they may be when they are read again on the timer: an update that was withheld leaves no trace, and
most edits and deletions come within minutes of their post."""

WAITING = 100
"""How many posts at the head of each lane are read again each minute, however old: what has waited is not sent as it
once was. More than four times what a chat takes in a minute by Telegram's published figures."""


class Reconciler:
    """For the sources that one user account listens to. ``store`` returns when news are committed.

    ``quarantine`` keeps a message that cannot be read. ``on_caught_up``, once set, is awaited when all sources
    were compared after a start or a reconnect.
    """

    def __init__(
        self,
        db: Database,
        reader: Reader,
        account_id: int,
        store: Callable[[Sequence[News]], Awaitable[None]],
        quarantine: Callable[[bytes, Exception], Awaitable[None]],
    ) -> None:
        self._db, self._reader, self._account_id, self._store = db, reader, account_id, store
        self._quarantine = quarantine
        self.on_caught_up: Callable[[], Awaitable[None]] | None = None
        self._asked: dict[int, dict[int, float]] = defaultdict(dict)
        self._wake = asyncio.Event()
        self._holes: dict[int, set[int]] = defaultdict(set)
        self._all = True
        self._unheard = True
        self._unpushed: dict[int, float] = {}

    def look_at_all(self) -> None:
        """Compare every source soon: a mapping was made."""
        self._all = True
        self._wake.set()

    def was_away(self) -> None:
        """The connection was interrupted: compare every source, and read the newest messages again."""
        self._all = self._unheard = True
        self._wake.set()

    def fill(self, chat_id: int, ids: Sequence[int]) -> None:
        """Fetch these missing ids soon."""
        self._holes[chat_id] |= set(ids)
        self._wake.set()

    async def run(self) -> None:
        """Fill holes as they are named and compare all sources once a minute, until cancelled.

        Telegram may stop pushing what big channels post (telegram-facts 3.2): those that it was late with are
        looked at more often. Raises AccountNotReady where the login has ended.
        """
        looked = 0.0
        while True:
            timeout = ASK_AGAIN if self._holes else POLL_EVERY if self._unpushed else EVERY
            try:
                async with asyncio.timeout(timeout):
                    await self._wake.wait()
            except TimeoutError:
                pass
            self._wake.clear()
            self._all = self._all or time.monotonic() - looked >= EVERY
            try:
                if self._all:
                    self._all = False
                    looked = time.monotonic()
                    await self._look()
                elif self._unpushed:
                    self._poll(await self.compare(self._polled()))
                await self._fill_holes()
            except (TelegramError, Unavailable) as error:
                raise_if_over(error)
                log.warning("reconciliation_put_off", reason=str(error))
                self._all = True
                await asyncio.sleep(
                    error.seconds or ASK_AGAIN if isinstance(error, TelegramError) else ASK_AGAIN
                )
                self._wake.set()

    async def _look(self) -> None:
        """Compare all sources, and read their newest messages again; further back where nobody has listened."""
        unheard, self._unheard = self._unheard, False
        try:
            late = await self.compare()
            if not unheard:
                self._poll(late)
            elif self.on_caught_up is not None:
                await self.on_caught_up()
            await self.read_again(READ_AGAIN_HOURS if unheard else STILL_FRESH_HOURS)
        except (TelegramError, Unavailable):
            # One more interruption may have been noticed meanwhile.
            self._unheard = self._unheard or unheard
            raise

    def _poll(self, late: Iterable[int]) -> None:
        """Look at these sources, which had posts that nobody had pushed, more often for a while."""
        for chat_id in late:
            if self._unpushed.pop(chat_id, None) is None:
                log.info("source_polled", chat=chat_id)
            self._unpushed[chat_id] = time.monotonic() + POLLED_FOR

    def _polled(self) -> list[int]:
        """The sources to look at between the turns of the timer: those that were late last."""
        now = time.monotonic()
        self._unpushed = {chat: until for chat, until in self._unpushed.items() if until > now}
        return list(self._unpushed)[-POLLED_AT_ONCE:]

    async def compare(self, chats: Collection[int] | None = None) -> dict[int, int]:
        """Compare the top of every source, or of these, with its mark and fetch what differs.

        Answers how many ids were fetched, for each chat that had any.
        """
        marks = await self._marks(chats)
        if not marks:
            return {}
        tops = await self._reader.tops(list(marks))
        fetched = await self._fetch_all(
            {
                chat_id: [i for i in range(marks[chat_id].mark + 1, top + 1) if not known(marks[chat_id], i)]
                for chat_id, top in tops.items()
            }
        )
        if fetched:
            log.info("reconciled", ids=sum(fetched.values()), sources=len(marks))
        return fetched

    async def read_again(self, hours: float = READ_AGAIN_HOURS) -> None:
        """Find edits and deletions, not heard, of messages that are at most ``hours`` old or are about to be sent."""
        for chat_id, ids in (await self._worth_reading(hours)).items():
            try:
                for start in range(0, len(ids), PAGE):
                    await self._read_changes(chat_id, ids[start : start + PAGE])
            except TelegramError as error:
                if error.seconds is not None or end_of_login(error):
                    raise
                # Whoever compares it with its mark is told; the others must not wait for it.
                log.warning("source_not_read_again", chat=chat_id, reason=error.name)

    async def _read_changes(self, chat_id: int, ids: Sequence[int]) -> None:
        fetched = await self._reader.fetch(chat_id, ids)
        news: list[News] = [Edited(message) for message in fetched.messages]
        if fetched.empty:
            news.append(Deleted(chat_id, fetched.empty))
        await self._store(news)

    async def _worth_reading(self, hours: float) -> dict[int, list[int]]:
        """Ids of the newest messages that we have of each source, and of those that wait at the heads of its lanes, by
        chat."""
        async with self._db.begin() as session:
            rows = await session.execute(
                text(
                    """
                    select c.telegram_id, array_agg(distinct m.message_id order by m.message_id) as ids
                      from channels c
                      join channel_access a on a.channel_id = c.id and a.account_id = :account and a.may_read
                     cross join lateral (
                        (select message_id from messages
                          where channel_id = c.id and deleted_at is null
                            and heard_at > clock_timestamp() - make_interval(secs => :seconds)
                          order by message_id desc limit :count)
                        union all
                        select w.message_id
                          from mappings p
                         cross join lateral (
                            select d.post_id from deliveries d
                             where d.mapping_id = p.id and d.done_at is null and d.kind = 'post' and d.state <> 'held'
                             order by d.class, d.position limit :waiting) h
                          join messages w on w.post_id = h.post_id and w.channel_id = c.id and w.deleted_at is null
                         where p.source_id = c.id and p.state = 'active') m
                     where c.is_source and c.migrated_to is null
                     group by c.telegram_id order by c.telegram_id
                    """
                ),
                {
                    "account": self._account_id,
                    "seconds": hours * 3600,
                    "count": READ_AGAIN,
                    "waiting": WAITING,
                },
            )
            return {row.telegram_id: list(row.ids) for row in rows}

    async def _marks(self, chats: Collection[int] | None = None) -> dict[int, Progress]:
        """The progress of each source, or each of these, that this account listens to; one not heard yet begins at
        its mapping."""
        async with self._db.begin() as session:
            rows = await session.execute(
                text(
                    """
                    select c.telegram_id, k.mark, k.known,
                           (select min(m.start_after) from mappings m
                             where m.source_id = c.id and m.state <> 'disabled') as start
                      from channels c
                      join channel_access a on a.channel_id = c.id and a.account_id = :account and a.may_read
                      left join marks k on k.channel_id = c.id and k.account_id = :account
                     where c.is_source and c.migrated_to is null
                       and (cast(:chats as bigint[]) is null or c.telegram_id = any(:chats))
                       and exists (select 1 from mappings m
                                    where m.source_id = c.id and m.state <> 'disabled')
                     order by c.id
                    """
                ),
                {"account": self._account_id, "chats": list(chats) if chats is not None else None},
            )
            return {
                row.telegram_id: Progress(row.mark, tuple((s.lower, s.upper) for s in row.known))
                if row.mark is not None
                else Progress(row.start or 0)
                for row in rows
            }

    async def _fill_holes(self) -> None:
        holes, self._holes = self._holes, defaultdict(set)
        await self._fetch_all({chat_id: sorted(ids) for chat_id, ids in holes.items()})

    async def _fetch_all(self, wanted: Mapping[int, Sequence[int]]) -> dict[int, int]:
        """Fetch these ids of each chat; answer how many, by chat.

        A chat that cannot be read, or whose answer cannot, does not keep the others waiting: its error is raised
        when they are done. A wait that Telegram asks for, and an outage, are everybody's.
        """
        fetched: dict[int, int] = {}
        refused: TelegramError | None = None
        for chat_id, ids in wanted.items():
            try:
                page = PAGE if is_channel(chat_id) else PAGE_OF_MANY_CHATS
                for start in range(0, len(ids), page):
                    count = await self._fetch(chat_id, ids[start : start + page])
                    fetched[chat_id] = fetched.get(chat_id, 0) + count
            except TelegramError as error:
                if error.seconds is not None or end_of_login(error):
                    raise
                log.warning("source_not_reconciled", chat=chat_id, reason=error.name)
                refused = refused or error
        if refused is not None:
            raise refused
        return fetched

    async def _fetch(self, chat_id: int, ids: Sequence[int]) -> int:
        fetched = await self._reader.fetch(chat_id, ids)
        now = time.monotonic()
        asked = self._asked[chat_id]
        proven = [i for i in fetched.empty if now - asked.setdefault(i, now) >= YOUNG]
        young = set(fetched.empty) - set(proven)
        proven += fetched.elsewhere
        proven += await self._keep_unreadable(chat_id, fetched)
        if young:
            self._holes[chat_id] |= young
        for i in (*proven, *(m.message_id for m in fetched.messages)):
            asked.pop(i, None)
        news: list[News] = [*fetched.messages]
        if proven:
            news.append(Empty(chat_id, tuple(proven)))
        if news:
            await self._store(news)
        return len(ids) - len(young)

    async def _keep_unreadable(self, chat_id: int, fetched: Fetched) -> list[int]:
        """Kept raw they count as known: each would be a hole that holds its source for ever."""
        for one in fetched.unreadable:
            error = NotUnderstood(chat_id, one.message_id)
            log.error("message_quarantined", chat=chat_id, message=one.message_id)
            await self._quarantine(one.raw or str(error).encode(), error)
        return [one.message_id for one in fetched.unreadable]


def known(progress: Progress, message_id: int) -> bool:
    return any(low <= message_id < high for low, high in progress.known)
