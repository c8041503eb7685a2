"""How fast a source posts, against what its destination may receive: said when a mapping is made."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import structlog
from sqlalchemy import select

from forwarder.db import Database
from forwarder.errors import AccountNotReady, TelegramError
from forwarder.message import AccountKind
from forwarder.models import Account, Channel
from forwarder.pace import BOT_LIMITS
from forwarder.seam import Chats

log = structlog.get_logger(__name__)

SAMPLE = 100
"""Newest ids of a source that are looked at: one call."""

FEW = 20
"""Fewer posts than this say nothing about a pace: a destination takes them in a minute."""

SHORTEST = timedelta(minutes=1)
PATIENCE = 10.0
"""Seconds that making a mapping waits for the estimate; it is made without one as well."""

AN_HOUR = int(min(3600 * window.limit / window.seconds for window in BOT_LIMITS.chat))
"""Messages that a chat may receive in an hour."""


@dataclass(frozen=True, slots=True)
class TooFast:
    """A source that posts about ``hour`` times an hour, and a destination that may receive ``limit``."""

    source: str
    destination: str
    hour: int
    limit: int


class TempoService:
    """``chats`` reads sources for us; None where no user account is set up."""

    def __init__(self, db: Database, chats: Chats | None) -> None:
        self._db, self._chats = db, chats

    async def too_fast(self, source_id: int, destination_id: int) -> TooFast | None:
        """What to warn of when these are mapped; None where all is well, or nobody can tell."""
        async with self._db.begin() as session:
            source = await session.get(Channel, source_id)
            destination = await session.get(Channel, destination_id)
            listener = source and await session.scalar(
                select(Account.kind).where(Account.id == source.listener_id)
            )
        if source is None or destination is None or listener != AccountKind.USER:
            return None
        hour = await self._posts_an_hour(source.telegram_id)
        limit = min(AN_HOUR, 3600 // destination.slow_mode) if destination.slow_mode else AN_HOUR
        if hour is None or hour <= limit:
            return None
        return TooFast(source.title, destination.title, hour, limit)

    async def _posts_an_hour(self, chat_id: int) -> int | None:
        if self._chats is None:
            return None
        try:
            async with asyncio.timeout(PATIENCE):
                top = (await self._chats.tops([chat_id])).get(chat_id, 0)
                ids = range(max(1, top - SAMPLE + 1), top + 1)
                fetched = await self._chats.fetch(chat_id, ids) if ids else None
        except (AccountNotReady, TelegramError, TimeoutError) as error:
            log.info("tempo_not_known", chat=chat_id, reason=type(error).__name__)
            return None
        return posts_an_hour([m.date for m in fetched.messages], datetime.now(UTC)) if fetched else None


def posts_an_hour(dates: Sequence[datetime], now: datetime) -> int | None:
    """The pace of these newest posts until ``now``; None where they are too few to tell."""
    if len(dates) < FEW:
        return None
    span = max(now - min(dates), SHORTEST)
    return round(len(dates) * timedelta(hours=1) / span)
