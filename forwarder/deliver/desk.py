"""The rows of all lanes of a process: what several lanes want at the same time shares one transaction."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy.ext.asyncio import AsyncSession

from forwarder import outbox
from forwarder.db import Database
from forwarder.outbox import Done, Due, Job, LaneHeld, Nothing, Run, Start, Worker
from forwarder.together import Together


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
        async with self._db.begin() as session:
            lanes = await outbox.take_lanes(session, asked, self._worker)
            runs = await self._next(session, list(lanes.values()), [self._first_look] * len(lanes))
        return [Taken(lanes[i], until, runs[i]) if i in lanes else None for i in asked]

    async def _start(self, starts: Sequence[Start]) -> list[tuple[Job, ...] | None]:
        async with self._db.begin() as session:
            return await outbox.start_calls(session, starts, self._worker)

    async def _record(self, records: Sequence[Record]) -> list[Recorded]:
        async with self._db.begin() as session:
            return await self.record_in(session, records)

    async def record_in(self, session: AsyncSession, records: Sequence[Record]) -> list[Recorded]:
        """Record in the caller's transaction."""
        done = [d for record in records for d in record.done]
        if done:
            ours, dues = await outbox.record(session, done, self._worker)
        else:
            ours, dues = await outbox.still_ours(session, [r.lane for r in records], self._worker), []
        held = [r for r in records if r.lane.mapping_id in ours]
        await outbox.release(session, [r.lane for r in held if not r.count], self._worker)
        going_on = [r for r in held if r.count]
        runs = await self._next(session, [r.lane for r in going_on], [r.count for r in going_on])
        # Whoever rings for the others must ring once: the first of the records takes that over.
        return [
            Recorded(tuple(dues) if index == 0 else (), runs.get(record.lane.mapping_id))
            for index, record in enumerate(records)
        ]

    async def _next(
        self, session: AsyncSession, lanes: Sequence[LaneHeld], counts: Sequence[int]
    ) -> dict[int, Run | Nothing]:
        """What these lanes have to do next; a lane with nothing to do is let go."""
        if not lanes:
            return {}
        runs = await outbox.next_runs(session, lanes, counts, self._worker.kind)
        idle = [lane for lane in lanes if isinstance(runs[lane.mapping_id], Nothing)]
        await outbox.release(session, idle, self._worker)
        return runs
