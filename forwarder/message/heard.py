"""What is heard of a source: its messages, what happens to them, and ids that hold none."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from forwarder.message.words import Heard, Kind


@dataclass(frozen=True, slots=True)
class Entity:
    """A formatted stretch of text; ``type`` is the Bot API's name (``bold``, ``text_link``, …)."""

    type: str
    offset: int
    length: int
    url: str | None = None
    user_id: int | None = None
    language: str | None = None
    custom_emoji_id: int | None = None


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a forwarded message first appeared, as its header says."""

    chat_id: int
    message_id: int


@dataclass(frozen=True, slots=True)
class Facts:
    """What rules ask about a message besides its content, as far as the API that heard it can tell.

    ``sender_id`` and ``forwarded_from`` are marked ids; of a person who hides behind a name only ``forwarded`` is
    known. ``author`` is the signature under a channel's post. ``anonymous`` is an administrator who posts as the
    group. ``via_bot`` is the id of an inline bot. ``size`` counts bytes, ``duration`` seconds; ``preview`` says that
    a link preview is shown. ``preview_hidden`` says that the author took it away, ``preview_url`` and ``preview_large``
    whose it is and how, where that was chosen; ``inverted``, that it stands above the text, or the caption above
    the medium. ``poll`` is a poll's question and its options, a line each.
    """

    sender_id: int | None = None
    author: str | None = None
    anonymous: bool = False
    via_bot: int | None = None
    forwarded: bool = False
    forwarded_from: int | None = None
    size: int | None = None
    duration: int | None = None
    file_name: str | None = None
    buttons: bool = False
    silent: bool = False
    preview: bool = False
    spoiler: bool = False
    preview_hidden: bool = False
    preview_url: str | None = None
    preview_large: bool | None = None
    inverted: bool = False
    poll: str | None = None


NO_FACTS = Facts()


@dataclass(frozen=True, slots=True)
class Look:
    """How a text shows the preview of a link, and a medium its caption: see the same fields of :class:`Facts`."""

    preview_hidden: bool = False
    preview_url: str | None = None
    preview_large: bool | None = None
    inverted: bool = False


PLAIN_LOOK = Look()


def look_of(facts: Facts) -> Look:
    return Look(facts.preview_hidden, facts.preview_url, facts.preview_large, facts.inverted)


@dataclass(frozen=True, slots=True)
class SourceMessage:
    """One message of a source chat, as heard through either API.

    ``media_id`` is the medium's identity within one API: the MTProto id of the photo or document, or
    the Bot API's ``file_unique_id``, with a prefix that names the API. ``protected`` is the message's
    own flag; the chat's flag is kept with the channel. ``migrated_to`` is the supergroup that the chat became,
    as a service message says it. ``file_id`` is what the bot that heard it calls the file; no other can use it.
    ``forwarded`` is the date in a forward's header, of the first appearance; it is not kept.
    ``topic_id`` is 0 outside forums and in a forum's General.
    """

    chat_id: int
    message_id: int
    date: datetime
    kind: Kind
    heard: Heard
    text: str = ""
    entities: tuple[Entity, ...] = ()
    album_id: str | None = None
    media_id: str | None = None
    edit_date: datetime | None = None
    topic_id: int = 0
    reply_to: int | None = None
    origin: Origin | None = None
    protected: bool = False
    migrated_to: int | None = None
    file_id: str | None = None
    forwarded: datetime | None = None
    facts: Facts = NO_FACTS


@dataclass(frozen=True, slots=True)
class Edited:
    """A message as it reads after an edit."""

    message: SourceMessage


@dataclass(frozen=True, slots=True)
class Deleted:
    chat_id: int
    message_ids: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Empty:
    """Ids that the server was asked for and that hold no message: proven empty."""

    chat_id: int
    message_ids: tuple[int, ...]


News = SourceMessage | Edited | Deleted | Empty


def without_nul(text: str) -> str:
    """The text without what PostgreSQL's text type refuses: NUL, which clients do not show, and halves of
    surrogate pairs, which become U+FFFD (one UTF-16 unit as well, so that entities keep their places)."""
    return text.replace("\x00", "").encode("utf-16", "surrogatepass").decode("utf-16", "replace")
