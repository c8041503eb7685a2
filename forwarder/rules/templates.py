"""Headers, footers and buttons: text with fields and Telegram's HTML, read once and filled in for each post.

``<b>{source_title}</b> · <a href="{post_link}">source</a>``. A line whose fields are all empty is left out.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate

from forwarder.message import Entity
from forwarder.rules.entities import Rich, place_of, says_something
from forwarder.rules.problems import wrong
from forwarder.rules.reading import Place, listed, shown

FIELDS = ("source_title", "source_username", "post_link", "author", "date", "hashtags")
TAGS = {
    "b": "bold", "strong": "bold", "i": "italic", "em": "italic", "u": "underline", "s": "strikethrough",
    "tg-spoiler": "spoiler", "code": "code", "blockquote": "blockquote", "a": "text_link",
}  # fmt: skip
KNOWN_TAGS = tuple('<a href="…">' if name == "a" else f"<{name}>" for name in TAGS)
TAG = re.compile(
    r"<(?P<close>/)?(?P<name>[a-z-]+)(?:\s+href=(?:\"(?P<double>[^\"<>]*)\"|'(?P<single>[^'<>]*)'))?\s*>"
)
BRACES = re.compile(r"\{\{|\}\}|\{(?P<name>[^{}]*)\}|[{}]")
HOST = r"[^\s/?#.:@\[\]]+(?:\.[^\s/?#.:@\[\]]+)+\.?"
LINK = re.compile(rf"tg://\S+|https?://(?:[^\s/?#@]*@)?{HOST}(?::[0-9]+)?(?:[/?#]\S*)?", re.IGNORECASE)
"""Telegram refuses the whole message for a button's link to a host without a dot."""


@dataclass(frozen=True, slots=True)
class Piece:
    """A text, or a field's name. No piece goes over the end of a line."""

    text: str
    is_field: bool = False


@dataclass(frozen=True, slots=True)
class Stretch:
    """Formatting of the pieces from ``first`` to before ``last``; a link's address is pieces as well."""

    type: str
    first: int
    last: int
    address: tuple[Piece, ...] = ()


@dataclass(frozen=True, slots=True)
class Template:
    lines: tuple[tuple[Piece, ...], ...]
    stretches: tuple[Stretch, ...]

    def fill(self, values: Mapping[str, str]) -> Rich:
        """``values`` has a text for each field, '' for what the post has not."""
        pieces: list[str] = []
        for line in self.lines:
            pieces += [""] * len(line) if _says_nothing(line, values) else _texts(line, values)
        places = [0, *accumulate(map(len, pieces))]
        entities = [
            Entity(s.type, places[s.first], places[s.last] - places[s.first], url=_address(s, values))
            for s in self.stretches
            if places[s.last] > places[s.first]
        ]
        usable = [e for e in entities if e.type != "text_link" or e.url is not None]
        return Rich("".join(pieces), tuple(sorted(usable, key=place_of)))


def _texts(pieces: Sequence[Piece], values: Mapping[str, str]) -> list[str]:
    return [values.get(piece.text, "") if piece.is_field else piece.text for piece in pieces]


def _says_nothing(pieces: Sequence[Piece], values: Mapping[str, str]) -> bool:
    """Whether there are fields among them, and the post has nothing for any."""
    asked = False
    for piece in pieces:
        if piece.is_field:
            if values.get(piece.text):
                return False
            asked = True
    return asked


def _address(stretch: Stretch, values: Mapping[str, str]) -> str | None:
    return fill_address(stretch.address, values) if stretch.address else None


def read_template(place: Place) -> Template:
    """Raises ``rule_bad_tag``, ``rule_bad_field`` or ``rule_not_seen``."""
    source = place.text()
    pieces: list[Piece] = []
    stretches: list[Stretch] = []
    opened: list[tuple[str, int, tuple[Piece, ...]]] = []
    done = 0
    for found in TAG.finditer(source):
        pieces += _read_pieces(place, source[done : found.start()])
        done = found.end()
        name, address = found["name"], found["double"] or found["single"]
        if name not in TAGS or ((name == "a") == (address is None) and not found["close"]):
            raise _bad_tag(place, found[0])
        if not found["close"]:
            opened.append((name, len(pieces), _read_address(place, address) if address else ()))
        elif opened and opened[-1][0] == name:
            _, first, link = opened.pop()
            stretches.append(Stretch(TAGS[name], first, len(pieces), link))
        else:
            raise _bad_tag(place, found[0])
    pieces += _read_pieces(place, source[done:])
    if opened:
        raise _bad_tag(place, f"<{opened[-1][0]}>")
    _check_seen(place, pieces)
    return Template(tuple(_lines(pieces)), tuple(stretches))


def read_address(place: Place) -> tuple[Piece, ...]:
    """A link alone, with fields."""
    return _read_address(place, place.text())


def fill_address(address: tuple[Piece, ...], values: Mapping[str, str]) -> str | None:
    """The link, in which a name stands without its ``@``; None where the post has none of what it is made of."""
    if _says_nothing(address, values):
        return None
    link = "".join(
        [values.get(piece.text, "").removeprefix("@") if piece.is_field else piece.text for piece in address]
    )
    return link if LINK.fullmatch(link) else None


def fill_text(pieces: tuple[Piece, ...], values: Mapping[str, str]) -> str:
    return "".join(_texts(pieces, values))


def read_line(place: Place) -> tuple[Piece, ...]:
    """A text with fields and without formatting."""
    pieces = tuple(_read_fields(place, place.text(100)))
    _check_seen(place, pieces)
    return pieces


def _read_address(place: Place, source: str) -> tuple[Piece, ...]:
    pieces = tuple(_read_fields(place, html.unescape(source)))
    alone = len(pieces) == 1 and pieces[0] == Piece("post_link", is_field=True)
    # No field in the host, where what a post has may be what no host can be: "[" stands for it.
    if not alone and not LINK.fullmatch("".join("[" if p.is_field else p.text for p in pieces)):
        raise wrong("rule_bad_link", place=place.path, word=shown(source))
    return pieces


def _read_pieces(place: Place, source: str) -> list[Piece]:
    if "<" in source or ">" in source:
        at = min(n for n in (source.find("<"), source.find(">")) if n >= 0)
        raise _bad_tag(place, source[at : at + 20])
    return list(_read_fields(place, html.unescape(source)))


def _read_fields(place: Place, source: str) -> Iterator[Piece]:
    done, kept = 0, ""
    for found in BRACES.finditer(source):
        kept, done = kept + source[done : found.start()], found.end()
        if found[0] in ("{{", "}}"):
            kept += found[0][0]
            continue
        if found["name"] not in FIELDS:
            raise wrong(
                "rule_bad_field", place=place.path, word=shown(found[0]),
                known=listed(f"{{{name}}}" for name in FIELDS),
            )  # fmt: skip
        yield from _by_line(kept)
        kept = ""
        yield Piece(found["name"], is_field=True)
    yield from _by_line(kept + source[done:])


def _by_line(text: str) -> Iterator[Piece]:
    for line in text.splitlines(keepends=True):
        yield Piece(line)


def _lines(pieces: list[Piece]) -> Iterator[tuple[Piece, ...]]:
    line: list[Piece] = []
    for piece in pieces:
        line.append(piece)
        if not piece.is_field and piece.text.endswith("\n"):
            yield tuple(line)
            line = []
    if line:
        yield tuple(line)


def _check_seen(place: Place, pieces: Sequence[Piece]) -> None:
    if not any(piece.is_field or says_something(piece.text) for piece in pieces):
        raise wrong("rule_not_seen", place=place.path)


def _bad_tag(place: Place, word: str) -> Exception:
    return wrong("rule_bad_tag", place=place.path, word=shown(word), known=listed(KNOWN_TAGS))
