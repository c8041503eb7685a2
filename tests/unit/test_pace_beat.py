"""Calls that were late or long under way do not bunch: no window of what Telegram has holds more than its limit."""

from __future__ import annotations

import heapq
import random

import pytest

from forwarder.pace.beat import KEPT, SPARE, Beat

LIMIT, LENGTH = 30, 1.038
WINDOW = LENGTH - SPARE


def beat() -> Beat:
    made = Beat()
    made.tell(LIMIT, LENGTH)
    return made


def gone(beat: Beat, came: float, messages: int = 1) -> float:
    """When a call that came at a time went; it was answered at once."""
    at = came
    while (left := beat.left(at, messages)) > 1e-9:
        at += left
    beat.answered(beat.went(at, messages), at, well=True)
    return at


def test_calls_that_come_in_time_go_at_once() -> None:
    steady = beat()
    assert all(gone(steady, n * LENGTH / LIMIT) == n * LENGTH / LIMIT for n in range(200))


def test_what_was_held_up_is_caught_up() -> None:
    steady, now = beat(), 0.0
    lateness = []
    for n in range(2500):
        due = n * LENGTH / LIMIT
        now = gone(steady, max(now, due, 2.0 if n >= 50 else 0.0))
        lateness.append(now - due)
    assert max(lateness) > 0.2
    assert lateness[-1] < 1e-9


@pytest.mark.parametrize("seed", range(5))
def test_no_window_of_what_arrives_holds_more_than_the_limit_however_long_calls_are_under_way(
    seed: int,
) -> None:
    """Each call arrives at any moment of its way; some ways are far longer than others."""
    steady, rng = beat(), random.Random(seed)
    now, answers, arrived = 0.0, [], []
    for n in range(1500):
        now = max(now, n * LENGTH / LIMIT + rng.choice((0.0, 0.02, 0.25)))
        while True:
            while answers and answers[0][0] <= now:
                at, _, call = heapq.heappop(answers)
                steady.answered(call, at, well=True)
            left = steady.left(now, 1)
            if left <= 1e-9:
                break
            now += min(left, answers[0][0] - now) if answers and answers[0][0] > now else left
        way = rng.choice((0.04, 0.05, 0.06, 0.4 if n % 50 < 5 else 0.04))
        # There and back takes 20 ms each at least.
        arrived.append(now + 0.02 + rng.random() * (way - 0.04))
        heapq.heappush(answers, (now + way, n, steady.went(now, 1)))
    arrived.sort()
    assert min(later - earlier for earlier, later in zip(arrived, arrived[LIMIT:], strict=False)) > 1.0
    assert arrived[-1] < 1500 * LENGTH / LIMIT * 1.06, "and little time is lost"


def test_what_is_under_way_takes_its_place_until_it_is_answered() -> None:
    steady = beat()
    calls = [steady.went(0.0, 1) for _ in range(LIMIT)]
    assert steady.left(0.9, 1) > 0
    assert steady.left(2.0, 1) > 0
    steady.answered(calls[0], 0.9, well=True)
    assert steady.left(1.0, 1) == pytest.approx(0.9 + WINDOW - 1.0), "it may have been had as late as that"
    assert steady.left(2.0, 1) == 0
    assert steady.left(2.0, 2) > 0
    assert steady.left(29.0, 2) > 0
    assert steady.left(31.0, LIMIT) == 0, "what is never answered is given up"
    steady.answered(calls[1], 31.0, well=True)
    assert steady.left(31.5, LIMIT) > 0, "and counts when it is after all"


def test_an_album_takes_a_place_for_each_part() -> None:
    steady = beat()
    assert [gone(steady, 0.0, 10) for _ in range(3)] == [0.0, 0.0, 0.0]
    assert gone(steady, 0.1, 10) == pytest.approx(WINDOW)


def test_more_than_the_window_holds_goes_when_it_is_empty() -> None:
    steady = beat()
    assert gone(steady, 0.0) == 0.0
    assert gone(steady, 0.0, 40) == pytest.approx(WINDOW)


def test_a_lowered_window_counts_from_then_on() -> None:
    steady = beat()
    steady.tell(1, 1.0)
    assert [gone(steady, 0.0), gone(steady, 0.0)] == [0.0, pytest.approx(1.0 - SPARE)]
    steady.tell(0, 0.0)
    assert gone(steady, 1.0) == pytest.approx(2 * (1.0 - SPARE))


def test_without_a_window_nothing_waits() -> None:
    free = Beat()
    assert [gone(free, 0.0) for _ in range(100)] == [0.0] * 100


def test_it_knows_whether_calls_that_may_have_arrived_since_a_time_fill_the_window() -> None:
    steady = beat()
    calls = [steady.went(n * 0.01, 1) for n in range(31)]
    assert steady.full(1.0, 1), "all of them are under way"
    for call in calls[1:]:
        steady.answered(call, 0.7, well=True)
    steady.answered(calls[0], 0.5, well=True)
    assert steady.full(0.4, 1)
    assert not steady.full(0.6, 1), "one was answered before: Telegram had it before"
    assert not Beat().full(-1.0, 1)


def test_it_knows_when_the_last_call_was_made_that_went_through() -> None:
    steady = beat()
    first, second, third = (steady.went(at, 1) for at in (1.0, 2.0, 3.0))
    assert steady.since_through(5.0) is None
    steady.answered(second, 2.5, well=True)
    steady.answered(first, 2.6, well=True)
    steady.answered(third, 3.5, well=False)
    assert steady.since_through(5.0) == 3.0


def test_it_knows_how_many_messages_one_window_has_taken_of_late() -> None:
    steady = beat()
    assert steady.proven(0.0) == 0
    for n in range(40):
        steady.answered(steady.went(n * 0.05, 1), n * 0.05 + 0.02, well=n % 2 == 0)
    assert steady.proven(2.0) == 10
    assert steady.proven(200.0) == 0


def test_it_knows_how_many_messages_were_taken_in_a_time() -> None:
    steady = beat()
    for at, messages, well in (
        (0.5, 1, True),
        (1.0, 2, True),
        (1.4, 5, False),
        (1.5, 1, True),
        (2.5, 1, True),
    ):
        steady.answered(steady.went(at, messages), at, well=well)
    steady.went(1.5, 7)
    assert steady.took(0.5, 1.5) == 3


def test_it_knows_its_slots_of_a_time_whether_calls_used_them_or_not() -> None:
    steady = beat()
    for at, messages in ((0.5, 1), (1.0, 2), (1.2, 3), (2.5, 1)):
        steady.took_slot(0.4, at, messages)
    steady.went(1.1, 2)
    assert steady.slots_in(0.5, 2.0) == 5
    steady.took_slot(2.5 + KEPT * LENGTH, 9.0, 1)
    assert steady.slots_in(0.0, 2.0) == 0, "what is long past is forgotten"


def test_it_knows_whether_answers_are_due_of_calls_that_were_made_before_another() -> None:
    steady = beat()
    first, second = steady.went(1.0, 1), steady.went(1.2, 1)
    assert steady.awaits(1.1)
    steady.answered(first, 1.3, well=True)
    assert not steady.awaits(1.1)
    assert steady.awaits(1.2)
    steady.answered(second, 1.4, well=False)
    assert not steady.awaits(1.2)
