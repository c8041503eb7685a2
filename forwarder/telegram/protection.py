"""Whether chats protect their content, as Telegram shows it in passing: every answer and update carries its chats.

The chat's flag is not on its messages (core.telegram.org/api/content-protection), and a bot may copy out of a
protected chat all the same: who listens must notice in time.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Any

from telethon import utils
from telethon.tl import types

OnProtection = Callable[[Mapping[int, bool]], Awaitable[None]]
"""Takes the flag of each chat (marked id) that was seen."""


async def nobody_asks(flags: Mapping[int, bool]) -> None:
    """For readers and listeners of whom nobody wants to know."""


def flags_of(chats: Iterable[Any]) -> dict[int, bool]:
    """The flag of each full channel and group among Telethon's entities; a ``min`` one may lack it."""
    return {
        utils.get_peer_id(chat): bool(chat.noforwards)
        for chat in chats
        if isinstance(chat, types.Channel | types.Chat) and not getattr(chat, "min", False)
    }
