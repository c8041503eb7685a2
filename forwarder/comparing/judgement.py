"""What differs between a source's posts and a destination's messages. Pure: no rows, no network.

A copy is recognised by the header of a forward, by our record of it, or by what it says. A record that contradicts
what stands there counts for nothing, and one that is missing is no harm.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from forwarder.likeness import may_be_earlier, same_content, same_post, same_thing, wanted_of
from forwarder.message import Kind, Mode, Origin, SourceMessage

Post = tuple[SourceMessage, ...]
"""The parts of a post, in the order of the source."""


class How(StrEnum):
    """By what a message of the destination was recognised as a copy."""

    HEADER = "header"
    RECORD = "record"
    CONTENT = "content"


@dataclass(frozen=True, slots=True)
class Scene:
    """What was read, and what we believed before.

    ``posts`` are those that stand in the source now, ``there`` what stands in the destination, oldest first.
    ``records`` say whose copy a message of the destination is, ``foreign`` are copies of other mappings.
    ``earlier`` are texts that a source message has had before, which a copy may still have.
    ``verbatim`` says that copies read like their posts: no rule changes them, and edits are followed.
    """

    posts: tuple[Post, ...]
    there: tuple[SourceMessage, ...]
    records: Mapping[int, int] = field(default_factory=dict)
    foreign: frozenset[int] = frozenset()
    earlier: Mapping[int, tuple[str, ...]] = field(default_factory=dict)
    verbatim: bool = True


@dataclass(frozen=True, slots=True)
class Match:
    """``copy`` stands for ``source``; both are message ids. ``recorded`` says that our rows say so too."""

    source: int
    copy: int
    how: How
    recorded: bool = False


@dataclass(frozen=True, slots=True)
class Judgement:
    """``matches`` are the copies, by source message. ``absent`` are posts without any, ``partial`` albums of which
    some parts lack. ``doubles`` are further copies of messages that have one, ``strays`` copies of messages that
    the source has not got any more, ``stale`` copies that say something else than the source says now. ``doubtful``
    are among the absent: what stands there may be a copy of what they said before an edit."""

    matches: Mapping[int, Match]
    absent: tuple[Post, ...]
    partial: tuple[Post, ...]
    doubles: tuple[Match, ...]
    strays: tuple[Match, ...]
    stale: tuple[Match, ...]
    doubtful: tuple[Post, ...] = ()


def judge(scene: Scene) -> Judgement:
    matching = Matching(scene)
    matching.by_header()
    matching.by_record()
    matching.by_content()
    matching.by_mere_record()
    found = {post: sum(part.message_id in matching.matches for part in post) for post in scene.posts}
    absent = tuple(post for post, parts in found.items() if parts == 0)
    doubles, strays = matching.left_over()
    return Judgement(
        matches=matching.matches,
        absent=absent,
        partial=tuple(post for post, parts in found.items() if 0 < parts < len(post)),
        doubles=doubles,
        strays=strays,
        stale=matching.stale() if scene.verbatim else (),
        doubtful=tuple(post for post in absent if any(matching.doubtful(part) for part in post)),
    )


Thing = tuple[Kind, str | None, str]
"""What equal messages have in common: kind, medium, and the text where there is no medium."""


class Matching:
    """Pairs source messages with copies, each at most once, the surest signs first."""

    def __init__(self, scene: Scene) -> None:
        self._records, self._verbatim = scene.records, scene.verbatim
        self._source = {part.message_id: part for post in scene.posts for part in post}
        self._wanted = {
            number: wanted_of(part, scene.earlier.get(number, ())) for number, part in self._source.items()
        }
        self._copies = {
            copy.message_id: copy
            for copy in scene.there
            if copy.message_id not in scene.foreign and copy.kind is not Kind.SERVICE
        }
        self._free = dict(self._copies)
        self._origins: dict[Origin, list[int]] = defaultdict(list)
        self._things: dict[Thing, list[int]] = defaultdict(list)
        for number, part in self._source.items():
            self._origins[part.origin or Origin(part.chat_id, number)].append(number)
            for words in self._wanted[number].texts:
                self._things[thing(part, words)].append(number)
        self.matches: dict[int, Match] = {}

    def by_header(self) -> None:
        """Forwards of channels' posts name chat and post in their headers."""
        for copy in list(self._free.values()):
            # Where several posts have one origin, the record knows which of them it is.
            of = sorted(self._same_origin(copy), key=lambda n: self._records.get(copy.message_id) != n)
            self._claim(next((n for n in of if n not in self.matches), None), copy, How.HEADER)

    def by_record(self) -> None:
        for copy in list(self._free.values()):
            number = self._records.get(copy.message_id)
            if number in self._wanted and same_content(self._wanted[number], copy):
                self._claim(number, copy, How.RECORD)

    def by_content(self) -> None:
        """Equal posts and equal copies are paired in their order."""
        for copy in list(self._free.values()):
            of = (n for n in self._things.get(thing(copy, copy.text), ()) if n not in self.matches)
            self._claim(next((n for n in of if self._is_copy(n, copy)), None), copy, How.CONTENT)

    def by_mere_record(self) -> None:
        """What our record names and what is of its kind is the copy, though it reads differently."""
        for copy in list(self._free.values()):
            number = self._records.get(copy.message_id)
            if number in self._wanted and self._wanted[number].kind is copy.kind:
                self._claim(number, copy, How.RECORD)

    def left_over(self) -> tuple[tuple[Match, ...], tuple[Match, ...]]:
        """Doubles and strays: what is a copy of ours by some sign, though its post has another, or is gone."""
        doubles: list[Match] = []
        strays: list[Match] = []
        for copy in self._free.values():
            number = self._records.get(copy.message_id)
            if (again := self._double_of(copy)) is not None:
                doubles.append(again)
            elif number is not None and number not in self._source:
                strays.append(Match(number, copy.message_id, How.RECORD))
        return tuple(doubles), tuple(strays)

    def stale(self) -> tuple[Match, ...]:
        """Forwards cannot be edited, so they are never stale."""
        found = []
        for match in self.matches.values():
            source, copy = self._source[match.source], self._copies[match.copy]
            if copy.forwarded is None and (source.text, source.media_id) != (copy.text, copy.media_id):
                found.append(match)
        return tuple(found)

    def doubtful(self, part: SourceMessage) -> bool:
        """Whether what is left over may be a copy of what this message said before it was edited, or of what rules
        have made of it."""
        wanted = self._wanted[part.message_id]
        free = (copy for copy in self._free.values() if copy.date >= part.date)
        if not self._verbatim:
            return any(same_thing(wanted, copy) for copy in free)
        return any(may_be_earlier(mode, wanted, copy) for copy in free for mode in Mode)

    def _double_of(self, copy: SourceMessage) -> Match | None:
        for number in self._same_origin(copy):
            return Match(number, copy.message_id, How.HEADER)
        recorded = self._records.get(copy.message_id)
        if recorded in self._wanted and same_thing(self._wanted[recorded], copy):
            return Match(recorded, copy.message_id, How.RECORD)
        if not (copy.text or copy.media_id):
            return None  # every place and every dice looks like every other
        for number in self._things.get(thing(copy, copy.text), ()):
            if self._is_copy(number, copy):
                return Match(number, copy.message_id, How.CONTENT)
        return None

    def _same_origin(self, copy: SourceMessage) -> list[int]:
        return self._origins.get(copy.origin, []) if copy.origin is not None else []

    def _is_copy(self, number: int, copy: SourceMessage) -> bool:
        """Whether it is a copy in either mode, by what it says; no copy is older than what it is of."""
        wanted = self._wanted[number]
        return copy.date >= self._source[number].date and any(same_post(mode, wanted, copy) for mode in Mode)

    def _claim(self, number: int | None, copy: SourceMessage, how: How) -> None:
        if number is not None and number not in self.matches:
            recorded = self._records.get(copy.message_id) == number
            self.matches[number] = Match(number, copy.message_id, how, recorded)
            del self._free[copy.message_id]


def thing(message: SourceMessage, words: str) -> Thing:
    return message.kind, message.media_id, "" if message.media_id is not None else words
