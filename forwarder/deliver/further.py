"""Posts that take several calls, because rules have changed them: an album whose captions are put in after it, and a
text that is too long for one message. How far each has come is kept before the next call is made."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from forwarder import outbox
from forwarder.calls import Called, Caller, one, same_account
from forwarder.db import Database
from forwarder.deliver.leases import Leases
from forwarder.deliver.unsure import PROVEN_ABSENT, SENT_AGAIN
from forwarder.errors import TelegramError
from forwarder.message import EditOrder, NewPart, Rewrite, SendOrder, State
from forwarder.outbox import Job, LaneHeld, Result, Worker
from forwarder.retry import COPY_GONE, Decision, Verdict, decide

LOOKED_FOR = frozenset({PROVEN_ABSENT, SENT_AGAIN})
"""Reasons of a post whose second message is to be sent, whoever has its lane now: it has been looked for."""


class FurtherCalls:
    def __init__(self, db: Database, leases: Leases, caller: Caller, worker: Worker) -> None:
        self._db, self._leases, self._caller, self._worker = db, leases, caller, worker

    def left_alone(self, job: Job) -> bool:
        """Whether only further calls of a post are left, none of which may have been executed, or does harm twice."""
        if not job.begun or job.rewrite is None:
            return False
        refused = same_account(job, self._worker.kind, self._worker.account_id) or job.reason in LOOKED_FOR
        return job.rewrite.rest is None or (job.state is State.QUEUED and refused)

    async def after(
        self, lane: LaneHeld, job: Job, order: SendOrder, copies: Sequence[int | None]
    ) -> Called | None:
        """Go on after the first call; None where the job turned out not to be ours any more."""
        ids = tuple(copy or 0 for copy in copies)
        # Kept before the next call is made: whatever becomes of that, this one must not be made again.
        [kept] = await self._db.in_one_trip(outbox.note_begun(lane, job, ids, self._worker))
        if not kept or not self._leases.lasts(lane):
            return None
        return await self.make(lane, replace(job, sent_ids=ids), order)

    async def make(self, lane: LaneHeld, job: Job, order: SendOrder) -> Called | None:
        """Put captions into the copies, which may be done twice, and send what did not fit, of which an unknown
        outcome is called one."""
        rewrite = order.rewrite
        assert rewrite is not None
        copies = dict(zip(order.message_ids, job.sent_ids, strict=True))
        try:
            for part in rewrite.captions:
                if not self._leases.lasts(lane):
                    return None
                await self._put_in(order, part, copies[part.message_id])
        except TelegramError as error:
            return self._still_begun(job, self._decide(error, "edit"), error)
        sources, sent_ids = order.message_ids, job.sent_ids
        if rewrite.rest is not None:
            if not self._leases.lasts(lane):
                return None
            try:
                [rest] = await self._caller.sender.send(order_of_rest(lane, job, order, rewrite.rest))
            except TelegramError as error:
                return self._still_begun(job, self._decide(error, "send"), error)
            sources, sent_ids = (*sources, rewrite.rest.message_id), (*sent_ids, rest or 0)
        ids = tuple(copy or None for copy in sent_ids)
        return one(Result(State.SENT, message_ids=sources, sent_ids=ids, mode=order.mode))

    async def _put_in(self, order: SendOrder, part: NewPart, copy: int) -> None:
        edit = EditOrder(
            order.destination, copy, part.kind, part.text, entities=part.entities, look=part.look
        )
        try:
            await self._caller.sender.edit(edit)
        except TelegramError as error:
            decision = self._decide(error, "edit")
            # What somebody has deleted since needs no caption.
            if decision.verdict is not Verdict.DONE and decision is not COPY_GONE:
                raise

    def _decide(self, error: TelegramError, order: str) -> Decision:
        return decide(error, api=self._worker.kind, order=order)

    def _still_begun(self, job: Job, decision: Decision, error: TelegramError) -> Called:
        """The first call stands whatever became of this one."""
        called = self._caller.refused(job, decision, error)
        return replace(called, results=(replace(called.result, unsettled=True),))


def order_of_rest(lane: LaneHeld, job: Job, order: SendOrder, rest: NewPart) -> SendOrder:
    """The text that follows, with a random id of its own."""
    number = outbox.random_id(lane.mapping_id, job.source, rest.message_id, job.kind, job.epoch, rest=True)
    return replace(
        order,
        message_ids=(rest.message_id,),
        random_ids=(number,),
        album=False,
        reply_to=None,
        rewrite=Rewrite((rest,)),
    )
