"""Sends of unknown outcome: whether the copy is in the destination, before anything is sent again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import structlog

from forwarder import outbox
from forwarder.calls import Called, one
from forwarder.db import Database
from forwarder.errors import AccountNotReady, NobodyAnswers, TelegramError
from forwarder.likeness import as_a_bot_writes
from forwarder.message import FindOrder, Kind, Mode, Remembered, Rewrite, State
from forwarder.models import WhenUnsure
from forwarder.outbox import Job, LaneHeld, Result, Worker
from forwarder.retry import MAX_ATTEMPTS
from forwarder.seam import Finder

log = structlog.get_logger(__name__)

ABSENCE_PROVES = 30.0
"""Seconds after a call when a copy that is not in the destination will not appear any more."""

LOOK_AGAIN = 5.0

PARTLY = "PARTIAL_ALBUM"
"""What a finder says of an album of which only some parts are there."""
PATIENCE = 600.0
"""Seconds for which a send of unknown outcome waits for a login that could look it up."""

PROVEN_ABSENT = "proven_absent"
SENT_AGAIN = "sent_again"
UNSURE = "unsure"
"""The reason of a post that is held because nobody could see whether it had arrived."""


class LookUp:
    def __init__(self, db: Database, finder: Finder | None, worker: Worker) -> None:
        self._db, self._finder, self._worker = db, finder, worker

    async def find(self, lane: LaneHeld, job: Job) -> Called:
        """Find out whether a send was executed. Absence proves nothing until it has lasted."""
        order = await self._order(lane, job)
        left = ABSENCE_PROVES - job.age
        waiting = Result(
            State.UNSURE, "outcome_unknown", wait=LOOK_AGAIN if left < 0 else min(LOOK_AGAIN, left + 0.5)
        )
        try:
            if self._finder is None:
                raise AccountNotReady("No account can look into the destination.")
            found = await self._finder.find(order)
        except (AccountNotReady, TelegramError) as error:
            return one(not_found_out(lane, job, error, waiting))
        if found is not None:
            return one(await self._found(lane, job, order, found))
        if job.age < ABSENCE_PROVES:
            return one(waiting)
        state = State.FAILED if job.attempts + 1 >= MAX_ATTEMPTS else State.QUEUED
        return one(Result(state, PROVEN_ABSENT, attempt=True, unsettled=job.begun))

    async def _found(self, lane: LaneHeld, job: Job, order: FindOrder, found: tuple[int, ...]) -> Result:
        """All that was to be sent is there; or its first part, and what is left goes on."""
        if job.begun:
            sources, sent_ids = (*job.message_ids, *order.message_ids), (*job.sent_ids, *found)
            ids = tuple(copy or None for copy in sent_ids)
            return Result(State.SENT, message_ids=sources, sent_ids=ids, mode=order.mode)
        if job.rewrite is not None and job.rewrite.further_calls:
            await self._db.in_one_trip(outbox.note_begun(lane, job, found, self._worker))
            return Result(State.QUEUED, "outcome_unknown", unsettled=True)
        return Result(State.SENT, message_ids=order.message_ids, sent_ids=found, mode=order.mode)

    async def _order(self, lane: LaneHeld, job: Job) -> FindOrder:
        async with self._db.begin() as session:
            known = await outbox.known_copies(session, lane, job.seen_id)
            remembered = await outbox.remembered(session, job)
        rest = job.rewrite.rest if job.begun and job.rewrite is not None else None
        if rest is not None:
            text_alone = Remembered(rest.message_id, Kind.TEXT, readings(rest.text), rewritten=True)
            return FindOrder(
                source=job.source,
                message_ids=(rest.message_id,),
                destination=lane.destination,
                mode=Mode.COPY,
                after_id=job.seen_id,
                known_ids=known,
                remembered=(text_alone,),
                topic=lane.destination_topic,
            )
        if job.rewrite is not None and job.mode is Mode.COPY:
            remembered = as_rewritten(job.rewrite, remembered)
        return FindOrder(
            source=job.source,
            message_ids=job.message_ids,
            destination=lane.destination,
            mode=job.mode or lane.mode,
            after_id=job.seen_id,
            known_ids=known,
            remembered=remembered,
            topic=lane.destination_topic,
        )


def as_rewritten(rewrite: Rewrite, remembered: Sequence[Remembered]) -> tuple[Remembered, ...]:
    """What the copies read, where rules have changed the post: no more and no less than was sent. A caption that was
    left to the server is the source's, as it read at that moment."""
    sent = {part.message_id: part for part in rewrite.parts}
    bare = ("",) if rewrite.captions_follow else ()
    return tuple(
        one
        if rewrite.leaves_caption(part)
        else replace(one, kind=part.kind, texts=(*readings(part.text), *bare), rewritten=True)
        for one in remembered
        if (part := sent.get(one.message_id)) is not None
    )


def readings(words: str) -> tuple[str, ...]:
    """How a text that was sent may read there."""
    return tuple(dict.fromkeys((words, as_a_bot_writes(words))))


def not_found_out(lane: LaneHeld, job: Job, error: Exception, waiting: Result) -> Result:
    """Nobody could look: wait for whoever is away for now, else the mapping's own setting decides."""
    log.info("look_up_not_possible", reason=str(error))
    partly = isinstance(error, TelegramError) and error.name == PARTLY
    # Whoever can look is away for now, or Telegram did not answer him: guessing would double or lose the
    # post, and he comes back.
    for_now = isinstance(error, NobodyAnswers | TelegramError) and not partly
    if job.age < (PATIENCE if for_now else ABSENCE_PROVES):
        return waiting
    if lane.when_unsure is WhenUnsure.AGAIN and not partly and job.attempts + 1 < MAX_ATTEMPTS:
        return Result(State.QUEUED, SENT_AGAIN, attempt=True, new_epoch=True, unsettled=job.begun)
    return Result(State.HELD, UNSURE)
