"""What happens in the world, as values that both doors turn into updates of their own kind."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from .chats import Member
from .messages import Message


@dataclass(frozen=True, slots=True)
class NewMessage:
    """A message has entered a box. ``random_id`` is known only to the account that sent it
    (``message.sent_by``).

    ``pts`` is the state of the box after the event, ``pts_count`` by how much the event moved it.
    """

    box: int
    pts: int
    pts_count: int
    message: Message
    random_id: int | None = None


@dataclass(frozen=True, slots=True)
class MessageEdited:
    box: int
    pts: int
    pts_count: int
    message: Message


@dataclass(frozen=True, slots=True)
class MessagesDeleted:
    """``pts_count`` is the number of ids, as Telegram counts it. ``chat`` as the box's owner sees it."""

    box: int
    pts: int
    pts_count: int
    chat: int
    ids: tuple[int, ...]


BoxEvent = NewMessage | MessageEdited | MessagesDeleted


@dataclass(frozen=True, slots=True)
class MemberChanged:
    """Somebody joined, left, was promoted, restricted... ``before`` is None for one never seen there."""

    at: datetime
    chat: int
    account: int
    actor: int
    before: Member | None
    after: Member


@dataclass(frozen=True, slots=True)
class BotStopped:
    """A person blocked a bot (or let it write again)."""

    at: datetime
    user: int
    bot: int
    blocked: bool


@dataclass(frozen=True, slots=True)
class ChatChanged:
    """Title, username, protection, slow mode... of a chat are other than before."""

    at: datetime
    chat: int


@dataclass(frozen=True, slots=True)
class CallbackPressed:
    """A person pressed an inline button; the bot owes an answer. ``message`` is the bot's own copy."""

    at: datetime
    query_id: int
    user: int
    bot: int
    message: Message
    data: bytes
    chat_instance: int


@dataclass(frozen=True, slots=True)
class CallbackAnswered:
    at: datetime
    query_id: int
    text: str = ""
    alert: bool = False
    url: str = ""


Event = BoxEvent | MemberChanged | BotStopped | ChatChanged | CallbackPressed | CallbackAnswered
