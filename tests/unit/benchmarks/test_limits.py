"""What a pace is judged by: shares of what is allowed, and the waits before and after it has settled."""

from __future__ import annotations

import pytest

from benchmarks.fanout import bound
from benchmarks.limits import Paced


def paced(rate: float, seconds: float = 120.0, *, begin: float = 0.0, waits: tuple[float, ...] = ()) -> Paced:
    """So many arrivals a second from ``begin`` on, where 10 are allowed."""
    count = int((seconds - begin) * rate)
    return Paced([begin + number / rate for number in range(count)], waits, seconds, 10.0)


def test_the_share_is_what_arrived_of_what_is_allowed() -> None:
    assert paced(9.5).share(60.0) == pytest.approx(0.95, abs=0.002)
    assert paced(9.5, begin=90.0).share(60.0) == pytest.approx(0.475, abs=0.02)


def test_a_pace_has_settled_when_it_has_been_at_85_percent_for_ten_seconds() -> None:
    assert paced(9.0, begin=35.0).settled() == 40.0
    assert paced(8.0).settled() == 120.0


def test_waits_count_in_the_time_in_which_they_were_met() -> None:
    some = paced(9.0, waits=(1.0, 5.0, 70.0))
    assert some.waits_in(0.0, 60.0) == 2
    assert some.waits_in(60.0, 120.0) == 1


def test_a_short_run_warms_up_for_half_of_it() -> None:
    assert paced(9.0, seconds=30.0).warm == 15.0
    assert paced(9.0, seconds=600.0).warm == 60.0


def test_a_thousand_copies_at_thirty_a_second_take_thirty_three_seconds() -> None:
    assert bound(1000) == 33.0
    assert bound(30) == 0.0
