"""Which older posts are meant by what a person types."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from forwarder.bot.texts import Texts
from forwarder.bot.wishes import wish
from forwarder.errors import InvalidRequest
from forwarder.message import Wish
from forwarder.models import Language


def day(month: int, number: int, hour: int = 0) -> datetime:
    return datetime(2026, month, number, hour, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("250", Wish(last=250)),
        ("2026-11-25", Wish(since=day(11, 25))),
        (" 25.11.2026 ", Wish(since=day(11, 25))),
        ("2026-11-25 14:00", Wish(since=day(11, 25, 14))),
        ("#1200", Wish(from_id=1200)),
        ("2026-11-01 - 2026-11-25", Wish(since=day(11, 1), until=day(11, 26))),
        ("2026-11-01 2026-11-01", Wish(since=day(11, 1), until=day(11, 2))),
        ("1.11.2026–25.11.2026", Wish(since=day(11, 1), until=day(11, 26))),
        ("2026-11-01 08:00 — 2026-11-01 14:00", Wish(since=day(11, 1, 8), until=day(11, 1, 14))),
        ("#1200 - #1500", Wish(from_id=1200, until_id=1500)),
        ("#1200-1500", Wish(from_id=1200, until_id=1500)),
        ("#7 #7", Wish(from_id=7, until_id=7)),
        ("#1200 - 2026-11-25", Wish(from_id=1200, until=day(11, 26))),
        ("2026-11-01 - #1500", Wish(since=day(11, 1), until_id=1500)),
        ("100 - 2026-11-25", Wish(last=100, until=day(11, 26))),
        ("- #1500", Wish(until_id=1500)),
        ("2026-11-01 - 9999-12-31", Wish(since=day(11, 1), until=datetime(9999, 12, 31, tzinfo=UTC))),
    ],
)
def test_a_count_a_day_or_an_id_and_an_end_are_understood(text: str, meant: Wish) -> None:
    assert wish(text) == meant


@pytest.mark.parametrize(
    "text",
    [
        "", "-", "all of them", "0", "#0", "#", "-5", "2026-13-77", "2026-11-01 - 2026-11-31", "25.11", "1 - 5",
        "2026-11-01 5", "#1 - #2 - #3", "2026-11-01 25:00", "12345678901", "#12345678901", "٣٠", "5 -",
    ],
)  # fmt: skip
def test_what_nobody_understands_is_answered_with_what_can_be_sent(text: str) -> None:
    with pytest.raises(InvalidRequest) as refusal:
        wish(text)
    assert refusal.value.code == "backfill_not_understood"
    for language in Language:
        assert "#1200" in Texts(language).error(refusal.value)


@pytest.mark.parametrize(
    "text", ["#1500 - #1200", "2026-11-25 - 2026-11-01", "2026-11-01 14:00 - 2026-11-01 08:00"]
)
def test_a_range_that_ends_before_it_begins_is_refused_by_its_name(text: str) -> None:
    with pytest.raises(InvalidRequest) as refusal:
        wish(text)
    assert refusal.value.code == "backfill_ends_early"
    for language in Language:
        assert text in Texts(language).error(refusal.value)
