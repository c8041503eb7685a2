"""``backfill``: what is refused before anything is asked, and how a run reads in one line."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from forwarder.backfill import BackfillView
from forwarder.cli.backfill import duration, line, numbers
from forwarder.cli.root import main
from forwarder.message import Mode, Route
from forwarder.models import BackfillState, MappingState
from forwarder.services.values import ChannelName, MappingSettings, MappingView

NOW = datetime(2026, 11, 25, tzinfo=UTC)


def run(**values: object) -> BackfillView:
    mapping = MappingView(
        id=3,
        source=ChannelName(1, -1001, "News", "news"),
        source_topic=0,
        destination=ChannelName(2, -1002, "Copies", None),
        destination_topic=0,
        mode=Mode.COPY,
        route=Route.AUTO,
        lane_route=Route.BOT,
        state=MappingState.ACTIVE,
        reason=None,
        settings=MappingSettings(),
        revision=1,
        start_after=2000,
        created_at=NOW,
    )
    fields: dict[str, object] = {
        "id": 5, "mapping": mapping, "state": BackfillState.RUNNING, "reason": None, "first_id": 1,
        "last_id": 2000, "cursor": 400, "total": 1500, "read": 300, "passed": 20, "queued": 270, "open": 70,
        "rate": 20.0, "not_before": None, "created_at": NOW, "ended_at": None,
    } | values  # fmt: skip
    return BackfillView(**fields)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["3", "--last", "0"], "0 is not in the range"),
        (["3", "--last", "5", "--all"], "Choose one of"),
        (["3", "--since", "yesterday"], "yesterday is no time"),
        (["3", "--until", "soon", "--all"], "soon is no time"),
        (["3", "--dry-run"], "Say what to look at"),
        (["three"], "is not a valid integer"),
    ],
)
def test_what_makes_no_sense_is_refused_with_status_2(
    arguments: list[str], told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["backfill", *arguments]) == 2
    assert told in capsys.readouterr().err


def test_a_run_says_what_is_done_how_fast_and_how_long_it_takes() -> None:
    assert numbers(run()) == "200 of 1,470, 20 a minute, 1 h 3 min left"
    assert numbers(run(rate=0.0, reason="flood_wait")) == "200 of 1,470; flood wait"


def test_when_all_is_read_the_total_is_exact() -> None:
    assert run(cursor=2000, read=1500, queued=1400).expected == 1400


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ({"state": BackfillState.PAUSED, "reason": "paused"}, "Backfill 5 of mapping 3 is paused: "),
        ({"state": BackfillState.PAUSED, "reason": "chat_unreachable"}, "is paused (chat unreachable): "),
        ({"state": BackfillState.STOPPED, "ended_at": NOW}, "was stopped: "),
        (
            {"state": BackfillState.DONE, "ended_at": NOW, "open": 0, "cursor": 2000},
            "is done: 270 of 270 posts, ",
        ),
    ],
)
def test_the_line_names_the_state_and_its_reason(values: dict[str, object], told: str) -> None:
    assert told in line(run(**values))


def test_a_duration_is_told_in_its_two_largest_units() -> None:
    assert [duration(seconds) for seconds in (7, 95, 3_700)] == ["7 s", "1 min 35 s", "1 h 1 min"]
