"""The queue as its keepers see it: bells, depth and age, and what an operator may do with deliveries.

A bell is a hint that a lane has work: a flag in Redis keeps it from being rung again while one is
outstanding, and losing either costs one turn of the relay. The rows are the truth.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import structlog
from redis.asyncio import Redis
from redis.exceptions import RedisError
from sqlalchemy import text

from forwarder.db import Database
from forwarder.errors import NotFound
from forwarder.message import AccountKind
from forwarder.outbox import BULK, FIX, FIX_AGAIN, Due, due_lanes
from forwarder.services.places import Places, repeat_of

log = structlog.get_logger(__name__)

FLAG_SECONDS = 30
SWAMPED = 200
"""Tasks in a queue above which the relay leaves it alone: its worker is away or busy, and has enough to find."""

BROKER_PRIORITIES = ("", "\x06\x163", "\x06\x166", "\x06\x169")
"""What kombu puts behind a queue's name for each of the broker's ``priority_steps``."""

LANES_PER_TASK = 25
"""Under load one task carries the bells of many lanes: the cost is per task, not per lane."""


@dataclass(frozen=True, slots=True)
class Bell:
    """One task to be: its queue is named by route and class, ``lanes`` are (lane, delivery it is rung for)."""

    route: AccountKind
    klass: int
    important: bool
    lanes: tuple[tuple[int, int], ...]

    @property
    def queue(self) -> str:
        return queue_of(self.route, self.klass)

    @property
    def priority(self) -> int:
        """0 is first: edits and deletions, then important mappings, then live posts, then bulk."""
        if self.klass == FIX:
            return 0
        if self.klass == BULK:
            return 9
        return 3 if self.important else 6


Publish = Callable[[Sequence[Bell]], None]


@dataclass(frozen=True, slots=True)
class Depth:
    """How many deliveries of one route, class and state are open, and the age of the oldest in seconds."""

    route: str
    klass: int
    state: str
    count: int
    oldest: float


class QueueManager:
    """``publish`` puts bells on the broker; it blocks, so it runs in a thread.

    ``places`` reserves for what is queued again.
    """

    def __init__(self, db: Database, redis: Redis, publish: Publish, places: Places) -> None:
        self._db, self._redis, self._publish, self._places = db, redis, publish, places

    async def ring(self, dues: Sequence[Due]) -> None:
        """Ring these lanes; those with a bell outstanding are passed over. Never raises: a lost bell is the
        relay's to make good."""
        if not dues:
            return
        unique = {due.mapping_id: due for due in sorted(dues, key=lambda d: -d.klass)}
        try:
            pipeline = self._redis.pipeline(transaction=False)
            for lane in unique:
                pipeline.set(f"bell:{lane}", 1, nx=True, ex=FLAG_SECONDS)
            free = await pipeline.execute()
            await self.publish([due for due, ok in zip(unique.values(), free, strict=True) if ok])
        except Exception:
            # Redis or the broker is away; the rows are safe, and the relay rings for them.
            log.warning("bells_lost", lanes=len(unique), exc_info=True)

    async def publish(self, dues: Sequence[Due]) -> None:
        """Put bells on the broker whatever their flags say."""
        if dues:
            await asyncio.to_thread(self._publish, bells_of(dues))

    async def clear_bell(self, lane: int) -> None:
        await self._quietly(self._redis.delete(f"bell:{lane}"))

    async def leave_mark(self, lane: int) -> None:
        """Tell whoever holds the lane that a bell came meanwhile."""
        await self._quietly(self._redis.set(f"again:{lane}", 1, ex=FLAG_SECONDS))

    async def bell_again(self, lane: int) -> bool:
        """Whether a bell came while the lane was held; clears what said so."""
        return bool(await self._quietly(self._redis.delete(f"bell:{lane}", f"again:{lane}")))

    async def _quietly(self, command: object) -> object:
        try:
            return await command  # type: ignore[misc]
        except (RedisError, OSError) as error:
            log.warning("bell_flags_unreachable", error=str(error))
            return None

    async def relay(self) -> int:
        """Ring for every lane with due work that nobody holds; answer how many were rung.

        The flag is not asked, for it can outlive its bell; a key of the relay's own keeps it from ringing the
        same lane every turn while the queue is long. A queue that nobody empties does not grow without end.
        """
        async with self._db.begin() as session:
            found = await due_lanes(session)
        lengths = {name: await self._length(name) for name in {queue_of(d.route, d.klass) for d in found}}
        due = [d for d in found if lengths[queue_of(d.route, d.klass)] < SWAMPED]
        if not due:
            return 0
        pipeline = self._redis.pipeline(transaction=False)
        for d in due:
            pipeline.set(f"relay:{d.mapping_id}:{d.delivery_id}", 1, nx=True, ex=8)
        fresh = [d for d, ok in zip(due, await pipeline.execute(), strict=True) if ok]
        await self.publish(fresh)
        return len(fresh)

    async def _length(self, queue: str) -> int:
        pipeline = self._redis.pipeline(transaction=False)
        for suffix in BROKER_PRIORITIES:
            pipeline.llen(queue + suffix)
        return sum(await pipeline.execute())

    async def depth(self) -> list[Depth]:
        async with self._db.begin() as session:
            rows = await session.execute(
                text(
                    """
                    select l.route, d.class, d.state, count(*) as count,
                           extract(epoch from clock_timestamp() - min(d.created_at))::float8 as oldest
                      from deliveries d join lanes l on l.mapping_id = d.mapping_id
                     where d.done_at is null group by 1, 2, 3 order by 1, 2, 3
                    """
                )
            )
            return [Depth(r.route, r._mapping["class"], r.state, r._mapping["count"], r.oldest) for r in rows]

    async def send_again(self, delivery_id: int) -> None:
        """Queue a failed or held delivery again, as a new epoch for what was tried before. A post whose first message
        has been deleted since begins anew; one that goes on after its first message follows its source's edits when
        all of it is there. Its place in deduplication is reserved again.

        Raises NotFound ``delivery_not_waiting``; InvalidRequest (``repeat_sent``, ``repeat_waits``, ``repeat_held``)
        where another delivery has brought the same content there, or is about to. Nothing is changed then.
        """
        async with self._db.begin() as session:
            mapping = await session.scalar(
                text("select mapping_id from deliveries where id = :id"), {"id": delivery_id}
            )
            await self._places.hold(session, mapping or 0)
            row = (
                await session.execute(
                    text(
                        """
                        update deliveries d set state = 'queued', reason = null, done_at = null, attempts = 0,
                               epoch = d.epoch + 1, not_before = null, reserved = 0,
                               sent_ids = case when not x.gone then d.sent_ids end,
                               details = case when not x.gone then d.details end,
                               unsettled = d.sent_ids is not null and not x.gone
                          from lanes l, mappings m,
                               (select exists (
                                    select 1 from deliveries g join deliveries p using (mapping_id, post_id)
                                     where p.id = :id and g.kind = 'delete' and g.state = 'sent') as gone) x
                         where d.id = :id and d.state in ('failed', 'held') and l.mapping_id = d.mapping_id
                           and m.id = d.mapping_id and m.state = 'active'
                        returning d.mapping_id, d.class, l.route, m.important
                        """
                    ),
                    {"id": delivery_id},
                )
            ).one_or_none()
            if row is None:
                raise NotFound(
                    "delivery_not_waiting",
                    f"Delivery {delivery_id} is not waiting for an operator, or its mapping is not active.",
                    delivery=delivery_id,
                )
            if repeats := await self._places.take(session, [delivery_id]):
                raise await repeat_of(session, delivery_id, repeats[delivery_id].first)
            await session.execute(EDIT_AFTER, {"id": delivery_id, "class": FIX})
        klass = row._mapping["class"]
        await self.ring([Due(row.mapping_id, delivery_id, AccountKind(row.route), klass, row.important)])

    async def ring_lanes(self, mapping_ids: Sequence[int]) -> None:
        """Ring lanes of which only the ids are known, after a change by a person."""
        async with self._db.begin() as session:
            rows = await session.execute(
                text(
                    "select l.mapping_id, l.route, m.important from lanes l join mappings m on m.id = l.mapping_id"
                    " where l.mapping_id = any(:ids)"
                ),
                {"ids": list(mapping_ids)},
            )
            dues = [Due(r.mapping_id, 0, AccountKind(r.route), 1, r.important) for r in rows]
        await self.ring(dues)


# What is left of such a post is sent as the rest of what its first message says; edits of a failed post are not kept.
EDIT_AFTER = text(
    f"""
    insert into deliveries as d (mapping_id, post_id, kind, class, position, parts, state)
    select p.mapping_id, p.post_id, 'edit', :class, p.position, p.message_ids, 'queued'
      from deliveries p join mappings m on m.id = p.mapping_id
     where p.id = :id and p.kind = 'post' and p.sent_ids is not null and m.edit_sync
       and exists (select 1 from messages x where x.post_id = p.post_id and x.edit_date is not null)
    on conflict (mapping_id, post_id, kind) do update
       set parts = array(select distinct unnest(d.parts || excluded.parts) order by 1), {FIX_AGAIN}
    """  # noqa: S608 - what is put in is a literal
)


def queue_of(route: AccountKind, klass: int) -> str:
    return f"{route.value}.{'bulk' if klass == BULK else 'live'}"


def bells_of(dues: Sequence[Due]) -> list[Bell]:
    """Group lanes by queue and priority; a lone lane has a task of its own."""
    groups: dict[tuple[AccountKind, int, bool], list[tuple[int, int]]] = defaultdict(list)
    for due in dues:
        groups[(due.route, due.klass, due.important)].append((due.mapping_id, due.delivery_id))
    return [
        Bell(route, klass, important, tuple(lanes[start : start + LANES_PER_TASK]))
        for (route, klass, important), lanes in groups.items()
        for start in range(0, len(lanes), LANES_PER_TASK)
    ]
