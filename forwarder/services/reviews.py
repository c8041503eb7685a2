"""ReviewService: the posts that wait for somebody's word, and the word itself."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import Row, text
from sqlalchemy.ext.asyncio import AsyncSession

from forwarder.db import Database
from forwarder.errors import NotFound
from forwarder.message import Kind
from forwarder.models import Mapping as MappingRow
from forwarder.services import audit, mapping_rows, reviewing
from forwarder.services.judging import Parts, as_they_go
from forwarder.services.mappings import Ring, no_bell
from forwarder.services.reviewing import STAMP
from forwarder.services.values import ChannelName, MappingView, Page, page_bounds


@dataclass(frozen=True, slots=True)
class Card:
    """A post that waits. ``parts`` is more than one for an album, whose ``text`` is its first caption; as the mapping's
    rules make it where they have ``changed`` it. ``sends`` says what happens at ``until`` where nobody answers.
    ``stamp`` names the source's text: that is what is approved, and rules may
    change meanwhile."""

    delivery_id: int
    mapping: MappingView
    source: ChannelName
    message_id: int
    kind: Kind
    parts: int
    text: str
    changed: bool
    posted_at: datetime
    until: datetime
    sends: bool
    stamp: int


Stored = Callable[[AsyncSession, Sequence[int]], Awaitable[Mapping[int, Parts]]]


class Said(StrEnum):
    """``before``: somebody or something else had decided already. ``edited``: what was shown is not what would go."""

    DONE = "done"
    BEFORE = "before"
    EDITED = "edited"


@dataclass(frozen=True, slots=True)
class Answer:
    """``approved`` is the word that counts, and ``by`` who gave it, where a person did; ``reason`` is the code of what
    ended a post that nobody decided about."""

    said: Said
    approved: bool | None = None
    by: str | None = None
    reason: str | None = None


class ReviewService:
    """``stored`` answers the messages of posts as they read now."""

    def __init__(self, db: Database, stored: Stored, ring: Ring = no_bell) -> None:
        self._db = db
        self._stored = stored
        self._ring = ring

    async def list(self, mapping_id: int | None, page: int, size: int) -> Page[Card]:
        """What waits, of one mapping or of all, the longest first. Raises NotFound."""
        async with self._db.begin() as session:
            if mapping_id is not None:
                await mapping_rows.one(session, mapping_id)
            total = await count(session, mapping_id)
            at, pages = page_bounds(total, page, size)
            found = await cards(session, mapping_id, at * size, size, self._stored)
            return Page(found, at, pages, total)

    async def count(self, mapping_id: int | None = None) -> int:
        async with self._db.begin() as session:
            return await count(session, mapping_id)

    async def decide(
        self, delivery_id: int, *, approve: bool, stamp: int | None = None, actor: int | None = None
    ) -> Answer:
        """Let a post go, or leave it out. ``stamp``: the text that the person has seen, where that must still stand.

        Raises NotFound ``review_not_found`` for what was never asked about.
        """
        async with self._db.begin() as session:
            mapping_id = await session.scalar(
                text("select mapping_id from deliveries where id = :id"), {"id": delivery_id}
            )
            if mapping_id is None:
                raise never_asked(delivery_id)
            # Whoever decides holds the mapping's row: of two at once, the second finds what the first has done.
            await mapping_rows.locked(session, mapping_id)
            found = (await session.execute(STANDS, {"id": delivery_id})).one_or_none()
            if found is None:
                raise never_asked(delivery_id)
            if not found.waits:
                return Answer(Said.BEFORE, found.approved, name_of(found), found.reason)
            if stamp is not None and found.stamp != stamp:
                return Answer(Said.EDITED)
            _, heirs = await reviewing.decide(session, [delivery_id], approved=approve, by=actor)
            action = "review.approve" if approve else "review.reject"
            await audit.record(session, actor, action, f"mapping:{mapping_id}", delivery=delivery_id)
        await self._ring(sorted({mapping_id, *(due.mapping_id for due in heirs)}))
        return Answer(Said.DONE, approve)

    async def decide_all(self, mapping_id: int, *, approve: bool, actor: int | None = None) -> int:
        """The same word about all that waits of a mapping now; answer how many. Raises NotFound."""
        async with self._db.begin() as session:
            await mapping_rows.locked(session, mapping_id)
            waiting = list(await session.scalars(WAITING, {"mapping": mapping_id}))
            decided, heirs = await reviewing.decide(session, waiting, approved=approve, by=actor)
            action = "review.approve" if approve else "review.reject"
            await audit.record(session, actor, action, f"mapping:{mapping_id}", posts=len(decided))
        await self._ring(sorted({mapping_id, *(due.mapping_id for due in heirs)}))
        return len(decided)


OPEN = """
    from reviews r join deliveries d on d.id = r.delivery_id
   where r.decided_at is null and d.state = 'held' and d.reason = 'review'
     and (cast(:mapping as int) is null or d.mapping_id = :mapping)
"""
WAITING = text(f"select d.id {OPEN} order by d.id")
COUNT = text(f"select count(*) {OPEN}")
CARDS = text(
    f"""
    select w.*, p.channel_id, x.*
      from (select d.id, d.mapping_id, d.post_id, d.not_before, {STAMP} as stamp {OPEN}
             order by d.id offset :offset limit :limit) w
      join posts p on p.id = w.post_id
     cross join lateral (
        select min(m.message_id) as message_id, min(m.date) as posted_at, count(*) as parts,
               (array_agg(m.kind order by m.message_id))[1] as kind,
               coalesce((array_agg(m.text order by m.message_id) filter (where m.text <> ''))[1], '') as words
          from messages m where m.post_id = w.post_id and m.deleted_at is null) x
     where x.parts > 0
     order by w.id
    """  # noqa: S608 - what is put in are the literals above
)
STANDS = text(
    f"""
    select d.state = 'held' and d.reason = 'review' and r.decided_at is null as waits, d.reason, r.approved,
           r.decided_by, u.name, {STAMP} as stamp
      from deliveries d join reviews r on r.delivery_id = d.id left join users u on u.telegram_id = r.decided_by
     where d.id = :id
    """  # noqa: S608 - what is put in is a literal
)


async def count(session: AsyncSession, mapping_id: int | None) -> int:
    return int(await session.scalar(COUNT, {"mapping": mapping_id}) or 0)


async def cards(
    session: AsyncSession, mapping_id: int | None, offset: int, limit: int, stored: Stored
) -> tuple[Card, ...]:
    values = {"mapping": mapping_id, "offset": offset, "limit": limit}
    found = (await session.execute(CARDS, values)).all()
    if not found:
        return ()
    ids = {row.mapping_id for row in found}
    views = {
        row[0].id: mapping_rows.view(*row)
        for row in await session.execute(mapping_rows.joined().where(MappingRow.id.in_(ids)))
    }
    sends = await reviewing.sending(session, ids)
    names = await mapping_rows.channel_names(session, {row.channel_id for row in found})
    posts = await stored(session, [row.post_id for row in found])
    said = await as_they_go(session, {(row.mapping_id, row.post_id) for row in found}, posts)
    return tuple(
        Card(
            delivery_id=row.id,
            mapping=views[row.mapping_id],
            source=names[row.channel_id],
            message_id=row.message_id,
            kind=Kind(row.kind),
            parts=row.parts,
            text=said.get((row.mapping_id, row.post_id), row.words),
            changed=(row.mapping_id, row.post_id) in said,
            posted_at=row.posted_at,
            until=row.not_before,
            sends=row.mapping_id in sends,
            stamp=row.stamp,
        )
        for row in found
    )


def name_of(row: Row[Any]) -> str | None:
    """Who decided, as far as that was a person whom we know."""
    return row.name or (str(row.decided_by) if row.decided_by is not None else None)


def never_asked(delivery_id: int) -> NotFound:
    return NotFound(
        "review_not_found",
        f"No post number {delivery_id} waits for review. See `manage.py review list`.",
        number=delivery_id,
    )
