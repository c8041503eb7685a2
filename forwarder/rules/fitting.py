"""What Telegram takes in one message. Texts that are too long are cut on a word, or split in two at the best place.

Lengths are UTF-16 units.
"""

from __future__ import annotations

import re
import unicodedata

from forwarder.message import Entity
from forwarder.rules.entities import (
    FOUND_BY_SERVER,
    Rich,
    joined,
    length_in_units,
    part_of,
    stripped,
    to_utf16,
)

TEXT_LIMIT = 4096
CAPTION_LIMIT = 1024
"""What Telegram takes; https://core.telegram.org/bots/api#sendmessage counts characters, units are the safe side."""

MOST_ENTITIES = 100
"""Formatted stretches of one message; more are refused with ENTITIES_TOO_LONG."""

ENDING = "…"
BREAKS = (re.compile(r"\n\s*\n"), re.compile(r"\n"), re.compile(r"[.!?…؟。]\s"), re.compile(r"\s"))
JOINER = "\u200d"
LONGEST_CLUSTER = 32


def cut(rich: Rich, limit: int, ending: str = ENDING) -> Rich:
    """At most ``limit`` units, the ending included, cut behind a whole word where there is one."""
    if length_in_units(rich.text) <= limit:
        return rich
    most = _characters_in(rich.text, limit - length_in_units(ending))
    if most <= 0:
        return Rich()
    end = most
    if not rich.text[most].isspace():
        space = next((n for n in range(most, most // 2, -1) if rich.text[n - 1].isspace()), 0)
        end = space or _whole_cluster(rich.text, most)
    end = len(rich.text[:end].rstrip())
    return joined(part_of(rich, 0, end), Rich(ending))


def as_sent(rich: Rich) -> tuple[str, tuple[Entity, ...]]:
    """Text and formatting as Telegram wants them, and no more of it than it takes."""
    return to_utf16(with_few(rich, MOST_ENTITIES))


def with_few(rich: Rich, most: int) -> Rich:
    """With so much formatting: where there is more, what the server finds by itself goes, then the last."""
    if len(rich.entities) <= most:
        return rich
    own = [entity for entity in rich.entities if entity.type not in FOUND_BY_SERVER]
    return Rich(rich.text, tuple(own[: max(most, 0)]))


def split(rich: Rich, limit: int) -> tuple[Rich, Rich]:
    """What fits, and the rest: between paragraphs, lines, sentences or words, unless half stays empty."""
    if length_in_units(rich.text) <= limit:
        return rich, Rich()
    most = _characters_in(rich.text, limit)
    end = _best_break(rich.text, most) or _whole_cluster(rich.text, most)
    return stripped(part_of(rich, 0, end)), stripped(part_of(rich, end, len(rich.text)))


def _best_break(text: str, most: int) -> int:
    for kind in BREAKS:
        ends = [found.end() for found in kind.finditer(text, most // 2, most)]
        if ends:
            return ends[-1]
    return 0


def _characters_in(text: str, units: int) -> int:
    """How many whole characters fit into so many units."""
    if units <= 0:
        return 0
    return len(text.encode("utf-16-le", "surrogatepass")[: 2 * units].decode("utf-16-le", "ignore"))


def _whole_cluster(text: str, end: int) -> int:
    """A place at or before ``end`` that is not inside what is seen as one character: flags, families, accents."""
    at = end
    while at > max(0, end - LONGEST_CLUSTER) and _joins(text, at):
        at -= 1
    return end if at in (0, end - LONGEST_CLUSTER) else at


def _joins(text: str, at: int) -> bool:
    """Whether the character at ``at`` belongs to the one before it."""
    if at >= len(text):
        return False
    after, before = text[at], text[at - 1]
    if (
        before == JOINER
        or after == JOINER
        or "\ufe00" <= after <= "\ufe0f"
        or "\U0001f3fb" <= after <= "\U0001f3ff"
    ):
        return True
    if unicodedata.category(after)[0] == "M":
        return True
    flags = 0
    while flags < at and _is_flag_letter(text[at - 1 - flags]):
        flags += 1
    return _is_flag_letter(after) and flags % 2 == 1


def _is_flag_letter(character: str) -> bool:
    return "\U0001f1e6" <= character <= "\U0001f1ff"
