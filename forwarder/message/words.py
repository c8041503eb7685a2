"""The closed sets that all rooms speak of."""

from __future__ import annotations

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
