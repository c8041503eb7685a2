"""A source post as the rules look at it."""

from __future__ import annotations

from collections.abc import Sequence

from forwarder.message import Kind, SourceMessage
from forwarder.rules import marks
from forwarder.rules.entities import Rich, from_utf16, joined_by, whole_characters
from forwarder.rules.folding import Folded, folded
from forwarder.rules.marks import Mark

ALBUM = "album"
LINE_END = Rich("\n")

# What may carry text under it.
WITH_CAPTION = frozenset({Kind.PHOTO, Kind.VIDEO, Kind.ANIMATION, Kind.AUDIO, Kind.VOICE, Kind.DOCUMENT})
WITH_TEXT = WITH_CAPTION | {Kind.TEXT}


class SourcePost:
    """One message or the parts of one album. What filters ask for is worked out once."""

    def __init__(self, parts: Sequence[SourceMessage]) -> None:
        self.parts = tuple(parts)
        self.texts = [from_utf16(part.text, part.entities) for part in self.parts]  # what each part says
        self.rich = self._whole()

    def _whole(self) -> Rich:
        """All that the post says; an album's captions below each other, and what a poll asks."""
        polls = [Rich(whole_characters(part.facts.poll)) for part in self.parts if part.facts.poll]
        return joined_by(LINE_END, (*self.texts, *polls))

    @property
    def folded(self) -> Folded:
        return folded(self.rich.text)

    @property
    def kinds(self) -> frozenset[str]:
        """The kinds of all parts, and ``album`` for several."""
        kinds = {part.kind.value for part in self.parts}
        return frozenset(kinds | {ALBUM} if len(self.parts) > 1 or self.parts[0].album_id else kinds)

    @property
    def links(self) -> Sequence[Mark]:
        return marks.links(self.rich)

    @property
    def mentions(self) -> Sequence[Mark]:
        return marks.mentions(self.rich)

    def tags(self, kind: str) -> Sequence[Mark]:
        """``hashtag``, ``cashtag`` or ``bot_command``."""
        return marks.marks(self.rich, kind)
