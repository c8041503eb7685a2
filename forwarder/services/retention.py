"""Retention: finished posts are forgotten in batches, by age; that they were handled is remembered for ever.

A batch is one short transaction over the oldest posts, found by their primary key, so that its cost does not grow with
what is kept. What somebody still needs stays: a post that one mapping has not finished with, and a first copy to which
a duplicate or a window of deduplication refers.
"""

from __future__ import annotations

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from forwarder.db import Database

BATCH = 2000
"""Posts that one transaction looks at."""

COPIES_DAYS = 365
"""The least days for which it is known which message of a destination is a copy of which source message."""

REOPENED = ("backfill_stopped", "mapping_disabled", "skipped", "outage_skipped", "too_old")
"""Why posts were withdrawn that a later backfill may bring after all: they were never sent."""

OLDEST = text(
    """
    select id, created_at < clock_timestamp() - make_interval(days => :days) as old
      from posts where id > :after order by id limit :batch
    """
)

# The lock waits for a result that is being recorded, and keeps a new edit or backfill from hanging itself on the post.
UNUSED = text(
    """
    select p.id from posts p
     where p.id = any(:ids) and p.state = 'ready'
       and not exists (
           select 1 from deliveries d where d.post_id = p.id
              and (d.done_at is null or d.done_at >= clock_timestamp() - make_interval(days => :days)
                   or exists (select 1 from deliveries o where o.state = 'duplicate' and o.duplicate_of = d.id
                                 and o.post_id <> p.id)
                   or exists (select 1 from fingerprints f where f.delivery_id = d.id
                                 and f.until > clock_timestamp())))
     order by p.id for update of p skip locked
    """
)

REMEMBER = text(
    """
    insert into handled as h (mapping_id, channel_id, ids)
    select d.mapping_id, m.channel_id, range_agg(int8range(m.message_id, m.message_id, '[]'))
      from deliveries d join messages m on m.post_id = d.post_id
     where d.post_id = any(:ids) and d.kind = 'post'
       and (d.state <> 'withdrawn' or d.unsettled or d.reason <> all(:reopened))
     group by 1, 2 order by 1, 2
    on conflict (mapping_id, channel_id) do update set ids = h.ids + excluded.ids
    """
)


async def forget_posts(db: Database, days: int) -> int:
    """Forget posts with their messages and deliveries ``days`` after the last of them was finished; answer how many."""
    gone, after, old = 0, 0, True
    while old:
        async with db.begin() as session:
            rows = (await session.execute(OLDEST, {"days": days, "after": after, "batch": BATCH})).all()
            gone += await _forget(session, [row.id for row in rows if row.old], days)
        old = len(rows) == BATCH and rows[-1].old
        after = rows[-1].id if rows else after
    return gone


async def _forget(session: AsyncSession, ids: list[int], days: int) -> int:
    unused = list(await session.scalars(UNUSED, {"ids": ids, "days": days})) if ids else []
    if unused:
        await session.execute(REMEMBER, {"ids": unused, "reopened": list(REOPENED)})
        await session.execute(text("delete from messages where post_id = any(:ids)"), {"ids": unused})
        await session.execute(text("delete from posts where id = any(:ids)"), {"ids": unused})
    return len(unused)
