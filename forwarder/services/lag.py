"""A source that posts faster than its destination may receive: how far a mapping is behind, and what it skips."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from forwarder.models import CLASS_ORDER
from forwarder.outbox import Due, ended_without_success
from forwarder.services.ages import too_old
from forwarder.services.rules import TIMES

BATCH = 500

# Who changes a mapping's deliveries holds its row: a pause that is under way is waited for.
SKIPPERS = text(
    """
    select id, skip_hours from mappings where skip_hours is not null and state = 'active' order by id for no key update
    """
)

# The oldest wait in front: a mapping whose head is young enough costs one look. Bulk posts are old by nature, what
# waits by a rule of time is wanted later, what somebody has approved, let go or queued again is wanted now, and what
# may have been sent already is not withdrawn.
SKIP_OLD = text(
    """
    update deliveries d set state = 'withdrawn', reason = 'too_old', done_at = clock_timestamp(),
           revision = m.revision
      from mappings m
     where m.id = d.mapping_id and d.id = any(array(
        select o.id
          from unnest(cast(:mappings as int[]), cast(:too_old as timestamptz[])) as w (mapping, too_old)
          join lanes l on l.mapping_id = w.mapping
         cross join lateral (
            select q.id from deliveries q
             where q.mapping_id = w.mapping and q.done_at is null and q.class = :live and q.kind = 'post'
               and q.state <> 'held'
             order by q.position, q.id limit :batch) oldest
          join deliveries o on o.id = oldest.id
         where o.state = 'queued' and not o.unsettled and (o.reason is null or o.reason <> all(:times)) and o.epoch = 0
           and greatest((select min(x.date) from messages x where x.post_id = o.post_id), l.not_before,
                        (select r.decided_at from reviews r where r.delivery_id = o.id)) < w.too_old
         order by o.id for no key update of o))
    returning d.id
    """
)

# Older posts that a backfill brings wait behind the live ones by design: they are no sign of falling behind.
BACKLOG = text(
    """
    select m.id,
           (select count(*) from deliveries d
             where d.mapping_id = m.id and d.done_at is null and d.kind = 'post' and d.state <> 'held'
               and d.class <> 2) as now,
           (select count(*) from deliveries d
             where d.mapping_id = m.id and d.done_at is null and d.kind = 'post' and d.state <> 'held'
               and d.class <> 2 and d.created_at < clock_timestamp() - interval '1 hour')
           + coalesce(gone.posts, 0) as hour_ago
      from mappings m
      left join (select mapping_id, count(*) as posts from deliveries
                  where done_at > clock_timestamp() - interval '1 hour' and kind = 'post' and class <> 2
                    and created_at < clock_timestamp() - interval '1 hour' group by 1) gone on gone.mapping_id = m.id
     where m.id = any(:ids)
    """
)


@dataclass(frozen=True, slots=True)
class Backlog:
    """How many posts of a mapping wait to be sent, and how many did an hour ago (held ones are not counted)."""

    now: int = 0
    hour_ago: int = 0

    @property
    def growth(self) -> int:
        return self.now - self.hour_ago


async def skip_old(session: AsyncSession) -> tuple[int, list[Due]]:
    """Withdraw the live posts that have waited beyond their mapping's limit of age.

    Answers how many, and the lanes that inherit work. One turn takes the oldest few hundred of each mapping.
    """
    limits = {row.id: row.skip_hours for row in await session.execute(SKIPPERS)}
    if not limits:
        return 0, []
    ages = await too_old(session, limits)
    values = {
        "mappings": list(ages),
        "too_old": list(ages.values()),
        "live": CLASS_ORDER["live"],
        "batch": BATCH,
        "times": list(TIMES),
    }
    gone = list(await session.scalars(SKIP_OLD, values))
    return len(gone), await ended_without_success(session, gone) if gone else []


async def backlogs(session: AsyncSession, mapping_ids: Sequence[int]) -> dict[int, Backlog]:
    """How far these mappings are behind, now and an hour ago, counted from the rows."""
    rows = await session.execute(BACKLOG, {"ids": list(mapping_ids)})
    return {row.id: Backlog(row.now, row.hour_ago) for row in rows}
