"""What a call's answer makes of its row: fallbacks, waits, unknown outcomes, used-up attempts."""

from __future__ import annotations

import random
from collections import deque
from dataclasses import dataclass, field, replace

import pytest

from forwarder.calls import Called, Caller, result_of, sent
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
)
from forwarder.models import WhenUnsure
from forwarder.outbox import CopyOf, Job, LaneHeld, Part, mode_for
from forwarder.pace import Place
from forwarder.retry import MAX_ATTEMPTS, Verdict, decide

BOT, USER = AccountKind.BOT, AccountKind.USER
LANE = LaneHeld(
    mapping_id=1, fence=1, source_id=1, source=-1001, source_protected=False, destination_id=2, destination=-1002,
    destination_topic=0, destination_is_source=False, mode=Mode.FORWARD, copy_fallback=True, auto_route=False,
    silent=False, when_unsure=WhenUnsure.HOLD, revision=1,
)  # fmt: skip
JOB = Job(
    delivery_id=1, post_id=1, source_id=1, source=-1001, kind=DeliveryKind.POST, klass=1, state=State.QUEUED,
    position=1, attempts=0, epoch=0,
    place=Place.NONE, reason=None, mode=None, route=None, account_id=None, message_ids=(), random_ids=(), seen_id=0,
    parts=(1, 2), age=0.0,
)  # fmt: skip
ORDER = SendOrder(-1001, (1, 2), -1002, Mode.FORWARD, random_ids=(11, 12), album=True)
LOST = OutcomeUnknown("DISCONNECTED")


@dataclass
class Script:
    """Answers calls in turn: an exception is raised; None is a success."""

    kind: AccountKind = USER
    account_id: int = 1
    answers: deque[Exception | None] = field(default_factory=deque)
    orders: list[object] = field(default_factory=list)

    async def send(self, order: SendOrder) -> tuple[int | None, ...]:
        self._play(order)
        return tuple(100 + message_id for message_id in order.message_ids)

    async def edit(self, order: EditOrder) -> None:
        self._play(order)

    async def delete(self, order: DeleteOrder) -> None:
        self._play(order)

    def _play(self, order: object) -> None:
        self.orders.append(order)
        if self.answers and (answer := self.answers.popleft()) is not None:
            raise answer


@dataclass
class Announced:
    """What was stored before each further call; ``stops`` refuses them."""

    orders: list[SendOrder] = field(default_factory=list)
    stops: bool = False

    async def __call__(self, order: SendOrder) -> bool:
        self.orders.append(order)
        return not self.stops


async def call(
    script: Script, *, lane: LaneHeld = LANE, order: SendOrder = ORDER, job: Job = JOB, stops: bool = False
) -> tuple[Called | None, Announced]:
    announced = Announced(stops=stops)
    return await Caller(script, random.Random(1)).send(job, lane, order, announced), announced


def ours() -> bool:
    return True


def result(called: Called | None) -> tuple[State, str | None]:
    assert called is not None
    return called.result.state, called.result.reason


async def test_what_was_sent_is_told_part_by_part() -> None:
    called, _ = await call(Script())
    assert called is not None
    assert (called.result.message_ids, called.result.sent_ids) == ((1, 2), (101, 102))


def test_a_call_that_passed_over_every_message_found_nothing_to_send() -> None:
    assert sent(ORDER, Mode.COPY, (None, None)).state is State.WITHDRAWN
    assert sent(ORDER, Mode.COPY, (None, 5)).state is State.SENT


async def test_a_forward_that_cannot_be_made_becomes_a_copy_with_the_same_random_ids() -> None:
    script = Script(answers=deque([TelegramError("MEDIA_EMPTY", code=400)]))
    called, announced = await call(script)
    assert called is not None
    assert called.result.mode is Mode.COPY
    assert script.orders == [ORDER, replace(ORDER, mode=Mode.COPY)]
    assert announced.orders == [replace(ORDER, mode=Mode.COPY)], "stored before the call"


async def test_a_second_call_that_is_not_ours_any_more_is_not_made() -> None:
    script = Script(answers=deque([TelegramError("MEDIA_EMPTY", code=400)]))
    called, _ = await call(script, stops=True)
    assert called is None
    assert len(script.orders) == 1


async def test_without_a_fallback_the_delivery_fails_with_its_reason() -> None:
    script = Script(answers=deque([TelegramError("MEDIA_EMPTY", code=400)]))
    called, _ = await call(script, lane=replace(LANE, copy_fallback=False))
    assert result(called) == (State.FAILED, "media_unusable")
    assert len(script.orders) == 1


@pytest.mark.parametrize(
    ("kind", "name"), [(USER, "QUIZ_ANSWER_MISSING"), (BOT, "Bad Request: message can't be copied")]
)
async def test_what_cannot_be_copied_is_forwarded(kind: AccountKind, name: str) -> None:
    script = Script(kind, answers=deque([TelegramError(name, code=400)]))
    copied = replace(ORDER, mode=Mode.COPY)
    called, announced = await call(script, lane=replace(LANE, copy_fallback=False), order=copied)
    assert called is not None
    assert called.result.mode is Mode.FORWARD
    assert script.orders == [copied, ORDER]
    assert announced.orders == [ORDER], "stored before the call"


@pytest.mark.parametrize("name", ["REPLY_MESSAGE_ID_INVALID", "MEDIA_CAPTION_TOO_LONG"])
async def test_what_cannot_be_sent_as_an_answer_is_sent_as_none(name: str) -> None:
    script = Script(answers=deque([TelegramError(name, code=400)]))
    plain = replace(ORDER, mode=Mode.COPY)
    called, announced = await call(script, order=replace(plain, reply_to=77))
    assert result(called) == (State.SENT, None)
    assert script.orders == [replace(plain, reply_to=77), plain]
    assert announced.orders == [plain]


async def test_an_answer_that_must_wait_stays_an_answer() -> None:
    script = Script(answers=deque([TelegramError("FLOOD_WAIT", code=420, seconds=30)]))
    called, _ = await call(script, order=replace(ORDER, mode=Mode.COPY, reply_to=77))
    assert result(called) == (State.QUEUED, "flood_wait")
    assert len(script.orders) == 1


async def test_a_medium_whose_reference_is_stale_is_asked_for_again_and_its_answer_stays_one() -> None:
    stale = TelegramError("FILE_REFERENCE_EXPIRED", code=400)
    answer = replace(ORDER, mode=Mode.COPY, reply_to=77)
    called, _ = await call(script := Script(answers=deque([stale])), order=answer)
    assert result(called) == (State.QUEUED, "file_reference_expired")
    assert called is not None
    assert called.result.attempt
    assert script.orders == [answer]


async def test_an_answer_whose_medium_is_refused_again_and_again_is_copied_as_none() -> None:
    stale = TelegramError("FILE_REFERENCE_INVALID", code=400)
    answer = replace(ORDER, mode=Mode.COPY, reply_to=77)
    script = Script(answers=deque([stale]))
    called, _ = await call(script, order=answer, job=replace(JOB, attempts=3))
    assert result(called) == (State.SENT, None)
    assert script.orders == [answer, replace(answer, reply_to=None)]


async def test_an_edit_with_a_stale_medium_is_tried_again() -> None:
    script = Script(answers=deque([TelegramError("FILE_REFERENCE_EXPIRED", code=400)]))
    called = await Caller(script).edit(JOB, LANE, (part(1),), (CopyOf(5, 1, Mode.COPY),), ours)
    assert result(called) == (State.QUEUED, "file_reference_expired")


def test_what_is_of_no_known_kind_is_forwarded_whole() -> None:
    assert mode_for(Mode.COPY, (part(1), part(2, Kind.UNKNOWN))) is Mode.FORWARD
    assert mode_for(Mode.COPY, (part(1), part(2, Kind.PHOTO))) is Mode.COPY


async def test_an_album_that_is_refused_goes_part_by_part_with_its_random_ids() -> None:
    script = Script(answers=deque([TelegramError("GROUPED_MEDIA_INVALID", code=400)]))
    called, _ = await call(script)
    assert result(called) == (State.SENT, None)
    singles = [order for order in script.orders[1:] if isinstance(order, SendOrder)]
    assert [(o.message_ids, o.random_ids, o.album) for o in singles] == [
        ((1,), (11,), False),
        ((2,), (12,), False),
    ]


@pytest.mark.parametrize(("kind", "state"), [(BOT, State.UNSURE), (USER, State.QUEUED)])
async def test_an_album_that_is_refused_half_way_is_of_unknown_outcome(
    kind: AccountKind, state: State
) -> None:
    refusal = "can't use the media of the specified type in the album"
    wait = TelegramError("FLOOD_WAIT", code=420, seconds=40)
    called, _ = await call(Script(kind, answers=deque([TelegramError(refusal if kind is BOT else
                                                                   "GROUPED_MEDIA_INVALID"), None, wait])))  # fmt: skip
    assert result(called) == (state, "outcome_unknown")
    assert called is not None
    assert isinstance(called.error, OutcomeUnknown)
    if kind is USER:
        assert (called.result.wait or 0) >= 40


async def test_an_album_whose_first_part_is_refused_is_refused() -> None:
    script = Script(
        answers=deque(
            [
                TelegramError("GROUPED_MEDIA_INVALID", code=400),
                TelegramError("FLOOD_WAIT", code=420, seconds=40),
            ]
        )
    )
    called, _ = await call(script)
    assert result(called) == (State.QUEUED, "flood_wait")


@pytest.mark.parametrize(
    ("name", "code", "kind", "state", "reason"),
    [
        ("MESSAGE_ID_INVALID", 400, USER, State.FAILED, "source_message_gone"),
        ("CHAT_WRITE_FORBIDDEN", 403, USER, State.HELD, "paused"),
        ("CHAT_FORWARDS_RESTRICTED", 400, USER, State.HELD, "paused"),
        ("PEER_FLOOD", 400, USER, State.QUEUED, "spam_limited"),
        ("Bad Request: chat not found", 400, BOT, State.HELD, "paused"),
        ("SOMETHING_NEW", 400, USER, State.FAILED, "unknown_error"),
    ],
)
async def test_a_definite_refusal_decides(
    name: str, code: int, kind: AccountKind, state: State, reason: str
) -> None:
    called, _ = await call(Script(kind, answers=deque([TelegramError(name, code=code)])))
    assert result(called) == (state, reason)


@pytest.mark.parametrize(
    ("destination", "attempts", "state"),
    [(-77, 0, State.QUEUED), (-77, 3, State.HELD), (-1000000000077, 0, State.HELD)],
)
async def test_a_basic_group_out_of_reach_may_be_becoming_a_supergroup(
    destination: int, attempts: int, state: State
) -> None:
    order = replace(ORDER, source=-1000000000001, destination=destination)
    script = Script(answers=deque([TelegramError("CHAT_ID_INVALID", code=400)]))
    called, _ = await call(script, order=order, job=replace(JOB, attempts=attempts))
    assert called is not None
    assert called.result.state is state


async def test_a_wait_is_the_servers_with_a_little_jitter_and_no_attempt() -> None:
    called, _ = await call(Script(answers=deque([TelegramError("FLOOD_WAIT", code=420, seconds=30)])))
    assert called is not None
    assert 30 < (called.result.wait or 0) < 31
    assert not called.result.attempt


async def test_a_lost_answer_is_unsure_for_the_bot_and_repeated_by_the_user() -> None:
    assert result((await call(Script(BOT, answers=deque([LOST]))))[0]) == (State.UNSURE, "outcome_unknown")
    assert result((await call(Script(USER, answers=deque([LOST]))))[0]) == (State.QUEUED, "outcome_unknown")


async def test_attempts_are_used_up_by_what_was_tried_and_not_by_an_outage() -> None:
    worn = replace(JOB, attempts=MAX_ATTEMPTS - 1)
    called, _ = await call(Script(answers=deque([LOST])), job=worn)
    assert result(called) == (State.FAILED, "server_trouble")
    called, _ = await call(Script(answers=deque([TelegramError("CONNECT_FAILED")])), job=worn)
    assert result(called) == (State.QUEUED, "connect_failed")
    assert called is not None
    assert not called.result.attempt


def test_a_deletion_waits_for_its_deputy_however_long_he_is_away() -> None:
    worn = replace(JOB, kind=DeliveryKind.DELETE, attempts=MAX_ATTEMPTS - 1)
    error = OutcomeUnknown("DEPUTY_AWAY", seconds=30)
    made = result_of(worn, decide(error, api=BOT, order="delete"), error, random.Random(1))
    assert (made.state, made.attempt) == (State.QUEUED, False)
    assert (made.wait or 0) >= 30


@pytest.mark.parametrize("verdict", list(Verdict))
def test_every_verdict_has_a_result_that_the_database_accepts(verdict: Verdict) -> None:
    error = TelegramError("X", seconds=5)
    decision = replace(decide(error, api=USER), verdict=verdict, reason="why")
    made = result_of(JOB, decision, error, random.Random(1))
    assert made.reason is not None or made.state in (State.QUEUED, State.SENT)


# --- edits and deletions


def part(message_id: int, kind: Kind = Kind.TEXT) -> Part:
    return Part(message_id, kind, protected=False, text=f"new {message_id}", entities=())


def copy(message_id: int, mode: Mode = Mode.COPY) -> CopyOf:
    return CopyOf(500 + message_id, message_id, mode)


async def test_an_edit_gives_each_edited_copy_its_newest_text() -> None:
    script = Script()
    job = replace(JOB, kind=DeliveryKind.EDIT, parts=(1,))
    called = await Caller(script).edit(job, LANE, (part(1), part(2)), (copy(1), copy(2)), ours)
    assert called.result.state is State.SENT
    assert script.orders == [EditOrder(-1002, 501, Kind.TEXT, "new 1", ())]


async def test_an_edit_carries_a_medium_that_was_replaced() -> None:
    script = Script()
    job = replace(JOB, kind=DeliveryKind.EDIT, parts=(1,))
    photo = replace(part(1, Kind.PHOTO), replaced=True, file_id="file")
    await Caller(script).edit(job, LANE, (photo,), (copy(1),), ours)
    assert script.orders == [EditOrder(-1002, 501, Kind.PHOTO, "new 1", (), Medium(-1001, 1, "file"))]


async def test_what_has_no_text_or_is_gone_is_passed_over() -> None:
    script = Script()
    job = replace(JOB, kind=DeliveryKind.EDIT, parts=(1, 2))
    called = await Caller(script).edit(job, LANE, (part(1, Kind.POLL),), (copy(1), copy(2)), ours)
    assert (called.result.state, script.orders) == (State.SENT, [])


async def test_a_forward_cannot_be_edited() -> None:
    called = await Caller(Script()).edit(JOB, LANE, (part(1),), (copy(1, Mode.FORWARD),), ours)
    assert (called.result.state, called.result.reason) == (State.FILTERED, "forward_cannot_be_edited")


async def test_an_edit_without_effect_and_a_deletion_of_what_is_gone_are_successes() -> None:
    edit = replace(JOB, kind=DeliveryKind.EDIT)
    script = Script(BOT, answers=deque([TelegramError("Message is not modified", code=400)]))
    assert (await Caller(script).edit(edit, LANE, (part(1),), (copy(1),), ours)).result.state is State.SENT
    delete = replace(JOB, kind=DeliveryKind.DELETE)
    script = Script(BOT, answers=deque([TelegramError("Message to delete not found", code=400)]))
    assert (await Caller(script).delete(delete, LANE, (copy(1),))).result.state is State.SENT
    assert (await Caller(Script()).delete(delete, LANE, ())).result.state is State.SENT


async def test_an_edit_of_unknown_outcome_is_applied_again_even_by_the_bot() -> None:
    edit = replace(JOB, kind=DeliveryKind.EDIT)
    called = await Caller(Script(BOT, answers=deque([LOST]))).edit(edit, LANE, (part(1),), (copy(1),), ours)
    assert called.result.state is State.QUEUED
    assert called.result.attempt
