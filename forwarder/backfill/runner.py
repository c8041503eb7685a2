"""Reads the sources of open runs, one page of each in turn, where the account's login is held."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence

import sqlalchemy
import structlog

from forwarder.backfill import rows
from forwarder.backfill.pages import cut, joined
from forwarder.backfill.rows import Run
from forwarder.backfill.service import pause_by_program, stop_by_program
from forwarder.backfill.storing import store_page
from forwarder.db import Database
from forwarder.errors import TelegramError, Unavailable
from forwarder.message import AccountKind, HistoryPage
from forwarder.models import BackfillState, MappingState
from forwarder.outbox import Due
from forwarder.retry import Verdict, decide
from forwarder.seam import Historian
from forwarder.services.dedup import DeduplicationService

log = structlog.get_logger(__name__)

WINDOW = 500
"""Posts of one run that are queued and not finished, at most about: reading waits for sending."""
LEAST_ROOM = 200

READ_PAUSE = 0.5
"""Seconds between pages: reading spends the account's budget too."""
LOOK_AGAIN = 2.0
TRY_AGAIN = 5.0


class Backfiller:
    """``historians`` are the logins that this process holds, by account; ``ring`` is told of due lanes."""

    def __init__(
        self,
        db: Database,
        dedup: DeduplicationService,
        historians: Mapping[int, Historian],
        ring: Callable[[Sequence[Due]], Awaitable[None]],
    ) -> None:
        self._db, self._dedup, self._historians, self._ring = db, dedup, historians, ring

    async def run(self) -> None:
        """Read on with what is to be read, until cancelled."""
        while True:
            try:
                read = await self.turn()
            except Unavailable as error:
                log.warning("backfills_wait", reason=str(error))
                read = False
            except Exception:
                # An outer door: whatever is wrong with one run must not end the process that sends.
                log.exception("backfill_failed")
                read = False
            await asyncio.sleep(READ_PAUSE if read else LOOK_AGAIN)

    async def turn(self) -> bool:
        """One step of every open run; answer whether anything was read."""
        async with self._db.begin() as session:
            runs = await rows.open_runs(session)
        return any([await self._step(run) for run in runs])

    async def _step(self, run: Run) -> bool:
        if run.moved or run.mapping_state is MappingState.DISABLED:
            reason = "source_migrated" if run.moved else "mapping_disabled"
            await self._ring(await stop_by_program(self._db, run.id, reason))
        elif run.state is BackfillState.PAUSED:
            await self._hold(run)
        elif run.cursor >= run.last_id:
            await self._finish(run)
        elif run.due and run.mapping_state is MappingState.ACTIVE and run.open <= WINDOW - LEAST_ROOM:
            return await self._read(run)
        return False

    async def _hold(self, run: Run) -> None:
        """What was being sent when the run was paused may have been put off since."""
        async with self._db.begin() as session:
            await session.execute(rows.HOLD, {"mapping": run.mapping_id})

    async def _finish(self, run: Run) -> None:
        if not run.open:
            async with self._db.begin() as session:
                await rows.finish(session, run.id)
            log.info("backfill_done", backfill=run.id, mapping=run.mapping_id)

    async def _read(self, run: Run) -> bool:
        async with self._db.begin() as session:
            accounts = await rows.readers(session, run.channel_id)
        historian = next((self._historians[a] for a in accounts if a in self._historians), None)
        if historian is None:
            await self._put_off(run, TRY_AGAIN, "nobody_reads")
            return False
        try:
            page = await next_page(historian, run)
        except TelegramError as error:
            await self._refused(run, error)
            return False
        try:
            async with self._db.begin() as session:
                due = await store_page(session, self._dedup, run, page)
        except (sqlalchemy.exc.DataError, sqlalchemy.exc.IntegrityError) as error:
            log.error("backfill_page_refused", backfill=run.id, after=run.cursor, error=type(error).__name__)
            await pause_by_program(self._db, run.id, "page_refused")
            return False
        if due is None:
            return False
        await self._ring(due)
        return True

    async def _refused(self, run: Run, error: TelegramError) -> None:
        decision = decide(error, api=AccountKind.USER, order="read")
        log.warning("backfill_not_read", backfill=run.id, error=error.name, verdict=decision.verdict)
        match decision.verdict:
            case Verdict.WAIT:
                await self._put_off(run, decision.seconds + 1, decision.reason)
            case Verdict.RETRY | Verdict.UNSURE | Verdict.STOP_ACCOUNT:
                await self._put_off(run, TRY_AGAIN, decision.reason)
            case _:
                await pause_by_program(self._db, run.id, decision.reason)

    async def _put_off(self, run: Run, seconds: float, reason: str) -> None:
        async with self._db.begin() as session:
            await rows.put_off(session, run.id, seconds, reason)


async def next_page(historian: Historian, run: Run) -> HistoryPage:
    """What can be stored next; more than one call where a page holds nothing but the beginning of an album."""
    page = await historian.page(run.chat_id, run.cursor)
    while (whole := cut(page, run.cursor, run.last_id)) is None:
        assert page.through is not None, "where nothing follows, nothing is cut off"
        page = joined(page, await historian.page(run.chat_id, page.through))
    return whole
