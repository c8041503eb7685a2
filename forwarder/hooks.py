"""What delivering asks of the rooms above it, handed in as callables because imports only go down."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from sqlalchemy.ext.asyncio import AsyncSession

from forwarder.message import (
    Mode,
    Rewrite,
)
from forwarder.outbox import Due

PauseMapping = Callable[[AsyncSession, int, str], Awaitable[None]]
Migrate = Callable[[AsyncSession, int, int], Awaitable[None]]
FeedOwn = Callable[
    [AsyncSession, int, int, int, Sequence[tuple[int, int]], Mode, int, Rewrite | None, bool],
    Awaitable[list[Due]],
]
Ring = Callable[[Sequence[Due]], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Hooks:
    """What the carrier asks of the rooms above it.

    ``pause_mapping(session, mapping, reason)`` holds what is queued. ``migrate(session, old, new)`` follows a
    group that became a supergroup. ``feed_own(session, account, chat, post, pairs, mode, topic, rewrite,
    silent)`` hears our own copies in a chat that is also a source. ``ring`` rings lanes that got work;
    ``clear_bell``, ``bell_again`` and ``leave_mark`` are the flags of this lane's own bell.
    """

    pause_mapping: PauseMapping
    migrate: Migrate
    feed_own: FeedOwn
    ring: Ring
    clear_bell: Callable[[int], Awaitable[None]]
    bell_again: Callable[[int], Awaitable[bool]]
    leave_mark: Callable[[int], Awaitable[None]]
