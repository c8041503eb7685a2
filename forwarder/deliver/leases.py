"""The lanes that this process holds, and for how long it may rely on that."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass

import structlog

from forwarder import outbox
from forwarder.db import Database
from forwarder.outbox import Due, LaneHeld, Worker

log = structlog.get_logger(__name__)

RENEW_EVERY = 3.0
LEAST_LEASE = 4.0
"""Seconds of lease that must be left when a call begins."""


@dataclass(slots=True)
class Lease:
    """A lane that this process holds. ``onward`` is the bell to ring for it once it is let go; ``count`` how many of
    its deliveries are worth looking at together, ``alone`` how many must go one by one first."""

    lane: LaneHeld
    until: float
    count: int
    onward: Due | None = None
    alone: int = 0


class Leases:
    def __init__(self, db: Database, worker: Worker) -> None:
        self._db, self._worker = db, worker
        self._held: dict[int, Lease] = {}

    def keep(self, lease: Lease) -> None:
        self._held[lease.lane.mapping_id] = lease

    def of(self, lane: LaneHeld) -> Lease:
        return self._held[lane.mapping_id]

    def drop(self, mapping_id: int) -> Lease | None:
        return self._held.pop(mapping_id, None)

    def lasts(self, lane: LaneHeld) -> bool:
        """Whether enough of the lease is left for a call, by this process's own monotonic clock."""
        lease = self._held.get(lane.mapping_id)
        return lease is not None and lease.until - time.monotonic() >= LEAST_LEASE

    async def renew_forever(self) -> None:
        """Keep the leases of all lanes that are being carried. Runs until cancelled."""
        while True:
            await asyncio.sleep(RENEW_EVERY)
            try:
                await self._renew()
            except Exception:
                # The leases run out by themselves; every call looks at what is left of its own.
                log.warning("lease_renewal_failed", exc_info=True)

    async def _renew(self) -> None:
        if not self._held:
            return
        asked = time.monotonic()
        async with self._db.begin() as session:
            kept = await outbox.renew(session, list(self._held), self._worker.holder)
        for mapping_id in kept & self._held.keys():
            self._held[mapping_id].until = asked + outbox.LEASE_SECONDS
