"""When a call may be made: the pace first, then one of the worker's places.

Nobody sleeps in such a place but for the beat of the account, which all others would have to keep as well.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, replace

from redis.exceptions import RedisError

from forwarder.errors import Unavailable
from forwarder.message import DeliveryKind, State
from forwarder.outbox import BULK, Job, LaneHeld, Result, Run, Worker
from forwarder.pace import HORIZON, Call, Pace, Place
from forwarder.pace import Run as Reserved

AWHILE = 0.05
"""Seconds of sleep after which the waits are looked at once more before a call."""

SETTLING, LOOK = 1.0, 0.005
"""Seconds for which the answers of calls that were made before a refused one are waited for at most, and between looks
whether they are there."""


@dataclass(frozen=True, slots=True)
class PutOff:
    """The pace has no slot now: what becomes of the head of the run."""

    result: Result


@dataclass(frozen=True, slots=True)
class Granted:
    """So many posts of the run may go in one call ``seconds`` from now; ``looks`` as of the pace's run."""

    count: int
    seconds: float
    looks: bool


class Slots:
    """``places`` are the calls that this process makes at a time."""

    def __init__(self, pace: Pace, worker: Worker, places: int) -> None:
        self._pace, self._worker = pace, worker
        self._places, self._turn = asyncio.Semaphore(places), asyncio.Lock()
        self._judging = 0
        self._judged = asyncio.Event()
        self._judged.set()

    @asynccontextmanager
    async def slot(self, lane: LaneHeld, run: Run, sizes: tuple[int, ...]) -> AsyncIterator[Granted | PutOff]:
        """Wait for a near slot and a place; yield how many posts of the run may go, or that it is put off.

        A slot that passed while all places were taken is asked about again, in case another lane has gone on in
        the same window. Raises :class:`~forwarder.errors.Unavailable` when Redis does not answer; nothing was
        sent then.
        """
        grant = await self._first(lane, run, sizes)
        while isinstance(grant, Granted):
            if grant.seconds > 0:
                await asyncio.sleep(grant.seconds)
            if (
                grant.seconds > AWHILE
                and not grant.looks
                and (waiting := await self._waiting(lane, run.head)) is not None
            ):
                grant = waiting
                break
            since = time.monotonic()
            async with self._places:
                late = time.monotonic() - since
                if late <= HORIZON:
                    yield grant
                    return
            messages = sum(sizes[: grant.count])
            grant = await self._reserve(lane, run.head, messages, grant.count, Place.ALL, late)
        yield grant

    async def turn(self, lane: LaneHeld, head: Job, messages: int) -> Call | PutOff:
        """Just before the call: wait where the calls before it were late, so that they do not bunch, and while it is
        not known yet whom a refusal concerns. Answers the call, whose end is to be told by ``answered``."""
        beat = self._pace.beat(self._worker.account_id)
        async with self._turn:
            refused = False
            while (left := beat.left(time.monotonic(), messages)) > 0 or self._judging:
                if self._judging:
                    refused = True
                    await self._judged.wait()
                else:
                    await asyncio.sleep(left)
            if refused and (waiting := await self._waiting(lane, head)) is not None:
                return waiting
            return beat.went(time.monotonic(), messages)

    @asynccontextmanager
    async def judging(self, made: float | None) -> AsyncIterator[None]:
        """While Telegram's wish to wait is being recorded: whoever is about to call may be meant by it.

        What a call that was ``made`` then has met is known when those before it are answered: they are waited for.
        """
        self._judging += 1
        self._judged.clear()
        try:
            if made is not None:
                await self._settled(made)
            yield
        finally:
            self._judging -= 1
            if not self._judging:
                self._judged.set()

    async def _settled(self, made: float) -> None:
        beat = self._pace.beat(self._worker.account_id)
        for _ in range(int(SETTLING / LOOK)):
            if not beat.awaits(made):
                return
            await asyncio.sleep(LOOK)

    def answered(self, call: Call, *, well: bool, taken: bool = False) -> None:
        """A call has ended, or was not made after all; ``well`` and ``taken`` as of the beat."""
        self._pace.beat(self._worker.account_id).answered(call, time.monotonic(), well=well, taken=taken)

    async def _waiting(self, lane: LaneHeld, head: Job) -> PutOff | None:
        """Whether Telegram has asked somebody to wait while this one slept until its slot."""
        with said_plainly():
            left = await self._pace.waiting(self._worker.account_id, lane.destination, head.kind)
        return PutOff(Result(State.QUEUED, head.reason, wait=left)) if left > 0 else None

    async def _first(self, lane: LaneHeld, run: Run, sizes: tuple[int, ...]) -> Granted | PutOff:
        head = run.head
        turn = head.klass == BULK and head.place is Place.CHAT
        held = head.place is not Place.NONE and not turn
        if head.kind is not DeliveryKind.POST or held or head.maybe_sent:
            # What was in one call stays in one: all of it has one slot.
            return await self._reserve(lane, head, sum(sizes), len(run.jobs), head.place, head.late)
        with said_plainly():
            reserved = await self._pace.reserve_run(
                self._worker.kind,
                self._worker.account_id,
                lane.destination,
                sizes,
                held=head.place if turn else Place.NONE,
                bulk=head.klass == BULK,
                slow_mode=lane.slow_mode,
            )
        return grant_of(head, reserved)

    async def _reserve(
        self, lane: LaneHeld, head: Job, messages: int, count: int, held: Place, late: float
    ) -> Granted | PutOff:
        with said_plainly():
            reserved = await self._pace.reserve(
                self._worker.kind,
                self._worker.account_id,
                lane.destination,
                head.kind,
                messages=messages,
                held=held,
                late=late,
                bulk=head.klass == BULK,
                slow_mode=lane.slow_mode,
            )
        return grant_of(head, replace(reserved, count=count))


def grant_of(head: Job, reserved: Reserved) -> Granted | PutOff:
    if reserved.seconds > HORIZON:
        return PutOff(Result(State.QUEUED, head.reason, wait=reserved.seconds, place=reserved.taken))
    return Granted(reserved.count, reserved.seconds, reserved.looks)


@contextmanager
def said_plainly() -> Iterator[None]:
    try:
        yield
    except (RedisError, OSError) as error:
        raise Unavailable(
            f"Redis does not answer ({error}). Start it, or correct REDIS_URL; nothing is lost, waiting posts "
            "go on when it is back."
        ) from error
