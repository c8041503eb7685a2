"""getUpdates: one poller at a time, long polls, confirmation by offset."""

from __future__ import annotations

import asyncio

from forwarder.sandbox.world import Clock

from .errors import ApiError
from .updates import ALL_KINDS, DEFAULT_KINDS, LONGEST_POLL, MOST_AT_ONCE, Inbox

Json = dict[str, object]

CONFLICT = "terminated by other getUpdates request; make sure that only one bot instance is running"
WEBHOOK_ACTIVE = (
    "can't use getUpdates method while webhook is active; use deleteWebhook to delete the webhook first"
)
# The official server answers one conflict at once and those that follow within three seconds late
# (fail_query_conflict in Client.cpp), so that two instances don't fight at full speed.
CONFLICT_DELAY = 3.0


class Polling:
    """The getUpdates of all bots. A new call ends an older one that still waits, with 409."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._next_conflict: dict[int, float] = {}

    async def get_updates(
        self, inbox: Inbox, offset: int, limit: int, timeout: float, allowed: frozenset[str] | None
    ) -> list[Json]:
        """Updates from ``offset`` on, waiting up to ``timeout`` seconds for one. Raises 409."""
        if inbox.webhook:
            raise ApiError(409, WEBHOOK_ACTIVE)
        if allowed is not None:
            inbox.allowed = allowed
        inbox.poll += 1
        ticket = inbox.poll
        inbox.bell.set()  # wakes an older poll, which sees that its ticket is no longer the newest
        inbox.confirm(offset)
        loop = asyncio.get_running_loop()
        end = loop.time() + min(max(timeout, 0.0), LONGEST_POLL)
        while True:
            inbox.expire(self._clock.now())
            if inbox.unread or loop.time() >= end:
                return [update.to_json() for update in list(inbox.unread)[: limit or MOST_AT_ONCE]]
            inbox.bell = asyncio.Event()
            bell = inbox.bell
            try:
                async with asyncio.timeout_at(end):
                    await bell.wait()
            except TimeoutError:
                continue
            if inbox.poll != ticket:
                await self._conflict(inbox)
            if inbox.webhook:
                raise ApiError(409, "terminated by setWebhook request")

    async def _conflict(self, inbox: Inbox) -> None:
        now = asyncio.get_running_loop().time()
        if now < self._next_conflict.get(inbox.bot, 0.0):
            await asyncio.sleep(CONFLICT_DELAY)
        else:
            self._next_conflict[inbox.bot] = now + CONFLICT_DELAY
        raise ApiError(409, CONFLICT)


def allowed_kinds(names: list[object] | None) -> frozenset[str] | None:
    """The kinds a request allows: None changes nothing, an empty list means the default."""
    if names is None:
        return None
    return frozenset(str(name) for name in names) & ALL_KINDS if names else DEFAULT_KINDS
