"""The chaos' plan and its judge: the same for the same seed, and strict where it must be."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from forwarder.demo.verdict import Expected, Seen, Way
from forwarder.message import Mode, Route
from forwarder.models import WhenUnsure
from tests.chaos.judge import Finding, Sent, Span, find
from tests.chaos.plan import BOT_SOURCES, Kind, make_plan
from tests.chaos.ruled import WORDS, Ruling, link_to, written
from tests.chaos.town import LANES, SOURCES, Lane

SOURCE, DESTINATION = -1001, -1002
WAY = Way(SOURCE, DESTINATION, Mode.COPY)
NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


def posts(count: int) -> list[Expected]:
    return [Expected(n, SOURCE, (Seen(SOURCE, n, f"text:{n}", f"{n}"),)) for n in range(1, count + 1)]


def copies(*numbers: int) -> list[Seen]:
    return [Seen(DESTINATION, 100 + at, f"text:{n}", f"{n}") for at, n in enumerate(numbers)]


def found(
    there: list[Seen], when_unsure: WhenUnsure = WhenUnsure.AGAIN, *, answered: bool = True, **facts: object
) -> Finding:
    times = {(one.chat, one.id): NOON + timedelta(minutes=one.id) for one in there}
    sent = [Sent(one.chat, times[one.chat, one.id], answered) for one in there]
    lane = Lane("source", "destination", Mode.COPY, Route.BOT, when_unsure)
    return find(posts(3), {WAY: lane}, {DESTINATION: there}, sent=sent, times=times, **facts)  # type: ignore[arg-type]


def test_the_same_seed_makes_the_same_trouble_and_every_kind_of_it() -> None:
    assert make_plan(5, 120) == make_plan(5, 120) != make_plan(6, 120)
    plan = make_plan(5, 120)
    assert {trouble.kind for trouble in plan} == set(Kind)
    assert [trouble.at for trouble in plan] == sorted(trouble.at for trouble in plan)


def test_the_bots_updates_are_withheld_of_the_chats_that_it_hears() -> None:
    assert {chat.key for chat in SOURCES if chat.bot} == set(BOT_SOURCES)
    assert any(chat.bot and not chat.account for chat in SOURCES), "one that nobody else hears"
    withheld = [trouble for trouble in make_plan(5, 2000) if trouble.kind is Kind.BOT_WITHHELD]
    assert {len(trouble.target.split()) for trouble in withheld} == {1, 2, len(BOT_SOURCES)}


def test_there_are_at_least_thirty_lanes_on_both_routes_and_no_destination_has_two_routes() -> None:
    assert len(LANES) >= 30
    assert len({(lane.source, lane.destination) for lane in LANES}) == len(LANES)
    by_route = {r: {lane.destination for lane in LANES if lane.route is r} for r in (Route.BOT, Route.USER)}
    assert by_route[Route.BOT]
    assert by_route[Route.USER]
    assert not by_route[Route.BOT] & by_route[Route.USER]


PHOTO = {"kind": "photo", "sha256": "1"}
POST = Expected(
    1,
    -1_000_000_000_077,
    (Seen(-1_000_000_000_077, 5, "photo:1", written("№0001 opens on Monday.", [], PHOTO)),),
)


def by_rules(ruling: Ruling, *there: str) -> bool:
    """Whether it is good that of ``POST`` these messages are there, by contents."""
    lane = Lane("source", "destination", Mode.COPY, Route.USER, WhenUnsure.HOLD, ruling)
    seen = [
        Seen(DESTINATION, 100 + at, "photo:1" if PHOTO["sha256"] in content[-20:] else f"text:{at}", content)
        for at, content in enumerate(there)
    ]
    times = {(one.chat, one.id): NOON for one in seen}
    way = Way(POST.source, DESTINATION, Mode.COPY)
    return find([POST], {way: lane}, {DESTINATION: seen}, times=times).good


def test_a_lane_with_rules_is_to_bring_what_they_make_of_a_post() -> None:
    ruling = Ruling("News", split=False)
    made = written("№0001 opens on Tuesday.\n\nRead in News", [["italic", 33, 4, ""]], PHOTO)
    assert by_rules(ruling, made)
    assert not by_rules(ruling, POST.messages[0].content)
    assert not by_rules(ruling, made.replace("italic", "bold"))
    refused = replace(POST, messages=(replace(POST.messages[0], content=written("The derby", [], PHOTO)),))
    assert [ruling.asked(one) for one in (refused, replace(refused, versions=("", "")))] == [
        replace(refused, deleted=True),
        None,
    ]


def test_a_post_that_rules_have_split_is_to_be_there_with_both_its_messages_once() -> None:
    ruling = Ruling("News", split=True)
    first = written(f"№0001 opens on Tuesday.\n\nRead in News {WORDS[:905]}", [["italic", 33, 4, ""]], PHOTO)
    rest = written(
        f"{WORDS[906:]} {link_to(POST)}", [["url", len(WORDS) - 905, len(link_to(POST)), ""]], None
    )
    assert by_rules(ruling, first, rest)
    for wrong in ([first], [rest], [first, rest, rest], [rest, first], [first, first, rest]):
        assert not by_rules(ruling, *wrong)


def test_every_post_once_and_in_order_is_good() -> None:
    assert found(copies(1, 2, 3)).good


@pytest.mark.parametrize(
    ("there", "fault"), [((1, 3), "lost"), ((1, 3, 2), "out_of_order"), ((1, 2, 3, 9), "wrong_place")]
)
def test_a_lost_a_late_and_a_stray_post_are_not_good(there: tuple[int, ...], fault: str) -> None:
    finding = found(copies(*there))
    assert not finding.good
    assert finding.verdict.counts()[fault] == 1


THEN = NOON + timedelta(minutes=100)
"""When the first copy came to be."""


def test_a_doubled_post_is_good_only_where_nobody_could_know_and_the_mapping_sends_again() -> None:
    doubled, blind = copies(1, 1, 2, 3), [Span(THEN, THEN, blind=True)]
    assert found(doubled, answered=False, struck=blind).good
    assert not found(doubled, WhenUnsure.HOLD, answered=False, struck=blind).good
    assert not found(doubled, answered=False).good, "it could have been looked up"
    assert not found(doubled).good, "the sender was told"
    assert [case.post for case in found(doubled).cases] == [1]


def test_a_later_part_of_an_album_that_is_doubled_is_no_less_doubled() -> None:
    parts = (Seen(SOURCE, 1, "photo:1", "a", "g"), Seen(SOURCE, 2, "photo:2", "", "g"))
    there = [Seen(DESTINATION, 100, "photo:1", "a", "h"), Seen(DESTINATION, 101, "photo:2", "", "h")]
    again = Seen(DESTINATION, 102, "photo:2", "")
    lane = Lane("source", "destination", Mode.COPY, Route.BOT, WhenUnsure.AGAIN)

    def judged(world: list[Seen]) -> Finding:
        times = {(one.chat, one.id): NOON for one in world}
        return find([Expected(1, SOURCE, parts)], {WAY: lane}, {DESTINATION: world}, times=times)

    assert judged(there).good
    assert not judged([*there, again]).good
    assert [case.post for case in judged([*there, again]).cases] == [1]


def test_on_the_user_route_no_double_is_good_and_each_is_named() -> None:
    there, blind = copies(1, 1, 2, 3), [Span(THEN, THEN, blind=True)]
    lane = Lane("source", "destination", Mode.COPY, Route.USER, WhenUnsure.AGAIN)
    times = {(one.chat, one.id): NOON + timedelta(minutes=one.id) for one in there}
    finding = find(posts(3), {WAY: lane}, {DESTINATION: there}, struck=blind, times=times)
    assert (finding.good, [(case.post, case.allowed) for case in finding.cases]) == (False, [(1, False)])


def test_a_blindness_at_another_time_excuses_nothing() -> None:
    late = THEN + timedelta(minutes=10)
    assert not found(copies(1, 1, 2, 3), answered=False, struck=[Span(late, late, blind=True)]).good


def test_a_post_that_is_held_openly_is_not_lost_but_only_where_the_mapping_holds() -> None:
    held = {(SOURCE, 2, DESTINATION)}
    assert found(copies(1, 3), WhenUnsure.HOLD, held=held).good
    blind = [Span(NOON + timedelta(minutes=101), NOON + timedelta(minutes=101), blind=True)]
    there = found(copies(1, 2, 3), WhenUnsure.HOLD, held=held, answered=False, struck=blind)
    assert there.good, "it may be there: that is why it is held"
    assert not found(copies(1, 2, 3), WhenUnsure.HOLD, held=held).good, "it could have been looked up"
    assert not found(copies(1, 3), WhenUnsure.AGAIN, held=held).good
