"""The outbox: lanes are claimed under a lease with a fence, results are recorded, due lanes are found.

Plain statements in short transactions, read committed. A claim takes two statements, each with a fresh
snapshot: one that locks the lane, one that looks at its rows; a single statement would see the rows as
they were before it waited for the lock. See docs/architecture.md for the drawing of the states.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace

from sqlalchemy import Row, text
from sqlalchemy.ext.asyncio import AsyncSession

from forwarder.message import AccountKind, DeliveryKind, Entity, Kind, Mode, State
from forwarder.models import CLASS_ORDER, WhenUnsure
from forwarder.pace import Place

LEASE_SECONDS = 10.0
FIX, LIVE, BULK = CLASS_ORDER["fix"], CLASS_ORDER["live"], CLASS_ORDER["bulk"]


@dataclass(frozen=True, slots=True)
class Worker:
    """Who claims: ``holder`` names the process, ``account_id`` the account it sends by."""

    holder: str
    kind: AccountKind
    account_id: int


@dataclass(frozen=True, slots=True)
class LaneHeld:
    """A lane under our lease, with what its mapping asks for. Chat ids are marked Telegram ids."""

    mapping_id: int
    fence: int
    source_id: int
    source: int
    source_protected: bool
    destination_id: int
    destination: int
    destination_topic: int
    destination_is_source: bool
    mode: Mode
    copy_fallback: bool
    auto_route: bool
    silent: bool
    when_unsure: WhenUnsure
    revision: int


@dataclass(frozen=True, slots=True)
class Job:
    """One delivery that is this lane's to do now.

    ``age`` is seconds since it was last set sending, ``late`` since the time it was put off to.
    """

    delivery_id: int
    post_id: int
    kind: DeliveryKind
    klass: int
    state: State
    position: int
    attempts: int
    epoch: int
    place: Place
    reason: str | None
    mode: Mode | None
    route: AccountKind | None
    account_id: int | None
    message_ids: tuple[int, ...]
    random_ids: tuple[int, ...]
    seen_id: int
    parts: tuple[int, ...]
    age: float
    late: float = 0.0
    unsettled: bool = False

    @property
    def maybe_sent(self) -> bool:
        """Whether a call with its ids may have been executed."""
        return self.unsettled or self.state in (State.SENDING, State.UNSURE)


@dataclass(frozen=True, slots=True)
class Due:
    """A lane with work that nobody does; what its bell needs to know."""

    mapping_id: int
    delivery_id: int
    route: AccountKind
    klass: int
    important: bool


@dataclass(frozen=True, slots=True)
class Result:
    """What became of a job. ``sent_ids`` are aligned with ``message_ids``. ``wait`` (seconds) puts a queued or unsure
    row off; ``attempt`` counts it. ``unsettled`` says whether a call may have been executed; None leaves that as
    it is.
    """

    state: State
    reason: str | None = None
    message_ids: tuple[int, ...] = ()
    sent_ids: tuple[int | None, ...] = ()
    wait: float | None = None
    attempt: bool = False
    place: Place = Place.NONE
    mode: Mode | None = None
    new_epoch: bool = False
    unsettled: bool | None = None


def random_id(
    mapping_id: int, source: int, message_id: int, kind: DeliveryKind, epoch: int, run: int = 0
) -> int:
    """The MTProto ``random_id`` of one message: the same for every attempt, so that Telegram sends it once.

    It does not depend on the mode, so the copy that stands in for a refused forward shares it. Signed 64
    bits, never 0. ``run`` tells a backfill from live posts.
    """
    words = f"{mapping_id}:{run}:{source}:{message_id}:{kind}:{epoch}"
    number = int.from_bytes(hashlib.sha256(words.encode()).digest()[:8], "big", signed=True)
    return number or 1


TAKE_LANE = text(
    """
    update lanes l set holder = :holder, fence = l.fence + 1,
           lease_until = clock_timestamp() + make_interval(secs => :lease)
      from mappings m, channels s, channels d
     where l.mapping_id = (
               select mapping_id from lanes
                where mapping_id = :lane and route = :route
                  and (lease_until is null or lease_until < clock_timestamp())
                  for no key update skip locked)
       and m.id = l.mapping_id and m.state = 'active'
       and exists (select 1 from accounts a where a.id = :account and a.state = 'active')
       and s.id = m.source_id and d.id = m.destination_id
    returning l.mapping_id, l.fence, s.id as source_id, s.telegram_id as source, s.protected as source_protected,
              d.id as destination_id, d.telegram_id as destination, m.destination_topic,
              d.is_source as destination_is_source, m.mode, m.copy_fallback, m.route = 'auto' as auto_route,
              m.silent, m.when_unsure, m.revision
    """
)

NEXT_JOB = text(
    """
    select j.*, (j.not_before is null or j.not_before <= clock_timestamp()) as due,
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
     order by j.class
    """
)

LET_GO = text(
    """
    update lanes set holder = null, lease_until = null
     where mapping_id = :lane and holder = :holder and fence = :fence
    """
)


async def take_lane(session: AsyncSession, lane: int, worker: Worker) -> LaneHeld | None:
    """Lease a free lane whose mapping is active and whose route is ours; None otherwise."""
    row = (
        await session.execute(
            TAKE_LANE,
            {
                "lane": lane,
                "holder": worker.holder,
                "route": worker.kind.value,
                "account": worker.account_id,
                "lease": LEASE_SECONDS,
            },
        )
    ).one_or_none()
    if row is None:
        return None
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
    )


@dataclass(frozen=True, slots=True)
class Nothing:
    """The lane has no job now. ``due_in``: seconds until its head is due; None where nothing is queued."""

    due_in: float | None


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


async def switch_route(session: AsyncSession, lane: LaneHeld, kind: AccountKind) -> Due | None:
    """Give the lane to the other account, if one that is active may read its source and post there."""
    row = (
        await session.execute(
            text(
                """
                update lanes l set route = :route
                 where l.mapping_id = :lane and l.route <> :route and exists (
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


async def note_wait(
    session: AsyncSession,
    worker: Worker,
    lane: LaneHeld,
    name: str,
    family: str,
    seconds: float,
    *,
    whole: bool,
) -> bool:
    """Keep a wait that Telegram asked for; answer whether it holds the whole account.

    A wait concerns that method in that chat first; when a second chat meets one while it runs, the account.
    """
    return bool(
        await session.scalar(
            text(
                """
                with seen as (
                    select :whole or (:name ~* '^(flood|too many)' and exists (
                        select 1 from flood_waits w
                         where w.account_id = :account and w.until > clock_timestamp() and w.name ~* '^(flood|too many)'
                           and w.chat_id is distinct from :chat)) as whole)
                insert into flood_waits (account_id, method, chat_id, name, seconds, until)
                select :account, :family, case when whole then null else cast(:chat as bigint) end, :name,
                       :seconds, clock_timestamp() + make_interval(secs => :seconds) from seen
                returning chat_id is null
                """
            ),
            {
                "account": worker.account_id,
                "chat": lane.destination,
                "name": name,
                "family": family,
                "seconds": seconds,
                "whole": whole,
            },
        )
    )


async def stop_account(session: AsyncSession, account_id: int, reason: str) -> None:
    await session.execute(
        text("update accounts set state = 'stopped', reason = :reason where id = :id and state = 'active'"),
        {"id": account_id, "reason": reason},
    )


async def release(session: AsyncSession, lane: LaneHeld, worker: Worker) -> None:
    await session.execute(LET_GO, {"lane": lane.mapping_id, "holder": worker.holder, "fence": lane.fence})


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


@dataclass(frozen=True, slots=True)
class Part:
    """A message of the post as it reads now."""

    message_id: int
    kind: Kind
    protected: bool
    text: str
    entities: tuple[Entity, ...]


async def parts_of(session: AsyncSession, post_id: int) -> tuple[Part, ...]:
    """The messages of a post that were not deleted, in the order of the source."""
    rows = await session.execute(
        text(
            "select message_id, kind, protected, text, entities from messages"
            " where post_id = :post and deleted_at is null order by message_id"
        ),
        {"post": post_id},
    )
    return tuple(
        Part(r.message_id, Kind(r.kind), r.protected, r.text, tuple(Entity(**e) for e in r.entities))
        for r in rows
    )


@dataclass(frozen=True, slots=True)
class CopyOf:
    """A message of ours in the destination, and the source message that it stands for."""

    message_id: int
    source_message_id: int
    mode: Mode


async def copies_of(
    session: AsyncSession, lane: LaneHeld, source_message_ids: Sequence[int]
) -> tuple[CopyOf, ...]:
    rows = await session.execute(
        text(
            "select message_id, source_message_id, mode from copies"
            " where mapping_id = :mapping and source_message_id = any(:ids) order by message_id"
        ),
        {"mapping": lane.mapping_id, "ids": list(source_message_ids)},
    )
    return tuple(CopyOf(r.message_id, r.source_message_id, Mode(r.mode)) for r in rows)


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


async def still_ours(session: AsyncSession, lane: LaneHeld, worker: Worker) -> bool:
    """Lock the lane and say whether we still hold it: only the holder of the fence may record."""
    found = await session.scalar(
        text(
            "select 1 from lanes where mapping_id = :lane and holder = :holder and fence = :fence for no key update"
        ),
        {"lane": lane.mapping_id, "holder": worker.holder, "fence": lane.fence},
    )
    return found is not None


async def record(
    session: AsyncSession, job: Job, lane: LaneHeld, worker: Worker, result: Result
) -> list[Due]:
    """Write what became of a job; answer other lanes that have work now because of it.

    A success is accepted even from a holder that lost its lease, by (delivery, epoch): the message is in
    the destination whoever holds the lane. Any other result of a lost lease is dropped, because the new
    holder has judged for itself; so is one for a row that somebody else has ended or held since. A change that
    came while an edit or deletion was being applied outlives a final result: it is applied too.
    """
    ours = await still_ours(session, lane, worker)
    if result.state is State.SENT and (ours or job.kind is DeliveryKind.POST):
        return await record_sent(session, job, lane, worker, result)
    if not ours:
        return []
    changed = await session.scalar(
        text(
            """
            update deliveries
               set state = case when again and :final then 'queued' else :state end,
                   reason = case when again and :final then null else cast(:reason as text) end, reserved = :place,
                   not_before = case when cast(:wait as float8) is null then null
                                     else clock_timestamp() + make_interval(secs => cast(:wait as float8)) end,
                   attempts = attempts + :attempt, epoch = epoch + :epoch,
                   mode = coalesce(cast(:mode as text), mode),
                   unsettled = coalesce(cast(:unsettled as boolean), unsettled or state in ('sending', 'unsure')),
                   done_at = case when :final and not again then clock_timestamp() end,
                   again = again and not :final
             where id = :id and epoch = :old_epoch and state in ('sending', :was)
            returning state
            """
        ),
        {
            "id": job.delivery_id,
            "state": result.state.value,
            "reason": result.reason,
            "place": int(result.place),
            "wait": result.wait,
            "attempt": int(result.attempt),
            "epoch": int(result.new_epoch),
            "mode": result.mode.value if result.mode else None,
            "final": result.state.final,
            "unsettled": result.unsettled,
            "old_epoch": job.epoch,
            "was": job.state.value,
        },
    )
    if changed is not None and result.state.final and job.kind is DeliveryKind.POST:
        return await ended_without_success(session, [job.delivery_id])
    return []


async def record_sent(
    session: AsyncSession, job: Job, lane: LaneHeld, worker: Worker, result: Result
) -> list[Due]:
    changed = await session.scalar(
        text(
            """
            update deliveries set state = case when again then 'queued' else 'sent' end, reason = null,
                   sent_ids = coalesce(cast(:sent_ids as bigint[]), sent_ids), not_before = null, reserved = 0,
                   mode = coalesce(cast(:mode as text), mode), account_id = :account, route = :route,
                   done_at = case when again then null else clock_timestamp() end, again = false, unsettled = false
             where id = :id and epoch = :epoch and state <> 'sent'
            returning id
            """
        ),
        {
            "id": job.delivery_id,
            "epoch": job.epoch,
            "sent_ids": [i or 0 for i in result.sent_ids] if result.sent_ids else None,
            "mode": result.mode.value if result.mode else None,
            "account": worker.account_id,
            "route": worker.kind.value,
        },
    )
    if changed is None or job.kind is not DeliveryKind.POST:
        return []
    pairs = [(s, c) for s, c in zip(result.message_ids, result.sent_ids, strict=True) if c is not None]
    await session.execute(
        text(
            """
            with confirmed as (
                update fingerprints set until = clock_timestamp() + make_interval(hours => m.dedup_hours)
                  from mappings m where delivery_id = :delivery and m.id = :mapping)
            insert into copies (channel_id, message_id, mapping_id, source_message_id, mode, route)
            select :channel, copy, :mapping, source, :mode, :route
              from unnest(cast(:copies as bigint[]), cast(:sources as bigint[])) as pair (copy, source)
            on conflict (channel_id, message_id) do nothing
            """
        ),
        {
            "channel": lane.destination_id,
            "delivery": job.delivery_id,
            "mapping": lane.mapping_id,
            "copies": [c for _, c in pairs],
            "sources": [s for s, _ in pairs],
            "mode": (result.mode or lane.mode).value,
            "route": worker.kind.value,
        },
    )
    return []


async def ended_without_success(session: AsyncSession, deliveries: Sequence[int]) -> list[Due]:
    """Close what hung on post deliveries that ended unsent: their edits, and the place they held as first copies.

    The first duplicate of each takes its place, in the same transaction, and is queued (or held, where its
    mapping is paused; a disabled mapping inherits nothing).
    """
    await session.execute(
        text(
            """
            update deliveries f set state = 'withdrawn', reason = 'post_not_sent', done_at = clock_timestamp()
              from deliveries p
             where p.id = any(:ids) and f.mapping_id = p.mapping_id and f.post_id = p.post_id
               and f.kind <> 'post' and f.done_at is null
            """
        ),
        {"ids": list(deliveries)},
    )
    heirs = (
        await session.execute(
            text(
                """
                update deliveries d
                   set state = case when m.state = 'paused' then 'held' else 'queued' end,
                       reason = case when m.state = 'paused' then 'paused' end, duplicate_of = null, done_at = null
                  from (select distinct on (o.duplicate_of) o.id, o.duplicate_of as first
                          from deliveries o join mappings n on n.id = o.mapping_id and n.state <> 'disabled'
                         where o.state = 'duplicate' and o.duplicate_of = any(:ids)
                         order by o.duplicate_of, o.id) heir,
                       lanes l, mappings m
                 where d.id = heir.id and l.mapping_id = d.mapping_id and m.id = d.mapping_id
                returning d.id, d.mapping_id, d.state, heir.first, d.class, l.route, m.important, m.source_id
                """
            ),
            {"ids": list(deliveries)},
        )
    ).all()
    for heir in heirs:
        await session.execute(
            text(
                "update deliveries set duplicate_of = :heir where state = 'duplicate' and duplicate_of = :first"
            ),
            {"heir": heir.id, "first": heir.first},
        )
        await session.execute(
            text(
                "update fingerprints set delivery_id = :heir, source_id = :source where delivery_id = :first"
            ),
            {"heir": heir.id, "source": heir.source_id, "first": heir.first},
        )
    await session.execute(
        text("delete from fingerprints where delivery_id = any(:ids)"), {"ids": list(deliveries)}
    )
    return [
        Due(h.mapping_id, h.id, AccountKind(h.route), h._mapping["class"], h.important)
        for h in heirs
        if h.state == "queued"
    ]


# The working set is small and its index is partial: walking from lane to lane in it costs one descent a lane,
# whatever the number of mappings or of finished rows.
DUE_LANES = text(
    """
    with recursive open_lanes as (
        (select mapping_id from deliveries where done_at is null order by mapping_id limit 1)
        union all
        select (select d.mapping_id from deliveries d
                 where d.done_at is null and d.mapping_id > o.mapping_id order by d.mapping_id limit 1)
          from open_lanes o where o.mapping_id is not null
    )
    select l.mapping_id, l.route, head.id, head.class, m.important
      from open_lanes o
      join lanes l on l.mapping_id = o.mapping_id
      join mappings m on m.id = l.mapping_id and m.state = 'active'
       and exists (select 1 from accounts a where a.kind = l.route and a.state = 'active')
     cross join lateral (
        (select d.id, d.class, d.not_before from deliveries d
          where d.mapping_id = l.mapping_id and d.done_at is null and d.class = 0 and d.state <> 'held'
            and exists (select 1 from deliveries p where p.mapping_id = d.mapping_id and p.post_id = d.post_id
                           and p.kind = 'post' and p.state = 'sent')
          order by d.not_before nulls first limit 1)
        union all
        (select d.id, d.class, d.not_before from deliveries d
          where d.mapping_id = l.mapping_id and d.done_at is null and d.class in (1, 2) and d.state <> 'held'
          order by d.class, d.position, d.id limit 1)
     ) head
     where (l.lease_until is null or l.lease_until < clock_timestamp())
       and (head.not_before is null or head.not_before <= clock_timestamp())
     order by head.class, l.mapping_id
     limit :limit
    """
)


async def due_lanes(session: AsyncSession, limit: int = 1000) -> list[Due]:
    """Lanes with due work that nobody holds, most urgent first, each once."""
    seen: dict[int, Due] = {}
    for row in await session.execute(DUE_LANES, {"limit": limit}):
        due = Due(row.mapping_id, row.id, AccountKind(row.route), row._mapping["class"], row.important)
        seen.setdefault(row.mapping_id, due)
    return list(seen.values())
