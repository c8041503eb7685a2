"""A source post as the rules look at it."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

from forwarder.message import Kind, SourceMessage
from forwarder.rules import marks
from forwarder.rules.entities import Rich, from_utf16, joined, whole_characters
from forwarder.rules.folding import Folded, folded
from forwarder.rules.marks import Mark

ALBUM = "album"

# What may carry text under it.
WITH_CAPTION = frozenset({Kind.PHOTO, Kind.VIDEO, Kind.ANIMATION, Kind.AUDIO, Kind.VOICE, Kind.DOCUMENT})
WITH_TEXT = WITH_CAPTION | {Kind.TEXT}


class SourcePost:
    """One message or the parts of one album. What filters ask for is worked out once, when it is first asked for."""

    def __init__(self, parts: Sequence[SourceMessage]) -> None:
        self.parts = tuple(parts)

    @cached_property
    def texts(self) -> tuple[Rich, ...]:
        """What each part says."""
        return tuple(from_utf16(part.text, part.entities) for part in self.parts)

    @cached_property
    def rich(self) -> Rich:
        """All that the post says; an album's captions below each other, and what a poll asks."""
        said = Rich()
        polls = [Rich(whole_characters(part.facts.poll)) for part in self.parts if part.facts.poll]
        for one in (*self.texts, *polls):
            if one.text:
                said = joined(said, Rich("\n"), one) if said.text else one
        return said

    @cached_property
    def folded(self) -> Folded:
        return folded(self.rich.text)

    @cached_property
    def kinds(self) -> frozenset[str]:
        """The kinds of all parts, and ``album`` for several."""
        kinds = {part.kind.value for part in self.parts}
        return frozenset(kinds | {ALBUM} if len(self.parts) > 1 or self.parts[0].album_id else kinds)

    @cached_property
    def links(self) -> Sequence[Mark]:
        return marks.links(self.rich)

    @cached_property
    def mentions(self) -> Sequence[Mark]:
        return marks.mentions(self.rich)

    def tags(self, kind: str) -> Sequence[Mark]:
        """``hashtag``, ``cashtag`` or ``bot_command``."""
        return marks.marks(self.rich, kind)
