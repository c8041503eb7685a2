"""What is asked of Telegram in a destination."""

from __future__ import annotations

from dataclasses import dataclass

from forwarder.message.heard import PLAIN_LOOK, Entity, Look
from forwarder.message.words import Kind, Mode


@dataclass(frozen=True, slots=True)
class Button:
    """A button with a link, below a message; only a bot's messages have any."""

    text: str
    url: str


@dataclass(frozen=True, slots=True)
class NewPart:
    """A message as rules have made it of a source message; ``changed``: its text is not the source's.

    ``spoiler`` says that its medium is covered, ``cover`` that the source's is not. ``file_id`` is None where our bot
    has not heard the medium.
    """

    message_id: int
    kind: Kind
    text: str = ""
    entities: tuple[Entity, ...] = ()
    changed: bool = False
    look: Look = PLAIN_LOOK
    spoiler: bool = False
    cover: bool = False
    file_id: str | None = None


@dataclass(frozen=True, slots=True)
class Rewrite:
    """A post that the server cannot copy, because rules have changed it: what is sent in its place.

    ``rest`` is a text that did not fit and follows as a message of its own; its ``message_id`` is that of the part it
    belongs to. ``captions_follow``: the parts are copied without captions first, and get them then.
    """

    parts: tuple[NewPart, ...]
    rest: NewPart | None = None
    button: Button | None = None
    captions_follow: bool = False

    @property
    def hides(self) -> bool:
        """Whether the source's own message would show what this one does not."""
        return self.rest is not None or any(part.changed or part.cover for part in self.parts)

    @property
    def captions(self) -> tuple[NewPart, ...]:
        """The parts that get their captions after the first call."""
        return tuple(part for part in self.parts if part.text) if self.captions_follow else ()

    @property
    def further_calls(self) -> int:
        """Calls that follow the one that carries the parts."""
        return len(self.captions) + (self.rest is not None)

    def leaves_caption(self, part: NewPart) -> bool:
        """Whether a bot has the server copy this part with the caption that its source has."""
        return len(self.parts) == 1 and part.kind is not Kind.TEXT and not (part.changed or part.cover)

    def only(self, message_id: int) -> Rewrite:
        """One part of an album, by itself."""
        return Rewrite(tuple(part for part in self.parts if part.message_id == message_id))


@dataclass(frozen=True, slots=True)
class SendOrder:
    """One call that forwards or copies messages, in the order of the source.

    ``random_ids`` has one id per message; the Bot API has no use for them. ``album`` says that the
    messages are the parts of one album. ``reply_to`` is the message of the destination that copies answer,
    where the API can say so; nothing is lost where it cannot. ``rewrite``, in mode copy only, is what is sent in
    place of what the source says; its ``rest`` is no part of the call.
    """

    source: int
    message_ids: tuple[int, ...]
    destination: int
    mode: Mode
    random_ids: tuple[int, ...] = ()
    topic: int = 0
    silent: bool = False
    album: bool = False
    reply_to: int | None = None
    rewrite: Rewrite | None = None


@dataclass(frozen=True, slots=True)
class Medium:
    """The medium that a source message has now. ``file_id`` is None where our bot has not heard it."""

    source: int
    message_id: int
    file_id: str | None = None


@dataclass(frozen=True, slots=True)
class EditOrder:
    """Give a copy the text (or caption) that its source has now, and its medium too where that was replaced.

    ``button`` is the one that it has: an edit by a bot that names none would take it away. ``cover`` puts a spoiler
    over a medium that was replaced.
    """

    destination: int
    message_id: int
    kind: Kind
    text: str
    entities: tuple[Entity, ...] = ()
    medium: Medium | None = None
    look: Look = PLAIN_LOOK
    button: Button | None = None
    cover: bool = False


@dataclass(frozen=True, slots=True)
class DeleteOrder:
    destination: int
    message_ids: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Remembered:
    """A source message as it was heard; ``texts`` are all that it has said since it may have been sent.

    ``rewritten``: rules have changed it, and its copy can only read as ``kind`` and ``texts`` say.
    """

    message_id: int
    kind: Kind
    texts: tuple[str, ...]
    media_id: str | None = None
    in_album: bool = False
    rewritten: bool = False


@dataclass(frozen=True, slots=True)
class FindOrder:
    """Look in the destination (and its topic) for the copies of a send whose outcome is unknown.

    Only ids above ``after_id`` that are not in ``known_ids`` count. ``remembered`` says what the source's messages
    were, for those that were edited or deleted since.
    """

    source: int
    message_ids: tuple[int, ...]
    destination: int
    mode: Mode
    after_id: int
    known_ids: frozenset[int] = frozenset()
    remembered: tuple[Remembered, ...] = ()
    topic: int = 0
