"""Keyboards: under a message (inline) or in place of the person's own keyboard (reply)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class ChatRequest:
    """What a "choose a chat" button asks for. None means "any"; rights are names of `chats.ADMIN_RIGHTS`."""

    request_id: int
    channel: bool = True
    has_username: bool | None = None
    forum: bool | None = None
    created: bool = False
    user_rights: frozenset[str] | None = None
    bot_rights: frozenset[str] | None = None
    bot_is_member: bool = False
    want_title: bool = False
    want_username: bool = False
    want_photo: bool = False


@dataclass(frozen=True, slots=True)
class Button:
    """One button. Inline: ``data`` (1-64 bytes) or ``url``. Reply: plain text or a `ChatRequest`."""

    text: str
    data: bytes | None = None
    url: str | None = None
    request: ChatRequest | None = None


@dataclass(frozen=True, slots=True)
class Markup:
    """A keyboard as rows of buttons, or the order to remove one or to reply."""

    kind: Literal["inline", "reply", "remove", "force_reply"]
    rows: tuple[tuple[Button, ...], ...] = ()
    persistent: bool = False
    resize: bool = False
    one_time: bool = False
    selective: bool = False
    placeholder: str = ""

    def find(self, label_or_data: str) -> Button | None:
        """The first button with this label, or with this callback data."""
        for row in self.rows:
            for button in row:
                if button.text == label_or_data or button.data == label_or_data.encode():
                    return button
        return None
