"""People's own patterns, under RE2: every pattern takes time linear in the text, or is refused when it is saved."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

import re2

from forwarder.rules.folding import SILENT
from forwarder.rules.problems import wrong
from forwarder.rules.reading import Place, shown

LARGEST = 20_000
"""Instructions of a compiled pattern. Time is linear in the text, but also in this."""

GROUP = re.compile(r"\\(?:(?P<number>[0-9])|g<(?P<name>\w+)>|(?P<escaped>[\\n]))")


@dataclass(frozen=True, slots=True)
class Found:
    """One match in characters, with what each group caught ('' for nothing)."""

    start: int
    end: int
    groups: tuple[str, ...]


class Pattern:
    def __init__(self, compiled: re2._Regexp) -> None:
        self._compiled = compiled
        self.count = int(compiled.groups)
        self.names: dict[str, int] = compiled.groupindex

    def first(self, text: str) -> tuple[int, int] | None:
        found = self._compiled.search(text)
        return found.span() if found is not None else None

    def each(self, text: str) -> Iterator[Found]:
        """Every match that is not empty."""
        for found in self._compiled.finditer(text):
            start, end = found.span()
            if end > start:
                yield Found(start, end, (text[start:end], *found.groups("")))


def read_pattern(place: Place) -> Pattern:
    """Raises ``rule_bad_pattern`` with RE2's reason, or ``rule_empty_pattern``."""
    source = place.text()
    try:
        compiled = re2.compile(source, SILENT)
    except re2.error as error:
        reason = error.args[0].decode("utf-8", "replace") if error.args else "it is too large"
        raise wrong("rule_bad_pattern", place=place.path, pattern=shown(source), reason=reason) from error
    if compiled.programsize > LARGEST:
        raise wrong("rule_bad_pattern", place=place.path, pattern=shown(source), reason="it is too large")
    if compiled.search("") is not None:
        raise wrong("rule_empty_pattern", place=place.path, pattern=shown(source))
    return Pattern(compiled)


@dataclass(frozen=True, slots=True)
class Replacement:
    r"""What is put in the place of a match: texts and numbers of groups (``\1``, ``\g<name>``, ``\n``, ``\\``)."""

    pieces: tuple[str | int, ...]

    def fill(self, found: Found) -> str:
        return "".join(piece if isinstance(piece, str) else found.groups[piece] for piece in self.pieces)


def read_replacement(place: Place, pattern: Pattern) -> Replacement:
    """Raises ``rule_bad_group`` where it names a group that the pattern has not."""
    text = place.storable()
    pieces: list[str | int] = []
    done = 0
    for found in GROUP.finditer(text):
        pieces.append(text[done : found.start()])
        done = found.end()
        if found["escaped"]:
            pieces.append("\n" if found["escaped"] == "n" else "\\")
            continue
        named = found["name"]
        number = int(found["number"]) if named is None else pattern.names.get(named, -1)
        if named is not None and named.isascii() and named.isdigit():
            number = int(named[:4])
        if not 0 <= number <= pattern.count:
            raise wrong("rule_bad_group", place=place.path, group=shown(named or number), count=pattern.count)
        pieces.append(number)
    pieces.append(text[done:])
    return Replacement(tuple(piece for piece in pieces if piece != ""))
