"""Runs as rows, and their deliveries as a whole. Everything here runs in the caller's transaction."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from forwarder.models import BackfillState, MappingState
from forwarder.services.rules import TIMES


@dataclass(frozen=True, slots=True)
class Run:
    """A run that has not ended. ``due`` says that its source may be read now, ``moved`` that it became another chat."""

    id: int
    mapping_id: int
    channel_id: int
    chat_id: int
    last_id: int
    cursor: int
    state: BackfillState
    mapping_state: MappingState
    moved: bool
    open: int
    due: bool


OPEN_RUNS = text(
    """
    select b.id, b.mapping_id, b.channel_id, c.telegram_id as chat_id, b.last_id, b.cursor, b.state,
           m.state as mapping_state, m.source_id <> b.channel_id as moved,
           (b.not_before is null or b.not_before <= clock_timestamp()) as due,
           (select count(*) from deliveries d
             where d.mapping_id = b.mapping_id and d.class = 2 and d.done_at is null) as open
      from backfills b join mappings m on m.id = b.mapping_id join channels c on c.id = b.channel_id
     where b.ended_at is null order by b.id
    """
)

READERS = text(
    """
    select a.id from channels c join channel_access x on x.channel_id = c.id join accounts a on a.id = x.account_id
     where c.id = :channel and x.may_read and a.state = 'active'
       and (c.kind in ('channel', 'supergroup') or a.id = c.listener_id)
     order by a.kind desc
    """
)
"""Outside channels every account has ids of its own for messages: there the listener's alone count."""


async def open_runs(session: AsyncSession) -> list[Run]:
    return [
        Run(
            id=row.id,
            mapping_id=row.mapping_id,
            channel_id=row.channel_id,
            chat_id=row.chat_id,
            last_id=row.last_id,
            cursor=row.cursor,
            state=BackfillState(row.state),
            mapping_state=MappingState(row.mapping_state),
            moved=row.moved,
            open=row.open,
            due=row.due,
        )
        for row in await session.execute(OPEN_RUNS)
    ]


async def readers(session: AsyncSession, channel_id: int) -> list[int]:
    """The accounts that can read a source's history, the user account first."""
    return list(await session.scalars(READERS, {"channel": channel_id}))


async def put_off(session: AsyncSession, run_id: int, seconds: float, reason: str) -> None:
    await session.execute(
        text(
            "update backfills set reason = :reason, not_before = clock_timestamp() + make_interval(secs => :seconds)"
            " where id = :id and state = 'running'"
        ),
        {"id": run_id, "seconds": seconds, "reason": reason},
    )


async def finish(session: AsyncSession, run_id: int) -> None:
    await session.execute(
        text(
            "update backfills set state = 'done', reason = null, not_before = null, ended_at = clock_timestamp()"
            " where id = :id and state = 'running' and cursor = last_id"
        ),
        {"id": run_id},
    )


# What is queued after a mapping's own pause is ours to hold too: the mapping's resuming must not send it. Rules of time
# are asked anew when it goes on, as after that.
HOLD = text(
    """
    update deliveries set state = 'held', reason = 'backfill_paused',
           not_before = case when reason is null or reason <> all(:times) then not_before end
     where id = any(array(
           select id from deliveries
            where mapping_id = :mapping and class = 2 and done_at is null
              and (state = 'queued' or (state = 'held' and reason = 'paused')) order by id for no key update))
    """
).bindparams(times=list(TIMES))

LET_GO = text(
    """
    update deliveries d set state = case when m.state = 'paused' then 'held' else 'queued' end,
           reason = case when m.state = 'paused' then 'paused' end
      from mappings m
     where m.id = :mapping and d.mapping_id = m.id and d.class = 2 and d.done_at is null
       and d.state = 'held' and d.reason = 'backfill_paused'
    """
)

# A post of unknown outcome may have arrived: it is seen to its end.
WITHDRAW = text(
    """
    update deliveries set state = 'withdrawn', reason = 'backfill_stopped', done_at = clock_timestamp()
     where id = any(array(
           select id from deliveries
            where mapping_id = :mapping and class = 2 and done_at is null and not unsettled
              and (state = 'queued' or (state = 'held' and reason in ('paused', 'backfill_paused', 'review')))
            order by id for no key update))
    returning id
    """
)


@dataclass(frozen=True, slots=True)
class Moment:
    """What only the deliveries can tell: posts not finished, and posts finished a minute."""

    open: int
    rate: float


async def moment(session: AsyncSession, mapping_id: int, since: datetime) -> Moment:
    row = (
        await session.execute(
            text(
                """
                select (select count(*) from deliveries where mapping_id = :mapping and class = 2
                           and done_at is null) as open,
                       (select count(*) from deliveries
                         where mapping_id = :mapping and class = 2 and kind = 'post'
                           and done_at > greatest(:since, clock_timestamp() - interval '1 minute')) as done,
                       greatest(1, extract(epoch from clock_timestamp() - greatest(
                           :since, clock_timestamp() - interval '1 minute')))::float8 as seconds
                """
            ),
            {"mapping": mapping_id, "since": since},
        )
    ).one()
    return Moment(row.open, row.done * 60 / row.seconds)
