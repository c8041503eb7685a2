"""Calls that were late do not bunch: a window of real calls holds no more than its limit."""

from __future__ import annotations

import random

from forwarder.pace.beat import SPARE, Beat

LIMIT, LENGTH = 30, 1.038


def beat() -> Beat:
    made = Beat()
    made.tell(LIMIT, LENGTH)
    return made


def test_calls_that_come_in_time_go_at_once() -> None:
    steady = beat()
    assert all(steady.turn(n * LENGTH / LIMIT, 1) == 0.0 for n in range(200))


def test_no_window_of_calls_that_come_bunched_holds_more_than_its_limit() -> None:
    steady, rng = beat(), random.Random(1)
    came = sorted(n * LENGTH / LIMIT + rng.choice((0.0, 0.02, 0.25)) for n in range(600))
    went = [now + steady.turn(now, 1) for now in came]
    gaps = [later - earlier for earlier, later in zip(went, went[LIMIT:], strict=False)]
    assert min(gaps) >= LENGTH - SPARE - 1e-9


def test_what_was_held_up_is_caught_up() -> None:
    steady = beat()
    late = [max(n * LENGTH / LIMIT, 2.0) if n >= 50 else n * LENGTH / LIMIT for n in range(900)]
    left = [steady.turn(now, 1) for now in late]
    assert max(left) > 0.1
    assert left[-1] == 0.0


def test_an_album_takes_a_place_for_each_part() -> None:
    steady = beat()
    assert [steady.turn(0.0, 10) for _ in range(3)] == [0.0, 0.0, 0.0]
    assert steady.turn(0.1, 10) == LENGTH - SPARE - 0.1


def test_more_than_the_window_holds_goes_when_it_is_empty() -> None:
    steady = beat()
    assert steady.turn(0.0, 1) == 0.0
    assert steady.turn(0.0, 40) == LENGTH - SPARE


def test_a_lowered_window_counts_from_then_on() -> None:
    steady = beat()
    steady.tell(1, 1.0)
    assert steady.turn(0.0, 1) == 0.0
    assert steady.turn(0.0, 1) == 1.0 - SPARE
    steady.tell(0, 0.0)
    assert steady.turn(0.0, 1) > 1.0 - SPARE


def test_without_a_window_nothing_waits() -> None:
    free = Beat()
    assert [free.turn(0.0, 1) for _ in range(100)] == [0.0] * 100
