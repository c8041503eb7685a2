"""What is asked of Telegram in a destination."""

from __future__ import annotations

from dataclasses import dataclass

from forwarder.message.heard import PLAIN_LOOK, Entity, Look
from forwarder.message.words import Kind, Mode


@dataclass(frozen=True, slots=True)
class SendOrder:
    """One call that forwards or copies messages, in the order of the source.

    ``random_ids`` has one id per message; the Bot API has no use for them. ``album`` says that the
    messages are the parts of one album. ``reply_to`` is the message of the destination that copies answer,
    where the API can say so; nothing is lost where it cannot.
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


@dataclass(frozen=True, slots=True)
class Medium:
    """The medium that a source message has now. ``file_id`` is None where our bot has not heard it."""

    source: int
    message_id: int
    file_id: str | None = None


@dataclass(frozen=True, slots=True)
class EditOrder:
    """Give a copy the text (or caption) that its source has now, and its medium too where that was replaced."""

    destination: int
    message_id: int
    kind: Kind
    text: str
    entities: tuple[Entity, ...] = ()
    medium: Medium | None = None
    look: Look = PLAIN_LOOK


@dataclass(frozen=True, slots=True)
class DeleteOrder:
    destination: int
    message_ids: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Remembered:
    """A source message as it was heard; ``texts`` are all that it has said since it may have been sent."""

    message_id: int
    kind: Kind
    texts: tuple[str, ...]
    media_id: str | None = None
    in_album: bool = False


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
