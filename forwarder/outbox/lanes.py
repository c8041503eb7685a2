"""Lanes: taken under a lease with a fence, kept, let go, and found when they are due."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from forwarder.db import Ask
from forwarder.message import AccountKind, Mode
from forwarder.models import WhenUnsure
from forwarder.outbox.values import FIX_MAY_GO, LEASE_SECONDS, LIVE, Due, LaneHeld, Worker, first_class

HAS_RULES = """(m.rules <> '{}' or exists (
    select 1 from lists r
      join list_channels rs on rs.list_id = r.id and rs.side = 'source' and rs.channel_id = m.source_id
      join list_channels rd on rd.list_id = r.id and rd.side = 'destination' and rd.channel_id = m.destination_id
     where r.settings ? 'rules'))"""
"""Whether the mapping ``m`` goes by rules, its own or its lists'. All others pay nothing for rules."""

TAKE_LANES = text(
    f"""
    with free as materialized (
        select mapping_id from lanes
         where mapping_id = any(:lanes) and route = :route
           and (lease_until is null or lease_until < clock_timestamp())
         order by mapping_id for no key update skip locked)
    update lanes l set holder = :holder, fence = l.fence + 1,
           lease_until = clock_timestamp() + make_interval(secs => :lease)
      from free, mappings m, channels s, channels d
     where l.mapping_id = free.mapping_id
       and m.id = l.mapping_id and m.state = 'active'
       and exists (select 1 from accounts a where a.id = :account and a.state = 'active')
       and s.id = m.source_id and d.id = m.destination_id
    returning l.mapping_id, l.fence, s.id as source_id, s.telegram_id as source, s.protected as source_protected,
              d.id as destination_id, d.telegram_id as destination, m.destination_topic,
              d.is_source as destination_is_source, m.mode, m.copy_fallback, m.route = 'auto' as auto_route,
              m.silent, m.when_unsure, m.revision, {HAS_RULES} as has_rules,
              coalesce((select d.slow_mode from channel_access x
                         where x.channel_id = d.id and x.account_id = :account and x.slowed), 0) as slow_mode
    """  # noqa: S608 - what is put in is the literal above
)


LET_GO = text(
    """
    update lanes l set holder = null, lease_until = null
      from unnest(cast(:lanes as int[]), cast(:fences as bigint[])) as held (lane, fence)
     where l.mapping_id = held.lane and l.holder = :holder and l.fence = held.fence
    """
)


def take(lanes: Sequence[int], worker: Worker) -> Ask:
    """Lease those of these lanes that are free, of our route, and whose mapping is active: read by :func:`taken`."""
    return Ask(
        TAKE_LANES,
        {
            "lanes": list(lanes),
            "holder": worker.holder,
            "route": worker.kind.value,
            "account": worker.account_id,
            "lease": LEASE_SECONDS,
        },
    )


def taken(rows: Sequence[Any]) -> dict[int, LaneHeld]:
    return {row.mapping_id: held(row) for row in rows}


def held(row: Any) -> LaneHeld:
    return LaneHeld(
        mapping_id=row.mapping_id,
        fence=row.fence,
        source_id=row.source_id,
        source=row.source,
        source_protected=row.source_protected,
        destination_id=row.destination_id,
        destination=row.destination,
        destination_topic=row.destination_topic,
        destination_is_source=row.destination_is_source,
        mode=Mode(row.mode),
        copy_fallback=row.copy_fallback,
        auto_route=row.auto_route,
        silent=row.silent,
        when_unsure=WhenUnsure(row.when_unsure),
        revision=row.revision,
        has_rules=row.has_rules,
        slow_mode=row.slow_mode,
    )


async def switch_route(session: AsyncSession, lane: LaneHeld, kind: AccountKind) -> Due | None:
    """Give the lane to the other account, if one that is active may read its source and post there; it may be there
    already, where the answer to an earlier try was lost."""
    row = (
        await session.execute(
            text(
                """
                update lanes l set route = :route
                 where l.mapping_id = :lane and exists (
                    select 1 from accounts a
                      join channel_access s on s.account_id = a.id and s.channel_id = :source and s.may_read
                      join channel_access d on d.account_id = a.id and d.channel_id = :destination and d.may_post
                     where a.kind = :route and a.state = 'active')
                returning l.mapping_id
                """
            ),
            {
                "lane": lane.mapping_id,
                "route": kind.value,
                "source": lane.source_id,
                "destination": lane.destination_id,
            },
        )
    ).one_or_none()
    return None if row is None else Due(lane.mapping_id, 0, kind, LIVE, important=False)


async def count_from_now(session: AsyncSession, mappings: Sequence[int]) -> None:
    """What waits in these lanes has been let go by somebody: how long it waits counts from now."""
    await session.execute(
        text(
            """
            update lanes set not_before = clock_timestamp()
             where mapping_id in (select mapping_id from lanes where mapping_id = any(:mappings)
                                   order by mapping_id for no key update)
            """
        ),
        {"mappings": list(mappings)},
    )


def release(lanes: Sequence[LaneHeld], worker: Worker) -> Ask:
    return Ask(
        LET_GO,
        {
            "lanes": [lane.mapping_id for lane in lanes],
            "fences": [lane.fence for lane in lanes],
            "holder": worker.holder,
        },
    )


# The state of a lane without due work, as OPEN_JOBS sees it.
RELEASE_IDLE = text(
    f"""
    update lanes l set holder = null, lease_until = null
     where l.mapping_id = any(:lanes) and l.holder = :holder
       and not exists (
            select 1 from deliveries d
             where d.mapping_id = l.mapping_id and d.done_at is null and d.class = 0 and d.state <> 'held'
               and (d.not_before is null or d.not_before <= clock_timestamp())
               and {FIX_MAY_GO})
       and not exists (
            select 1 from (
                select d.not_before from deliveries d
                 where d.mapping_id = l.mapping_id and d.done_at is null and d.class >= {first_class("l.mapping_id")}
                   and d.state <> 'held'
                 order by d.class, d.position, d.id limit 1) head
             where head.not_before is null or head.not_before <= clock_timestamp())
    returning l.mapping_id
    """  # noqa: S608 - what is put in is a literal
)


def release_idle(lanes: Sequence[int], worker: Worker) -> Ask:
    """Let those of these lanes go that have nothing to do now; answers them."""
    return Ask(RELEASE_IDLE, {"lanes": list(lanes), "holder": worker.holder})


async def renew(session: AsyncSession, lanes: Sequence[int], holder: str) -> set[int]:
    """Prolong the leases of ``lanes``; answer those that are still ours."""
    rows = await session.execute(
        text(
            """
            update lanes set lease_until = clock_timestamp() + make_interval(secs => :lease)
             where mapping_id in (select mapping_id from lanes
                                   where mapping_id = any(:lanes) and holder = :holder
                                   order by mapping_id for no key update)
            returning mapping_id
            """
        ),
        {"lanes": list(lanes), "holder": holder, "lease": LEASE_SECONDS},
    )
    return {row.mapping_id for row in rows}


STILL_OURS = text(
    """
    select mapping_id from lanes
     where holder = :holder and (mapping_id, fence) in (
           select * from unnest(cast(:lanes as int[]), cast(:fences as bigint[])))
     order by mapping_id for no key update
    """
)


def still_ours(lanes: Sequence[LaneHeld], worker: Worker) -> Ask:
    """Lock these lanes; answers those that we still hold: only the holder of the fence may record."""
    return Ask(
        STILL_OURS,
        {
            "holder": worker.holder,
            "lanes": [lane.mapping_id for lane in lanes],
            "fences": [lane.fence for lane in lanes],
        },
    )


# The working set is small and its index is partial: walking from lane to lane in it costs one descent a lane,
# whatever the number of mappings or of finished rows.
DUE_LANES = text(
    f"""
    with recursive open_lanes as (
        (select mapping_id from deliveries where done_at is null order by mapping_id limit 1)
        union all
        select (select d.mapping_id from deliveries d
                 where d.done_at is null and d.mapping_id > o.mapping_id order by d.mapping_id limit 1)
          from open_lanes o where o.mapping_id is not null
    )
    select * from (
        select l.mapping_id, l.route, head.id, head.class, m.important,
               row_number() over (partition by l.route order by head.class, l.mapping_id) as nth
          from open_lanes o
          join lanes l on l.mapping_id = o.mapping_id
          join mappings m on m.id = l.mapping_id and m.state = 'active'
           and exists (select 1 from accounts a where a.kind = l.route and a.state = 'active')
         cross join lateral (
            (select d.id, d.class, d.not_before from deliveries d
              where d.mapping_id = l.mapping_id and d.done_at is null and d.class = 0 and d.state <> 'held'
                and {FIX_MAY_GO}
              order by d.not_before nulls first limit 1)
            union all
            (select d.id, d.class, d.not_before from deliveries d
              where d.mapping_id = l.mapping_id and d.done_at is null and d.class >= {first_class("l.mapping_id")}
                and d.state <> 'held'
              order by d.class, d.position, d.id limit 1)
         ) head
         where (l.lease_until is null or l.lease_until < clock_timestamp())
           and (head.not_before is null or head.not_before <= clock_timestamp())
      ) due
     where nth <= :limit order by class, mapping_id
    """  # noqa: S608 - what is put in is a literal
)


async def due_lanes(session: AsyncSession, limit: int = 1000) -> list[Due]:
    """Lanes with due work that nobody holds, most urgent first, each once; at most ``limit`` of each route, so that one
    whose workers are away does not hide the other's."""
    seen: dict[int, Due] = {}
    for row in await session.execute(DUE_LANES, {"limit": limit}):
        due = Due(row.mapping_id, row.id, AccountKind(row.route), row._mapping["class"], row.important)
        seen.setdefault(row.mapping_id, due)
    return list(seen.values())
