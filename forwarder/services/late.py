"""LateService: what a mapping does with posts that are late, and how far each mapping is behind."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict

from forwarder.db import Database
from forwarder.models import AfterOutage, Mapping, MappingState
from forwarder.services import audit, lag, mapping_checks, mapping_rows, outage
from forwarder.services.mappings import Ring, no_bell
from forwarder.services.values import MappingView


class LateService:
    def __init__(self, db: Database, ring: Ring = no_bell) -> None:
        self._db = db
        self._ring = ring

    async def answer_outage(
        self, mapping_id: int, last: int | None, *, actor: int | None = None
    ) -> outage.Answered:
        """Send the ``last`` so many of the posts that an outage has held (None: all), and leave out the others.

        Raises NotFound, or InvalidRequest ``mapping_disabled``.
        """
        async with self._db.begin() as session:
            mapping = await mapping_rows.locked(session, mapping_id)
            mapping_checks.refuse_disabled(mapping)
            paused = mapping.state == MappingState.PAUSED
            answered, lanes = await outage.answer(session, mapping_id, last, paused=paused)
            await audit.record(session, actor, "mapping.outage", f"mapping:{mapping_id}", **asdict(answered))
        await self._ring(sorted({mapping_id, *lanes}))
        return answered

    async def after_outage(
        self, mapping_id: int, policy: AfterOutage, *, actor: int | None = None
    ) -> MappingView:
        """Decide what becomes of posts that nobody listened to, from the next outage on."""
        return await self._change(mapping_id, actor, after_outage=policy)

    async def skip_after(
        self, mapping_id: int, hours: int | None, *, actor: int | None = None
    ) -> MappingView:
        """Withdraw live posts that still wait at this age; None sends all of them, however late."""
        return await self._change(mapping_id, actor, skip_hours=hours)

    async def _change(self, mapping_id: int, actor: int | None, **values: str | int | None) -> MappingView:
        async with self._db.begin() as session:
            mapping = await mapping_rows.locked(session, mapping_id)
            mapping_checks.refuse_disabled(mapping)
            for name, value in values.items():
                setattr(mapping, name, value)
            mapping.revision += 1
            await session.flush()
            await audit.record(session, actor, "mapping.change", f"mapping:{mapping_id}", **values)
            return await mapping_rows.one(session, mapping_id)

    async def backlogs(self, mapping_ids: Sequence[int]) -> dict[int, lag.Backlog]:
        """How many posts of these mappings wait, now and an hour ago."""
        async with self._db.begin() as session:
            return await lag.backlogs(session, mapping_ids)

    async def unanswered(self) -> tuple[tuple[MappingView, int], ...]:
        """Mappings whose owners have not said yet what to do after an outage, with how many posts wait for it."""
        async with self._db.begin() as session:
            numbers = await outage.waiting(session)
            rows = await session.execute(
                mapping_rows.joined().where(Mapping.id.in_(numbers)).order_by(Mapping.id)
            )
            return tuple((mapping_rows.view(*row), numbers[row[0].id]) for row in rows)
