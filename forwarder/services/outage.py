"""Posts that appeared while nobody listened: held until the mapping's owner has said what to do with them.

A post is late when it was first heard ``ASK_AFTER`` or longer after it appeared. Held posts let go of the lane:
what comes after them travels on. When the owner says "all", they follow in their own order as soon as they can.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from forwarder.models import NoticeKind
from forwarder.outbox import Due, count_from_now, ended_without_success
from forwarder.services import notices
from forwarder.services.ages import too_old

ASK_AFTER = timedelta(hours=1)

OUTAGE = "outage"
"""The reason of a post that is held until somebody answers."""

COLLECT_SECONDS = 15.0
"""So long the question waits for the rest of what is being caught up, to be asked once and with the whole count."""

# What is too old for the mapping's own policy is not worth a question. Paused mappings ask when they are resumed.
DECIDE_LATE = text(
    """
    with late as (
        select d.id, case when past.too_old then 'too_old'
                          when m.after_outage = 'skip' then 'outage_skipped' else 'outage' end as reason
          from deliveries d join mappings m on m.id = d.mapping_id
          left join unnest(cast(:mappings as int[]), cast(:too_old as timestamptz[])) as w (mapping, too_old)
                 on w.mapping = d.mapping_id
         cross join lateral (
            select coalesce(min(x.date) < w.too_old, false) as too_old,
                   min(x.heard_at - x.date) >= :after as unheard
              from messages x where x.post_id = d.post_id) past
         where d.id = any(:ids) and d.state = 'queued' and (past.too_old or past.unheard and m.after_outage <> 'send'))
    update deliveries d
       set state = case when late.reason = 'outage' then 'held' else 'withdrawn' end, reason = late.reason,
           done_at = case when late.reason <> 'outage' then clock_timestamp() end
      from late where d.id = late.id
    returning d.id, d.mapping_id, d.state
    """
)

LIMITED = text(
    """
    select distinct m.id, m.skip_hours from deliveries d join mappings m on m.id = d.mapping_id
     where d.id = any(:ids) and m.skip_hours is not null
    """
)

ANSWER = text(
    """
    with waiting as (
        select id, row_number() over (order by position desc, id desc) <= coalesce(:last, 2147483647) as wanted
          from deliveries where mapping_id = :mapping and done_at is null and state = 'held' and reason = 'outage')
    update deliveries d
       set state = case when not w.wanted then 'withdrawn' when :paused then 'held' else 'queued' end,
           reason = case when not w.wanted then 'outage_skipped' when :paused then 'paused' end,
           done_at = case when not w.wanted then clock_timestamp() end,
           revision = case when w.wanted then d.revision else m.revision end
      from waiting w, mappings m where m.id = d.mapping_id and d.id = w.id
    returning d.id, w.wanted
    """
)


@dataclass(frozen=True, slots=True)
class Answered:
    """How many posts an answer sends and how many it leaves out."""

    sent: int
    skipped: int


async def decide_late(
    session: AsyncSession, deliveries: Sequence[int], after: timedelta
) -> tuple[frozenset[int], list[Due]]:
    """Hold or withdraw those of these new deliveries that are late, in the transaction that made them.

    Answers which those are, and the lanes that inherit work from the withdrawn ones.
    """
    limits = {row.id: row.skip_hours for row in await session.execute(LIMITED, {"ids": list(deliveries)})}
    ages = await too_old(session, limits) if limits else {}
    values = {
        "ids": list(deliveries),
        "after": after,
        "mappings": list(ages),
        "too_old": list(ages.values()),
    }
    rows = (await session.execute(DECIDE_LATE, values)).all()
    for mapping_id in sorted({row.mapping_id for row in rows if row.state == "held"}):
        await notices.leave(session, NoticeKind.OUTAGE, mapping_id, OUTAGE, wait=COLLECT_SECONDS)
    gone = [row.id for row in rows if row.state == "withdrawn"]
    heirs = await ended_without_success(session, gone) if gone else []
    return frozenset(row.id for row in rows), heirs


async def answer(
    session: AsyncSession, mapping_id: int, last: int | None, *, paused: bool
) -> tuple[Answered, list[int]]:
    """Send the ``last`` so many of a mapping's held posts (None: all) and withdraw the others.

    In a paused mapping they go on waiting, for the mapping. Answers the other lanes that have work because of it.
    """
    if last != 0:
        await count_from_now(session, [mapping_id])
    rows = (await session.execute(ANSWER, {"mapping": mapping_id, "last": last, "paused": paused})).all()
    gone = [row.id for row in rows if not row.wanted]
    heirs = await ended_without_success(session, gone) if gone else []
    return Answered(len(rows) - len(gone), len(gone)), [due.mapping_id for due in heirs]


async def waiting(session: AsyncSession) -> dict[int, int]:
    """How many posts wait for an answer, by mapping."""
    rows = await session.execute(
        text(
            "select mapping_id, count(*) as posts from deliveries"
            " where done_at is null and state = 'held' and reason = 'outage' group by mapping_id order by mapping_id"
        )
    )
    return {row.mapping_id: row.posts for row in rows}
