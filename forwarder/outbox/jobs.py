"""The next thing a lane has to do, and all that its call needs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import structlog
from sqlalchemy import Row, text
from sqlalchemy.ext.asyncio import AsyncSession

from forwarder.message import (
    PLAIN_LOOK,
    AccountKind,
    DeliveryKind,
    Entity,
    Facts,
    Kind,
    Mode,
    Remembered,
    State,
    look_of,
)
from forwarder.outbox.runs import first_run, same_call
from forwarder.outbox.values import CopyOf, Job, LaneHeld, Nothing, Part, Run, Start, Worker
from forwarder.pace import Place

log = structlog.get_logger(__name__)

# The lateral limits walk the index of open rows in its order; "class in (1, 2)" would be sorted instead.
OPEN_JOBS = text(
    """
    select w.lane, j.*, c.id as source_id, c.telegram_id as source,
           extract(epoch from j.not_before - clock_timestamp())::float8 as due_in,
           extract(epoch from clock_timestamp() - coalesce(j.claimed_at, j.created_at))::float8 as age, x.content
      from unnest(cast(:lanes as int[]), cast(:counts as int[])) as w (lane, count)
     cross join lateral (
        (select d.* from deliveries d
          where d.mapping_id = w.lane and d.done_at is null and d.class = 0 and d.state <> 'held'
            and exists (select 1 from deliveries p where p.mapping_id = d.mapping_id and p.post_id = d.post_id
                           and p.kind = 'post' and p.state = 'sent')
          order by d.not_before nulls first, d.position, d.id limit 1)
        union all
        (select d.* from deliveries d
          where d.mapping_id = w.lane and d.done_at is null and d.class > 0 and d.state <> 'held'
          order by d.class, d.position, d.id limit w.count)
      ) j
      join posts p on p.id = j.post_id
      join channels c on c.id = p.channel_id
     cross join lateral (
        select array_agg(array[m.message_id::text, m.kind, m.protected::text, m.reply_to::text]
                         order by m.message_id) as content
          from messages m where m.post_id = p.id and m.deleted_at is null) x
     order by w.lane, j.class, j.position, j.id
    """
)

SAME_CALL = text(
    """
    select d.mapping_id as lane, d.*, c.id as source_id, c.telegram_id as source,
           extract(epoch from d.not_before - clock_timestamp())::float8 as due_in,
           extract(epoch from clock_timestamp() - coalesce(d.claimed_at, d.created_at))::float8 as age,
           null as content
      from deliveries d join posts p on p.id = d.post_id join channels c on c.id = p.channel_id
     where d.mapping_id = :lane and d.done_at is null and d.class > 0 and d.state <> 'held' and d.batch = :batch
     order by d.class, d.position, d.id
    """
)

UNREADABLE = text(
    """
    update deliveries set state = 'failed', reason = 'unreadable', done_at = clock_timestamp() where id = any(:ids)
    """
)


async def next_runs(
    session: AsyncSession, lanes: Sequence[LaneHeld], counts: Sequence[int], kind: AccountKind
) -> dict[int, Run | Nothing]:
    """What each of these lanes has to do next, by lane: of its head and up to ``count`` deliveries with it.

    A row that cannot be read fails by itself, with that reason, and holds up nobody.
    """
    found: dict[int, list[Job]] = {lane.mapping_id: [] for lane in lanes}
    bad: list[int] = []
    for row in await session.execute(OPEN_JOBS, {"lanes": list(found), "counts": list(counts)}):
        try:
            found[row.lane].append(job_of(row))
        except (ValueError, TypeError, KeyError) as error:
            log.error("delivery_unreadable", delivery=row.id, lane=row.lane, error=type(error).__name__)
            bad.append(row.id)
    if bad:
        await session.execute(UNREADABLE, {"ids": bad})
        return await next_runs(session, lanes, counts, kind)
    runs = {lane.mapping_id: first_run(found[lane.mapping_id], lane, kind) for lane in lanes}
    for lane, run in runs.items():
        if isinstance(run, Run) and run.head.batch is not None and run.head.maybe_sent:
            runs[lane] = await whole_call(session, lane, run)
    return runs


async def whole_call(session: AsyncSession, lane: int, run: Run) -> Run:
    """All that was in the call of the run's head, which may be more than what was looked at."""
    rows = await session.execute(SAME_CALL, {"lane": lane, "batch": run.head.batch})
    jobs = [job_of(row) for row in rows]
    return Run(tuple(job for job in jobs if same_call(run.head, job))) if len(jobs) > 1 else run


def job_of(row: Row[tuple[object, ...]]) -> Job:
    return Job(
        delivery_id=row.id,
        post_id=row.post_id,
        source_id=row.source_id,
        source=row.source,
        kind=DeliveryKind(row.kind),
        klass=row._mapping["class"],
        state=State(row.state),
        position=row.position,
        attempts=row.attempts,
        epoch=row.epoch,
        place=Place(row.reserved),
        reason=row.reason,
        mode=Mode(row.mode) if row.mode else None,
        route=AccountKind(row.route) if row.route else None,
        account_id=row.account_id,
        message_ids=tuple(row.message_ids or ()),
        random_ids=tuple(row.random_ids or ()),
        seen_id=row.seen_id or 0,
        parts=tuple(row.parts or ()),
        age=row.age,
        late=max(0.0, -row.due_in) if row.due_in is not None else 0.0,
        unsettled=row.unsettled,
        batch=row.batch,
        content=tuple(
            Part(int(message_id), Kind(kind), protected == "true", reply_to=int(reply) if reply else None)
            for message_id, kind, protected, reply in row.content or ()
        ),
        due_in=row.due_in,
    )


async def parts_of(session: AsyncSession, post_id: int) -> tuple[Part, ...]:
    """The messages of a post that were not deleted, in the order of the source."""
    rows = await session.execute(
        text(
            "select message_id, kind, protected, text, entities, reply_to, replaced, file_id, facts"
            " from messages"
            " where post_id = :post and deleted_at is null order by message_id"
        ),
        {"post": post_id},
    )
    return tuple(
        Part(
            r.message_id,
            Kind(r.kind),
            r.protected,
            r.text,
            tuple(Entity(**e) for e in r.entities),
            r.reply_to,
            r.replaced,
            r.file_id,
            look_of(Facts(**r.facts)) if r.facts else PLAIN_LOOK,
        )
        for r in rows
    )


async def remembered(session: AsyncSession, job: Job) -> tuple[Remembered, ...]:
    """What the messages of a call were, also those that were edited or deleted since."""
    rows = await session.execute(
        text(
            "select message_id, kind, text, earlier, media_id, album_id from messages"
            " where post_id = :post and message_id = any(:ids) order by message_id"
        ),
        {"post": job.post_id, "ids": list(job.message_ids)},
    )
    return tuple(
        Remembered(r.message_id, Kind(r.kind), (r.text, *r.earlier), r.media_id, r.album_id is not None)
        for r in rows
    )


async def successor_of(session: AsyncSession, channel_id: int) -> int | None:
    """The marked id of the supergroup that a group became, as far as we know."""
    found: int | None = await session.scalar(
        text("select migrated_to from channels where id = :id"), {"id": channel_id}
    )
    return found


async def copies_of(
    session: AsyncSession, lane: LaneHeld, job: Job, source_message_ids: Sequence[int]
) -> tuple[CopyOf, ...]:
    """The copies of messages of the job's source."""
    rows = await session.execute(
        text(
            "select message_id, source_message_id, mode from copies"
            " where mapping_id = :mapping and source_message_id = any(:ids) and source_id = :source"
            " order by message_id"
        ),
        {"mapping": lane.mapping_id, "source": job.source_id, "ids": list(source_message_ids)},
    )
    return tuple(CopyOf(r.message_id, r.source_message_id, Mode(r.mode)) for r in rows)


async def answered_copy(session: AsyncSession, lane: LaneHeld, job: Job, parts: Sequence[Part]) -> int | None:
    """The copy of the message that a post answers; None where it answers none, or one that we did not send."""
    answered = next((part.reply_to for part in parts if part.reply_to is not None), None)
    if answered is None:
        return None
    copies = await copies_of(session, lane, job, [answered])
    return copies[0].message_id if copies else None


async def known_copies(session: AsyncSession, lane: LaneHeld, after_id: int) -> frozenset[int]:
    """Ids above ``after_id`` in the destination that are known to be ours."""
    ids = await session.scalars(
        text("select message_id from copies where channel_id = :channel and message_id > :after"),
        {"channel": lane.destination_id, "after": after_id},
    )
    return frozenset(ids)


START = text(
    """
    update deliveries d
       set state = 'sending', claimed_at = clock_timestamp(), not_before = null, reason = null,
           route = :route, account_id = :account, mode = n.mode, revision = n.revision, again = false,
           message_ids = cast(n.message_ids as bigint[]), random_ids = cast(n.random_ids as bigint[]),
           batch = n.batch, reserved = 0,
           seen_id = case when d.unsettled or d.state <> 'queued' or :route = 'user' then coalesce(d.seen_id, 0) else
               coalesce((select max(message_id) from copies where channel_id = n.destination), 0) end
      from unnest(cast(:ids as bigint[]), cast(:states as text[]), cast(:epochs as int[]), cast(:modes as text[]),
                  cast(:revisions as int[]), cast(:message_ids as text[]), cast(:random_ids as text[]),
                  cast(:batches as bigint[]), cast(:destinations as int[]), cast(:fences as bigint[]))
               as n (id, state, epoch, mode, revision, message_ids, random_ids, batch, destination, fence)
     where d.id = n.id and d.state = n.state and d.epoch = n.epoch
       and exists (select 1 from lanes l where l.mapping_id = d.mapping_id
                      and l.holder = :holder and l.fence = n.fence)
    returning d.id, d.parts, d.seen_id
    """
)


async def start_calls(
    session: AsyncSession, starts: Sequence[Start], worker: Worker
) -> list[tuple[Job, ...] | None]:
    """Store what each call will carry and that it is about to be made; answer its jobs as they stand now.

    None where not all of a call is this holder's to do any more: the lease was lost, or a row changed meanwhile.
    What was stored of such a call is undone. Whatever the call is to carry of a row that ingest may change (the
    parts of an edit) must be read after this.
    """
    carried = [(start, index) for start in starts for index in range(len(start.jobs))]
    rows = await session.execute(
        START,
        {
            "ids": [s.jobs[i].delivery_id for s, i in carried],
            "states": [s.jobs[i].state.value for s, i in carried],
            "epochs": [s.jobs[i].epoch for s, i in carried],
            "modes": [s.mode.value for s, _ in carried],
            "revisions": [s.lane.revision for s, _ in carried],
            "message_ids": [array(s.message_ids[i]) for s, i in carried],
            "random_ids": [array(s.random_ids[i]) for s, i in carried],
            "batches": [s.jobs[0].delivery_id if len(s.jobs) > 1 else None for s, _ in carried],
            "destinations": [s.lane.destination_id for s, _ in carried],
            "fences": [s.lane.fence for s, _ in carried],
            "route": worker.kind.value,
            "account": worker.account_id,
            "holder": worker.holder,
        },
    )
    stored = {row.id: row for row in rows}
    answers: list[tuple[Job, ...] | None] = []
    torn: list[int] = []
    for start in starts:
        ids = [job.delivery_id for job in start.jobs]
        if all(i in stored for i in ids):
            answers.append(
                tuple(started(start, i, stored[job.delivery_id]) for i, job in enumerate(start.jobs))
            )
        else:
            answers.append(None)
            torn += [
                job.delivery_id for job in start.jobs if job.delivery_id in stored and not job.maybe_sent
            ]
    if torn:
        await session.execute(
            text("update deliveries set state = 'queued', batch = null where id = any(:ids)"), {"ids": torn}
        )
    return answers


def started(start: Start, index: int, row: Row[tuple[object, ...]]) -> Job:
    return replace(
        start.jobs[index],
        state=State.SENDING,
        parts=tuple(row.parts or ()),
        seen_id=row.seen_id or 0,
        mode=start.mode,
        message_ids=start.message_ids[index],
        random_ids=start.random_ids[index],
    )


def array(ids: Sequence[int]) -> str:
    """As PostgreSQL writes an array: arrays of different lengths travel in one parameter only as words."""
    return "{" + ",".join(map(str, ids)) + "}"
