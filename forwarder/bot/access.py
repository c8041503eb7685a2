"""The first door: who comes in, how fast, and what strangers are told."""

from __future__ import annotations

import time
from collections import OrderedDict, deque
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum

CALLS = 30
SECONDS = 10.0
REMEMBERED = 10_000
"""People whose pace is remembered; the one unseen for the longest is forgotten first."""


class Pace(Enum):
    FINE = "fine"
    TOLD = "told"  # the first update too many: say so
    QUIET = "quiet"  # said already: pass over in silence


@dataclass
class _Recent:
    times: deque[float] = field(default_factory=deque)
    told: bool = False


class RateLimit:
    """At most ``calls`` updates of one person in ``seconds``; one polite word when it is too much."""

    def __init__(
        self, calls: int = CALLS, seconds: float = SECONDS, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._calls, self._seconds, self._clock = calls, seconds, clock
        self._people: OrderedDict[int, _Recent] = OrderedDict()

    def check(self, person: int) -> Pace:
        recent = self._people.setdefault(person, _Recent())
        self._people.move_to_end(person)
        while len(self._people) > REMEMBERED:
            self._people.popitem(last=False)
        now = self._clock()
        while recent.times and recent.times[0] <= now - self._seconds:
            recent.times.popleft()
        if len(recent.times) < self._calls:
            recent.times.append(now)
            recent.told = False
            return Pace.FINE
        if recent.told:
            return Pace.QUIET
        recent.told = True
        return Pace.TOLD

    def wait(self, person: int) -> int:
        """Whole seconds until the person is listened to again, at least 1."""
        recent = self._people.get(person)
        if recent is None or not recent.times:
            return 1
        return max(1, round(recent.times[0] + self._seconds - self._clock()))
