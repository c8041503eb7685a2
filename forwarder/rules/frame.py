"""What goes around a post's text or along with it: header, footer, button, preview, spoiler."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from zoneinfo import ZoneInfo

from forwarder.message import Button
from forwarder.rules.entities import says_something
from forwarder.rules.templates import Piece, Template, fill_address, fill_text


@dataclass(frozen=True, slots=True)
class Header:
    template: Template


@dataclass(frozen=True, slots=True)
class Footer:
    template: Template


@dataclass(frozen=True, slots=True)
class Preview:
    """Whether the copy shows a preview of its first link."""

    shown: bool


@dataclass(frozen=True, slots=True)
class Spoiler:
    """Media are covered until they are tapped."""


@dataclass(frozen=True, slots=True)
class ButtonRule:
    text: tuple[Piece, ...]
    address: tuple[Piece, ...]

    def fill(self, values: Mapping[str, str]) -> Button | None:
        """None where the post has no such link, or nothing to call it by."""
        url, text = fill_address(self.address, values), fill_text(self.text, values).strip()
        return Button(text[:64], url) if url and says_something(text) else None


@dataclass(frozen=True, slots=True)
class DateZone:
    """On whose calendar ``{date}`` is read."""

    zone: ZoneInfo


@dataclass(frozen=True, slots=True)
class TooLong:
    """A text that the rules have made too long for one message: split in two, else cut."""

    split: bool
