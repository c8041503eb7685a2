"""Signs of life, and the state of everything at a glance.

Each process writes a key with a short life into Redis; who is missing is dead or cut off. The rest of the
state is read from the rows.
"""

from __future__ import annotations

import asyncio
import os
import socket
import threading
import time
from datetime import UTC, datetime

import structlog
from redis import Redis as SyncRedis
from redis.asyncio import Redis
from redis.exceptions import RedisError
from sqlalchemy import text

from forwarder.db import Database
from forwarder.message import AccountKind
from forwarder.services.accounts import AccountService
from forwarder.services.late import LateService
from forwarder.services.mappings import MappingService
from forwarder.services.queue import QueueManager
from forwarder.services.status import AccountStatus, ProcessStatus, QueueStatus, Status, WaitStatus

log = structlog.get_logger(__name__)

BEAT_EVERY = 5.0
ALIVE_FOR = 20.0
REMEMBERED_FOR = 3600
CLASS_NAMES = {0: "edits and deletions", 1: "live", 2: "bulk"}


class Heart:
    """One process's sign of life. ``process_id`` is ``name:host:pid:random``."""

    def __init__(self, redis: Redis, process_id: str) -> None:
        self._redis, self.process_id = redis, process_id

    async def beat(self) -> None:
        await self._redis.set(f"alive:{self.process_id}", f"{time.time():.1f}", ex=REMEMBERED_FOR)

    async def beat_forever(self) -> None:
        """Beat until cancelled; Redis being away is not this process's death."""
        while True:
            try:
                await self.beat()
            except (RedisError, OSError) as error:
                log.warning("heartbeat_failed", error=str(error))
            await asyncio.sleep(BEAT_EVERY)

    async def stop(self) -> None:
        """Take the sign down: this process ends on purpose."""
        try:
            await self._redis.delete(f"alive:{self.process_id}")
        except (RedisError, OSError) as error:
            log.warning("heartbeat_failed", error=str(error))


def beat_in_thread(redis_url: str) -> None:
    """Give beat's sign of life, for as long as the process lives."""
    process_id = f"beat:{socket.gethostname()}:{os.getpid()}:clock"
    with SyncRedis.from_url(redis_url, socket_timeout=5, socket_connect_timeout=5) as client:
        while True:
            try:
                client.set(f"alive:{process_id}", f"{time.time():.1f}", ex=REMEMBERED_FOR)
            except (RedisError, OSError) as error:
                log.warning("heartbeat_failed", error=str(error))
            # A thread, not the event loop; nothing waits for it.
            threading.Event().wait(BEAT_EVERY)


async def processes(redis: Redis) -> tuple[ProcessStatus, ...]:
    """The newest sign of life of each kind of process on each host."""
    now = time.time()
    newest: dict[str, float] = {}
    async for key in redis.scan_iter("alive:*", count=500):
        _, name, host, _ = key.decode().split(":", 3)
        seen = await redis.get(key)
        if seen is not None:
            label = f"{name} on {host}"
            newest[label] = max(newest.get(label, 0.0), float(seen))
    return tuple(
        ProcessStatus(label, now - seen < ALIVE_FOR, datetime.fromtimestamp(seen, UTC))
        for label, seen in sorted(newest.items())
    )


class Health:
    """Implements :class:`~forwarder.services.status.StatusSource`."""

    def __init__(self, db: Database, redis: Redis, queue: QueueManager) -> None:
        self._db, self._redis, self._queue = db, redis, queue
        self._accounts = AccountService(db)
        self._mappings = MappingService(db)
        self._late = LateService(db)

    async def status(self) -> Status:
        counts = await self._counts()
        return Status(
            at=datetime.now(UTC),
            processes=await self._processes(),
            accounts=tuple(
                AccountStatus(a.kind, a.username, a.state, a.reason, a.wait_until, a.id)
                for a in await self._accounts.list()
            ),
            queues=await self._queues(),
            waits=await self._waits(),
            failed=counts.get("failed", 0),
            unsure=counts.get("unsure", 0),
            held=counts.get("held", 0),
            quarantined=counts.get("quarantined", 0),
            troubles=await self._mappings.troubles(),
            alerts=await self._mappings.paused_by_program(),
            outages=await self._late.unanswered(),
        )

    async def _processes(self) -> tuple[ProcessStatus, ...]:
        try:
            return await processes(self._redis)
        except (RedisError, OSError) as error:
            log.warning("signs_of_life_unreadable", error=str(error))
            return (ProcessStatus("redis", alive=False, seen_at=None),)

    async def _queues(self) -> tuple[QueueStatus, ...]:
        totals: dict[str, tuple[int, float]] = {}
        for depth in await self._queue.depth():
            if depth.state in ("queued", "sending"):
                name = f"{depth.route}: {CLASS_NAMES[depth.klass]}"
                count, oldest = totals.get(name, (0, 0.0))
                totals[name] = (count + depth.count, max(oldest, depth.oldest))
        return tuple(QueueStatus(name, count, oldest) for name, (count, oldest) in sorted(totals.items()))

    async def _waits(self) -> tuple[WaitStatus, ...]:
        async with self._db.begin() as session:
            rows = await session.execute(
                text(
                    """
                    select w.name, a.kind, w.method, c.title, max(w.until) as until,
                           (select count(*) from deliveries d join mappings m on m.id = d.mapping_id
                             where d.done_at is null and d.state = 'queued'
                               and m.destination_id = c.id) as waiting
                      from flood_waits w join accounts a on a.id = w.account_id
                      left join channels c on c.telegram_id = w.chat_id
                     where w.until > clock_timestamp()
                     group by w.name, a.kind, w.method, c.id, c.title order by until
                    """
                )
            )
            return tuple(
                WaitStatus(r.name, AccountKind(r.kind), r.method, r.title, r.until, r.waiting or 0)
                for r in rows
            )

    async def _counts(self) -> dict[str, int]:
        async with self._db.begin() as session:
            rows = await session.execute(
                text(
                    """
                    select state, count(*) as count from deliveries
                     where done_at is null and state in ('unsure', 'held') group by state
                    union all
                    select 'failed', count(*) from deliveries
                     where state = 'failed' and done_at > clock_timestamp() - interval '7 days'
                    union all
                    select 'quarantined', count(*) from quarantine
                    """
                )
            )
            return {row.state: row._mapping["count"] for row in rows}
