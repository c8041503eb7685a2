"""After PostgreSQL was restored from an old backup: what was sent since then is found before anything is sent.

The rows have forgotten what was heard and sent after the backup; Telegram has not. Everything is paused first. Then the
sources are read from their marks on, as a listener does after an outage, and each post that is not known as sent is
looked for in its destination. What is found is recorded; the rest is sent when work goes on.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

import structlog
from sqlalchemy import func, select, text
from sqlalchemy.ext.asyncio import AsyncSession

from forwarder.comparing.audit import is_placed, mode_of, refuse_too_long
from forwarder.comparing.judgement import Judgement, Post, Scene, judge
from forwarder.comparing.reading import Pages, Read, Sleep
from forwarder.comparing.rows import Adopted, Terms, adopt, terms_of
from forwarder.db import Database
from forwarder.errors import InvalidRequest
from forwarder.ingest import Ingest
from forwarder.ingest.rows import message_of
from forwarder.message import AccountKind, Empty, News, SourceMessage, State, is_basic_group
from forwarder.models import AuditEntry, Mapping, MappingState, NoticeKind
from forwarder.seam import Chats
from forwarder.services import audit, mapping_rows, mapping_work, notices
from forwarder.services.mappings import MappingService

log = structlog.get_logger(__name__)

RESTORED = "restored"
"""The reason of the pause, which ``go_on`` ends."""

NOTED = "db.restored"
MARGIN = timedelta(minutes=10)
"""Before the last sign of life in the rows: a copy may have been made before it was recorded."""

YOUNG = timedelta(seconds=10)
BATCH = 200
SETTLED_WITHIN = 15.0
UNFINISHED = (State.QUEUED, State.SENDING, State.UNSURE, State.HELD)


@dataclass(frozen=True, slots=True)
class Compared:
    """What a look into a mapping's destination came to, in posts: ``found`` there and recorded as sent, ``doubtful``
    (held for a person), ``left`` to be sent. ``problem`` is why it could not be compared: it stays paused."""

    mapping_id: int
    found: int = 0
    doubtful: int = 0
    left: int = 0
    problem: str | None = None


@dataclass(frozen=True, slots=True)
class Pending:
    """A post that our rows do not know as sent, as they remember it."""

    delivery_id: int
    parts: Post
    earlier: dict[int, tuple[str, ...]]


class Restoration:
    """``chats`` reads for us; ``sleep`` paces it."""

    def __init__(
        self,
        db: Database,
        chats: Chats,
        ingest: Ingest,
        mappings: MappingService,
        sleep: Sleep = asyncio.sleep,
    ) -> None:
        self._db, self._ingest, self._mappings, self._sleep = db, ingest, mappings, sleep
        self._pages = Pages(chats, sleep)

    async def compare(self) -> tuple[Compared, ...]:
        """Catch the sources up and compare every mapping that is not disabled; can be repeated.

        Raises AccountNotReady where nobody answers.
        """
        async with self._db.begin() as session:
            since = await noted_moment(session)
            ids = await session.scalars(
                select(Mapping.id).where(Mapping.state != MappingState.DISABLED).order_by(Mapping.id)
            )
            mappings = [await terms_of(session, mapping_id) for mapping_id in ids]
        problems: dict[int, str] = {}
        for terms in {terms.source_id: terms for terms in mappings}.values():
            try:
                await self._catch_up(terms)
            except InvalidRequest as error:
                problems[terms.source_id] = str(error)
        await self._settle([terms.source for terms in mappings])
        return tuple(
            [
                Compared(terms.mapping_id, problem=problems[terms.source_id])
                if terms.source_id in problems
                else await self._compare(terms, since)
                for terms in mappings
            ]
        )

    async def go_on(self, compared: Sequence[Compared]) -> tuple[Compared, ...]:
        """Resume what ``pause`` has paused and what was compared; answer all, with what could not be resumed."""
        return tuple([await self._resume(one) for one in compared])

    async def _resume(self, one: Compared) -> Compared:
        if one.problem is not None or (await self._mappings.get(one.mapping_id)).reason != RESTORED:
            return one
        try:
            await self._mappings.resume(one.mapping_id, send=True)
        except InvalidRequest as error:
            return replace(one, problem=str(error))
        return one

    async def _catch_up(self, terms: Terms) -> None:
        """Hear what came to a source after its mark, as its listener would."""
        if terms.listener is None:
            return
        top = await self._pages.top(terms.source, terms.mark)
        read = await self._pages.read(terms.source, terms.mark + 1, refuse_too_long(terms.mark + 1, top))
        kind = terms.listener_kind or AccountKind.USER
        heard: list[News] = [*read.messages]
        if empty := proven_empty(read, datetime.now(UTC)):
            heard.insert(0, Empty(terms.source, empty))
        for start in range(0, len(heard), BATCH):
            async with self._db.begin() as session:
                await self._ingest.receive(session, terms.listener, kind, heard[start : start + BATCH])
        log.info("source_caught_up", chat=terms.source, mark=terms.mark, top=top, messages=len(read.messages))

    async def _settle(self, chats: Sequence[int]) -> None:
        """Wait until the last albums are complete: only then do their posts have deliveries to compare."""
        for _ in range(int(SETTLED_WITHIN * 2)):
            async with self._db.begin() as session:
                await self._ingest.settle(session, set(chats))
                if not await session.scalar(COLLECTING, {"chats": list(set(chats))}):
                    return
            await self._sleep(0.5)

    async def _compare(self, terms: Terms, since: datetime) -> Compared:
        if is_basic_group(terms.destination) and terms.route is AccountKind.BOT:
            return Compared(
                terms.mapping_id,
                problem="A basic group's messages have other ids for each account, so nobody can look for the bot's "
                "copies there.",
            )
        async with self._db.begin() as session:
            pending = await pending_posts(session, terms)
        if not pending:
            return Compared(terms.mapping_id)
        try:
            now = await self._pages.under(terms.source, [p.message_id for one in pending for p in one.parts])
            there = await self._newer(terms, since - MARGIN)
        except InvalidRequest as error:
            return Compared(terms.mapping_id, problem=str(error))
        posts = [replace(one, parts=tuple(now.get(p.message_id, p) for p in one.parts)) for one in pending]
        return await self._record(terms, posts, there)

    async def _newer(self, terms: Terms, since: datetime) -> tuple[SourceMessage, ...]:
        top = await self._pages.top(terms.destination, terms.newest_copy)
        first = await self._pages.first_since(terms.destination, since, top)
        read = await self._pages.read(terms.destination, first, refuse_too_long(first, top))
        return tuple(message for message in read.messages if is_placed(terms, message))

    async def _record(
        self, terms: Terms, posts: Sequence[Pending], there: tuple[SourceMessage, ...]
    ) -> Compared:
        async with self._db.begin() as session:
            known = await session.scalars(
                text("select message_id from copies where channel_id = :channel and message_id = any(:ids)"),
                {"channel": terms.destination_id, "ids": [message.message_id for message in there]},
            )
            earlier = {number: words for one in posts for number, words in one.earlier.items()}
            judgement = judge(
                Scene(
                    tuple(one.parts for one in posts),
                    there,
                    foreign=frozenset(known),
                    earlier=earlier,
                    verbatim=not terms.ruled,
                )
            )
            found = found_copies(posts, judgement, {m.message_id: mode_of(m) for m in there})
            await adopt(session, terms, found, UNFINISHED)
            unclear = {*judgement.doubtful, *judgement.partial}
            doubtful = [one.delivery_id for one in posts if one.parts in unclear]
            if doubtful:
                await session.execute(HOLD_UNSURE, {"ids": doubtful})
                await notices.leave(session, NoticeKind.HELD_UNSURE, terms.mapping_id, "unsure")
        return Compared(
            terms.mapping_id, len(found), len(doubtful), len(posts) - len(found) - len(doubtful)
        )  # fmt: skip


def found_copies(posts: Sequence[Pending], judgement: Judgement, modes: dict[int, str]) -> list[Adopted]:
    """The posts of which every part was found."""
    found = []
    for one in posts:
        pairs = tuple(
            (part.message_id, judgement.matches[part.message_id].copy)
            for part in one.parts
            if part.message_id in judgement.matches
        )
        if pairs and len(pairs) == len(one.parts):
            found.append(Adopted(pairs, modes[pairs[0][1]], one.delivery_id))
    return found


def proven_empty(read: Read, now: datetime) -> tuple[int, ...]:
    """Ids that will stay empty: below a message that is older than the time in which one may still appear."""
    old = max((m.message_id for m in read.messages if m.date < now - YOUNG), default=0)
    return tuple(number for number in (*read.empty, *read.elsewhere) if number < old)


async def pause(db: Database, since: datetime | None = None) -> int:
    """Pause every active mapping, and note the moment up to which the rows know what happened; answer how many.

    ``since`` is when the backup was made, by default the last sign of life in the rows. While mappings are still paused
    by an earlier call its moment holds.
    """
    async with db.begin() as session:
        paused_before = await session.scalar(
            select(func.count()).select_from(Mapping).where(Mapping.reason == RESTORED)
        )
        if since is None and not paused_before:
            since = await session.scalar(LAST_SIGN)
        active = await session.scalars(
            select(Mapping.id).where(Mapping.state == MappingState.ACTIVE).order_by(Mapping.id)
        )
        ids = list(active)
        for mapping_id in ids:
            mapping = await mapping_rows.locked(session, mapping_id)
            mapping.state, mapping.reason = MappingState.PAUSED, RESTORED
            mapping.revision += 1
            await session.flush()
            await mapping_work.hold(session, mapping_id)
        if since is not None:
            await audit.record(session, None, NOTED, "db", since=since.isoformat(), mappings=ids)
        return len(ids) + (paused_before or 0)


async def noted_moment(session: AsyncSession) -> datetime:
    """Raises InvalidRequest ``not_restored`` where nothing was paused by :func:`pause`."""
    details = await session.scalar(
        select(AuditEntry.details)
        .where(AuditEntry.action == NOTED)
        .order_by(AuditEntry.id.desc())
        .limit(1)
    )  # fmt: skip
    if details is None:
        raise InvalidRequest("not_restored", "Run `manage.py db restored` first: it pauses everything.")
    return datetime.fromisoformat(details["since"])


async def pending_posts(session: AsyncSession, terms: Terms) -> list[Pending]:
    rows = await session.execute(PENDING, {"mapping": terms.mapping_id, "source": terms.source_id})
    found: dict[int, Pending] = {}
    for row in rows:
        one = found.get(row.delivery_id, Pending(row.delivery_id, (), {}))
        part = message_of(row, terms.source)
        found[row.delivery_id] = Pending(
            one.delivery_id,
            (*one.parts, part),
            one.earlier | {part.message_id: (part.text, *row.earlier)},
        )
    return list(found.values())


LAST_SIGN = text(
    """
    select coalesce(greatest(
        (select max(heard_at) from messages), (select max(checked_at) from marks), (select max(seen_at) from accounts),
        (select max(greatest(created_at, claimed_at, done_at)) from deliveries), (select max(at) from audit_log)),
        clock_timestamp())
    """
)

COLLECTING = text(
    """
    select exists (select 1 from posts p join channels c on c.id = p.channel_id
                    where p.state = 'collecting' and c.telegram_id = any(:chats))
    """
)

# Also messages that were deleted since: their copies may stand there.
PENDING = text(
    """
    select d.id as delivery_id, m.*
      from deliveries d join messages m on m.post_id = d.post_id
     where d.mapping_id = :mapping and d.kind = 'post' and d.done_at is null and m.channel_id = :source
     order by d.position, d.id, m.message_id
    """
)

HOLD_UNSURE = text(
    """
    update deliveries set state = 'held', reason = 'unsure', unsettled = true, not_before = null, reserved = 0
     where id = any(:ids) and done_at is null
    """
)
