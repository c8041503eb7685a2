"""Posts on their way: what a call carries is stored, then the call is made."""

from __future__ import annotations

from collections.abc import Awaitable, Mapping
from dataclasses import replace

import structlog

from forwarder import outbox
from forwarder.calls import Called, Caller, one, same_account
from forwarder.db import Database
from forwarder.deliver.desk import Desk
from forwarder.deliver.further import FurtherCalls
from forwarder.deliver.leases import Leases
from forwarder.deliver.slots import Granted, PutOff, Slots
from forwarder.deliver.unsure import LookUp
from forwarder.errors import ForwarderError, OutcomeUnknown
from forwarder.ingest.rows import stored_parts
from forwarder.message import AccountKind, Mode, SendOrder, State
from forwarder.outbox import Job, LaneHeld, Result, Run, Start, Worker, is_silent, may_answer, mode_for
from forwarder.retry import Decision, Side, Verdict, decide
from forwarder.services.judging import Parts, going
from forwarder.services.rules import TIMES

log = structlog.get_logger(__name__)

Judged = Mapping[int, Parts]
"""How posts read when the rules were asked about them, by their ids; empty where none were asked."""

PROTECTED = Decision(Verdict.PAUSE_MAPPING, "protected_content", side=Side.SOURCE)


class Posts:
    def __init__(
        self,
        db: Database,
        desk: Desk,
        leases: Leases,
        slots: Slots,
        caller: Caller,
        look_up: LookUp,
        worker: Worker,
    ) -> None:
        self._db, self._desk, self._leases, self._slots = db, desk, leases, slots
        self._caller, self._look_up, self._worker = caller, look_up, worker
        self._further = FurtherCalls(db, leases, caller, worker)

    async def carry(self, lane: LaneHeld, run: Run) -> tuple[Run, Called] | None:
        """Send what of the run may go now; answer that part of it and what came of it.

        None when it turned out not to be ours to send any more.
        """
        head = run.head
        if head.maybe_sent and not self._may_repeat(head) and not self._further.left_alone(head):
            # A call that several shared was another account's: each of its posts is looked for by itself.
            return run.first(1), await self._look_up.find(lane, head)
        if lane.source_protected or any(part.protected for part in head.content):
            return run.first(1), one(Result(State.HELD, "paused"), PROTECTED)
        if head.maybe_sent and not all(job.message_ids for job in run.jobs):
            run = run.first(1)
        if not ids_of(head):
            return run.first(1), one(Result(State.WITHDRAWN, "deleted_at_source"))
        judged: Judged = {}
        if lane.has_rules and not head.maybe_sent:
            run, stopped, judged = await self._judged(lane, run)
            if stopped is not None:
                return run, one(stopped)
        async with self._slots.slot(lane, run, run.sizes) as slot:
            if isinstance(slot, PutOff):
                return run.first(1), one(slot.result)
            return await self._send(lane, run.first(slot.count), judged, slot)

    async def _judged(self, lane: LaneHeld, run: Run) -> tuple[Run, Result | None, Judged]:
        """As much of the run as the mapping's rules let go now, or its head and what they make of that: posts and
        rules may have changed since the deliveries were made. Answers also how the posts read."""
        queue = [job.post_id for job in run.jobs]
        async with self._db.begin() as session:
            posts = await stored_parts(session, queue)
            go = await going(session, lane, self._worker.kind, queue, posts)
        if not go.count:
            return run.first(1), go.stopped, {}
        jobs = tuple(
            replace(
                job,
                reason=None if job.reason in TIMES else job.reason,
                rewrite=go.rewrite,
                revision=go.revision,
            )
            for job in run.jobs[: go.count]
        )
        return Run(jobs), None, posts

    async def _send(
        self, lane: LaneHeld, run: Run, judged: Judged, slot: Granted
    ) -> tuple[Run, Called] | None:
        head = run.head
        mode = (head.mode if head.maybe_sent and head.message_ids else None) or mode_for(
            lane.mode, head.content
        )
        if head.rewrite is not None:
            mode = Mode.COPY
        order = replace(order_of(lane, run, mode), reply_to=await self._answered(lane, run, mode))
        started = await self._announce(lane, run.jobs, order)
        if started is None:
            return None
        now = Run(started)
        if judged and not await self._read_still(run, judged):
            return now, Called(tuple(Result(State.QUEUED, job.reason, unsettled=False) for job in run.jobs))
        call = await self._slots.turn(lane, head, sum(run.sizes))
        if isinstance(call, PutOff):
            return now, settled(Called((call.result,) * len(run.jobs)), repeated=head.maybe_sent)
        called: Called | None = None
        try:
            called = await self._call(lane, now, order)
        finally:
            well = called is not None and called.result.state is State.SENT and not head.maybe_sent
            self._slots.answered(call, well=well)
        if called is None:
            return None
        looked = slot.looks and not head.maybe_sent
        return now, settled(replace(called, made=call.made, looked=looked), repeated=head.maybe_sent)

    async def _call(self, lane: LaneHeld, run: Run, order: SendOrder) -> Called | None:
        # The turn may have taken a while.
        if not self._leases.lasts(lane):
            return None
        if run.single:
            return await self._guarded(run, self._send_single(lane, run.head, order))
        return await self._guarded(run, self._caller.send_run(run, order))

    async def _read_still(self, run: Run, judged: Judged) -> bool:
        """Whether posts read as the rules saw them. They are set sending now: an edit from here on follows them as
        one; one that came just before would be lost, or what the server copies would say what no rule has seen."""
        queue = [job.post_id for job in run.jobs]
        async with self._db.begin() as session:
            posts = await stored_parts(session, queue)
        return all(posts.get(post) == judged.get(post) for post in queue)

    async def _send_single(self, lane: LaneHeld, job: Job, order: SendOrder) -> Called | None:
        async def announce(further: SendOrder) -> bool:
            return await self._announce(lane, (job,), further) is not None

        if job.begun:
            return await self._further.make(lane, job, order)
        called = await self._caller.send(job, lane, order, announce)
        if called is None or called.result.state is not State.SENT:
            return called
        if order.rewrite is None or not order.rewrite.further_calls:
            return called
        return await self._further.after(lane, job, order, called.result.sent_ids)

    async def _answered(self, lane: LaneHeld, run: Run, mode: Mode) -> int | None:
        """The copy that the post answers, where it can answer one."""
        parts = run.head.content
        if not run.single or not may_answer(mode, parts) or all(part.reply_to is None for part in parts):
            return None
        async with self._db.begin() as session:
            return await outbox.answered_copy(session, lane, run.head, parts)

    async def _announce(
        self, lane: LaneHeld, jobs: tuple[Job, ...], order: SendOrder
    ) -> tuple[Job, ...] | None:
        """Store what a call will carry; None when it may not be made: it is not ours, or the lease does not last."""
        if not self._leases.lasts(lane):
            return None
        started = await self._desk.start(start_of(lane, jobs, order))
        return started if self._leases.lasts(lane) else None

    def _may_repeat(self, job: Job) -> bool:
        """Over MTProto a repeated call with the stored random ids sends nothing twice, by the same account."""
        return self._worker.kind is AccountKind.USER and same_account(
            job, self._worker.kind, self._worker.account_id
        )

    async def _guarded(self, run: Run, calling: Awaitable[Called | None]) -> Called | None:
        return await guarded(run, calling, self._caller, self._worker)


async def guarded(
    run: Run, calling: Awaitable[Called | None], caller: Caller, worker: Worker, order: str = "send"
) -> Called | None:
    """Wait for a call. One that fails as nobody foresaw may have been executed, and counts as an attempt: a bug
    of ours must neither double a post nor hold its lane for ever."""
    try:
        return await calling
    except ForwarderError:
        raise
    except Exception:
        log.exception("call_failed_unexpectedly")
        error = OutcomeUnknown("UNFORESEEN")
        decision = decide(error, api=worker.kind, order=order)
        results = tuple(caller.refused(job, decision, error).result for job in run.jobs)
        return Called(results, decision, error)


def ids_of(job: Job) -> tuple[int, ...]:
    """The messages that a call for this post carries: what an earlier call of unknown outcome carried does not
    change."""
    if job.maybe_sent and job.message_ids:
        return job.message_ids
    return tuple(part.message_id for part in job.content)


def order_of(lane: LaneHeld, run: Run, mode: Mode) -> SendOrder:
    return SendOrder(
        source=run.head.source,
        message_ids=tuple(i for job in run.jobs for i in ids_of(job)),
        destination=lane.destination,
        mode=mode,
        random_ids=tuple(i for job in run.jobs for i in random_ids_of(lane, job, ids_of(job))),
        topic=lane.destination_topic,
        silent=is_silent(lane, run.head),
        album=run.single and len(ids_of(run.head)) > 1,
        rewrite=run.head.rewrite if run.single else None,
    )


def random_ids_of(lane: LaneHeld, job: Job, ids: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(outbox.random_id(lane.mapping_id, job.source, i, job.kind, job.epoch) for i in ids)


def start_of(lane: LaneHeld, jobs: tuple[Job, ...], order: SendOrder) -> Start:
    """What of an order belongs to which job; a further call of a single post carries what the first did."""
    if len(jobs) == 1:
        return Start(lane, jobs, order.mode, (order.message_ids,), (order.random_ids,))
    carried = tuple(ids_of(job) for job in jobs)
    randoms = tuple(random_ids_of(lane, job, ids) for job, ids in zip(jobs, carried, strict=True))
    return Start(lane, jobs, order.mode, carried, randoms)


def settled(called: Called, *, repeated: bool) -> Called:
    """The results of a call that say whether one with these ids may have been executed, this one or one before."""
    unsettled = repeated or isinstance(called.error, OutcomeUnknown)
    return replace(
        called,
        results=tuple(
            replace(result, unsettled=unsettled or bool(result.unsettled)) for result in called.results
        ),
    )
