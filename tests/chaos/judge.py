"""The verdict over a chaos, from the local Telegram's world alone. Pure.

The forwarder's own rows are asked one thing only: which posts it holds for a person, so that a post that is
held openly is not taken for a lost one.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta

from forwarder.demo.verdict import Expected, Seen, Verdict, Way, judge
from forwarder.message import Route
from forwarder.models import WhenUnsure
from tests.chaos.ruled import rejoined
from tests.chaos.town import Lane

LOOKED_UP_WITHIN = timedelta(seconds=40)
"""After this long a call of unknown outcome has been looked up, or could not be."""

Held = tuple[int, int, int]
"""A post that waits for a person: source chat, its first message, destination chat."""


@dataclass(frozen=True, slots=True)
class Sent:
    """A call that sent something into a chat, by the sandbox's record; ``answered``: the caller was told so."""

    chat: int
    at: datetime
    answered: bool


@dataclass(frozen=True, slots=True)
class Span:
    """A time in which the sender, or what it needs, was struck. ``blind``: nobody could look for copies then."""

    began: datetime
    ended: datetime
    blind: bool = False

    def concerns(self, at: datetime) -> bool:
        return self.began - timedelta(seconds=2) <= at <= self.ended + LOOKED_UP_WITHIN


@dataclass(frozen=True, slots=True)
class Facts:
    """What happened beside the messages themselves. ``times`` is when each message of the world came to be."""

    sent: Sequence[Sent]
    struck: Sequence[Span]
    times: Mapping[tuple[int, int], datetime]


@dataclass(frozen=True, slots=True)
class Case:
    """A message too many, or a post that is held. ``allowed`` by the route, the mapping's setting and the facts."""

    doubled: bool
    post: int
    source: int
    destination: int
    when_unsure: str
    allowed: bool
    why: str


@dataclass(frozen=True, slots=True)
class Finding:
    """What one route came to; ``cases`` are the doubled and held posts by name."""

    verdict: Verdict
    cases: tuple[Case, ...] = ()

    @property
    def good(self) -> bool:
        """Nothing lost, nothing out of order, nothing doubled but what may be, each message too many by name."""
        counts = self.verdict.counts()
        unnamed = counts.pop("doubled") - sum(case.doubled for case in self.cases)
        return (
            unnamed <= 0
            and not any(counts.values())
            and self.verdict.expected == self.verdict.delivered
            and all(case.allowed for case in self.cases)
        )

    def to_json(self) -> dict[str, object]:
        return {**asdict(self.verdict), "good": self.good, "cases": [asdict(case) for case in self.cases]}


def find(
    posts: Sequence[Expected],
    lanes: Mapping[Way, Lane],
    world: Mapping[int, Sequence[Seen]],
    *,
    held: Collection[Held] = (),
    sent: Sequence[Sent] = (),
    struck: Sequence[Span] = (),
    times: Mapping[tuple[int, int], datetime] | None = None,
) -> Finding:
    """Judge the lanes of one route."""
    facts = Facts(sent, struck, times or {})
    cases: list[Case] = []
    verdicts = []
    by_destination: dict[int, list[Way]] = defaultdict(list)
    for way in lanes:
        by_destination[way.destination].append(way)
    for destination, ways in by_destination.items():
        seen = rejoined(world[destination], [p for way in ways for p in _split(lanes[way], way, posts)])
        for way in ways:
            own = _asked_of(lanes[way], [post for post in posts if post.source == way.source])
            waiting = [post for post in own if (way.source, post.messages[0].id, destination) in held]
            cases += [_held_case(post, way, lanes[way], seen, facts) for post in waiting]
            cases += _doubled_cases(own, way, lanes[way], seen, facts)
            judged = [post for post in own if post not in waiting]
            ours = {one.identity for post in judged for one in post.messages}
            there = {destination: [one for one in seen if one.identity in ours]}
            verdicts.append(judge(judged, [way], there))
        asked = {way.source for way in ways}
        known = {one.identity for post in posts if post.source in asked for one in post.messages}
        strays = [one for one in seen if one.identity not in known]
        verdicts.append(Verdict(wrong_place=len(strays), faults=tuple(f"wrong_place: {s}" for s in strays)))
    return Finding(_sum(posts, lanes, verdicts), tuple(cases))


def _asked_of(lane: Lane, posts: Sequence[Expected]) -> list[Expected]:
    """The posts as the lane is to bring them."""
    if lane.ruling is None:
        return list(posts)
    return [asked for post in posts if (asked := lane.ruling.asked(post)) is not None]


def _split(lane: Lane, way: Way, posts: Sequence[Expected]) -> list[Expected]:
    """The posts of which the lane may make two messages."""
    splits = lane.ruling is not None and lane.ruling.split
    return [post for post in posts if post.source == way.source] if splits else []


def _sum(posts: Sequence[Expected], lanes: Mapping[Way, Lane], verdicts: Sequence[Verdict]) -> Verdict:
    sources = {way.source for way in lanes}
    total = Verdict(posted=sum(post.source in sources for post in posts))
    for one in verdicts:
        values = {name: getattr(total, name) + count for name, count in one.counts().items()}
        total = replace(
            total,
            **values,
            expected=total.expected + one.expected,
            delivered=total.delivered + one.delivered,
            faults=(*total.faults, *one.faults),
        )
    return total


def _held_case(post: Expected, way: Way, lane: Lane, seen: Sequence[Seen], facts: Facts) -> Case:
    allowed, why = lane.when_unsure is WhenUnsure.HOLD, "held for a person"
    if not allowed:
        why = "held, though the mapping says to send again"
    elif there := [one for one in seen if one.identity == post.messages[0].identity]:
        allowed, known = _unknowable(there[0], facts)
        why = f"held for a person, and it is there: {known}"
    return _case(post, way, lane, why, doubled=False, allowed=allowed)


def _case(post: Expected, way: Way, lane: Lane, why: str, *, doubled: bool, allowed: bool) -> Case:
    return Case(doubled, post.number, way.source, way.destination, lane.when_unsure.value, allowed, why)


def _doubled_cases(
    posts: Sequence[Expected], way: Way, lane: Lane, seen: Sequence[Seen], facts: Facts
) -> list[Case]:
    copies: dict[str, list[Seen]] = defaultdict(list)
    for one in seen:
        copies[one.identity].append(one)
    cases = []
    for post, message in ((one, message) for one in posts for message in one.messages):
        for first in copies.get(message.identity, [])[:-1]:
            unknowable, why = _unknowable(first, facts)
            may_be = lane.route is Route.BOT and lane.when_unsure is WhenUnsure.AGAIN
            cases.append(
                _case(post, way, lane, f"doubled: {why}", doubled=True, allowed=unknowable and may_be)
            )
    return cases


def _unknowable(first: Seen, facts: Facts) -> tuple[bool, str]:
    """Whether nobody could learn that this copy was made: the answer or the sender was lost, and so was whoever
    could have looked for it. (Every destination here can be read by a login of ours.)"""
    at = facts.times[first.chat, first.id]
    nearest = min(
        (call for call in facts.sent if call.chat == first.chat),
        key=lambda call: abs(call.at - at),
        default=None,
    )
    around = [span for span in facts.struck if span.concerns(at) or at <= span.began <= at + LOOKED_UP_WITHIN]
    if nearest is not None and nearest.answered and not around:
        return False, "the sender was told that it is there"
    if not any(span.blind for span in around):
        return False, "the outcome was unknown, but could have been looked up"
    return True, "the outcome was unknown, and nobody could look it up"
