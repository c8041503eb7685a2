"""A lane's work: claim, send, record, while it has work and time.

No transaction is open while sending. A lane is held under a lease with a fence that is renewed for the whole
process; before each call the carrier looks whether enough of the lease is left, by its own monotonic clock,
so that a process that was stopped and wakes later finds out before it sends anything.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable
from dataclasses import dataclass, replace

import structlog
from redis.exceptions import RedisError
from sqlalchemy.ext.asyncio import AsyncSession

from forwarder import outbox
from forwarder.calls import Called, Caller, may_answer, mode_for, same_account
from forwarder.db import Database
from forwarder.errors import (
    AccountNotReady,
    ForwarderError,
    NobodyAnswers,
    OutcomeUnknown,
    TelegramError,
    Unavailable,
)
from forwarder.hooks import Hooks
from forwarder.message import (
    AccountKind,
    DeliveryKind,
    FindOrder,
    Mode,
    SendOrder,
    State,
    is_basic_group,
)
from forwarder.models import NoticeKind, WhenUnsure
from forwarder.outbox import Due, Job, LaneHeld, Nothing, Result, Worker
from forwarder.outcome import LONGEST_RETRY, Outcome, note
from forwarder.pace import HORIZON, Pace, Place, family_of
from forwarder.retry import MAX_ATTEMPTS, Decision, Scope, Side, Verdict, decide
from forwarder.seam import Finder, Sender
from forwarder.services import accounts, channel_rows, notices

log = structlog.get_logger(__name__)

SLICE = 2.0
"""Seconds a lane may go on before it lets others have the slot."""

RENEW_EVERY = 3.0
LEAST_LEASE = 4.0
"""Seconds of lease that must be left when a call begins."""

ABSENCE_PROVES = 30.0
"""Seconds after a call when a copy that is not in the destination will not appear any more."""

LOOK_AGAIN = 5.0

PARTLY = "PARTIAL_ALBUM"
"""What a finder says of an album of which only some parts are there."""
PATIENCE = 600.0
"""Seconds for which a send of unknown outcome waits for a login that could look it up."""


RECORD_FOR = 15.0
"""Seconds to go on trying to record a result while PostgreSQL restarts: only this process knows it."""


PROTECTED = Decision(Verdict.PAUSE_MAPPING, "protected_content", side=Side.SOURCE)
SOURCE_MOVED = Decision(Verdict.FAIL, "source_migrated", side=Side.SOURCE)

UNSURE = "unsure"
"""The reason of a post that is held because nobody could see whether it had arrived."""

STOPPING = "stopping; left for the next worker"

LANE_ENDS = frozenset({Verdict.PAUSE_MAPPING, Verdict.STOP_ACCOUNT, Verdict.MIGRATED})
"""After these the lane is not what it was when it was taken: it is let go."""


@dataclass(slots=True)
class Lease:
    """A lane that this process holds. ``onward`` is the bell to ring for it once it is let go."""

    lane: LaneHeld
    until: float
    onward: Due | None = None


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
        self._db, self._pace, self._worker, self._hooks = db, pace, worker, hooks
        self._caller = Caller(sender)
        self._finder = finder
        self._slots = asyncio.Semaphore(concurrency)
        self._leases: dict[int, Lease] = {}
        self._active: set[int] = set()
        self._idle = asyncio.Event()
        self._alarms: dict[int, asyncio.TimerHandle] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._stopping = False

    @property
    def held(self) -> int:
        return len(self._active)

    async def renew_forever(self) -> None:
        """Keep the leases of all lanes that are being carried. Runs until cancelled."""
        while True:
            await asyncio.sleep(RENEW_EVERY)
            try:
                await self._renew()
            except Exception:
                # The leases run out by themselves; every call looks at what is left of its own.
                log.warning("lease_renewal_failed", exc_info=True)

    async def _renew(self) -> None:
        if not self._leases:
            return
        asked = time.monotonic()
        async with self._db.begin() as session:
            kept = await outbox.renew(session, list(self._leases), self._worker.holder)
        for mapping_id in kept & self._leases.keys():
            self._leases[mapping_id].until = asked + outbox.LEASE_SECONDS

    async def stop(self, grace: float = 8.0) -> None:
        """Take no more work; let the calls under way end, for at most ``grace`` seconds."""
        self._stopping = True
        for alarm in self._alarms.values():
            alarm.cancel()
        self._alarms.clear()
        if self._active:
            self._idle.clear()
            await asyncio.wait([asyncio.ensure_future(self._idle.wait())], timeout=grace)

    async def carry(self, mapping_id: int) -> Outcome:
        """Do what the lane has to do now. A bell for a lane that is already being carried here changes nothing:
        its flag stays up, and is seen when the lane is let go."""
        outcome = Outcome(mapping_id, by=self._worker.kind.value)
        if mapping_id in self._active:
            outcome.note = "already under way"
            return outcome
        if self._stopping:
            outcome.note = STOPPING
            return outcome
        self._active.add(mapping_id)
        try:
            async with self._slots:
                with structlog.contextvars.bound_contextvars(lane=mapping_id):
                    await self._carry(mapping_id, outcome)
        finally:
            self._active.discard(mapping_id)
            if not self._active:
                self._idle.set()
            lease = self._leases.pop(mapping_id, None)
        # Marks are for the holder to read; one who did not get the lane would only wake himself for ever.
        if lease is not None and not self._stopping:
            again = await self._hooks.bell_again(mapping_id)
            if (due := lease.onward or (self._own_bell(mapping_id) if again else None)) is not None:
                await self._hooks.ring([due])
        return outcome

    def _own_bell(self, mapping_id: int) -> Due:
        return Due(mapping_id, 0, self._worker.kind, outbox.LIVE, important=False)

    async def _carry(self, mapping_id: int, outcome: Outcome) -> None:
        """Carry the lane for its slice, if nobody else holds it."""
        if self._stopping:
            outcome.note = STOPPING
            return
        await self._hooks.clear_bell(mapping_id)
        taken = await self._take(mapping_id)
        if taken is None:
            await self._hooks.leave_mark(mapping_id)
            # Who held it may have looked for marks and let go just before this one was left.
            taken = await self._take(mapping_id)
        if taken is None:
            outcome.note = "held elsewhere, paused, or for another account"
            return
        lane, job = taken
        outcome.destination = lane.destination
        try:
            left = await self._work(lane, job, outcome)
        except ForwarderError:
            await self._let_go_quietly(lane)
            raise
        if isinstance(left, Nothing):
            self._set_alarm(lane, left, outcome)
        elif left is None:
            self._leases[mapping_id].onward = self._own_bell(mapping_id)

    async def _take(self, mapping_id: int) -> tuple[LaneHeld, Job | Nothing] | None:
        asked = time.monotonic()
        async with self._db.begin() as session:
            lane = await outbox.take_lane(session, mapping_id, self._worker)
            if lane is None:
                return None
            job = await self._next(session, lane)
        self._leases[mapping_id] = Lease(lane, asked + outbox.LEASE_SECONDS)
        return lane, job

    async def _work(
        self, lane: LaneHeld, job: Job | Nothing | None, outcome: Outcome
    ) -> Job | Nothing | None:
        ends = time.monotonic() + SLICE
        while isinstance(job, Job) and self._lease_lasts(lane):
            with structlog.contextvars.bound_contextvars(delivery=job.delivery_id, mapping=lane.mapping_id):
                job = await self._one(lane, job, outcome, ends)
        return job

    async def _let_go_quietly(self, lane: LaneHeld) -> None:
        try:
            async with self._db.begin() as session:
                await outbox.release(session, lane, self._worker)
        except Unavailable:
            log.info("lane_left_to_its_lease", lane=lane.mapping_id)

    async def _next(self, session: AsyncSession, lane: LaneHeld) -> Job | Nothing:
        job = await outbox.next_job(session, lane)
        if isinstance(job, Nothing):
            await outbox.release(session, lane, self._worker)
        return job

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

    async def _one(self, lane: LaneHeld, job: Job, outcome: Outcome, ends: float) -> Job | Nothing | None:
        """Carry out one job, record it, and answer the next one; None when the lane was let go with work left."""
        called = await self._do(lane, job)
        if called is None:
            async with self._db.begin() as session:
                ours = await outbox.still_ours(session, lane, self._worker)
                return await self._next(session, lane) if ours else None
        dues, following = await self._record_and_next(lane, job, called, ends)
        note(outcome, job, called)
        if called.decision is not None and called.decision.verdict is Verdict.WAIT:
            outcome.wait = called.result.wait
        for due in dues:
            if due.mapping_id == lane.mapping_id:
                self._leases[lane.mapping_id].onward = due
        if others := [due for due in dues if due.mapping_id != lane.mapping_id]:
            await self._hooks.ring(others)
        return following

    async def _record_and_next(
        self, lane: LaneHeld, job: Job, called: Called, ends: float
    ) -> tuple[list[Due], Job | Nothing | None]:
        """Record a result and take the next job in one transaction, through a restart of PostgreSQL."""
        give_up = time.monotonic() + RECORD_FOR
        while True:
            try:
                async with self._db.begin() as session:
                    dues = await self._record(session, lane, job, called)
                    last = self._stopping or time.monotonic() >= ends
                    return dues, await self._following(session, lane, called, last=last)
            except Unavailable:
                if time.monotonic() >= give_up:
                    raise
                await asyncio.sleep(0.3)

    async def _following(
        self, session: AsyncSession, lane: LaneHeld, called: Called, *, last: bool
    ) -> Job | Nothing | None:
        ends = called.decision.verdict if called.decision is not None else None
        if not last and ends not in LANE_ENDS:
            return await self._next(session, lane)
        await outbox.release(session, lane, self._worker)
        # A paused mapping or a stopped account has nothing to ring for; a chat that moved goes on elsewhere.
        return Nothing(None) if ends in (Verdict.PAUSE_MAPPING, Verdict.STOP_ACCOUNT) else None

    async def _do(self, lane: LaneHeld, job: Job) -> Called | None:
        """Carry out a job; None when it turned out not to be ours to do any more."""
        if job.kind is not DeliveryKind.POST:
            return await self._fix(lane, job)
        if job.maybe_sent and not self._may_repeat(job):
            return await self._look_up(lane, job)
        async with self._db.begin() as session:
            parts = await outbox.parts_of(session, job.post_id)
            answers = await outbox.answered_copy(session, lane, job, parts)
        if lane.source_protected or any(part.protected for part in parts):
            return Called(Result(State.HELD, "paused"), PROTECTED)
        pinned = job.maybe_sent and bool(job.message_ids)
        ids = job.message_ids if pinned else tuple(part.message_id for part in parts)
        if not ids:
            return Called(Result(State.WITHDRAWN, "deleted_at_source"))
        if (put_off := await self._wait_for_slot(lane, job, len(ids))) is not None:
            return put_off
        order = self._order(lane, job, ids, (job.mode if pinned else None) or mode_for(lane.mode, parts))
        order = replace(order, reply_to=answers if may_answer(order.mode, parts) else None)
        if not self._lease_lasts(lane) or not await self._announce(lane, job, order):
            return None
        started = replace(job, state=State.SENDING)
        called = await self._call(
            job, self._caller.send(job, lane, order, lambda further: self._announce(lane, started, further))
        )
        return called and settled(called, repeated=job.maybe_sent)

    def _order(self, lane: LaneHeld, job: Job, ids: tuple[int, ...], mode: Mode) -> SendOrder:
        return SendOrder(
            source=job.source,
            message_ids=ids,
            destination=lane.destination,
            mode=mode,
            random_ids=tuple(
                outbox.random_id(lane.mapping_id, job.source, i, job.kind, job.epoch) for i in ids
            ),
            topic=lane.destination_topic,
            silent=lane.silent,
            album=len(ids) > 1,
        )

    async def _announce(self, lane: LaneHeld, job: Job, order: SendOrder) -> bool:
        """Store what a call will carry; answer whether it may be made: the job is ours and the lease lasts."""
        async with self._db.begin() as session:
            started = await outbox.start_sending(
                session,
                job,
                lane,
                self._worker,
                mode=order.mode,
                message_ids=order.message_ids,
                random_ids=order.random_ids,
            )
        return started is not None and self._lease_lasts(lane)

    def _may_repeat(self, job: Job) -> bool:
        """Over MTProto a repeated call with the stored random ids sends nothing twice, by the same account."""
        return self._worker.kind is AccountKind.USER and same_account(
            job, self._worker.kind, self._worker.account_id
        )

    async def _fix(self, lane: LaneHeld, job: Job) -> Called | None:
        async with self._db.begin() as session:
            copies = await outbox.copies_of(session, lane, job, job.parts)
        if copies and (put_off := await self._wait_for_slot(lane, job, len(copies))) is not None:
            return put_off
        if not self._lease_lasts(lane):
            return None
        async with self._db.begin() as session:
            started = await outbox.start_sending(session, job, lane, self._worker, mode=lane.mode)
            if started is None:
                return None
            # Read after the row was set sending: whatever changes from now on is applied again.
            copies = await outbox.copies_of(session, lane, job, started.parts)
            parts = await outbox.parts_of(session, job.post_id)
        if not self._lease_lasts(lane):
            return None
        if job.kind is DeliveryKind.EDIT:
            return await self._call(job, self._caller.edit(started, lane, parts, copies), "edit")
        return await self._call(job, self._caller.delete(started, lane, copies), "delete")

    async def _call(self, job: Job, calling: Awaitable[Called | None], order: str = "send") -> Called | None:
        """Wait for a call. One that fails as nobody foresaw may have been executed, and counts as an attempt: a bug
        of ours must neither double a post nor hold its lane for ever."""
        try:
            return await calling
        except ForwarderError:
            raise
        except Exception:
            log.exception("call_failed_unexpectedly")
            error = OutcomeUnknown("UNFORESEEN")
            return self._caller.refused(job, decide(error, api=self._worker.kind, order=order), error)

    def _lease_lasts(self, lane: LaneHeld) -> bool:
        lease = self._leases.get(lane.mapping_id)
        return lease is not None and lease.until - time.monotonic() >= LEAST_LEASE

    async def _wait_for_slot(self, lane: LaneHeld, job: Job, messages: int) -> Called | None:
        """Take a slot from the pace: sleep for a near one, put the row off until a later one.

        Raises :class:`~forwarder.errors.Unavailable` when Redis does not answer; nothing was sent then.
        """
        try:
            if job.place is Place.ALL and job.late <= HORIZON:
                held = await self._pace.waiting(self._worker.account_id, lane.destination, job.kind)
                return Called(Result(State.QUEUED, job.reason, wait=held)) if held > 0 else None
            slot = await self._pace.reserve(
                self._worker.kind,
                self._worker.account_id,
                lane.destination,
                job.kind,
                messages=messages,
                held=job.place,
                late=job.late,
            )
        except (RedisError, OSError) as error:
            raise Unavailable(
                f"Redis does not answer ({error}). Start it, or correct REDIS_URL; nothing is lost, waiting posts "
                "go on when it is back."
            ) from error
        if slot.seconds > HORIZON:
            return Called(Result(State.QUEUED, job.reason, wait=slot.seconds, place=slot.taken))
        if slot.seconds > 0:
            await asyncio.sleep(slot.seconds)
        return None

    async def _look_up(self, lane: LaneHeld, job: Job) -> Called:
        """Find out whether a send of unknown outcome was executed, before anything is sent again."""
        async with self._db.begin() as session:
            known = await outbox.known_copies(session, lane, job.seen_id)
            remembered = await outbox.remembered(session, job)
        order = FindOrder(
            source=job.source,
            message_ids=job.message_ids,
            destination=lane.destination,
            mode=job.mode or lane.mode,
            after_id=job.seen_id,
            known_ids=known,
            remembered=remembered,
            topic=lane.destination_topic,
        )
        left = ABSENCE_PROVES - job.age
        waiting = Result(
            State.UNSURE, "outcome_unknown", wait=LOOK_AGAIN if left < 0 else min(LOOK_AGAIN, left + 0.5)
        )
        try:
            if self._finder is None:
                raise AccountNotReady("No account can look into the destination.")
            found = await self._finder.find(order)
        except (AccountNotReady, TelegramError) as error:
            log.info("look_up_not_possible", reason=str(error))
            partly = isinstance(error, TelegramError) and error.name == PARTLY
            # Whoever can look is away for now, or Telegram did not answer him: guessing would double or lose the
            # post, and he comes back.
            for_now = isinstance(error, NobodyAnswers | TelegramError) and not partly
            if job.age < (PATIENCE if for_now else ABSENCE_PROVES):
                return Called(waiting)
            if lane.when_unsure is WhenUnsure.AGAIN and not partly and job.attempts + 1 < MAX_ATTEMPTS:
                return Called(
                    Result(State.QUEUED, "sent_again", attempt=True, new_epoch=True, unsettled=False)
                )
            return Called(Result(State.HELD, UNSURE))
        if found is not None:
            return Called(Result(State.SENT, message_ids=order.message_ids, sent_ids=found, mode=order.mode))
        if job.age < ABSENCE_PROVES:
            return Called(waiting)
        if job.attempts + 1 >= MAX_ATTEMPTS:
            return Called(Result(State.FAILED, "proven_absent", attempt=True, unsettled=False))
        return Called(Result(State.QUEUED, "proven_absent", attempt=True, unsettled=False))

    async def _record(self, session: AsyncSession, lane: LaneHeld, job: Job, called: Called) -> list[Due]:
        decision, result = called.decision, called.result
        if decision is not None and await self._source_moved(session, lane, job, decision):
            decision, result = SOURCE_MOVED, Result(State.FAILED, SOURCE_MOVED.reason, attempt=True)
        if (
            decision is not None
            and (moved := await self._other_route(session, lane, job, decision)) is not None
        ):
            result = Result(State.QUEUED, decision.reason, attempt=True, unsettled=result.unsettled)
            return [*await outbox.record(session, job, lane, self._worker, result), moved]
        if decision is not None:
            # First: these take the mapping's row, which everybody takes before lanes and deliveries.
            await self._consequences(session, lane, job, called, decision)
        dues = await outbox.record(session, job, lane, self._worker, result)
        if result.state is State.HELD and result.reason == UNSURE:
            await notices.leave(session, NoticeKind.HELD_UNSURE, lane.mapping_id, UNSURE)
        if (
            result.state is State.SENT
            and job.kind is DeliveryKind.POST
            and lane.destination_is_source
            and self._worker.kind is AccountKind.BOT
        ):
            dues += await self._feed_own(session, lane, job, result)
        return dues

    async def _feed_own(self, session: AsyncSession, lane: LaneHeld, job: Job, result: Result) -> list[Due]:
        pairs = [(s, c) for s, c in zip(result.message_ids, result.sent_ids, strict=True) if c is not None]
        return await self._hooks.feed_own(
            session,
            self._worker.account_id,
            lane.destination,
            job.post_id,
            pairs,
            result.mode or lane.mode,
            lane.destination_topic,
        )

    async def _other_route(
        self, session: AsyncSession, lane: LaneHeld, job: Job, decision: Decision
    ) -> Due | None:
        """A definite refusal may move a lane of route ``auto`` to the other account."""
        if decision.verdict is not Verdict.PAUSE_MAPPING and decision is not SOURCE_MOVED:
            return None
        if not lane.auto_route or decision is PROTECTED:
            return None
        if job.kind is not DeliveryKind.POST or decision.reason == PROTECTED.reason:
            return None
        if self._worker.kind is not AccountKind.BOT:
            return None
        return await outbox.switch_route(session, lane, AccountKind.USER)

    async def _source_moved(
        self, session: AsyncSession, lane: LaneHeld, job: Job, decision: Decision
    ) -> bool:
        """Whether it is the source that became a supergroup: Telegram does not say which side it means.

        The new one is followed, and what was heard in the old one can be sent only by who may still read that.
        """
        if decision.verdict is not Verdict.MIGRATED or decision.migrate_to is None:
            return False
        known = await outbox.successor_of(session, job.source_id)
        only_it_can = is_basic_group(job.source) and not is_basic_group(lane.destination)
        if known != decision.migrate_to and not only_it_can:
            return False
        await self._hooks.migrate(session, job.source, decision.migrate_to)
        return True

    async def _share_wait(self, seconds: float, chat_id: int | None, kind: DeliveryKind) -> None:
        try:
            await self._pace.wait(self._worker.account_id, seconds, chat_id=chat_id, delivery=kind)
        except (RedisError, OSError) as error:
            # The row of flood_waits stands, and is loaded into an emptied Redis; the result must be recorded.
            log.warning("wait_not_shared", error=str(error))

    async def _consequences(
        self, session: AsyncSession, lane: LaneHeld, job: Job, called: Called, decision: Decision
    ) -> None:
        name = called.error.name if called.error else decision.reason
        match decision.verdict:
            case Verdict.WAIT:
                seconds = called.result.wait or decision.seconds
                whole = await outbox.note_wait(
                    session,
                    self._worker,
                    lane,
                    name,
                    family_of(job.kind),
                    seconds,
                    whole=decision.scope is Scope.ACCOUNT,
                )
                await self._share_wait(seconds, None if whole else lane.destination, job.kind)
                log.info("telegram_asked_to_wait", name=name, seconds=round(seconds, 1), whole_account=whole)
            case Verdict.PAUSE_MAPPING:
                if decision.reason == PROTECTED.reason and called.error is not None:
                    # Telegram's own word: no other mapping of this source needs to ask, nor may a bot copy.
                    await channel_rows.note_protection(session, {job.source: True})
                await self._hooks.pause_mapping(session, lane.mapping_id, decision.reason)
                log.warning("mapping_paused", name=name, reason=decision.reason)
            case Verdict.STOP_ACCOUNT:
                await accounts.stop_in(session, self._worker.account_id, decision.reason)
                log.error("account_stopped", name=name, reason=decision.reason)
            case Verdict.MIGRATED if decision.migrate_to is not None:
                await self._hooks.migrate(session, lane.destination, decision.migrate_to)
                log.info("chat_migrated", chat=lane.destination, to=decision.migrate_to)
            case _:
                log.info(
                    "telegram_refused", name=name, verdict=decision.verdict.value, reason=decision.reason
                )


def settled(called: Called, *, repeated: bool) -> Called:
    """The result of a call that says whether one with these ids may have been executed, this one or one before."""
    unsettled = repeated or isinstance(called.error, OutcomeUnknown)
    return replace(called, result=replace(called.result, unsettled=unsettled))
