"""What a benchmark answers."""

from __future__ import annotations

import statistics
from dataclasses import dataclass, field


@dataclass(slots=True)
class Figures:
    """``runs`` holds each figure of each run; ``units`` say what they are in."""

    units: dict[str, str]
    runs: dict[str, list[float]] = field(default_factory=dict)

    def add(self, what: str, value: float) -> None:
        self.runs.setdefault(what, []).append(value)

    @property
    def medians(self) -> dict[str, tuple[float, str]]:
        return {what: (statistics.median(values), self.units[what]) for what, values in self.runs.items()}

    def as_json(self) -> dict[str, object]:
        return {
            what: {"median": statistics.median(values), "unit": self.units[what], "runs": values}
            for what, values in self.runs.items()
        }
