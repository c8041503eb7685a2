"""Posts that a bot cannot hear any more: Telegram keeps its updates for a day.

Before the first poll, whoever can read the bot's sources over MTProto (the user account, or the bot's own second
login) fetches what lies above the marks of those that were not heard for long; afterwards the marks have moved past
it. Asked of a source that was only quiet, it finds nothing and does no harm.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

import structlog
from sqlalchemy import text

from forwarder.db import Database
from forwarder.errors import NobodyAnswers, NotUnderstood, TelegramError, Unavailable
from forwarder.message import News
from forwarder.seam import Chats

log = structlog.get_logger(__name__)

QUIET_HOURS = 20
"""A source heard within so many hours has lost nothing: Telegram keeps a bot's updates for 24."""

PAGE = 200
"""Ids in one question; without a known top, so many empty ones in a row are taken for the end."""

PATIENCE = 30.0
TRY_AGAIN = 2.0
"""Seconds to wait for somebody to answer at all: everything is often started at once."""


@dataclass(frozen=True, slots=True)
class Quiet:
    """A source that only the bot listens to and has not heard for long; ``mark`` is its newest id that we have."""

    channel_id: int
    chat_id: int
    mark: int


class MissedPosts:
    """``store`` returns when news are committed; ``quarantine`` keeps a message that cannot be read."""

    def __init__(
        self,
        db: Database,
        chats: Chats,
        account_id: int,
        store: Callable[[Sequence[News]], Awaitable[None]],
        quarantine: Callable[[bytes, Exception], Awaitable[None]],
    ) -> None:
        self._db, self._chats, self._account_id, self._store = db, chats, account_id, store
        self._quarantine = quarantine

    async def fetch(self) -> int:
        """Fetch what was missed; answer how many messages. Never raises: what cannot be read is said in the log."""
        sources = await self._quiet()
        if not sources:
            return 0
        until = time.monotonic() + PATIENCE
        while True:
            try:
                tops = await self._chats.tops([source.chat_id for source in sources])
                return sum([await self._above(source, tops.get(source.chat_id)) for source in sources])
            except (NobodyAnswers, TelegramError, Unavailable) as error:
                if time.monotonic() > until:
                    log.error(
                        "missed_posts_not_fetched",
                        sources=len(sources),
                        reason=str(error),
                        remedy="Start `manage.py worker --user`, then start the bot again.",
                    )
                    return 0
                pause = error.seconds if isinstance(error, TelegramError) else None
                await asyncio.sleep(min(pause or TRY_AGAIN, PATIENCE))

    async def _above(self, source: Quiet, top: int | None) -> int:
        after, found = source.mark, 0
        try:
            while top is None or after < top:
                last = after + PAGE if top is None else min(after + PAGE, top)
                fetched = await self._chats.fetch(source.chat_id, range(after + 1, last + 1))
                if top is None and not fetched.messages and not fetched.unreadable:
                    break
                for one in fetched.unreadable:
                    error = NotUnderstood(source.chat_id, one.message_id)
                    await self._quarantine(one.raw or str(error).encode(), error)
                await self._store(fetched.messages)
                found, after = found + len(fetched.messages), last
        except TelegramError as error:
            if error.seconds is not None:
                raise
            log.warning("source_not_read", chat=source.chat_id, reason=error.name)
            return found
        await self._looked_at(source)
        if found:
            log.info("missed_posts_fetched", chat=source.chat_id, messages=found)
        return found

    async def _quiet(self) -> list[Quiet]:
        async with self._db.begin() as session:
            rows = await session.execute(
                text(
                    """
                    select c.id, c.telegram_id, coalesce(k.mark, min(m.start_after)) as mark
                      from channels c
                      join mappings m on m.source_id = c.id and m.state <> 'disabled'
                      left join marks k on k.channel_id = c.id and k.account_id = :account
                     where c.is_source and c.listener_id = :account and c.migrated_to is null
                       and c.kind in ('channel', 'supergroup')
                       and (k.checked_at is null
                            or k.checked_at < clock_timestamp() - make_interval(hours => :hours))
                     group by c.id, c.telegram_id, k.mark order by c.id
                    """
                ),
                {"account": self._account_id, "hours": QUIET_HOURS},
            )
            return [Quiet(row.id, row.telegram_id, row.mark) for row in rows]

    async def _looked_at(self, source: Quiet) -> None:
        """So that a source that is only quiet is not asked about again at the next start."""
        async with self._db.begin() as session:
            await session.execute(
                text(
                    """
                    insert into marks (channel_id, account_id, mark) values (:channel, :account, :mark)
                    on conflict (channel_id, account_id) do update set checked_at = clock_timestamp()
                    """
                ),
                {"channel": source.channel_id, "account": self._account_id, "mark": source.mark},
            )
