"""Edits and deletions of copies."""

from __future__ import annotations

from sqlalchemy.ext.asyncio import AsyncSession

from forwarder import outbox
from forwarder.calls import Called, Caller, one
from forwarder.db import Database
from forwarder.deliver.desk import Desk
from forwarder.deliver.leases import Leases
from forwarder.deliver.posts import guarded
from forwarder.deliver.slots import PutOff, Slots
from forwarder.ingest.rows import stored_parts
from forwarder.message import DeliveryKind
from forwarder.outbox import Job, LaneHeld, Result, Run, Start, Worker
from forwarder.services.judging import judge


class Fixes:
    def __init__(
        self, db: Database, desk: Desk, leases: Leases, slots: Slots, caller: Caller, worker: Worker
    ) -> None:
        self._db, self._desk, self._leases = db, desk, leases
        self._slots, self._caller, self._worker = slots, caller, worker

    async def carry(self, lane: LaneHeld, job: Job) -> tuple[Run, Called] | None:
        """Apply an edit or a deletion; None when it turned out not to be ours any more."""
        async with self._db.begin() as session:
            copies = await outbox.copies_of(session, lane, job, job.parts)
        if not copies:
            return await self._fix(lane, job)
        async with self._slots.slot(lane, Run((job,)), (len(copies),)) as slot:
            if isinstance(slot, PutOff):
                return Run((job,)), one(slot.result)
            return await self._fix(lane, job)

    async def _fix(self, lane: LaneHeld, job: Job) -> tuple[Run, Called] | None:
        if not self._leases.lasts(lane):
            return None
        started = await self._desk.start(Start(lane, (job,), lane.mode, ((),), ((),)))
        if started is None:
            return None
        run = Run(started)
        async with self._db.begin() as session:
            # Read after the row was set sending: whatever changes from now on is applied again.
            copies = await outbox.copies_of(session, lane, job, run.head.parts)
            parts = await outbox.parts_of(session, job.post_id)
            refused = await self._refused(session, lane, job)
        if copies and refused is None:
            await self._slots.turn(len(copies))
        if not self._leases.lasts(lane):
            return None
        if refused is not None:
            return run, one(refused)
        if job.kind is DeliveryKind.EDIT:
            editing = self._caller.edit(run.head, lane, parts, copies)
            called = await guarded(run, editing, self._caller, self._worker, "edit")
        else:
            deleting = self._caller.delete(run.head, lane, copies)
            called = await guarded(run, deleting, self._caller, self._worker, "delete")
        return (run, called) if called is not None else None

    async def _refused(self, session: AsyncSession, lane: LaneHeld, job: Job) -> Result | None:
        """What the mapping's rules say against an edit, whose copy then stays as it is."""
        if not lane.has_rules or job.kind is not DeliveryKind.EDIT:
            return None
        posts = await stored_parts(session, [job.post_id])
        one_post = (lane.mapping_id, job.post_id)
        return (await judge(session, [one_post], posts)).get(one_post)
