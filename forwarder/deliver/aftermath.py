"""What follows from a call beyond its rows: waits are shared, mappings paused, accounts stopped, chats followed."""

from __future__ import annotations

import time
from dataclasses import replace

import structlog
from redis.exceptions import RedisError
from sqlalchemy.ext.asyncio import AsyncSession

from forwarder import outbox
from forwarder.calls import Called
from forwarder.db import Database
from forwarder.deliver.desk import Desk, Record, Recorded
from forwarder.deliver.posts import PROTECTED
from forwarder.deliver.unsure import UNSURE
from forwarder.errors import Unavailable
from forwarder.hooks import Hooks
from forwarder.message import AccountKind, DeliveryKind, State, is_basic_group
from forwarder.models import NoticeKind
from forwarder.outbox import Done, Due, Job, LaneHeld, Result, Run, Worker
from forwarder.pace import LOOK_FROM, Pace, Refusal, family_of
from forwarder.retry import Decision, Scope, Side, Verdict
from forwarder.services import accounts, channel_rows, notices, pace_memory, reviewing

log = structlog.get_logger(__name__)

SOURCE_MOVED = Decision(Verdict.FAIL, "source_migrated", side=Side.SOURCE)

FREE_FOR = 2.0
"""Seconds after a call has shown that the account does not wait, in which long waits of several chats are their own."""

LANE_ENDS = frozenset({Verdict.PAUSE_MAPPING, Verdict.STOP_ACCOUNT, Verdict.MIGRATED})
"""After these the lane is not what it was when it was taken: it is let go."""


class Aftermath:
    """Records what a call came to, in one transaction with all that follows from it."""

    def __init__(self, db: Database, desk: Desk, pace: Pace, hooks: Hooks, worker: Worker) -> None:
        self._db, self._desk, self._pace, self._hooks, self._worker = db, desk, pace, hooks, worker
        self._free: float | None = None

    async def record(self, lane: LaneHeld, run: Run, called: Called, count: int) -> Recorded:
        """``count``: look at so many of the lane's next deliveries; 0 lets it go."""
        record = record_of(lane, run, called, count)
        if called.decision is None and not self._has_consequences(lane, run, called):
            recorded = await self._desk.record(record)
        else:
            async with self._db.begin() as session:
                recorded = await self._with_consequences(session, lane, run, called, count)
        if called.looked and called.made is not None and called.result.state is State.SENT:
            await self._account_is_free(called.made)
        return recorded

    def _since_through(self) -> float | None:
        return self._pace.beat(self._worker.account_id).since_through(time.monotonic())

    def _is_free(self) -> bool:
        return self._free is not None and time.monotonic() - self._free < FREE_FOR

    async def _account_is_free(self, made: float) -> None:
        """A call that looked went through: whatever wait was met before it was the chats'."""
        ago = time.monotonic() - made
        try:
            if not await self._pace.clear(self._worker.account_id, ago):
                return
            self._free = time.monotonic()
            async with self._db.begin() as session:
                await outbox.end_waits(session, self._worker, ago)
        except (Unavailable, RedisError, OSError) as error:
            # The next call that looks will say it again.
            log.warning("end_of_wait_not_shared", error=str(error))

    def _has_consequences(self, lane: LaneHeld, run: Run, called: Called) -> bool:
        return any(asks_people(result) for result in called.results) or self._feeds_own(lane, run)

    def _feeds_own(self, lane: LaneHeld, run: Run) -> bool:
        return (
            lane.destination_is_source
            and run.head.kind is DeliveryKind.POST
            and self._worker.kind is AccountKind.BOT
        )

    async def _with_consequences(
        self, session: AsyncSession, lane: LaneHeld, run: Run, called: Called, count: int
    ) -> Recorded:
        moved: Due | None = None
        decision, head = called.decision, run.head
        if decision is not None and await self._source_moved(session, lane, head, decision):
            decision = SOURCE_MOVED
            failed = Result(State.FAILED, SOURCE_MOVED.reason, attempt=True)
            called = Called((failed,) * len(run.jobs), decision, called.error)
        if decision is not None:
            moved = await self._other_route(session, lane, head, decision)
        if decision is not None and moved is None:
            # First: these take the mapping's row, which everybody takes before lanes and deliveries.
            await self._consequences(session, lane, head, called, decision)
        if moved is not None:
            called = replace(called, results=tuple(queued(called, result) for result in called.results))
        count = 0 if moved is not None or (decision and decision.verdict in LANE_ENDS) else count
        [recorded] = await self._desk.record_in(session, [record_of(lane, run, called, count)])
        dues = [*recorded.dues, *([moved] if moved else [])]
        for job, result in zip(run.jobs, called.results, strict=True):
            if held_unsure(result):
                await notices.leave(session, NoticeKind.HELD_UNSURE, lane.mapping_id, UNSURE)
            if held_for_review(result):
                await reviewing.begun(session, lane.mapping_id, [job.delivery_id])
            if result.state is State.SENT and self._feeds_own(lane, run):
                dues += await self._feed_own(session, lane, job, result)
        return Recorded(tuple(dues), recorded.following)

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
            job.rewrite,
            outbox.is_silent(lane, job),
        )

    async def _other_route(
        self, session: AsyncSession, lane: LaneHeld, job: Job, decision: Decision
    ) -> Due | None:
        """A definite refusal may move a lane of route ``auto`` to the other account."""
        if decision.verdict is not Verdict.PAUSE_MAPPING and decision is not SOURCE_MOVED:
            return None
        if not lane.auto_route or decision.reason == PROTECTED.reason:
            return None
        if job.kind is not DeliveryKind.POST or self._worker.kind is not AccountKind.BOT:
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

    async def _consequences(
        self, session: AsyncSession, lane: LaneHeld, job: Job, called: Called, decision: Decision
    ) -> None:
        name = called.error.name if called.error else decision.reason
        match decision.verdict:
            case Verdict.WAIT:
                await self._wait(session, lane, job, called, decision, name)
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

    async def _wait(
        self, session: AsyncSession, lane: LaneHeld, job: Job, called: Called, decision: Decision, name: str
    ) -> None:
        seconds = called.result.wait or decision.seconds
        try:
            refusal = await self._refusal(lane, job, name, decision, called.made)
        except (RedisError, OSError):
            refusal = None
        whole = await outbox.note_wait(
            session,
            self._worker,
            lane,
            name,
            family_of(job.kind),
            seconds,
            whole=decision.scope is Scope.ACCOUNT or self._is_accounts(job, refusal),
            alone=(refusal is not None and refusal.chat_alone) or (seconds >= LOOK_FROM and self._is_free()),
            through=self._since_through() if job.kind is DeliveryKind.POST else None,
        )
        suspected = whole and decision.scope is not Scope.ACCOUNT and seconds >= LOOK_FROM
        chat = None if whole and not suspected else lane.destination
        try:
            learned = await self._pace.wait(
                self._worker.account_id,
                seconds,
                chat_id=chat,
                delivery=job.kind,
                refusal=refusal,
                suspected=suspected,
            )
            if learned is not None:
                await pace_memory.keep(session, learned)
        except (RedisError, OSError) as error:
            # The row of flood_waits stands, and is loaded into an emptied Redis; the result must be recorded.
            log.warning("wait_not_shared", error=str(error))
        log.info("telegram_asked_to_wait", name=name, seconds=round(seconds, 1), whole_account=whole)

    @staticmethod
    def _is_accounts(job: Job, refusal: Refusal | None) -> bool:
        """Edits have windows of their own in a chat: that those are empty says nothing of the posts there."""
        return job.kind is DeliveryKind.POST and refusal is not None and refusal.account_alone

    async def _refusal(
        self, lane: LaneHeld, job: Job, name: str, decision: Decision, made: float | None
    ) -> Refusal | None:
        """What the wait teaches of the pace, if anything."""
        if not teaches(decision, name):
            return None
        return await self._pace.refused(
            self._worker.kind,
            self._worker.account_id,
            lane.destination,
            job.kind,
            decision.seconds,
            messages=max(1, len(job.message_ids)),
            made=made,
        )


def teaches(decision: Decision, name: str) -> bool:
    """Whether a wait says anything of the pace: a slow mode is the chat's own, and one that Premium would spare is that
    of a transfer."""
    waits = decision.verdict is Verdict.WAIT and decision.scope is not Scope.CHAT
    return waits and not name.upper().startswith("FLOOD_PREMIUM")


def record_of(lane: LaneHeld, run: Run, called: Called, count: int) -> Record:
    done = (Done(lane, job, result) for job, result in zip(run.jobs, called.results, strict=True))
    return Record(lane, tuple(done), count)


def queued(called: Called, result: Result) -> Result:
    """What becomes of a post whose lane moves to the other account."""
    assert called.decision is not None
    return Result(State.QUEUED, called.decision.reason, attempt=True, unsettled=result.unsettled)


def asks_people(result: Result) -> bool:
    return held_unsure(result) or held_for_review(result)


def held_for_review(result: Result) -> bool:
    return result.state is State.HELD and result.reason == reviewing.REVIEW


def held_unsure(result: Result) -> bool:
    return result.state is State.HELD and result.reason == UNSURE
