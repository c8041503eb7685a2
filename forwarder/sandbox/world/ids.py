"""Marked chat ids: one integer that names any chat, as the Bot API and Telethon write them.

Users and bots are positive, basic groups are ``-id``, channels and supergroups are ``-100id``
(https://core.telegram.org/api/bots/ids).
"""

from __future__ import annotations

_CHANNEL_BASE = -1_000_000_000_000


def channel_chat(bare_id: int) -> int:
    """The marked id of a channel or supergroup."""
    return _CHANNEL_BASE - bare_id


def group_chat(bare_id: int) -> int:
    """The marked id of a basic group."""
    return -bare_id


def is_user(chat_id: int) -> bool:
    return chat_id > 0


def is_channel(chat_id: int) -> bool:
    """True for channels and supergroups: chats that number their messages themselves."""
    return chat_id < _CHANNEL_BASE


def is_group(chat_id: int) -> bool:
    """True for basic groups, whose messages live in each member's own box."""
    return _CHANNEL_BASE <= chat_id < 0


def bare(chat_id: int) -> int:
    """The id without its mark, as the TL constructors carry it."""
    if is_channel(chat_id):
        return _CHANNEL_BASE - chat_id
    return abs(chat_id)
