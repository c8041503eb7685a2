"""Changing a text without breaking its formatting.

Telegram counts UTF-16 units, Python counts characters. A :class:`Rich` counts characters; only its two doors
know units. An edit leaves the formatting of untouched text as it was. Formatting that

* covers what an edit replaces keeps covering it, or is split around it where the edit says so;
* reaches into it is trimmed;
* lies within it goes away with it.
"""

from __future__ import annotations

import unicodedata
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from forwarder.message import Entity

FOUND_BY_SERVER = frozenset(
    {"url", "mention", "hashtag", "cashtag", "bot_command", "email", "phone_number", "bank_card"}
)
BOUND_TO_TEXT = FOUND_BY_SERVER | {"custom_emoji"}
"""These say what their text is: once it is changed, they would be wrong. The server finds most of them anew."""

NOT_SEEN = frozenset({"Zs", "Zl", "Zp", "Cc", "Cf"})
BLANK = frozenset("\u034f\u115f\u1160\u2800\u3164\uffa0\ufffc" + "".join(map(chr, range(0xFE00, 0xFE10))))
"""Letters and signs by their category of which nothing is seen: fillers, the empty braille pattern."""


FIRST_HALVES = range(0xD8, 0xDC)
"""Upper bytes of the units that begin a pair."""


@dataclass(frozen=True, slots=True)
class Rich:
    """A text with formatting in characters: sorted, inside the text, never empty."""

    text: str = ""
    entities: tuple[Entity, ...] = field(default=(), hash=False)  # a text remembers its own hash


@dataclass(frozen=True, slots=True)
class Edit:
    """Put ``text`` in the place of the characters from ``start`` to ``end``; ``split`` keeps formatting off it."""

    start: int
    end: int
    text: Rich = Rich()
    split: bool = False


def from_utf16(text: str, entities: Sequence[Entity]) -> Rich:
    """A text as Telegram gave it; formatting that points outside is clipped. Halves of pairs become U+FFFD."""
    if not entities:
        return Rich(whole_characters(text))
    try:
        data = text.encode("utf-16-le")
    except UnicodeEncodeError:
        return from_utf16(whole_characters(text), entities)
    units = len(data) // 2
    places = [(max(0, e.offset), min(units, e.offset + e.length)) for e in entities]
    if units != len(text):
        before = _characters_before(
            data, {place for start, end in places if start < end for place in (start, end)}
        )
        places = [(before[start], before[end]) if start < end else (0, 0) for start, end in places]
    found = [_at(e, start, end) for e, (start, end) in zip(entities, places, strict=True) if start < end]
    return Rich(text, tuple(sorted(found, key=place_of)))


def to_utf16(rich: Rich) -> tuple[str, tuple[Entity, ...]]:
    """The text and its formatting as Telegram wants them."""
    if not rich.entities or length_in_units(rich.text) == len(rich.text):
        return rich.text, rich.entities
    before = _units_before(rich.text, {at for e in rich.entities for at in (e.offset, e.offset + e.length)})
    return rich.text, tuple(_at(e, before[e.offset], before[e.offset + e.length]) for e in rich.entities)


def _characters_before(data: bytes, places: Iterable[int]) -> dict[int, int]:
    """How many characters stand before these places in units; half of one does not count."""
    found: dict[int, int] = {}
    characters = done = 0
    for place in sorted(places):
        halved = place > 0 and data[2 * place - 1] in FIRST_HALVES
        end = place - halved
        characters += len(data[2 * done : 2 * end].decode("utf-16-le"))
        found[place], done = characters, end
    return found


def _units_before(text: str, places: Iterable[int]) -> dict[int, int]:
    """How many units stand before these places in characters."""
    found: dict[int, int] = {}
    units = done = 0
    for place in sorted(places):
        units += length_in_units(text[done:place])
        found[place], done = units, place
    return found


def _at(entity: Entity, start: int, end: int) -> Entity:
    """The same formatting in another place. (``dataclasses.replace`` takes five times as long.)"""
    if entity.offset == start and entity.length == end - start:
        return entity
    return Entity(
        entity.type, start, end - start, entity.url, entity.user_id, entity.language, entity.custom_emoji_id
    )


def length_in_units(text: str) -> int:
    """UTF-16 units, in which Telegram counts."""
    if text.isascii():
        return len(text)
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


def whole_characters(text: str) -> str:
    if text.isascii():
        return text
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def edited(rich: Rich, edits: Sequence[Edit]) -> Rich:
    """The text after all edits, which are in order and do not overlap."""
    if not edits:
        return rich
    text = rich.text
    pieces: list[str] = []
    own: list[Entity] = []
    news: list[tuple[int, int]] = []  # where each edit's text stands afterwards
    done = at = 0
    for edit in edits:
        at += edit.start - done
        pieces += (text[done : edit.start], edit.text.text)
        own += [_at(e, e.offset + at, e.offset + at + e.length) for e in edit.text.entities]
        end = at + len(edit.text.text)
        news.append((at, end))
        at, done = end, edit.end
    pieces.append(text[done:])
    moved = _moved(rich.entities, edits, news)
    return Rich("".join(pieces), tuple(sorted((*moved, *own), key=place_of)))


def _moved(
    entities: Iterable[Entity], edits: Sequence[Edit], news: Sequence[tuple[int, int]]
) -> Iterable[Entity]:
    starts, ends = [edit.start for edit in edits], [edit.end for edit in edits]
    growth = news[-1][1] - ends[-1]
    for entity in entities:
        start, end = entity.offset, entity.offset + entity.length
        if end <= starts[0]:
            yield entity
            continue
        if start >= ends[-1]:  # as most are: before all edits or behind them
            yield _at(entity, start + growth, end + growth)
            continue
        first, last = bisect_right(ends, start), bisect_left(starts, end)  # the edits that touch its inside
        if entity.type in BOUND_TO_TEXT and first < last:
            continue
        new_start = _new_start(start, edits, news, bisect_right(starts, start) - 1)
        new_end = _new_end(end, edits, news, bisect_left(ends, end))
        holes = [news[n] for n in range(first, last) if edits[n].split]
        for hole_start, hole_end in holes:
            if new_start < hole_start:
                yield _at(entity, new_start, hole_start)
            new_start = max(new_start, hole_end)
        if new_start < new_end:
            yield _at(entity, new_start, new_end)


def _new_start(start: int, edits: Sequence[Edit], news: Sequence[tuple[int, int]], before: int) -> int:
    """``before`` is the last edit that begins at or before the formatting."""
    if before < 0:
        return start
    edit, (new_start, new_end) = edits[before], news[before]
    if start >= edit.end:
        return new_end + start - edit.end
    return new_start if start == edit.start else new_end


def _new_end(end: int, edits: Sequence[Edit], news: Sequence[tuple[int, int]], after: int) -> int:
    """``after`` is the first edit that ends at or behind the formatting."""
    if after < len(edits) and edits[after].start < end:
        edit, (new_start, new_end) = edits[after], news[after]
        return new_end if end == edit.end else new_start
    if after == 0:
        return end
    return news[after - 1][1] + end - edits[after - 1].end


def part_of(rich: Rich, start: int, end: int) -> Rich:
    """The characters from ``start`` to ``end`` with their formatting."""
    edits = []
    if end < len(rich.text):
        edits.append(Edit(end, len(rich.text)))
    if start > 0:
        edits.insert(0, Edit(0, start))
    return edited(rich, edits)


def joined(*parts: Rich) -> Rich:
    """One text behind the other."""
    entities: list[Entity] = []
    at = 0
    for part in parts:
        entities += [_at(e, e.offset + at, e.offset + at + e.length) for e in part.entities]
        at += len(part.text)
    return Rich(
        "".join([part.text for part in parts]), tuple(entities)
    )  # in order, as those of each part are


def joined_by(between: Rich, parts: Iterable[Rich]) -> Rich:
    """Those that say something, with ``between`` between them."""
    said = [part for part in parts if part.text]
    if len(said) == 1:
        return said[0]
    return joined(*[piece for part in said for piece in (between, part)][1:])


def stripped(rich: Rich) -> Rich:
    """Without white space at its ends: Telegram drops that itself, and would move the formatting."""
    text = rich.text
    end = len(text.rstrip())
    start = len(text) - len(text.lstrip())
    return rich if end - start == len(text) else part_of(rich, min(start, end), end)


def says_something(text: str) -> bool:
    """Whether anything of it is seen. Telegram refuses other texts as empty."""
    return any(unicodedata.category(one) not in NOT_SEEN and one not in BLANK for one in text)


def without(rich: Rich, unwanted: Callable[[Entity], bool]) -> Rich:
    """The same text without some of its formatting."""
    kept = tuple(entity for entity in rich.entities if not unwanted(entity))
    return rich if len(kept) == len(rich.entities) else Rich(rich.text, kept)


def place_of(entity: Entity) -> tuple[int, int]:
    """Outer formatting sorts before inner."""
    return entity.offset, -entity.length
