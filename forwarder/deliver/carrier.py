"""Lanes: taken when their bell rings, gone on with for a slice, and let go with a bell where work is left."""

from __future__ import annotations

import asyncio
import time
from contextlib import nullcontext

import structlog

from forwarder.calls import Called, Caller, one
from forwarder.db import Database
from forwarder.deliver.aftermath import LANE_ENDS, Aftermath, teaches
from forwarder.deliver.desk import Desk, Record, Recorded
from forwarder.deliver.fixes import Fixes
from forwarder.deliver.leases import Lease, Leases
from forwarder.deliver.posts import Posts
from forwarder.deliver.slots import Slots
from forwarder.deliver.unsure import LookUp
from forwarder.errors import ForwarderError, Unavailable
from forwarder.hooks import Hooks
from forwarder.message import AccountKind, DeliveryKind, State
from forwarder.outbox import ALONE, LIVE, MOST_MESSAGES, Due, LaneHeld, Nothing, Result, Run, Worker
from forwarder.outcome import LONGEST_RETRY, Outcome, note
from forwarder.pace import Pace
from forwarder.retry import Verdict
from forwarder.seam import Finder, Sender

log = structlog.get_logger(__name__)

SLICE = 2.0
"""Seconds a lane may go on before it lets others have the slot."""

RECORD_FOR = 15.0
"""Seconds to go on trying to record a result while PostgreSQL restarts: only this process knows it."""

BAD_DATA = "bad_data"
"""The reason of a delivery whose row cannot be carried out."""

STOPPING = "stopping; left for the next worker"

FIRST_LOOK = {AccountKind.BOT: 1, AccountKind.USER: 10}
"""Deliveries of a lane that are looked at when it is taken: a bot's call carries one post, and most lanes have few."""


class Carrier:
    """Carries lanes for one worker process and one account."""

    def __init__(
        self,
        db: Database,
        pace: Pace,
        worker: Worker,
        sender: Sender,
        hooks: Hooks,
        *,
        finder: Finder | None = None,
        concurrency: int = 10,
    ) -> None:
        self._worker, self._hooks = worker, hooks
        self._first_look = FIRST_LOOK[worker.kind]
        self._desk = Desk(db, worker, self._first_look)
        self._leases = Leases(db, worker)
        self._slots, caller = Slots(pace, worker, concurrency), Caller(sender)
        look_up = LookUp(db, finder, worker)
        self._posts = Posts(db, self._desk, self._leases, self._slots, caller, look_up, worker)
        self._fixes = Fixes(db, self._desk, self._leases, self._slots, caller, worker)
        self._aftermath = Aftermath(db, self._desk, pace, hooks, worker)
        self._active: set[int] = set()
        self._idle = asyncio.Event()
        self._idle.set()
        self._alarms: dict[int, asyncio.TimerHandle] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._stopping = False

    @property
    def held(self) -> int:
        return len(self._active)

    async def renew_forever(self) -> None:
        """Keep the leases of all lanes that are being carried. Runs until cancelled."""
        await self._leases.renew_forever()

    def give_up(self) -> None:
        """Begin nothing more: the account is somebody else's now. What is left is rung for by the relay."""
        self._stopping = True
        for alarm in self._alarms.values():
            alarm.cancel()
        self._alarms.clear()

    async def stop(self, grace: float = 8.0) -> None:
        """Take no more work; let the calls under way end, for at most ``grace`` seconds."""
        self.give_up()
        try:
            async with asyncio.timeout(grace):
                await self._idle.wait()
                await asyncio.gather(*self._tasks)
        except TimeoutError:
            log.warning("stopped_in_the_middle", lanes=len(self._active))

    async def carry(self, mapping_id: int) -> Outcome:
        """Do what the lane has to do now. A bell for a lane that is already being carried here changes nothing:
        its flag stays up, and is seen when the lane is let go."""
        outcome = Outcome(mapping_id, by=self._worker.kind.value)
        if mapping_id in self._active or self._stopping:
            outcome.note = STOPPING if self._stopping else "already under way"
            return outcome
        self._active.add(mapping_id)
        self._idle.clear()
        try:
            with structlog.contextvars.bound_contextvars(lane=mapping_id):
                await self._carry(mapping_id, outcome)
        finally:
            self._active.discard(mapping_id)
            if not self._active:
                self._idle.set()
            lease = self._leases.drop(mapping_id)
        # Marks are for the holder to read; one who did not get the lane would only wake himself for ever.
        if lease is not None and not self._stopping:
            again = await self._hooks.bell_again(mapping_id)
            if (due := lease.onward or (self._own_bell(mapping_id) if again else None)) is not None:
                await self._hooks.ring([due])
        return outcome

    def _own_bell(self, mapping_id: int) -> Due:
        return Due(mapping_id, 0, self._worker.kind, LIVE, important=False)

    async def _carry(self, mapping_id: int, outcome: Outcome) -> None:
        """Carry the lane for its slice, if nobody else holds it."""
        await self._hooks.clear_bell(mapping_id)
        taken = await self._desk.take(mapping_id)
        if taken is None:
            await self._hooks.leave_mark(mapping_id)
            # Who held it may have looked for marks and let go just before this one was left.
            taken = await self._desk.take(mapping_id)
        if taken is None:
            outcome.note = "held elsewhere, paused, or for another account"
            return
        lane = taken.lane
        self._leases.keep(Lease(lane, taken.until, self._first_look))
        outcome.destination = lane.destination
        try:
            left = await self._work(lane, taken.run, outcome)
        except ForwarderError:
            await self._let_go_quietly(lane)
            raise
        if isinstance(left, Nothing):
            self._set_alarm(lane, left, outcome)
        elif left is None:
            self._leases.of(lane).onward = self._leases.of(lane).onward or self._own_bell(mapping_id)

    async def _work(
        self, lane: LaneHeld, run: Run | Nothing | None, outcome: Outcome
    ) -> Run | Nothing | None:
        """Carry runs one after another; answer what was left: None where the lane was let go with work left."""
        ends = time.monotonic() + SLICE
        while isinstance(run, Run):
            if self._stopping or not self._leases.lasts(lane):
                outcome.note = STOPPING if self._stopping else "the lease does not last"
                await self._let_go_quietly(lane)
                return None
            with structlog.contextvars.bound_contextvars(
                delivery=run.head.delivery_id, mapping=lane.mapping_id
            ):
                run = await self._one(lane, run, outcome, ends)
        return run

    async def _let_go_quietly(self, lane: LaneHeld) -> None:
        try:
            await self._desk.record(Record(lane, (), 0))
        except Unavailable:
            log.info("lane_left_to_its_lease", lane=lane.mapping_id)

    def _set_alarm(self, lane: LaneHeld, nothing: Nothing, outcome: Outcome) -> None:
        """A head that is due soon is rung from here; the relay would be up to two seconds late."""
        if (
            nothing.due_in is None
            or nothing.due_in > LONGEST_RETRY
            or outcome.wait is not None
            or self._stopping
        ):
            return

        def ring() -> None:
            self._alarms.pop(lane.mapping_id, None)
            task = asyncio.get_running_loop().create_task(self._ring_quietly(self._own_bell(lane.mapping_id)))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

        if (old := self._alarms.pop(lane.mapping_id, None)) is not None:
            old.cancel()
        delay = max(0.0, nothing.due_in)
        self._alarms[lane.mapping_id] = asyncio.get_running_loop().call_later(delay, ring)

    async def _ring_quietly(self, due: Due) -> None:
        try:
            await self._hooks.ring([due])
        except Exception:
            # A lost bell delays the lane by one turn of the relay and loses nothing.
            log.warning("bell_lost", lane=due.mapping_id, exc_info=True)

    async def _one(self, lane: LaneHeld, run: Run, outcome: Outcome, ends: float) -> Run | Nothing | None:
        """Carry out one run, record it, and answer the next one; None when the lane was let go with work left."""
        lease = self._leases.of(lane)
        answer = await self._carry_out(lane, run)
        if answer is None:
            return (await self._desk.record(Record(lane, (), lease.count))).following
        done, called = answer
        learn(lease, run, done, called)
        waits = called.decision is not None and called.decision.verdict is Verdict.WAIT
        async with self._slots.judging(judged_from(called)) if waits else nullcontext():
            recorded = await self._record_surely(lane, done, called, ends, lease)
        for job, result in zip(done.jobs, called.results, strict=True):
            note(outcome, job, result, refused=called.decision is not None)
        if waits:
            outcome.wait = called.result.wait
        others: list[Due] = []
        for due in recorded.dues:
            if due.mapping_id == lane.mapping_id:
                lease.onward = due
            else:
                others.append(due)
        if others:
            await self._hooks.ring(others)
        if recorded.following is None and ends_quietly(called):
            # A paused mapping or a stopped account has nothing to ring for; a chat that moved goes on elsewhere.
            return Nothing(None)
        return recorded.following

    async def _carry_out(self, lane: LaneHeld, run: Run) -> tuple[Run, Called] | None:
        """A delivery whose row makes us stumble fails by itself, so that it holds up nobody."""
        try:
            if run.head.kind is DeliveryKind.POST:
                return await self._posts.carry(lane, run)
            return await self._fixes.carry(lane, run.head)
        except ForwarderError:
            raise
        except Exception:
            log.exception("delivery_not_carried_out")
            return run.first(1), one(Result(State.FAILED, BAD_DATA, attempt=True))

    async def _record_surely(
        self, lane: LaneHeld, run: Run, called: Called, ends: float, lease: Lease
    ) -> Recorded:
        """Record a result and take the next run in one transaction, through a restart of PostgreSQL."""
        give_up = time.monotonic() + RECORD_FOR
        while True:
            last = self._stopping or time.monotonic() >= ends
            try:
                return await self._aftermath.record(lane, run, called, 0 if last else look(lease))
            except Unavailable:
                if time.monotonic() >= give_up:
                    raise
                await asyncio.sleep(0.3)


def look(lease: Lease) -> int:
    return 1 if lease.alone else lease.count


def learn(lease: Lease, asked: Run, done: Run, called: Called) -> None:
    """How many deliveries to look at next time: more where all that was looked at went, fewer where the pace took
    only some; one by one after a call that several shared was refused."""
    lease.alone = max(0, lease.alone - len(done.jobs))
    if called.result.reason == ALONE:
        lease.alone = len(done.jobs)
    elif len(done.jobs) < len(asked.jobs):
        lease.count = 2 * len(done.jobs)
    elif len(done.jobs) >= lease.count > 1:
        lease.count = min(MOST_MESSAGES, 4 * lease.count)


def judged_from(called: Called) -> float | None:
    """When a call was made whose wait is to be judged by those before it; None where it teaches nothing."""
    if called.decision is None or called.error is None or not teaches(called.decision, called.error.name):
        return None
    return called.made


def ends_quietly(called: Called) -> bool:
    return called.decision is not None and called.decision.verdict in LANE_ENDS - {Verdict.MIGRATED}
