"""One job's call to Telegram, and what its answer means for the row.

Nothing here touches the database: a job with all that it needs goes in, a :class:`Called` comes out.
What an error means is decided in :mod:`forwarder.retry`; here the decision meets the mapping's settings.
"""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from itertools import islice

from forwarder.errors import OutcomeUnknown, TelegramError
from forwarder.message import (
    AccountKind,
    DeleteOrder,
    DeliveryKind,
    EditOrder,
    Kind,
    Medium,
    Mode,
    SendOrder,
    State,
    is_basic_group,
)
from forwarder.outbox import ALONE, CopyOf, Job, LaneHeld, Part, Result, Run
from forwarder.retry import MAX_ATTEMPTS, REFETCH, UNREACHABLE, Decision, Fallback, Verdict, back_off, decide
from forwarder.seam import Sender

CAPTIONED = frozenset({Kind.PHOTO, Kind.VIDEO, Kind.ANIMATION, Kind.VOICE, Kind.AUDIO, Kind.DOCUMENT})
"""Kinds whose caption can be edited; a text is edited itself, the rest has nothing to edit."""

NOT_REACHED = frozenset({"CONNECT_FAILED", "DEPUTY_AWAY"})
"""Errors by which nobody has failed: the delivery waits until who is away is back."""

MOVING_TRIES = 3
"""Tries, over some 10 seconds, before a basic group out of reach counts as lost."""

NOT_HEARD = "cannot_cover"

HEARING_TRIES = 3
"""Tries, over some 10 seconds, before a medium counts as one that the bot was not there to hear."""

FRESH_TRIES = 3
"""Tries, over some 10 seconds, before a copy that can be made without naming its medium is made so."""

UNSURE_LOOK = 2.0
"""Seconds after a call of unknown outcome when its copies are looked for first."""


Announce = Callable[[SendOrder], Awaitable[bool]]
"""Stores what a further call of the same job will carry; False when the job is not ours to do any more."""


@dataclass(frozen=True, slots=True)
class Called:
    """The results of a call, one for each job in it, and the decision behind them where Telegram refused.

    ``made``: when the call was made, by ``time.monotonic``, where its place in the pace's windows matters. ``looked``:
    it was to show whether a wait is the account's.
    """

    results: tuple[Result, ...]
    decision: Decision | None = None
    error: TelegramError | None = None
    made: float | None = None
    looked: bool = False

    @property
    def result(self) -> Result:
        return self.results[0]


def one(result: Result, decision: Decision | None = None, error: TelegramError | None = None) -> Called:
    """What a call for a single job came to."""
    return Called((result,), decision, error)


@dataclass(slots=True)
class Caller:
    """Carries out jobs by one sender. ``rng`` gives the jitter of waits."""

    sender: Sender
    rng: random.Random = field(default_factory=random.Random)

    async def send(self, job: Job, lane: LaneHeld, order: SendOrder, announce: Announce) -> Called | None:
        """Forward or copy; where a forward is refused and the mapping allows it, copy instead.

        What cannot be copied is forwarded, and what cannot be sent as an answer is sent as none. None when
        ``announce`` stopped a second call: whoever has the job now goes on with it.
        """
        try:
            return one(sent(order, order.mode, await self.sender.send(order)))
        except TelegramError as error:
            decision = decide(error, api=self.sender.kind)
            if self.sender.kind is AccountKind.USER:
                decision = unless_it_moves(job, order, decision)
            else:
                decision = unless_it_is_heard(job, decision)
            refused = decision.verdict in (Verdict.FALL_BACK, Verdict.FAIL) or stays_stale(job, decision)
            if order.reply_to is not None and refused:
                alone = replace(order, reply_to=None)
                return await self.send(job, lane, alone, announce) if await announce(alone) else None
            if decision.verdict is not Verdict.FALL_BACK:
                return self.refused(job, decision, error)
            return await self._fall_back(job, lane, order, decision, error, announce)

    async def _fall_back(
        self,
        job: Job,
        lane: LaneHeld,
        order: SendOrder,
        decision: Decision,
        refusal: TelegramError,
        announce: Announce,
    ) -> Called | None:
        try:
            # A forward would show what rules have taken away or covered.
            rewritten = order.rewrite is not None and order.rewrite.hides
            copyable = order.mode is Mode.COPY or lane.copy_fallback
            if decision.fallback is Fallback.COPY and copyable and not rewritten:
                mode = Mode.FORWARD if order.mode is Mode.COPY else Mode.COPY
                other = replace(order, mode=mode, rewrite=None)
                # Stored first: a look-up after a lost answer must know what to search for.
                if not await announce(other):
                    return None
                return one(sent(other, other.mode, await self.sender.send(other)))
            if decision.fallback is Fallback.SINGLY and len(order.message_ids) > 1:
                return one(sent(order, order.mode, await self._send_singly(order, announce)))
        except TelegramError as error:
            second = decide(error, api=self.sender.kind)
            return self.refused(job, second, error)
        return self.refused(job, replace(decision, verdict=Verdict.FAIL), refusal)

    async def _send_singly(self, order: SendOrder, announce: Announce) -> tuple[int | None, ...]:
        """Part by part. A refusal after the first part is an unknown outcome: some parts are there, some not."""
        ids: list[int | None] = []
        for index, message_id in enumerate(order.message_ids):
            if not await announce(order):
                raise OutcomeUnknown("PARTLY_SENT")
            one = replace(
                order,
                message_ids=(message_id,),
                random_ids=order.random_ids[index : index + 1],
                album=False,
                rewrite=order.rewrite.only(message_id) if order.rewrite is not None else None,
            )
            try:
                ids.extend(await self.sender.send(one))
            except TelegramError as error:
                if isinstance(error, OutcomeUnknown) or not any(ids):
                    raise
                raise OutcomeUnknown(error.name, code=error.code, seconds=error.seconds) from error
        return tuple(ids)

    async def edit(
        self,
        job: Job,
        lane: LaneHeld,
        parts: tuple[Part, ...],
        copies: tuple[CopyOf, ...],
        ours: Callable[[], bool],
    ) -> Called | None:
        """Give the copies of the edited messages the text, and the medium, that these have now. None when ``ours``
        said before one of them that the job is not: whoever has it may have applied a newer text."""
        if any(copy.mode is Mode.FORWARD for copy in copies):
            return one(Result(State.FILTERED, "forward_cannot_be_edited"))
        now = {part.message_id: part for part in parts}
        for copy in copies:
            part = now.get(copy.source_message_id)
            if part is None or copy.source_message_id not in job.parts:
                continue
            if part.kind is not Kind.TEXT and part.kind not in CAPTIONED:
                continue
            medium = Medium(job.source, part.message_id, part.file_id) if part.replaced else None
            order = EditOrder(
                lane.destination,
                copy.message_id,
                part.kind,
                part.text,
                part.entities,
                medium,
                part.look,
                part.button,
                part.cover,
            )
            if not ours():
                return None
            try:
                await self.sender.edit(order)
            except TelegramError as error:
                decision = decide(error, api=self.sender.kind, order="edit")
                if decision.verdict is not Verdict.DONE:
                    return self.refused(job, decision, error)
        return one(Result(State.SENT))

    async def delete(self, job: Job, lane: LaneHeld, copies: tuple[CopyOf, ...]) -> Called:
        ids = tuple(copy.message_id for copy in copies)
        if ids:
            try:
                await self.sender.delete(DeleteOrder(lane.destination, ids))
            except TelegramError as error:
                decision = decide(error, api=self.sender.kind, order="delete")
                if decision.verdict is not Verdict.DONE:
                    return self.refused(job, decision, error)
        return one(Result(State.SENT))

    def refused(self, job: Job, decision: Decision, error: TelegramError) -> Called:
        return one(result_of(job, decision, error, self.rng), decision, error)

    async def send_run(self, run: Run, order: SendOrder) -> Called:
        """Send several posts in one call. What Telegram says of it holds for all of them; where it may be only one
        that it does not take, all are freed to go one by one."""
        try:
            ids = await self.sender.send(order)
        except TelegramError as error:
            decision = decide(error, api=self.sender.kind)
            if decision.verdict in (Verdict.FAIL, Verdict.FALL_BACK) or decision is REFETCH:
                alone = Result(State.QUEUED, ALONE)
                return Called((alone,) * len(run.jobs), decision, error)
            shared = self.rng.getrandbits(32)
            results = (result_of(job, decision, error, random.Random(shared)) for job in run.jobs)
            return Called(tuple(results), decision, error)
        copies = iter(ids)
        return Called(
            tuple(
                sent(
                    replace(order, message_ids=job.message_ids),
                    order.mode,
                    tuple(islice(copies, len(job.message_ids))),
                )
                for job in run.jobs
            )
        )


def unless_it_moves(job: Job, order: SendOrder, decision: Decision) -> Decision:
    """A basic group out of reach may just be becoming a supergroup, which MTProto does not say to a sender: time for
    the listener to hear of it."""
    groups = is_basic_group(order.source) or is_basic_group(order.destination)
    if decision.reason == UNREACHABLE.reason and groups and job.attempts < MOVING_TRIES:
        return Decision(Verdict.RETRY, decision.reason)
    return decision


def unless_it_is_heard(job: Job, decision: Decision) -> Decision:
    """A bot can send a medium anew that it has heard; where another account was the first to, it hears it soon."""
    if decision.reason == NOT_HEARD and job.attempts < HEARING_TRIES:
        return Decision(Verdict.RETRY, decision.reason)
    return decision


def stays_stale(job: Job, decision: Decision) -> bool:
    """Whether Telegram goes on refusing the medium of a post, however often it is asked for."""
    return decision is REFETCH and job.attempts >= FRESH_TRIES


def sent(order: SendOrder, mode: Mode, ids: tuple[int | None, ...]) -> Result:
    """All parts passed over means that there was nothing left to send at the source."""
    if all(copy is None for copy in ids):
        return Result(State.WITHDRAWN, "deleted_at_source")
    return Result(State.SENT, message_ids=order.message_ids, sent_ids=ids, mode=mode)


def result_of(job: Job, decision: Decision, error: TelegramError, rng: random.Random) -> Result:
    """What a refusal makes of the row; side effects (a pause, a stop, a wait) are the carrier's."""
    match decision.verdict:
        case Verdict.WAIT:
            return Result(State.QUEUED, decision.reason, wait=decision.seconds + rng.uniform(0.1, 0.6))
        case Verdict.RETRY:
            reached = error.name not in NOT_REACHED
            if reached and job.attempts + 1 >= MAX_ATTEMPTS:
                return Result(State.FAILED, decision.reason, attempt=True)
            unknown = job.kind is DeliveryKind.POST and isinstance(error, OutcomeUnknown)
            reason = "outcome_unknown" if unknown else decision.reason
            # After some parts the server may have asked for a wait before the next.
            wait = max(back_off(job.attempts + 1, rng), error.seconds or 0.0)
            return Result(State.QUEUED, reason, wait=wait, attempt=reached)
        case Verdict.UNSURE:
            return Result(State.UNSURE, "outcome_unknown", wait=UNSURE_LOOK)
        case Verdict.MIGRATED:
            return Result(State.QUEUED, decision.reason, attempt=True)
        case Verdict.PAUSE_MAPPING:
            return Result(State.HELD, "paused")
        case Verdict.STOP_ACCOUNT:
            return Result(State.QUEUED, decision.reason)
        case Verdict.DONE:
            return Result(State.SENT)
        case _:
            return Result(State.FAILED, decision.reason, attempt=True)


def same_account(job: Job, kind: AccountKind, account_id: int) -> bool:
    return job.route is kind and job.account_id == account_id
