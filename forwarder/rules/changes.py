"""What a rule changes in a text. Each is a small value that gets a text with formatting and answers another."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

from forwarder.errors import InvalidRequest
from forwarder.message import Entity, Kind
from forwarder.references import parse_reference
from forwarder.rules import fitting, marks
from forwarder.rules.entities import Edit, Rich, edited, part_of, stripped, without
from forwarder.rules.folding import Phrases, folded
from forwarder.rules.marks import Mark
from forwarder.rules.patterns import Pattern, Replacement

LONGEST = 4 * fitting.TEXT_LIMIT
"""Characters that a text may grow to while rules are at work on it; what goes out is shorter anyway."""

PostKey = tuple[int | str, int]
"""A post as a link names it: (marked id, or user name in lower case, message id)."""


@dataclass(frozen=True, slots=True)
class Setting:
    """What a change may need to know besides the text. ``copies`` are links to our copies of linked posts."""

    kind: Kind
    copies: Mapping[PostKey, str] = field(default_factory=dict)


class Change(Protocol):
    def apply(self, rich: Rich, setting: Setting) -> Rich: ...


@dataclass(frozen=True, slots=True)
class ReplaceWords:
    phrases: Phrases
    new: str
    keep_case: bool

    def apply(self, rich: Rich, setting: Setting) -> Rich:
        places = self.phrases.each(folded(rich.text))
        return _bounded(
            rich, (Edit(start, end, Rich(self._for(rich.text[start:end]))) for start, end in places)
        )

    def _for(self, old: str) -> str:
        """In the case of what it replaces."""
        if not self.keep_case or not self.new:
            return self.new
        if old.isupper() and sum(letter.isalpha() for letter in old) > 1:
            return self.new.upper()
        return self.new[0].upper() + self.new[1:] if old[0].isupper() else self.new


@dataclass(frozen=True, slots=True)
class ReplacePattern:
    pattern: Pattern
    new: Replacement

    def apply(self, rich: Rich, setting: Setting) -> Rich:
        found = self.pattern.each(rich.text)
        return _bounded(rich, (Edit(each.start, each.end, Rich(self.new.fill(each))) for each in found))


Read = Callable[[Rich], Sequence[Mark]]


def hashtags(rich: Rich) -> Sequence[Mark]:
    return marks.marks(rich, "hashtag")


@dataclass(frozen=True, slots=True)
class RemoveMarks:
    """Takes links, mentions or hashtags out. Words that hide a link or a person stay as plain words."""

    read: Read
    wanted: Callable[[Mark], bool]

    def apply(self, rich: Rich, setting: Setting) -> Rich:
        found = [mark for mark in self.read(rich) if self.wanted(mark)]
        if not found:
            return rich
        hidden = {(mark.start, mark.end) for mark in found if mark.hidden}
        if hidden:
            rich = without(rich, lambda e: _is_hidden(e) and (e.offset, e.offset + e.length) in hidden)
        return removed(rich, [(mark.start, mark.end) for mark in found if not mark.hidden])


@dataclass(frozen=True, slots=True)
class ReplaceLinks:
    wanted: Callable[[Mark], bool]
    new: str

    def apply(self, rich: Rich, setting: Setting) -> Rich:
        return readdressed(rich, lambda mark: self.new if self.wanted(mark) else None)


@dataclass(frozen=True, slots=True)
class ReplaceMentions:
    wanted: Callable[[Mark], bool]
    new: str

    def apply(self, rich: Rich, setting: Setting) -> Rich:
        found = _apart(mark for mark in marks.mentions(rich) if self.wanted(mark))
        people = {(mark.start, mark.end) for mark in found if mark.hidden}
        rich = without(rich, lambda e: e.type == "text_mention" and (e.offset, e.offset + e.length) in people)
        return _bounded(rich, (Edit(mark.start, mark.end, Rich(self.new)) for mark in found))


@dataclass(frozen=True, slots=True)
class SourceLinks:
    """Lets links to source posts lead to our copies of them, where we have made any."""

    def apply(self, rich: Rich, setting: Setting) -> Rich:
        if not setting.copies:
            return rich
        return readdressed(
            rich, lambda mark: setting.copies.get(key) if (key := post_key(mark.target)) else None
        )


MOST_SIGNATURE_LINES = 5


@dataclass(frozen=True, slots=True)
class RemoveSignature:
    """Takes the last lines off: from the first of them that says one of ``phrases``; without phrases, the last
    paragraph where it has nothing but links, mentions and hashtags."""

    phrases: Phrases | None

    def apply(self, rich: Rich, setting: Setting) -> Rich:
        begins = self._of_phrases(rich.text) if self.phrases is not None else self._of_marks(rich)
        return rich if begins is None else stripped(part_of(rich, 0, begins))

    def _of_phrases(self, text: str) -> int | None:
        assert self.phrases is not None
        begins = len(text.rstrip())
        for _ in range(MOST_SIGNATURE_LINES):
            begins = text.rfind("\n", 0, len(text[:begins].rstrip())) + 1
        found = self.phrases.first(folded(text[begins:]))
        return None if found is None else text.rfind("\n", 0, begins + found[0]) + 1

    def _of_marks(self, rich: Rich) -> int | None:
        end = len(rich.text.rstrip())
        start = max(rich.text.rfind("\n\n", 0, end) + 2, 0)
        if start < 2 or rich.text.count("\n", start, end) >= MOST_SIGNATURE_LINES:
            return None
        found = [
            m for m in (*marks.links(rich), *marks.mentions(rich), *hashtags(rich)) if start <= m.start < end
        ]
        left = removed(
            part_of(rich, start, end), [(m.start - start, min(m.end, end) - start) for m in _apart(found)]
        )
        return start if found and not any(letter.isalnum() for letter in left.text) else None


@dataclass(frozen=True, slots=True)
class CutAt:
    length: int
    ending: str

    def apply(self, rich: Rich, setting: Setting) -> Rich:
        return fitting.cut(rich, self.length, self.ending)


@dataclass(frozen=True, slots=True)
class DropCaption:
    def apply(self, rich: Rich, setting: Setting) -> Rich:
        return rich if setting.kind is Kind.TEXT else Rich()


@dataclass(frozen=True, slots=True)
class HideText:
    """Covers the whole text with a spoiler."""

    def apply(self, rich: Rich, setting: Setting) -> Rich:
        if not rich.text:
            return rich
        rest = without(rich, lambda entity: entity.type == "spoiler")
        return Rich(rich.text, (Entity("spoiler", 0, len(rich.text)), *rest.entities))


def readdressed(rich: Rich, new: Callable[[Mark], str | None]) -> Rich:
    """Links with other addresses, the hidden ones behind the same words."""
    addresses = {
        entity: address
        for entity in rich.entities
        if entity.type == "text_link"
        and (
            address := new(Mark(entity.offset, entity.offset + entity.length, entity.url or "", hidden=True))
        )
    }
    if addresses:
        entities = tuple(replace(e, url=addresses[e]) if e in addresses else e for e in rich.entities)
        rich = Rich(rich.text, entities)
    visible = {mark: address for mark in marks.marks(rich, "url") if (address := new(mark))}
    if not visible:
        return rich
    return _bounded(rich, (Edit(mark.start, mark.end, Rich(visible[mark])) for mark in _apart(visible)))


def removed(rich: Rich, places: Sequence[tuple[int, int]]) -> Rich:
    """Without these stretches, nor the spaces and empty lines that they would leave behind."""
    text = rich.text
    widened: list[tuple[int, int]] = []
    for start, end in places:
        start, end = _with_spaces(text, start, end)
        if widened and start <= widened[-1][1]:
            widened[-1] = (widened[-1][0], max(end, widened[-1][1]))
        else:
            widened.append((start, end))
    whole = [_with_line_ends(text, start, end) for start, end in widened]
    edits: list[Edit] = []
    for start, end in whole:
        if edits and start < edits[-1].end:
            edits[-1] = Edit(edits[-1].start, max(end, edits[-1].end))
        else:
            edits.append(Edit(start, end))
    return edited(rich, edits)


def _with_spaces(text: str, start: int, end: int) -> tuple[int, int]:
    """One side's spaces go too, so that words stay one space apart."""
    after = end
    while after < len(text) and text[after] in " \t\u00a0":
        after += 1
    before = start
    while before > 0 and text[before - 1] in " \t\u00a0":
        before -= 1
    if before == 0 or text[before - 1] == "\n":
        return before, after
    if after == len(text) or text[after] == "\n" or text[after] in ".,;:!?)":
        return before, after if after == len(text) or text[after] == "\n" else end
    return (start, after) if before < start else (start, end)


def _with_line_ends(text: str, start: int, end: int) -> tuple[int, int]:
    """Where nothing is left of a line, the line goes, and what stood between paragraphs stays between them."""
    if (start > 0 and text[start - 1] != "\n") or (end < len(text) and text[end] != "\n"):
        return start, end
    before, after = start, end
    while before > 0 and text[before - 1] == "\n":
        before -= 1
    while after < len(text) and text[after] == "\n":
        after += 1
    if before == 0:
        return 0, after
    if after == len(text):
        return before, after
    return start, end + min(start - before, after - end)


ON_THE_WAY_TO_A_POST = (".me/", ".dog/", "tg://")
"""To read a link takes longer than to see that most are none to Telegram."""


def post_key(link: str) -> PostKey | None:
    """The post that a link leads to."""
    lower = link.lower()
    if not any(sign in lower for sign in ON_THE_WAY_TO_A_POST):
        return None
    try:
        found = parse_reference(link)
    except InvalidRequest:
        return None
    if found.message_id is None:
        return None
    if found.chat_id is not None:
        return found.chat_id, found.message_id
    return (found.username.lower(), found.message_id) if found.username is not None else None


def _is_hidden(entity: Entity) -> bool:
    return entity.type in ("text_link", "text_mention")


def _apart(found: Iterable[Mark]) -> list[Mark]:
    """Left to right, without those that begin inside another."""
    kept: list[Mark] = []
    for mark in sorted(found, key=lambda mark: (mark.start, -mark.end)):
        if not kept or mark.start >= kept[-1].end:
            kept.append(mark)
    return kept


def _bounded(rich: Rich, edits: Iterable[Edit]) -> Rich:
    """The text after the edits, which end where it would grow out of all measure."""
    taken: list[Edit] = []
    room = LONGEST - len(rich.text)
    for edit in edits:
        room -= len(edit.text.text) - (edit.end - edit.start)
        if room < 0:
            return edited(part_of(rich, 0, edit.start), taken)
        taken.append(edit)
    return edited(rich, taken)
