"""Where a dialog of several steps stands; kept in the person's row, so that a restart does not forget it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from forwarder.bot.cb import Side
from forwarder.message import Mode


class Step(StrEnum):
    SOURCES = "sources"
    DESTINATIONS = "destinations"
    MODE = "mode"
    CONFIRM = "confirm"


@dataclass(frozen=True, slots=True)
class Adding:
    """The person is asked which chat to add."""

    side: Side


@dataclass(frozen=True, slots=True)
class Draft:
    """Mappings that are being put together; ``page`` is the page of the list being chosen from."""

    step: Step = Step.SOURCES
    sources: tuple[int, ...] = ()
    destinations: tuple[int, ...] = ()
    mode: Mode = Mode.FORWARD
    page: int = 0

    @property
    def chosen(self) -> tuple[int, ...]:
        """What is ticked in the list of this step."""
        return self.sources if self.step is Step.SOURCES else self.destinations

    @property
    def pairs(self) -> tuple[tuple[int, int], ...]:
        return tuple((source, destination) for source in self.sources for destination in self.destinations)


Dialog = Adding | Draft


def to_json(dialog: Dialog) -> dict[str, object]:
    if isinstance(dialog, Adding):
        return {"name": "adding", "side": dialog.side.value}
    return {
        "name": "draft",
        "step": dialog.step.value,
        "sources": list(dialog.sources),
        "destinations": list(dialog.destinations),
        "mode": dialog.mode.value,
        "page": dialog.page,
    }


def from_json(stored: Mapping[str, object] | None) -> Dialog | None:
    """The dialog that was stored; None for none, or for one that this version does not know."""
    if stored is None:
        return None
    try:
        if stored["name"] == "adding":
            return Adding(Side(str(stored["side"])))
        if stored["name"] == "draft":
            return Draft(
                Step(str(stored["step"])),
                _numbers(stored["sources"]),
                _numbers(stored["destinations"]),
                Mode(str(stored["mode"])),
                int(str(stored["page"])),
            )
    except (KeyError, ValueError, TypeError):
        return None
    return None


def _numbers(value: object) -> tuple[int, ...]:
    if not isinstance(value, list):
        raise TypeError(value)
    return tuple(int(item) for item in value)
