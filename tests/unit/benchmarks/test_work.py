"""A benchmark's result is judged by the world: what is lost, doubled or out of order is counted as such."""

from __future__ import annotations

import pytest

from benchmarks.measure import quantile
from benchmarks.work import judged

SOURCE, HERE, THERE = -1001, -1002, -1003
POSTED = [(SOURCE, number, SOURCE, number, 100.0 + number) for number in (1, 2, 3)]


def copies(*made: tuple[int, int]) -> list[tuple[int, int, int, int, float]]:
    """Copies of the source's messages, half a second after each post: (number, destination) as they came."""
    return [
        (SOURCE, number, there, place, 100.5 + number) for place, (number, there) in enumerate(made, start=1)
    ]


def test_a_whole_work_is_neither_lost_nor_doubled_nor_out_of_order() -> None:
    done = judged(POSTED, copies((1, HERE), (2, HERE), (3, HERE)), 101.0, 3, {}, 0.0)
    assert (done.lost, done.doubled, done.disorder) == (0, 0, 0)
    assert done.seconds == 2.5
    assert done.rate == pytest.approx(1.2)
    assert done.latency(0.5) == pytest.approx(500.0)


def test_what_did_not_arrive_is_lost_and_what_arrived_twice_is_doubled() -> None:
    done = judged(POSTED, copies((1, HERE), (1, HERE)), 101.0, 3, {}, 0.0)
    assert (done.lost, done.doubled) == (2, 1)


def test_order_counts_in_each_destination_alone() -> None:
    done = judged(POSTED, copies((2, HERE), (1, THERE), (3, HERE)), 101.0, 3, {}, 0.0)
    assert done.disorder == 0
    assert judged(POSTED, copies((2, HERE), (1, HERE), (3, HERE)), 101.0, 3, {}, 0.0).disorder == 1


def test_nothing_at_all_has_no_latency_and_a_rate_of_nothing() -> None:
    done = judged(POSTED, [], 101.0, 3, {}, 0.0)
    assert done.rate == 0
    assert done.latency(0.99) != done.latency(0.99)


@pytest.mark.parametrize(("share", "value"), [(0.5, 2), (0.99, 4), (0.01, 1), (0.75, 3)])
def test_a_quantile_is_one_of_the_values(share: float, value: int) -> None:
    assert quantile([1, 2, 3, 4], share) == value
