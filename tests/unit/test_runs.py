"""Which posts of a lane share one call over MTProto."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from forwarder.message import AccountKind, DeliveryKind, Kind, Mode, State
from forwarder.outbox import Job, Nothing, Part, Run, first_run
from forwarder.pace import Place
from tests.unit.test_calls import JOB, LANE

BOT, USER = AccountKind.BOT, AccountKind.USER
COPIES = replace(LANE, mode=Mode.COPY)


def job(number: int, *parts: Part, **values: Any) -> Job:
    content = parts or (Part(number, Kind.TEXT, protected=False),)
    fields: dict[str, Any] = {"content": content} | values
    return replace(JOB, delivery_id=number, position=number, parts=(), **fields)


def media(number: int, kind: Kind = Kind.PHOTO) -> Part:
    return Part(number, kind, protected=False)


def together(*jobs: Job, lane: object = COPIES, kind: AccountKind = USER) -> list[int]:
    run = first_run(jobs, lane, kind)  # type: ignore[arg-type]
    assert isinstance(run, Run)
    return [j.delivery_id for j in run.jobs]


def test_consecutive_posts_share_a_call_of_the_user_and_not_of_the_bot() -> None:
    jobs = [job(n) for n in (1, 2, 3)]
    assert together(*jobs) == [1, 2, 3]
    assert together(*jobs, kind=BOT) == [1]


def test_a_call_carries_at_most_a_hundred_messages_and_never_part_of_an_album() -> None:
    assert len(together(*(job(n) for n in range(1, 150)))) == 100
    album = job(99, *(media(n) for n in range(200, 210)))
    assert together(*(job(n) for n in range(1, 96)), album) == list(range(1, 96))
    assert together(*(job(n) for n in range(1, 91)), album)[-1] == 99


@pytest.mark.parametrize("second", [Kind.PHOTO, Kind.VIDEO, Kind.DOCUMENT])
def test_neighbouring_media_never_share_a_call(second: Kind) -> None:
    assert together(job(1, media(1)), job(2, media(2, second)), job(3)) == [1]


def test_media_with_a_text_between_them_may_share_a_call() -> None:
    assert together(job(1, media(1)), job(2), job(3, media(3))) == [1, 2, 3]


@pytest.mark.parametrize(
    "other",
    [
        job(2, Part(2, Kind.TEXT, protected=False, reply_to=1)),
        job(2, Part(2, Kind.TEXT, protected=True)),
        job(2, Part(2, Kind.UNKNOWN, protected=False)),
        job(2, content=()),
        job(2, klass=2),
        job(2, source=-1009),
        job(2, due_in=5.0),
        job(2, state=State.SENDING),
        job(2, unsettled=True),
    ],
    ids=[
        "answers",
        "protected",
        "of no known kind",
        "deleted",
        "bulk",
        "other chat",
        "waits",
        "sent",
        "unknown",
    ],
)
def test_what_needs_something_of_its_own_goes_alone(other: Job) -> None:
    assert together(job(1), other, job(3)) == [1]


def test_a_forward_answers_nothing_so_it_may_share_a_call() -> None:
    answer = job(2, Part(2, Kind.TEXT, protected=False, reply_to=1))
    assert together(job(1), answer, lane=LANE) == [1, 2]


def test_silent_posts_share_calls_with_silent_ones_only_unless_the_mapping_is_silent() -> None:
    jobs = [job(1), job(2), job(3, silent=True), job(4, silent=True), job(5)]
    assert together(*jobs) == [1, 2]
    assert together(*jobs[2:]) == [3, 4]
    assert together(*jobs, lane=replace(COPIES, silent=True)) == [1, 2, 3, 4, 5]


def test_who_holds_a_place_in_the_pace_goes_alone() -> None:
    assert together(job(1, place=Place.CHAT), job(2)) == [1]


def test_what_was_in_one_call_of_unknown_outcome_stays_in_one_call() -> None:
    carried = [
        job(n, unsettled=True, batch=1, message_ids=(n,), due_in=None if n == 1 else 3.0) for n in (1, 2, 3)
    ]
    assert together(*carried, job(4)) == [1, 2, 3]
    assert together(job(1, unsettled=True), job(2, unsettled=True)) == [1]


def test_an_edit_goes_first_and_one_that_waits_holds_up_no_post() -> None:
    edit = job(9, kind=DeliveryKind.EDIT, klass=0)
    assert together(edit, job(1)) == [9]
    assert together(replace(edit, due_in=4.0), job(1)) == [1]


def test_a_waiting_head_holds_its_lane_and_the_nearest_time_is_told() -> None:
    edit = job(9, kind=DeliveryKind.EDIT, klass=0, due_in=4.0)
    assert first_run([edit, job(1, due_in=7.0), job(2)], COPIES, USER) == Nothing(4.0)
    assert first_run([], COPIES, USER) == Nothing(None)
