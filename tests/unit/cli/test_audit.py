"""How an audit speaks."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import click
import pytest

from forwarder.cli.audit import differences, mended_in_words, notes, verdict
from forwarder.cli.moment import Moment
from forwarder.comparing.judgement import How, Match
from forwarder.comparing.mending import Mended
from forwarder.comparing.report import Audit, Lack, Unrecorded
from forwarder.comparing.rows import Fate, Terms
from forwarder.message import AccountKind, Heard, Kind, SourceMessage
from forwarder.models import MappingState

TERMS = Terms(
    4, MappingState.ACTIVE, None, AccountKind.BOT, 1, -1001, 0, 2, -1002, 0, 10, True, False, True, None, 20, 30, None
)  # fmt: skip
GOOD = Audit(TERMS, 1204, 1204, 0, {}, (), (), (), (), (), ())
POST = (SourceMessage(-1001, 17, datetime(2026, 11, 25, tzinfo=UTC), Kind.TEXT, Heard.POLL, "words"),)


def test_the_verdict_is_one_line_of_counts() -> None:
    assert verdict(GOOD) == "1,204 posts, 1,204 copies, 0 missing, 0 double"
    one = replace(GOOD, posts=1, copies=1, stale=(Match(1, 2, How.RECORD),))
    assert verdict(one) == "1 post, 1 copy, 0 missing, 0 double, 1 out of date"


def test_every_difference_has_a_line_without_any_text_of_the_post() -> None:
    bad = replace(
        GOOD,
        missing=(Lack(POST, "copy_gone", Fate()), Lack(POST, "content_limit", Fate())),
        partial=(POST,),
        doubles=(Match(18, 40, How.CONTENT),),
        strays=(Match(19, 41, How.RECORD),),
        stale=(Match(20, 42, How.HEADER),),
        unrecorded=(Unrecorded(((21, 43),), "copy", Fate()),),
    )
    lines = differences(bad)
    assert [line[:3] for line in lines] == [
        ("missing", 17, ""), ("missing", 17, ""), ("incomplete", 17, ""), ("double", 18, 40), ("stray", 19, 41),
        ("out of date", 20, 42), ("not recorded", 21, 43),
    ]  # fmt: skip
    assert lines[1][3] == "content limit"
    assert "words" not in str(lines)
    assert not bad.good


def test_what_needs_no_copy_is_explained() -> None:
    told = notes(replace(GOOD, waiting=3, explained={"same_content": 2}))
    assert told == ["  3 more on their way", "  2 without a copy: same content"]


@pytest.mark.parametrize(("said", "ago"), [("90m", 90), ("6h", 360), ("3d", 3 * 24 * 60)])
def test_a_time_may_be_said_as_so_long_ago(said: str, ago: int) -> None:
    told = Moment().convert(said, None, None)
    assert abs(told - (datetime.now(UTC) - timedelta(minutes=ago))) < timedelta(minutes=1)


def test_a_day_is_a_time_too() -> None:
    assert Moment().convert("2026-01-02", None, None).astimezone().date().isoformat() == "2026-01-02"


@pytest.mark.parametrize("said", ["yesterday", "3w", "2026-13-01", "9999-01-01", "99999999d", ""])
def test_what_is_no_time_is_refused(said: str) -> None:
    with pytest.raises(click.BadParameter):
        Moment().convert(said, None, None)


def test_posts_that_repeat_what_others_bring_are_said_not_to_be_queued() -> None:
    first, *more = mended_in_words(4, Mended(queued=1, repeats=2)).splitlines()
    assert first.startswith("1 queued again")
    assert [line[:27] for line in more] == ["2 posts were not queued: th"]
    assert len(mended_in_words(4, Mended(queued=1)).splitlines()) == 1
