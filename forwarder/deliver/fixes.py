"""Edits and deletions of copies."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace

from forwarder import outbox
from forwarder.calls import Called, Caller, one
from forwarder.db import Database
from forwarder.deliver.desk import Desk
from forwarder.deliver.leases import Leases
from forwarder.deliver.posts import guarded
from forwarder.deliver.slots import PutOff, Slots
from forwarder.ingest.rows import stored_parts
from forwarder.message import DeliveryKind, Kind, Mode, State
from forwarder.outbox import CopyOf, Job, LaneHeld, Part, Result, Run, Start, Worker
from forwarder.retry import COPY_GONE
from forwarder.rules import Passed, Rest, button_of, new_parts
from forwarder.services.judging import edited

LEFT_BEHIND = "copy_in_old_group"
"""The reason of an edit or deletion of what was sent into a basic group that has become a supergroup since."""


@dataclass(frozen=True, slots=True)
class Change:
    """An edit as it is applied: ``parts`` as the rules have made them, and ``copies`` of those that it concerns.

    ``rest`` is the copy that holds what did not fit into the first, ``text_of_rest`` what it is to hold now.
    """

    job: Job
    parts: tuple[Part, ...]
    copies: tuple[CopyOf, ...]
    rest: int | None
    text_of_rest: Rest | None


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
            if not copies and await outbox.left_behind(session, lane, job, job.parts):
                return Run((job,)), one(Result(State.FAILED, LEFT_BEHIND))
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
        if job.kind is DeliveryKind.DELETE:
            async with self._db.begin() as session:
                copies = await outbox.copies_of(session, lane, job, run.head.parts)
            return await self._made(
                lane, run, len(copies), "delete", lambda: self._caller.delete(run.head, lane, copies)
            )
        change = await self._change(lane, run.head)
        if isinstance(change, Result):
            return run, one(change)
        messages = len(change.copies) + (change.rest is not None)
        return await self._made(lane, run, messages, "edit", lambda: self._edit(lane, change))

    async def _made(
        self,
        lane: LaneHeld,
        run: Run,
        messages: int,
        order: str,
        make: Callable[[], Awaitable[Called | None]],
    ) -> tuple[Run, Called] | None:
        """Make the calls when it is their turn; None where the lease does not last for them."""
        call = await self._slots.turn(lane, run.head, messages) if messages else None
        if isinstance(call, PutOff):
            return run, one(call.result)
        called: Called | None = None
        try:
            if not self._leases.lasts(lane):
                return None
            called = await guarded(run, make(), self._caller, self._worker, order)
        finally:
            if call is not None:
                # Whether they went through says nothing of waits of posts: edits have windows of their own in a chat.
                taken = called is not None and called.decision is None
                self._slots.answered(call, well=False, taken=taken)
        return (run, called) if called is not None else None

    async def _change(self, lane: LaneHeld, job: Job) -> Change | Result:
        """What the copies are to read after an edit; or what the mapping's rules say against it, and they stay.

        Read after the row was set sending: whatever changes from now on is applied again.
        """
        async with self._db.begin() as session:
            parts = await outbox.parts_of(session, job.post_id)
            rest = await outbox.rest_of(session, lane, job)
            text_of_rest = None
            if not parts:
                return Change(job, (), (), None, None)
            if lane.has_rules:
                told = (await stored_parts(session, [job.post_id])).get(job.post_id, ())
                outcome = await edited(session, lane, told, alone=rest is None)
                if isinstance(outcome, Result):
                    return outcome
                parts = self._changed(parts, outcome)
                text_of_rest = outcome.rest
                if outcome.framed or rest is not None or not outcome.untouched:
                    # What goes around the text may move from one part of an album to another, or name what that says.
                    job = replace(job, parts=tuple(part.message_id for part in parts))
            found = await outbox.copies_of(session, lane, job, job.parts)
        copies = tuple(copy for copy in found if copy.message_id != rest)
        if not copies:
            # Nobody knows the first message, so that the second stays what follows it.
            rest = None
        return Change(job, parts, copies, rest, text_of_rest)

    def _changed(self, parts: tuple[Part, ...], passed: Passed) -> tuple[Part, ...]:
        now = {part.message_id: part for part in new_parts(passed)}
        button = button_of(passed, self._worker.kind)
        return tuple(
            replace(
                part,
                text=now[part.message_id].text,
                entities=now[part.message_id].entities,
                look=now[part.message_id].look,
                cover=now[part.message_id].spoiler,
                button=button,
            )
            if part.message_id in now
            else part
            for part in parts
        )

    async def _edit(self, lane: LaneHeld, change: Change) -> Called | None:
        def ours() -> bool:
            return self._leases.lasts(lane)

        called = await self._caller.edit(change.job, lane, change.parts, change.copies, ours)
        if change.rest is None or called is None or called.result.state is not State.SENT:
            return called
        if change.text_of_rest is not None:
            said = change.text_of_rest
            follows = Part(0, Kind.TEXT, False, said.text, said.entities)
            copy = CopyOf(change.rest, 0, Mode.COPY)
            called = await self._caller.edit(replace(change.job, parts=(0,)), lane, (follows,), (copy,), ours)
            if called is None or called.decision is not COPY_GONE:
                return called
            # Somebody has deleted it, perhaps we ourselves just before a crash: the first message must do alone.
            await self._forget(lane, change.job, change.rest)
            return one(Result(State.QUEUED, COPY_GONE.reason, attempt=True))
        if not ours():
            return None
        gone = CopyOf(change.rest, 0, Mode.COPY)
        called = await self._caller.delete(change.job, lane, (gone,))
        if called.result.state is State.SENT:
            await self._forget(lane, change.job, change.rest)
        return called

    async def _forget(self, lane: LaneHeld, job: Job, rest: int) -> None:
        async with self._db.begin() as session:
            await outbox.forget_rest(session, lane, job, rest)
