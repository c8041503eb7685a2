"""The rows of all lanes of a process: what several lanes want at the same time shares one transaction."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from forwarder import outbox
from forwarder.db import Ask, Database, in_session
from forwarder.outbox import Done, Due, Job, LaneHeld, Nothing, Run, Start, Worker
from forwarder.together import Together

Trip = Callable[..., Awaitable[list[Sequence[Any]]]]
"""Carries out some :class:`~forwarder.db.Ask` together and answers the rows of each."""


@dataclass(frozen=True, slots=True)
class Taken:
    """A lane under our lease, until ``until`` of this process's monotonic clock, and what it has to do."""

    lane: LaneHeld
    until: float
    run: Run | Nothing


@dataclass(frozen=True, slots=True)
class Record:
    """What became of a lane's jobs. ``count``: look at so many of its next deliveries; 0 lets the lane go."""

    lane: LaneHeld
    done: tuple[Done, ...]
    count: int


@dataclass(frozen=True, slots=True)
class Recorded:
    """Lanes that have work now, and what this lane has to do next: None when it was let go or lost."""

    dues: tuple[Due, ...]
    following: Run | Nothing | None


class Desk:
    """``first_look``: how many deliveries of a lane are looked at when it is taken."""

    def __init__(self, db: Database, worker: Worker, first_look: int) -> None:
        self._db, self._worker, self._first_look = db, worker, first_look
        self._takes: Together[int, Taken | None] = Together(self._take)
        self._starts: Together[Start, tuple[Job, ...] | None] = Together(self._start)
        self._records: Together[Record, Recorded] = Together(self._record)

    async def take(self, mapping_id: int) -> Taken | None:
        """Lease a lane; None where it is not free, not active, or for another account."""
        return await self._takes.ask(mapping_id)

    async def start(self, start: Start) -> tuple[Job, ...] | None:
        """Store what a call will carry; None when it is not ours to make any more."""
        return await self._starts.ask(start)

    async def record(self, record: Record) -> Recorded:
        """Write results that have no consequences beyond their rows, and read what is next."""
        return await self._records.ask(record)

    async def _take(self, asked: Sequence[int]) -> list[Taken | None]:
        until = time.monotonic() + outbox.LEASE_SECONDS
        counts = [self._first_look] * len(asked)
        rows, *looked = await self._db.in_one_trip(
            outbox.take(asked, self._worker), *self._look(asked, counts)
        )
        lanes = outbox.taken(rows)
        runs = await self._runs(list(lanes.values()), looked)
        return [Taken(lanes[i], until, runs[i]) if i in lanes else None for i in asked]

    async def _start(self, starts: Sequence[Start]) -> list[tuple[Job, ...] | None]:
        ids = [job.delivery_id for call in starts for job in call.jobs]
        *_, rows = await self._db.in_one_trip(*outbox.in_order(ids), outbox.start(starts, self._worker))
        answers, torn = outbox.started(starts, rows)
        if torn:
            await self._db.in_one_trip(outbox.give_back(torn))
        return answers

    async def _record(self, records: Sequence[Record]) -> list[Recorded]:
        if any(outbox.ends_posts(record.done) for record in records):
            async with self._db.begin() as session:
                return await self.record_in(session, records)
        ours, *answers = await self._db.in_one_trip(*self._asks(records))
        return await self._recorded(records, ours, answers)

    async def record_in(self, session: AsyncSession, records: Sequence[Record]) -> list[Recorded]:
        """Record in the caller's transaction, with what follows for others from posts that end without success."""
        ours, *answers = await in_session(session, *self._asks(records))
        held = {row.mapping_id for row in ours}
        ended = [i for r in records if r.lane.mapping_id in held for i in outbox.ends_posts(r.done)]
        dues = await outbox.ended_without_success(session, ended) if ended else []
        return await self._recorded(records, ours, answers, dues, session)

    def _asks(self, records: Sequence[Record]) -> list[Ask]:
        """Lock the lanes, write the results, let lanes go, and look at what is next in the others."""
        letting_go = [record.lane for record in records if not record.count]
        going_on = [record for record in records if record.count]
        return [
            outbox.still_ours([record.lane for record in records], self._worker),
            *outbox.record([done for record in records for done in record.done], self._worker),
            *([outbox.release(letting_go, self._worker)] if letting_go else []),
            *self._look([r.lane.mapping_id for r in going_on], [r.count for r in going_on]),
        ]

    async def _recorded(
        self,
        records: Sequence[Record],
        ours: Sequence[Any],
        answers: Sequence[Sequence[Any]],
        dues: Sequence[Due] = (),
        session: AsyncSession | None = None,
    ) -> list[Recorded]:
        held = {row.mapping_id for row in ours}
        going_on = [record.lane for record in records if record.count and record.lane.mapping_id in held]
        runs = await self._runs(going_on, answers[-2:], session) if going_on else {}
        # Whoever rings for the others must ring once: the first of the records takes that over.
        return [
            Recorded(tuple(dues) if index == 0 else (), runs.get(record.lane.mapping_id))
            for index, record in enumerate(records)
        ]

    def _look(self, lanes: Sequence[int], counts: Sequence[int]) -> list[Ask]:
        """What is next in lanes of ours; those with nothing to do are let go at once."""
        if not lanes:
            return []
        return [outbox.open_jobs(lanes, counts, self._worker), outbox.release_idle(lanes, self._worker)]

    async def _runs(
        self, lanes: Sequence[LaneHeld], looked: Sequence[Sequence[Any]], session: AsyncSession | None = None
    ) -> dict[int, Run | Nothing]:
        """What the answers to :meth:`_look` mean for these lanes. While ``session`` holds them, nobody else can touch
        them, not even we by another connection."""
        trip: Trip = self._db.in_one_trip if session is None else partial(in_session, session)
        rows, let_go = looked
        jobs, bad = outbox.jobs_of(rows)
        if bad:
            await self._end_unreadable(bad, session)
            again = self._look([lane.mapping_id for lane in lanes], [self._first_look] * len(lanes))
            return await self._runs(lanes, await trip(*again), session)
        runs = {
            lane.mapping_id: outbox.first_run(jobs[lane.mapping_id], lane, self._worker.kind)
            for lane in lanes
        }
        for lane_id, run in runs.items():
            if isinstance(run, Run) and run.head.batch is not None and run.head.maybe_sent:
                [carried] = await trip(outbox.whole_call(lane_id, run))
                runs[lane_id] = outbox.run_of_call(run, carried)
        gone = {row.mapping_id for row in let_go}
        # What became due between the two looks keeps the lane, and what ended between them let it go.
        idle = [lane for lane in lanes if isinstance(runs[lane.mapping_id], Nothing)]
        if kept := [lane for lane in idle if lane.mapping_id not in gone]:
            await trip(outbox.release(kept, self._worker))
        return runs

    async def _end_unreadable(self, deliveries: Sequence[int], session: AsyncSession | None) -> None:
        """Rows that cannot be read fail by themselves; the relay rings for whoever inherits their place."""
        if session is None:
            async with self._db.begin() as own:
                await self._end_unreadable(deliveries, own)
            return
        [ended] = await in_session(session, outbox.unreadable(deliveries))
        await outbox.ended_without_success(session, [row.id for row in ended if row.kind == "post"])
