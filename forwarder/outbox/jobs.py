"""The next thing a lane has to do, and all that its call needs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from sqlalchemy import Row, text
from sqlalchemy.ext.asyncio import AsyncSession

from forwarder.message import AccountKind, DeliveryKind, Entity, Kind, Mode, Remembered, State
from forwarder.outbox.values import CopyOf, Job, LaneHeld, Nothing, Part, Worker
from forwarder.pace import Place

NEXT_JOB = text(
    """
    select j.*, c.id as source_id, c.telegram_id as source,
           (j.not_before is null or j.not_before <= clock_timestamp()) as due,
           extract(epoch from j.not_before - clock_timestamp())::float8 as due_in,
           extract(epoch from clock_timestamp() - coalesce(j.claimed_at, j.created_at))::float8 as age
      from (
        (select d.* from deliveries d
          where d.mapping_id = :lane and d.done_at is null and d.class = 0 and d.state <> 'held'
            and exists (select 1 from deliveries p where p.mapping_id = d.mapping_id and p.post_id = d.post_id
                           and p.kind = 'post' and p.state = 'sent')
          order by d.not_before nulls first, d.position, d.id limit 1)
        union all
        (select d.* from deliveries d
          where d.mapping_id = :lane and d.done_at is null and d.class in (1, 2) and d.state <> 'held'
          order by d.class, d.position, d.id limit 1)
      ) j
      join posts p on p.id = j.post_id
      join channels c on c.id = p.channel_id
     order by j.class
    """
)


async def next_job(session: AsyncSession, lane: LaneHeld) -> Job | Nothing:
    """The lane's next job: an edit or deletion of a post that was sent, else the head if it is due."""
    waits: list[float] = []
    for row in await session.execute(NEXT_JOB, {"lane": lane.mapping_id}):
        if row.due:
            return job_of(row)
        waits.append(row.due_in)
    return Nothing(min(waits) if waits else None)


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
    )


async def parts_of(session: AsyncSession, post_id: int) -> tuple[Part, ...]:
    """The messages of a post that were not deleted, in the order of the source."""
    rows = await session.execute(
        text(
            "select message_id, kind, protected, text, entities, reply_to, replaced, file_id"
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


async def start_sending(
    session: AsyncSession,
    job: Job,
    lane: LaneHeld,
    worker: Worker,
    *,
    mode: Mode,
    message_ids: Sequence[int] = (),
    random_ids: Sequence[int] = (),
) -> Job | None:
    """Store what the call will carry and that it is about to be made; answer the job as it stands now.

    None when it is no longer this holder's to do: the lease was lost, or the row changed meanwhile. Whatever
    the call is to carry of a row that ingest may change (the parts of an edit) must be read after this.
    """
    row = (
        await session.execute(
            text(
                """
            update deliveries d
               set state = 'sending', claimed_at = clock_timestamp(), not_before = null, reason = null,
                   route = :route, account_id = :account, mode = :mode, revision = :revision, again = false,
                   message_ids = :message_ids, random_ids = :random_ids, reserved = 0,
                   seen_id = case when unsettled or state <> 'queued' then coalesce(seen_id, 0) else
                       coalesce((select max(message_id) from copies where channel_id = :destination), 0) end
             where id = :id and state = :state and epoch = :epoch
               and exists (select 1 from lanes l where l.mapping_id = d.mapping_id
                              and l.holder = :holder and l.fence = :fence)
            returning parts, seen_id
            """
            ),
            {
                "id": job.delivery_id,
                "state": job.state.value,
                "epoch": job.epoch,
                "route": worker.kind.value,
                "account": worker.account_id,
                "mode": mode.value,
                "revision": lane.revision,
                "message_ids": list(message_ids),
                "random_ids": list(random_ids),
                "destination": lane.destination_id,
                "holder": worker.holder,
                "fence": lane.fence,
            },
        )
    ).one_or_none()
    if row is None:
        return None
    return replace(
        job,
        state=State.SENDING,
        parts=tuple(row.parts or ()),
        seen_id=row.seen_id,
        mode=mode,
        message_ids=tuple(message_ids),
        random_ids=tuple(random_ids),
    )
