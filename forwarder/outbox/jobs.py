"""The next thing a lane has to do, and all that its call needs."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import structlog
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from forwarder.db import Ask
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
from forwarder.outbox.rewrites import rewrite_from, rewrite_json
from forwarder.outbox.runs import same_call
from forwarder.outbox.values import (
    FIX_MAY_GO,
    CopyOf,
    Job,
    LaneHeld,
    Part,
    Run,
    Start,
    Worker,
    first_class,
)
from forwarder.pace import Place

log = structlog.get_logger(__name__)

COLUMNS = """d.id, d.post_id, d.kind, d.class as klass, d.state, d.position, d.attempts, d.epoch, d.reserved, d.reason,
                d.mode, d.route, d.account_id, d.message_ids, d.random_ids, d.seen_id, d.parts, d.unsettled, d.batch,
                d.not_before, d.claimed_at, d.created_at, d.sent_ids, cast(d.details as text) as details"""
TIMES = """extract(epoch from j.not_before - clock_timestamp())::float8 as due_in,
           extract(epoch from clock_timestamp() - coalesce(j.claimed_at, j.created_at))::float8 as age"""

SILENT = "coalesce(bool_and(m.facts ? 'silent'), false) as silent"
"""Whether all parts of a post were sent silently. Deleted ones count, so that a call that is repeated is what it was;
of facts only what is true is kept."""

# The lateral limits walk the index of open rows in its order; "class in (1, 2)" would be sorted instead.
OPEN_JOBS = text(
    f"""
    select w.lane, j.*, c.id as source_id, c.telegram_id as source, {TIMES},
           x.content, x.silent
      from unnest(cast(:lanes as int[]), cast(:counts as int[])) as w (lane, count)
      join lanes l on l.mapping_id = w.lane and l.holder = :holder
     cross join lateral (
        (select {COLUMNS} from deliveries d
          where d.mapping_id = w.lane and d.done_at is null and d.class = 0 and d.state <> 'held'
            and {FIX_MAY_GO}
          order by d.not_before nulls first, d.position, d.id limit 1)
        union all
        (select {COLUMNS} from deliveries d
          where d.mapping_id = w.lane and d.done_at is null and d.class >= {first_class("w.lane")}
            and d.state <> 'held'
          order by d.class, d.position, d.id limit w.count)
      ) j
      join posts p on p.id = j.post_id
      join channels c on c.id = p.channel_id
     cross join lateral (
        select array_agg(array[m.message_id::text, m.kind, m.protected::text, m.reply_to::text]
                         order by m.message_id) filter (where m.deleted_at is null) as content, {SILENT}
          from messages m where m.post_id = p.id) x
     order by w.lane, j.klass, j.position, j.id
    """  # noqa: S608 - what is put in are the literals above
)

SAME_CALL = text(
    f"""
    select j.*, c.id as source_id, c.telegram_id as source, {TIMES}, null::text[] as content,
           (select {SILENT} from messages m where m.post_id = p.id)
      from (select {COLUMNS} from deliveries d
             where d.mapping_id = :lane and d.done_at is null and d.class > 0 and d.state <> 'held'
               and d.batch = :batch) j
      join posts p on p.id = j.post_id
      join channels c on c.id = p.channel_id
     order by j.klass, j.position, j.id
    """  # noqa: S608 - what is put in are the literals above
)

UNREADABLE = text(
    """
    update deliveries set state = 'failed', reason = 'bad_data', done_at = clock_timestamp() where id = any(:ids)
    returning id, kind
    """
)


def open_jobs(lanes: Sequence[int], counts: Sequence[int], worker: Worker) -> Ask:
    """Of each of these lanes that we hold, what may be next: ``count`` deliveries from its head, and an edit or
    deletion. Read by :func:`jobs_of`."""
    return Ask(OPEN_JOBS, {"lanes": list(lanes), "counts": list(counts), "holder": worker.holder})


def jobs_of(rows: Sequence[Any]) -> tuple[dict[int, list[Job]], list[int]]:
    """The jobs of each lane, in its order, and the deliveries that cannot be read."""
    found: dict[int, list[Job]] = defaultdict(list)
    bad: list[int] = []
    for row in rows:
        try:
            found[row.lane].append(job_of(row))
        except (ValueError, TypeError, KeyError) as error:
            log.error("delivery_unreadable", delivery=row.id, lane=row.lane, error=type(error).__name__)
            bad.append(row.id)
    return found, bad


def unreadable(deliveries: Sequence[int]) -> Ask:
    """End rows that cannot be read, so that they hold up nobody."""
    return Ask(UNREADABLE, {"ids": list(deliveries)})


def whole_call(lane: int, run: Run) -> Ask:
    """All that was in the call of the run's head, which may be more than was looked at: :func:`run_of_call`."""
    return Ask(SAME_CALL, {"lane": lane, "batch": run.head.batch})


def run_of_call(run: Run, rows: Sequence[Any]) -> Run:
    jobs = [job_of(row) for row in rows]
    return Run(tuple(job for job in jobs if same_call(run.head, job))) if len(jobs) > 1 else run


def job_of(row: Any) -> Job:
    # What a delivery keeps of a rewrite counts while a call with it may have been executed; then it is made anew.
    open_ended = row.unsettled or row.sent_ids or row.state in ("sending", "unsure")
    return Job(
        delivery_id=row.id,
        post_id=row.post_id,
        source_id=row.source_id,
        source=row.source,
        kind=DeliveryKind(row.kind),
        klass=row.klass,
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
        rewrite=rewrite_from(row.details) if open_ended and row.kind == "post" else None,
        sent_ids=tuple(row.sent_ids or ()) if row.kind == "post" else (),
        silent=row.silent,
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
            cover=bool(r.facts and r.facts.get("spoiler")),
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
    """The copies of messages of the job's source, of those that stand in the destination as it is now: what was sent
    into the basic group that it was has ids that mean other messages there."""
    rows = await session.execute(
        text(
            "select message_id, source_message_id, mode from copies"
            " where mapping_id = :mapping and source_message_id = any(:ids) and source_id = :source"
            " and channel_id = :channel order by message_id"
        ),
        {
            "mapping": lane.mapping_id,
            "source": job.source_id,
            "ids": list(source_message_ids),
            "channel": lane.destination_id,
        },
    )
    return tuple(CopyOf(r.message_id, r.source_message_id, Mode(r.mode)) for r in rows)


async def left_behind(
    session: AsyncSession, lane: LaneHeld, job: Job, source_message_ids: Sequence[int]
) -> bool:
    """Whether copies of these messages stand in the basic group that the destination was."""
    return bool(
        await session.scalar(
            text(
                "select exists (select 1 from copies where mapping_id = :mapping and source_message_id = any(:ids)"
                " and source_id = :source and channel_id <> :channel)"
            ),
            {
                "mapping": lane.mapping_id,
                "source": job.source_id,
                "ids": list(source_message_ids),
                "channel": lane.destination_id,
            },
        )
    )


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


IN_ORDER = text("select id from deliveries where id = any(:ids) order by id for no key update")


def in_order(deliveries: Sequence[int]) -> list[Ask]:
    """Lock these rows before several are changed: who takes them in the order of their ids, as everybody does, never
    waits in a circle."""
    return [Ask(IN_ORDER, {"ids": list(deliveries)})] if len(deliveries) > 1 else []


START = text(
    """
    update deliveries d
       set state = 'sending', claimed_at = clock_timestamp(), not_before = null, reason = null,
           route = :route, account_id = :account, mode = n.mode, again = false, details = cast(n.details as jsonb),
           revision = case when d.unsettled or d.state <> 'queued' then coalesce(d.revision, n.revision)
                           else n.revision end,
           message_ids = cast(n.message_ids as bigint[]), random_ids = cast(n.random_ids as bigint[]),
           batch = n.batch, reserved = 0,
           seen_id = case when d.unsettled or d.state <> 'queued' or :route = 'user' then coalesce(d.seen_id, 0) else
               coalesce((select max(message_id) from copies where channel_id = n.destination), 0) end
      from unnest(cast(:ids as bigint[]), cast(:states as text[]), cast(:epochs as int[]), cast(:modes as text[]),
                  cast(:revisions as int[]), cast(:message_ids as text[]), cast(:random_ids as text[]),
                  cast(:batches as bigint[]), cast(:destinations as int[]), cast(:fences as bigint[]),
                  cast(:details as text[]))
               as n (id, state, epoch, mode, revision, message_ids, random_ids, batch, destination, fence, details)
     where d.id = n.id and d.state = n.state and d.epoch = n.epoch
       and exists (select 1 from lanes l where l.mapping_id = d.mapping_id
                      and l.holder = :holder and l.fence = n.fence)
    returning d.id, d.parts, d.seen_id
    """
)


def start(starts: Sequence[Start], worker: Worker) -> Ask:
    """Store what each call will carry and that it is about to be made: read by :func:`started`."""
    carried = [(call, index) for call in starts for index in range(len(call.jobs))]
    return Ask(
        START,
        {
            "ids": [s.jobs[i].delivery_id for s, i in carried],
            "states": [s.jobs[i].state.value for s, i in carried],
            "epochs": [s.jobs[i].epoch for s, i in carried],
            "modes": [s.mode.value for s, _ in carried],
            "revisions": [s.jobs[i].revision or s.lane.revision for s, i in carried],
            "message_ids": [array(s.message_ids[i]) for s, i in carried],
            "random_ids": [array(s.random_ids[i]) for s, i in carried],
            "batches": [s.jobs[0].delivery_id if len(s.jobs) > 1 else None for s, _ in carried],
            "destinations": [s.lane.destination_id for s, _ in carried],
            "fences": [s.lane.fence for s, _ in carried],
            "details": [rewrite_json(s.jobs[i].rewrite) for s, i in carried],
            "route": worker.kind.value,
            "account": worker.account_id,
            "holder": worker.holder,
        },
    )


def started(starts: Sequence[Start], rows: Sequence[Any]) -> tuple[list[tuple[Job, ...] | None], list[int]]:
    """The jobs of each call as they stand now, and deliveries of calls that must not be made after all.

    None where not all of a call is this holder's to do any more: the lease was lost, or a row changed meanwhile.
    Whatever the call is to carry of a row that ingest may change (the parts of an edit) must be read after this.
    """
    stored = {row.id: row for row in rows}
    answers: list[tuple[Job, ...] | None] = []
    torn: list[int] = []
    for call in starts:
        if all(job.delivery_id in stored for job in call.jobs):
            answers.append(
                tuple(as_started(call, i, stored[job.delivery_id]) for i, job in enumerate(call.jobs))
            )
        else:
            answers.append(None)
            torn += [job.delivery_id for job in call.jobs if job.delivery_id in stored and not job.maybe_sent]
    return answers, torn


def give_back(deliveries: Sequence[int]) -> Ask:
    """Queue what a call was to carry that is not made."""
    return Ask(GIVE_BACK, {"ids": list(deliveries)})


GIVE_BACK = text(
    "update deliveries set state = 'queued', batch = null where id = any(:ids) and state = 'sending'"
)


def as_started(call: Start, index: int, row: Any) -> Job:
    return replace(
        call.jobs[index],
        state=State.SENDING,
        parts=tuple(row.parts or ()),
        seen_id=row.seen_id or 0,
        mode=call.mode,
        message_ids=call.message_ids[index],
        random_ids=call.random_ids[index],
    )


def array(ids: Sequence[int]) -> str:
    """As PostgreSQL writes an array: arrays of different lengths travel in one parameter only as words."""
    return "{" + ",".join(map(str, ids)) + "}"
