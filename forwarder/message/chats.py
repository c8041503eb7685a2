"""What an account can tell about a chat, and what a chat's id tells."""

from __future__ import annotations

from dataclasses import dataclass

from forwarder.message.words import ChatKind


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


def is_basic_group(chat_id: int) -> bool:
    """Whether a marked id is a basic group's, the only kind of chat that can become another one."""
    return -1_000_000_000_000 < chat_id < 0


def is_channel(chat_id: int) -> bool:
    """Whether a marked id is a channel's or supergroup's, where ids of messages count for the chat alone."""
    return chat_id <= -1_000_000_000_000
