"""Telethon's bookkeeping of updates, without the hole in it that swallows edits and deletions.

Telethon 1.45 sets a box's place to the end of a difference before it looks at the difference's own updates, and then
takes those for old: of what was missed, new messages are handed on, and edits and deletions never are (seen in
``telethon/_updates/messagebox.py``, ``apply_difference_type`` and ``apply_channel_difference``).
"""

from __future__ import annotations

from typing import Any

from telethon._updates import MessageBox
from telethon.tl import types

OF_ACCOUNT = (types.UpdateEditMessage, types.UpdateDeleteMessages)
OF_CHANNEL = (types.UpdateEditChannelMessage, types.UpdateDeleteChannelMessages)


class WholeMessageBox(MessageBox):
    """Hands on all that a difference brings: new messages first, then what happened to messages."""

    def apply_difference(self, diff: Any, chat_hashes: Any) -> tuple[list[Any], Any, Any]:
        kept = take_out(diff, OF_ACCOUNT)
        updates, users, chats = super().apply_difference(diff, chat_hashes)
        return [*updates, *kept], users, chats

    def apply_channel_difference(
        self, request: Any, diff: Any, chat_hashes: Any
    ) -> tuple[list[Any], Any, Any]:
        kept = take_out(diff, OF_CHANNEL)
        updates, users, chats = super().apply_channel_difference(request, diff, chat_hashes)
        return [*updates, *kept], users, chats


def take_out(diff: Any, swallowed: tuple[type, ...]) -> list[Any]:
    """The updates of a difference that Telethon would swallow, taken out of it."""
    others = getattr(diff, "other_updates", None)
    if not others:
        return []
    diff.other_updates = [update for update in others if not isinstance(update, swallowed)]
    return [update for update in others if isinstance(update, swallowed)]
