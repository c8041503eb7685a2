"""The words of the field as frozen values; what every room above this one speaks.

Chat ids are *marked* ids as the Bot API writes them: ``-100…`` for channels and supergroups, ``-…``
for basic groups, positive for private chats. Offsets and lengths of entities count UTF-16 code
units, as Telegram does.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

GENERAL_TOPIC = 1
"""The id of a forum's topic "General", where everything is shown that was sent to no topic; its messages carry no
sign of it, and are heard with topic 0 (https://core.telegram.org/api/forum)."""


class Kind(StrEnum):
    """What a message is. ``unknown`` is forwarded whole, never guessed at; ``service`` is passed over."""

    TEXT = "text"
    PHOTO = "photo"
    VIDEO = "video"
    ANIMATION = "animation"
    VOICE = "voice"
    VIDEO_NOTE = "video_note"
    AUDIO = "audio"
    DOCUMENT = "document"
    STICKER = "sticker"
    POLL = "poll"
    LOCATION = "location"
    VENUE = "venue"
    CONTACT = "contact"
    DICE = "dice"
    SERVICE = "service"
    UNKNOWN = "unknown"


class ChatKind(StrEnum):
    CHANNEL = "channel"
    SUPERGROUP = "supergroup"
    GROUP = "group"
    PRIVATE = "private"


class AccountKind(StrEnum):
    BOT = "bot"
    USER = "user"


class Mode(StrEnum):
    """``forward`` keeps the author; ``copy`` carries the content only."""

    FORWARD = "forward"
    COPY = "copy"


class Route(StrEnum):
    """What a mapping asks for; a lane and a delivery have ``bot`` or ``user``."""

    AUTO = "auto"
    BOT = "bot"
    USER = "user"


class Heard(StrEnum):
    """How a message came to us. ``own``: we sent it ourselves into a chat that is also a source."""

    PUSH = "push"
    POLL = "poll"
    CATCH_UP = "catch_up"
    BOT = "bot"
    OWN = "own"


class DeliveryKind(StrEnum):
    POST = "post"
    EDIT = "edit"
    DELETE = "delete"


class State(StrEnum):
    """The closed set of a delivery's states, drawn in docs/architecture.md."""

    QUEUED = "queued"
    SENDING = "sending"
    UNSURE = "unsure"
    HELD = "held"
    SENT = "sent"
    FAILED = "failed"
    FILTERED = "filtered"
    DUPLICATE = "duplicate"
    WITHDRAWN = "withdrawn"

    @property
    def final(self) -> bool:
        return self in FINAL_STATES


FINAL_STATES = frozenset({State.SENT, State.FAILED, State.FILTERED, State.DUPLICATE, State.WITHDRAWN})


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
    the medium.
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


@dataclass(frozen=True, slots=True)
class ChatCard:
    """What an account can tell about a chat. ``top_id`` is the id of its newest message, 0 if unknown;
    ``slowed``: a slow mode of ``slow_mode`` seconds between messages holds for this account.
    """

    chat_id: int
    kind: ChatKind
    title: str
    username: str | None = None
    protected: bool = False
    forum: bool = False
    slow_mode: int = 0
    linked_chat_id: int | None = None
    migrated_to: int | None = None
    access_hash: int | None = None
    top_id: int = 0
    may_read: bool = False
    may_post: bool = False
    may_edit: bool = False
    may_delete: bool = False
    slowed: bool = False


@dataclass(frozen=True, slots=True)
class Topic:
    """A topic of a forum; ``title`` is empty where only its id is known."""

    id: int
    title: str = ""
    closed: bool = False


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A message that is there and that nobody here understands; ``raw`` is what there is of it as it came."""

    message_id: int
    raw: bytes


@dataclass(frozen=True, slots=True)
class Fetched:
    """The answer to "what is under these ids": messages found, ids that hold none, and ids that another chat has.

    Outside channels all chats of an account share one numbering: what is ``elsewhere`` will never be here.
    """

    messages: tuple[SourceMessage, ...] = ()
    empty: tuple[int, ...] = ()
    elsewhere: tuple[int, ...] = ()
    unreadable: tuple[Unreadable, ...] = ()


@dataclass(frozen=True, slots=True)
class Wish:
    """Which older messages a person asks for. At most one of ``last``, ``since`` and ``from_id`` is set, none means
    from the first; at most one of ``until`` and ``until_id``. Messages of the moment ``until`` are not meant."""

    last: int | None = None
    since: datetime | None = None
    from_id: int | None = None
    until: datetime | None = None
    until_id: int | None = None


@dataclass(frozen=True, slots=True)
class Span:
    """The ids from ``first`` to ``last``, under which there are at most ``total`` messages. Empty where ``last`` is
    below ``first``."""

    first: int
    last: int
    total: int


@dataclass(frozen=True, slots=True)
class HistoryPage:
    """Messages in source order, and the id up to which nothing is missing; None where nothing comes after them."""

    messages: tuple[SourceMessage, ...]
    through: int | None


def is_basic_group(chat_id: int) -> bool:
    """Whether a marked id is a basic group's, the only kind of chat that can become another one."""
    return -1_000_000_000_000 < chat_id < 0


def is_channel(chat_id: int) -> bool:
    """Whether a marked id is a channel's or supergroup's, where ids of messages count for the chat alone."""
    return chat_id <= -1_000_000_000_000


def without_nul(text: str) -> str:
    """The text without what PostgreSQL's text type refuses: NUL, which clients do not show, and halves of
    surrogate pairs, which become U+FFFD (one UTF-16 unit as well, so that entities keep their places)."""
    return text.replace("\x00", "").encode("utf-16", "surrogatepass").decode("utf-16", "replace")
