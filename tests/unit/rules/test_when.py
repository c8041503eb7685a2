"""When a post goes: a table of examples on real clocks."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from forwarder.rules import Counters, Decision, Hold, NotBefore, Now, Withdraw, parse, when
from forwarder.rules.when import is_free, open_since, too_old_before

BERLIN = "Europe/Berlin"
NIGHT = {"quiet": {"from": "23:00", "to": "07:00", "zone": "Europe/Moscow"}}  # UTC+3 all year


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def decided(
    rules: list[dict[str, Any]], now: str, posted: str | None = None, counters: Counters | None = None
) -> Decision:
    return when(parse({"rules": rules}).when, at(now), at(posted or now), counters or Counters())


def quiet(begins: str, ends: str, zone: str = BERLIN) -> dict[str, Any]:
    return {"quiet": {"from": begins, "to": ends, "zone": zone}}


def on(*days: str, zone: str = BERLIN) -> dict[str, Any]:
    return {"days": {"days": list(days), "zone": zone}}


TABLE = [
    ([], "2026-11-25T12:00", None),
    # quiet hours across midnight
    ([NIGHT], "2026-11-25T19:59", None),
    ([NIGHT], "2026-11-25T20:00", "2026-11-26T04:00"),
    ([NIGHT], "2026-11-26T03:59", "2026-11-26T04:00"),
    ([NIGHT], "2026-11-26T04:00", None),
    # within one day
    ([quiet("12:00", "14:00")], "2026-11-25T11:00", "2026-11-25T13:00"),
    ([quiet("12:00", "14:00")], "2026-11-25T13:00", None),
    # the clocks skip 02:00 to 03:00 on 29 March: 02:30 is half an hour behind the gap
    ([quiet("22:00", "02:30")], "2026-03-29T00:00", "2026-03-29T01:30"),
    ([quiet("02:30", "04:00")], "2026-03-29T01:00", None),
    ([quiet("02:30", "04:00")], "2026-03-29T01:30", "2026-03-29T02:00"),
    # 02:00 to 03:00 comes twice on 25 October: 02:30 means the first one, and is not quiet again
    ([quiet("22:00", "02:30")], "2026-10-25T00:10", "2026-10-25T00:30"),
    ([quiet("22:00", "02:30")], "2026-10-25T01:10", None),
    ([quiet("02:15", "02:45")], "2026-10-25T00:20", "2026-10-25T00:45"),
    ([quiet("02:15", "02:45")], "2026-10-25T01:20", None),
    # two that follow each other
    ([quiet("08:00", "10:00"), quiet("10:00", "12:00")], "2026-11-25T07:30", "2026-11-25T11:00"),
    # days of the week; 25 November 2026 is a Wednesday
    ([on("wed")], "2026-11-25T12:00", None),
    ([on("fri", "mon")], "2026-11-25T12:00", "2026-11-26T23:00"),
    ([on("wed")], "2026-11-25T23:30", "2026-12-01T23:00"),
    # a day's beginning that lies in quiet hours
    ([on("fri"), quiet("22:00", "07:00")], "2026-11-25T12:00", "2026-11-27T06:00"),
    # a quiet night that ends on a day that is none
    ([on("wed"), quiet("22:00", "07:00")], "2026-11-25T21:30", "2026-12-02T06:00"),
]


@pytest.mark.parametrize(("rules", "now", "expected"), TABLE)
def test_a_post_goes_at_the_first_time_that_all_rules_allow(
    rules: list[dict[str, Any]], now: str, expected: str | None
) -> None:
    answer = decided(rules, now)
    assert (
        answer == Now() if expected is None else isinstance(answer, NotBefore) and answer.at == at(expected)
    )


def test_what_is_held_until_a_time_goes_at_that_time() -> None:
    for rules, now, expected in TABLE:
        if expected is not None:
            assert decided(rules, expected, now) == Now()


def test_a_delay_counts_from_the_post_and_ends_once() -> None:
    rules: list[dict[str, Any]] = [{"delay": 10}]
    assert decided(rules, "2026-11-25T12:04", "2026-11-25T12:00") == NotBefore(
        at("2026-11-25T12:10"), "delay"
    )
    assert decided(rules, "2026-11-25T12:10", "2026-11-25T12:00") == Now()


def test_a_delay_that_ends_in_quiet_hours_waits_for_their_end() -> None:
    answer = decided([{"delay": 60}, NIGHT], "2026-11-25T19:30")
    assert answer == NotBefore(at("2026-11-26T04:00"), "quiet")


def counted(**days: int) -> Counters:
    """``d25=3``: three posts on the 25th, by Moscow's midnights."""

    def sent_between(start: datetime, end: datetime) -> int:
        assert end - start == timedelta(days=1)
        return days.get(f"d{(start + timedelta(hours=3)).day}", 0)

    return Counters(sent_between)


def at_most(number: int, rest: str = "wait") -> dict[str, Any]:
    return {"at_most": {"a_day": number, "rest": rest, "zone": "Europe/Moscow"}}


def test_beyond_the_days_number_posts_wait_for_the_first_day_with_room() -> None:
    assert decided([at_most(3)], "2026-11-25T12:00", counters=counted(d25=2)) == Now()
    waits = decided([at_most(3)], "2026-11-25T12:00", counters=counted(d25=3, d26=3))
    assert waits == NotBefore(at("2026-11-26T21:00"), "at_most")
    assert decided([at_most(3, "withdraw")], "2026-11-25T12:00", counters=counted(d25=3)) == Withdraw(
        "at_most"
    )


def test_tomorrows_place_lies_behind_tomorrows_quiet_hours() -> None:
    waits = decided([at_most(3), NIGHT], "2026-11-25T12:00", counters=counted(d25=3))
    assert waits == NotBefore(at("2026-11-26T04:00"), "quiet")


def review(then: str = "withdraw") -> dict[str, Any]:
    return {"review": {"hours": 24, "then": then}}


@pytest.mark.parametrize(
    ("then", "approved", "now", "expected"),
    [
        ("withdraw", None, "2026-11-25T13:00", Hold(at("2026-11-26T12:00"))),
        ("withdraw", True, "2026-11-25T13:00", Now()),
        ("withdraw", False, "2026-11-25T13:00", Withdraw("rejected")),
        ("withdraw", None, "2026-11-26T12:00", Withdraw("review_expired")),
        ("withdraw", True, "2026-11-27T12:00", Now()),
        ("send", None, "2026-11-26T12:00", Now()),
        ("send", False, "2026-11-26T12:00", Withdraw("rejected")),
    ],
)
def test_a_reviewed_post_waits_for_one_decision(
    then: str, approved: bool | None, now: str, expected: Decision
) -> None:
    counters = Counters(approved=approved, asked=at("2026-11-25T12:00"))
    assert decided([review(then)], now, "2020-11-25T12:00", counters) == expected


def test_the_hours_of_a_review_begin_when_somebody_is_asked_and_not_when_the_post_appeared() -> None:
    assert decided([review()], "2026-11-25T13:00", "2020-01-01T12:00") == Hold(at("2026-11-26T13:00"))


def test_what_is_approved_at_night_still_waits_for_the_morning() -> None:
    answer = decided([review(), NIGHT], "2026-11-25T21:00", counters=Counters(approved=True))
    assert answer == NotBefore(at("2026-11-26T04:00"), "quiet")


# --- how old posts are

WORKDAYS = on("mon", "tue", "wed", "thu", "fri", zone="UTC")
A_DAY = {"at_most": {"a_day": 5, "zone": "UTC"}}

AGES = [
    ([], "2026-11-25T12:00", 6, "2026-11-25T06:00"),
    ([NIGHT], "2026-11-25T12:00", 8, "2026-11-25T04:00"),
    ([NIGHT], "2026-11-25T12:00", 9, "2026-11-24T19:00"),
    ([NIGHT], "2026-11-26T02:00", 1, "2026-11-25T19:00"),
    ([NIGHT], "2026-11-25T12:00", 24, "2026-11-24T04:00"),
    # 23 November 2026 is a Monday
    ([WORKDAYS], "2026-11-23T06:00", 12, "2026-11-20T18:00"),
    ([WORKDAYS, A_DAY], "2026-11-22T12:00", 6, "2026-11-19T18:00"),
    ([{"delay": 90}], "2026-11-25T12:00", 6, "2026-11-25T04:30"),
    ([{"delay": 90}, NIGHT], "2026-11-25T12:00", 8, "2026-11-25T02:30"),
    ([A_DAY], "2026-11-25T12:00", 6, "2026-11-24T06:00"),
    (
        [{"at_most": {"a_day": 5, "zone": "UTC", "rest": "withdraw"}}],
        "2026-11-25T12:00",
        6,
        "2026-11-25T06:00",
    ),
]


@pytest.mark.parametrize(("rules", "now", "hours", "before"), AGES)
def test_the_age_of_a_post_is_without_the_time_in_which_none_may_go(
    rules: list[dict[str, Any]], now: str, hours: int, before: str
) -> None:
    assert too_old_before(parse({"rules": rules}).when, at(now), hours) == at(before)


@pytest.mark.parametrize("now", ["2026-03-31T12:00", "2026-10-27T03:15", "2026-11-25T23:45"])
@pytest.mark.parametrize("hours", [1, 20, 100, 400])
def test_since_then_posts_might_go_for_just_so_long(now: str, hours: int) -> None:
    rules = parse(
        {
            "rules": [
                quiet("22:00", "07:30"),
                quiet("12:00", "13:00", zone="Asia/Tokyo"),
                on("mon", "wed", "sat"),
            ]
        }
    ).when
    since, quarter = open_since(rules, at(now), timedelta(hours=hours)), timedelta(minutes=15)
    steps = (at(now) - since) // quarter
    assert sum(is_free(rules, since + n * quarter) for n in range(steps)) == 4 * hours
    assert is_free(rules, since)


def test_where_posts_may_hardly_ever_go_the_look_back_ends() -> None:
    rules = parse({"rules": [on("mon"), quiet("00:01", "00:00")]}).when
    assert at("2026-11-25T12:00") - open_since(
        rules, at("2026-11-25T12:00"), timedelta(hours=24)
    ) > timedelta(days=390)
