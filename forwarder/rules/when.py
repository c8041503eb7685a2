"""When a post goes: now, not before a time, after somebody has approved it, or not at all. Pure decisions.

A wall time that the clocks skip is read with the offset from before the change, which is as much later; one that
comes twice means its first coming (RFC 5545, section 3.3.5). Quiet hours are therefore stretches of absolute
time that come once a day.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
ONE_DAY, ONE_WEEK = timedelta(days=1), timedelta(days=7)


@dataclass(frozen=True, slots=True)
class Delay:
    minutes: int


@dataclass(frozen=True, slots=True)
class Quiet:
    """From one wall time to another, across midnight where it ends before it begins."""

    begins: time
    ends: time
    zone: ZoneInfo

    def over(self, at: datetime) -> datetime:
        """``at``, or the end of the quiet hours that it lies in."""
        today = at.astimezone(self.zone).date()
        for day in (today - ONE_DAY, today):
            until = day if self.begins < self.ends else day + ONE_DAY
            if moment(day, self.begins, self.zone) <= at < (end := moment(until, self.ends, self.zone)):
                return end
        return at


@dataclass(frozen=True, slots=True)
class OnDays:
    """Days of the week, 0 for Monday."""

    days: frozenset[int]
    zone: ZoneInfo

    def over(self, at: datetime) -> datetime:
        """``at``, or the first midnight of a day that is one of them."""
        day = at.astimezone(self.zone).date()
        while day.weekday() not in self.days:
            day += ONE_DAY
            at = moment(day, time(), self.zone)
        return at


@dataclass(frozen=True, slots=True)
class AtMost:
    """So many posts a day; the rest waits for tomorrow, or is withdrawn."""

    a_day: int
    withdraw: bool
    zone: ZoneInfo


@dataclass(frozen=True, slots=True)
class Review:
    """Somebody decides about each post; after so many hours without an answer it is sent or withdrawn."""

    hours: int
    then_send: bool


@dataclass(frozen=True, slots=True)
class When:
    """All rules of time of a set; quiet hours may be several."""

    delay: Delay | None = None
    quiet: tuple[Quiet, ...] = ()
    days: OnDays | None = None
    at_most: AtMost | None = None
    review: Review | None = None


@dataclass(frozen=True, slots=True)
class Counters:
    """``sent_on`` says how many posts of the mapping have been sent, or have a place, on a day from ``start`` to
    before ``end``. ``approved`` is what a reviewer said, None so far; ``asked`` is
    since when one is asked, None from now on."""

    sent_between: Callable[[datetime, datetime], int] = lambda start, end: 0
    approved: bool | None = None
    asked: datetime | None = None


@dataclass(frozen=True, slots=True)
class Now:
    pass


@dataclass(frozen=True, slots=True)
class NotBefore:
    """``reason`` is the verb of the rule that holds the post longest."""

    at: datetime
    reason: str


@dataclass(frozen=True, slots=True)
class Hold:
    """Until somebody has approved or rejected it, or until ``expires``."""

    expires: datetime


@dataclass(frozen=True, slots=True)
class Withdraw:
    reason: str


Decision = Now | NotBefore | Hold | Withdraw

MOST_STEPS = 400
"""Days ahead that a place is looked for; a post is held until then and asked again."""


def when(rules: When, now: datetime, posted: datetime, counters: Counters) -> Decision:
    """What to do with a post that appeared at ``posted``, at the time ``now``. Both know their zone."""
    if rules.review is not None:
        expires = (counters.asked or now) + timedelta(hours=rules.review.hours)
        if counters.approved is False:
            return Withdraw("rejected")
        if counters.approved is None and now < expires:
            return Hold(expires)
        if counters.approved is None and not rules.review.then_send:
            return Withdraw("review_expired")
    at, reason = now, ""
    if rules.delay is not None and (due := posted + timedelta(minutes=rules.delay.minutes)) > now:
        at, reason = due, "delay"
    for _ in range(MOST_STEPS):
        allowed, why = _allowed(rules, at)
        if allowed > at:
            at, reason = allowed, why
            continue
        if rules.at_most is None:
            break
        day = at.astimezone(rules.at_most.zone).date()
        tomorrow = moment(day + ONE_DAY, time(), rules.at_most.zone)
        if counters.sent_between(moment(day, time(), rules.at_most.zone), tomorrow) < rules.at_most.a_day:
            break
        if rules.at_most.withdraw:
            return Withdraw("at_most")
        at, reason = tomorrow, "at_most"
    return NotBefore(at.astimezone(UTC), reason) if at > now else Now()


def is_free(rules: When, at: datetime) -> bool:
    """Whether the days and the quiet hours let a post go at that time."""
    return _allowed(rules, at)[0] == at


def too_old_before(rules: When, now: datetime, hours: int) -> datetime:
    """Posts that appeared before have waited longer than so many hours, without the time in which no rule let them go.

    What is more than a day's number is held until tomorrow: it has a day more.
    """
    since = open_since(rules, now, timedelta(hours=hours))
    if rules.delay is not None:
        since -= timedelta(minutes=rules.delay.minutes)
    if rules.at_most is not None and not rules.at_most.withdraw:
        since -= ONE_DAY
    return since


def open_since(rules: When, now: datetime, left: timedelta) -> datetime:
    """Since when the days and the quiet hours have let posts go for so long; no further back than is looked ahead."""
    if rules.days is None and not rules.quiet:
        return now - left
    end = now
    for start in _turns_back(rules, now):
        if is_free(rules, start):
            if end - start >= left:
                return end - left
            left -= end - start
        end = start
    return end


def _turns_back(rules: When, now: datetime) -> Iterator[datetime]:
    """The times, the last one first, at which the days and the quiet hours may have begun or ceased to let posts go."""
    for week in range(MOST_STEPS // len(DAYS)):
        end = now - week * ONE_WEEK
        begin = end - ONE_WEEK
        found = set()
        for n in range(-1, len(DAYS) + 2):
            day = begin.date() + n * ONE_DAY
            found |= {moment(day, at, q.zone) for q in rules.quiet for at in (q.begins, q.ends)}
            if rules.days is not None:
                found.add(moment(day, time(), rules.days.zone))
        yield from sorted((at for at in found if begin < at < end), reverse=True)
        yield begin


def _allowed(rules: When, at: datetime) -> tuple[datetime, str]:
    """The first time from ``at`` on that the next rule in the way allows."""
    if rules.days is not None and (day := rules.days.over(at)) > at:
        return day, "days"
    for quiet in rules.quiet:
        if (end := quiet.over(at)) > at:
            return end, "quiet"
    return at, ""


def moment(day: date, at: time, zone: ZoneInfo) -> datetime:
    """A wall time as a moment, in UTC: two times of one zone would be compared by their wall times."""
    return datetime.combine(day, at, zone).astimezone(UTC)
