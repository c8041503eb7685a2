"""What beat has done every few seconds: every state that can stick has its sweep here."""

from __future__ import annotations

import structlog
from redis.asyncio import Redis
from sqlalchemy import text

from forwarder.db import Database
from forwarder.ingest import Ingest
from forwarder.outbox import KEY_IS_FREE
from forwarder.pace import Pace
from forwarder.services import lag, mapping_work, retention, reviewing
from forwarder.services.queue import QueueManager

log = structlog.get_logger(__name__)

OLD_ALBUM = 3.0
"""Seconds of silence after which an album that its listener has not closed is closed by the sweep."""

OLD_ALBUM_OF_A_USER = 3600.0
"""The same where a user account listens: it closes albums itself when it has looked for what it missed while it was
away, and a part that was missed would become a post of its own. Only where it does not come back for so long the sweep
does it."""

BATCH = 5000


class Upkeep:
    def __init__(
        self,
        db: Database,
        redis: Redis,
        ingest: Ingest,
        queue: QueueManager,
        pace: Pace,
        retention_days: int,
    ) -> None:
        self._db, self._redis, self._ingest, self._queue, self._pace = db, redis, ingest, queue, pace
        self._retention_days = retention_days

    async def sweep(self) -> str:
        """Close forgotten albums, withdraw what has waited too long or has lost its mapping, decide what nobody has
        reviewed in time, and bring waits back after Redis was emptied."""
        restored = await self._pace.remember()
        async with self._db.begin() as session:
            chats = await session.scalars(
                text(
                    """
                    select distinct c.telegram_id
                      from posts p join channels c on c.id = p.channel_id
                      left join accounts a on a.id = c.listener_id
                     where p.state = 'collecting'
                       and p.last_part_at < clock_timestamp() - make_interval(
                           secs => case when a.kind = 'user' then :of_a_user else :age end)
                    """
                ),
                {"age": OLD_ALBUM, "of_a_user": OLD_ALBUM_OF_A_USER},
            )
            received = await self._ingest.settle(session, list(chats))
        async with self._db.begin() as session:
            skipped, heirs = await lag.skip_old(session)
            heirs += await mapping_work.withdraw_left(session)
        async with self._db.begin() as session:
            unanswered, left = await reviewing.expire(session)
            heirs += left
        await self._queue.ring([*received.due, *heirs])
        told = ", told an emptied Redis the pace" if restored else ""
        closed = f"closed posts for {len(received.due)} lanes"
        return f"{closed}, skipped {skipped} old posts, decided {unanswered} reviews{told}"

    async def retention(self) -> str:
        """Forget, in batches, what no one will ask for again."""
        days = self._retention_days
        said = [f"{await retention.forget_posts(self._db, days)} posts"]
        for what, condition in (
            (
                "copies",
                f"created_at < clock_timestamp() - interval '{max(days, retention.COPIES_DAYS)} days'",
            ),
            ("fingerprints f", KEY_IS_FREE),
            ("flood_waits", "until < clock_timestamp() - interval '30 days'"),
            ("account_requests", "asked_at < clock_timestamp() - interval '1 day'"),
            # By then every window has long recovered.
            ("pace_lessons", "learned_at < clock_timestamp() - interval '30 days'"),
            ("notices", "done_at < clock_timestamp() - interval '30 days'"),
        ):
            said.append(f"{await self._purge(what, condition)} {what.split()[0]}")
        return "forgot " + ", ".join(said)

    async def _purge(self, table: str, condition: str) -> int:
        total = 0
        while True:
            async with self._db.begin() as session:
                gone = await session.execute(
                    text(
                        f"delete from {table} where ctid = any(array("  # noqa: S608 - our own words, and a number
                        f"select ctid from {table} where {condition} limit {BATCH}))"
                    )
                )
                count: int = gone.rowcount  # type: ignore[attr-defined]  # a DELETE answers a CursorResult
            total += count
            if count < BATCH:
                return total
