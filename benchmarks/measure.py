"""What a benchmark answers, and how it is asked."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Wishes:
    """What the command line asked for: how many runs, and how much of the full work (1.0) each is to do.

    ``seconds``: how long a benchmark that runs by time is to run, None for its own length.
    """

    runs: int = 5
    share: float = 1.0
    seconds: float | None = None

    def part(self, whole: int, least: int = 1) -> int:
        """So many of the full work's ``whole``."""
        return max(least, round(whole * self.share))


@dataclass(slots=True)
class Figures:
    """``runs`` holds each figure of each run; ``units`` say what they are in; ``to_reach`` what is hoped for."""

    units: dict[str, str]
    runs: dict[str, list[float]] = field(default_factory=dict)
    to_reach: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    def add(self, what: str, value: float, unit: str | None = None) -> None:
        if unit is not None:
            self.units[what] = unit
        self.runs.setdefault(what, []).append(value)

    @property
    def medians(self) -> dict[str, tuple[float, str]]:
        return {what: (statistics.median(values), self.units[what]) for what, values in self.runs.items()}

    def as_json(self) -> dict[str, object]:
        return {
            what: {
                "median": statistics.median(values),
                "unit": self.units[what],
                "runs": values,
                "to_reach": self.to_reach.get(what),
            }
            for what, values in self.runs.items()
        }


def quantile(ordered: Sequence[float], share: float) -> float:
    """The value below which ``share`` of the ordered values lie; not a number where there are none."""
    if not ordered:
        return math.nan
    return ordered[min(len(ordered) - 1, math.ceil(share * len(ordered)) - 1)]
