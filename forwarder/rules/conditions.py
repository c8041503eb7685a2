"""What a filter asks about a post: small values that combine with all, any and not.

``holds`` answers the words of the post that made it true (none for what is no word), or None.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import time
from typing import Protocol
from zoneinfo import ZoneInfo

from forwarder.message import SourceMessage
from forwarder.rules.folding import Phrases, fold
from forwarder.rules.marks import Mark, in_domain, tag_name
from forwarder.rules.patterns import Pattern
from forwarder.rules.post import SourcePost

MOST_SHOWN = 10
LONGEST_SHOWN = 100

Words = tuple[str, ...]


class Condition(Protocol):
    def holds(self, post: SourcePost) -> Words | None: ...


@dataclass(frozen=True, slots=True)
class OfKind:
    kinds: frozenset[str]

    def holds(self, post: SourcePost) -> Words | None:
        found = self.kinds & post.kinds
        return tuple(sorted(found)) if found else None


@dataclass(frozen=True, slots=True)
class AnyWord:
    phrases: Phrases

    def holds(self, post: SourcePost) -> Words | None:
        found = self.phrases.first(post.folded)
        return (post.rich.text[slice(*found)][:LONGEST_SHOWN],) if found is not None else None


@dataclass(frozen=True, slots=True)
class AllWords:
    phrases: tuple[Phrases, ...]

    def holds(self, post: SourcePost) -> Words | None:
        found = [phrases.first(post.folded) for phrases in self.phrases]
        places = [place for place in found if place is not None]
        if len(places) < len(found):
            return None
        return tuple(post.rich.text[slice(*place)][:LONGEST_SHOWN] for place in places[:MOST_SHOWN])


@dataclass(frozen=True, slots=True)
class Matches:
    pattern: Pattern

    def holds(self, post: SourcePost) -> Words | None:
        found = self.pattern.first(post.rich.text)
        return (post.rich.text[slice(*found)][:LONGEST_SHOWN],) if found is not None else None


@dataclass(frozen=True, slots=True)
class Marked:
    """Has marks of a kind, of those that ``wanted`` picks; not ``present``: has none of them."""

    read: Callable[[SourcePost], Sequence[Mark]]
    wanted: Callable[[Mark], bool]
    present: bool = True

    def holds(self, post: SourcePost) -> Words | None:
        found = [mark for mark in self.read(post) if self.wanted(mark)]
        if not self.present:
            return None if found else ()
        return tuple(mark.target[:LONGEST_SHOWN] for mark in found[:MOST_SHOWN]) if found else None


def everything(mark: Mark) -> bool:
    return True


@dataclass(frozen=True, slots=True)
class ToDomain:
    domains: frozenset[str]

    def __call__(self, mark: Mark) -> bool:
        return in_domain(mark.target, self.domains)


@dataclass(frozen=True, slots=True)
class Named:
    names: frozenset[str]

    def __call__(self, mark: Mark) -> bool:
        return tag_name(mark.target) in self.names


@dataclass(frozen=True, slots=True)
class OneOf:
    """A fact of any part is one of these."""

    fact: Callable[[SourceMessage], int | None]
    ids: frozenset[int]

    def holds(self, post: SourcePost) -> Words | None:
        found = {self.fact(part) for part in post.parts} & self.ids
        return tuple(str(number) for number in sorted(n for n in found if n is not None)) if found else None


@dataclass(frozen=True, slots=True)
class Is:
    """A fact of any part is there, or of none where it is to be absent."""

    fact: Callable[[SourceMessage], object]
    present: bool

    def holds(self, post: SourcePost) -> Words | None:
        return () if any(self.fact(part) for part in post.parts) is self.present else None


@dataclass(frozen=True, slots=True)
class Between:
    """A number of any part lies between these, ends included. What has no such number does not hold."""

    number: Callable[[SourceMessage], int | None]
    least: int
    most: int

    def holds(self, post: SourcePost) -> Words | None:
        for part in post.parts:
            number = self.number(part)
            if number is not None and self.least <= number <= self.most:
                return (str(number),)
        return None


@dataclass(frozen=True, slots=True)
class TextLength:
    least: int
    most: int

    def holds(self, post: SourcePost) -> Words | None:
        length = len(post.rich.text)
        return (str(length),) if self.least <= length <= self.most else None


@dataclass(frozen=True, slots=True)
class FileNamed:
    """A file whose name has one of these in it, or ends in one of them."""

    words: tuple[str, ...]
    at_end: bool

    def holds(self, post: SourcePost) -> Words | None:
        for part in post.parts:
            name = fold(part.facts.file_name or "")
            for word in self.words:
                if name.endswith(word) if self.at_end else word in name:
                    return ((part.facts.file_name or "")[:LONGEST_SHOWN],)
        return None


@dataclass(frozen=True, slots=True)
class PostedBetween:
    """The hour on the wall when the post appeared; across midnight where it ends before it begins."""

    begins: time
    ends: time
    zone: ZoneInfo

    def holds(self, post: SourcePost) -> Words | None:
        at = post.parts[0].date.astimezone(self.zone).time()
        after, before = at >= self.begins, at < self.ends
        inside = (after and before) if self.begins < self.ends else (after or before)
        return (at.strftime("%H:%M"),) if inside else None


@dataclass(frozen=True, slots=True)
class All:
    parts: tuple[Condition, ...]

    def holds(self, post: SourcePost) -> Words | None:
        words: list[str] = []
        for part in self.parts:
            found = part.holds(post)
            if found is None:
                return None
            words += found
        return tuple(words[:MOST_SHOWN])


@dataclass(frozen=True, slots=True)
class AnyOf:
    parts: tuple[Condition, ...]

    def holds(self, post: SourcePost) -> Words | None:
        for part in self.parts:
            found = part.holds(post)
            if found is not None:
                return found
        return None


@dataclass(frozen=True, slots=True)
class Not:
    part: Condition

    def holds(self, post: SourcePost) -> Words | None:
        return () if self.part.holds(post) is None else None
