"""The random ids by which Telegram knows a repeated send."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from forwarder.message import DeliveryKind, State
from forwarder.outbox import Job, random_id
from forwarder.pace import Place

POST = DeliveryKind.POST


@given(st.integers(1, 10**6), st.integers(-(10**13), -1), st.integers(1, 10**9), st.integers(0, 50))
def test_a_random_id_is_stable_signed_64_bits_and_never_zero(
    mapping: int, source: int, message: int, epoch: int
) -> None:
    number = random_id(mapping, source, message, POST, epoch)
    assert number == random_id(mapping, source, message, POST, epoch)
    assert -(2**63) <= number < 2**63
    assert number != 0


def test_a_random_id_is_the_same_in_every_release() -> None:
    # Rows that were sent by an older version are repeated by a newer one: this number may never change.
    assert random_id(1, -1001, 7, POST, 0) == RELEASED


RELEASED = 8846909596822488279


def test_every_word_of_a_send_makes_another_random_id() -> None:
    numbers = {
        random_id(1, -1001, 7, POST, 0),
        random_id(2, -1001, 7, POST, 0),
        random_id(1, -1002, 7, POST, 0),
        random_id(1, -1001, 8, POST, 0),
        random_id(1, -1001, 7, DeliveryKind.EDIT, 0),
        random_id(1, -1001, 7, POST, 1),
        random_id(1, -1001, 7, POST, 0, run=1),
    }
    assert len(numbers) == 7


def test_a_job_may_have_been_sent_while_it_is_sending_unsure_or_unsettled() -> None:
    def job(state: State, unsettled: bool = False) -> Job:
        return Job(
            delivery_id=1, post_id=1, source_id=1, source=-1001, kind=POST, klass=1, state=state, position=1,
            attempts=0, epoch=0,
            place=Place.NONE, reason=None, mode=None, route=None, account_id=None, message_ids=(), random_ids=(),
            seen_id=0, parts=(), age=0.0, unsettled=unsettled,
        )  # fmt: skip

    assert [state for state in State if job(state).maybe_sent] == [State.SENDING, State.UNSURE]
    assert job(State.QUEUED, unsettled=True).maybe_sent
