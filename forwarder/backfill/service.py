"""BackfillService: plan a run, start it, hold it, go on with it, end it, and see how far it is."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol

from sqlalchemy import ColumnElement, select, text
from sqlalchemy.ext.asyncio import AsyncSession

from forwarder.backfill import rows
from forwarder.backfill.values import BackfillView, Plan
from forwarder.db import Database
from forwarder.errors import InvalidRequest, NotFound
from forwarder.message import Span, Wish
from forwarder.models import Backfill, BackfillState, Channel, Delivery, Mapping, MappingState
from forwarder.outbox import BULK, Due, ended_without_success
from forwarder.services import audit, mapping_checks, mapping_rows

Ring = Callable[[Sequence[int]], Awaitable[None]]

PAUSED_BY_PERSON = "paused"


class SpanDesk(Protocol):
    async def span(self, accounts: Sequence[int], chat_id: int, wish: Wish, ceiling: int) -> Span:
        """Ask the first of these accounts that somebody holds. Raises NobodyAnswers, and see ``Historian``."""
        ...


async def _no_bell(lanes: Sequence[int]) -> None:
    """Without a bell the relay finds the work within seconds."""


class BackfillService:
    """``desk`` is None where no login that could read a history is set up."""

    def __init__(self, db: Database, desk: SpanDesk | None, ring: Ring = _no_bell) -> None:
        self._db, self._desk, self._ring = db, desk, ring

    async def plan(self, mapping_id: int, wish: Wish) -> Plan:
        """Find out what is meant; nothing is queued.

        Raises InvalidRequest: ``backfill_mapping_off``, ``backfill_runs``, ``backfill_unreadable``,
        ``backfill_no_login``, ``backfill_nothing``, ``protected_content`` or ``history_too_far``; NotFound;
        NobodyAnswers.
        """
        async with self._db.begin() as session:
            mapping = await mapping_rows.locked(session, mapping_id)
            source = await self._source(session, mapping)
            accounts = await rows.readers(session, source.id)
            ceiling = await highest(session, mapping)
            view = await mapping_rows.one(session, mapping_id)
        if self._desk is None:
            raise InvalidRequest(
                "backfill_no_login",
                "A bot cannot read older posts through the Bot API: set API_ID and API_HASH, and start "
                "`manage.py worker --user`.",
            )
        if not accounts:
            raise InvalidRequest(
                "backfill_unreadable",
                f"None of our accounts can read the older posts of {source.title}: join it with the user account, "
                "then check its rights.",
                title=source.title,
            )
        if ceiling < 1:
            raise nothing(source.title)
        span = await self._desk.span(accounts, source.telegram_id, wish, ceiling)
        if span.last < span.first or span.total < 1:
            raise nothing(source.title)
        return Plan(view, span)

    async def start(
        self, mapping_id: int, span: Span, *, actor: int | None = None, shown: tuple[int, int] | None = None
    ) -> BackfillView:
        """Begin to bring what was planned. ``shown``: chat and message in which the bot shows how far it is."""
        async with self._db.begin() as session:
            mapping = await mapping_rows.locked(session, mapping_id)
            source = await self._source(session, mapping)
            last = min(span.last, await highest(session, mapping))
            if last < span.first or span.first < 1:
                raise nothing(source.title)
            run = Backfill(
                mapping_id=mapping_id,
                channel_id=source.id,
                first_id=span.first,
                last_id=last,
                cursor=span.first - 1,
                total=span.total,
                asked_by=actor,
                chat_id=shown[0] if shown else None,
                message_id=shown[1] if shown else None,
            )
            session.add(run)
            await session.flush()
            await audit.record(
                session, actor, "backfill.start", f"mapping:{mapping_id}", first=span.first, last=last
            )
            return await view_of(session, run)

    async def pause(self, run_id: int, *, actor: int | None = None) -> BackfillView:
        """Read no more and hold what is queued."""
        async with self._db.begin() as session:
            run = await locked(session, run_id)
            await pause_in(session, run, PAUSED_BY_PERSON, actor)
            return await view_of(session, run)

    async def resume(self, run_id: int, *, actor: int | None = None) -> BackfillView:
        async with self._db.begin() as session:
            run = await locked(session, run_id)
            if run.state == BackfillState.PAUSED:
                run.state, run.reason, run.not_before = BackfillState.RUNNING, None, None
                await session.execute(rows.LET_GO, {"mapping": run.mapping_id})
                await audit.record(session, actor, "backfill.resume", f"mapping:{run.mapping_id}")
            await session.flush()
            answer = await view_of(session, run)
        await self._ring([run.mapping_id])
        return answer

    async def stop(self, run_id: int, *, actor: int | None = None) -> BackfillView:
        """End it here: what is queued is withdrawn, what was sent stays. A later run may bring the rest."""
        async with self._db.begin() as session:
            run = await locked(session, run_id)
            due = await stop_in(session, run, "stopped", actor)
            answer = await view_of(session, run)
        await self._ring(sorted({one.mapping_id for one in due}))
        return answer

    async def get(self, run_id: int) -> BackfillView:
        return await self._one(Backfill.id == run_id, run_id)

    async def newest(self, mapping_id: int) -> BackfillView | None:
        """The mapping's run that has not ended, else its last one."""
        found = await self._some(Backfill.mapping_id == mapping_id, limit=1)
        return found[0] if found else None

    async def shown(self) -> list[BackfillView]:
        """Runs whose message in the bot does not show their end yet."""
        return await self._some(Backfill.message_id.is_not(None) & ~Backfill.told, limit=100)

    async def told(self, run_id: int) -> None:
        async with self._db.begin() as session:
            await session.execute(text("update backfills set told = true where id = :id"), {"id": run_id})

    async def _source(self, session: AsyncSession, mapping: Mapping) -> Channel:
        """The source of a mapping that may begin a run; raises InvalidRequest where it may not."""
        if mapping.state != MappingState.ACTIVE:
            raise InvalidRequest(
                "backfill_mapping_off",
                f"The mapping #{mapping.id} is {mapping.state}: let it work again first, older posts travel "
                "by it too.",
                mapping=mapping.id,
            )
        open_run = await session.scalar(
            select(Backfill.id).where(Backfill.mapping_id == mapping.id, Backfill.ended_at.is_(None))
        )
        if open_run is not None:
            raise InvalidRequest(
                "backfill_runs",
                f"A backfill of the mapping #{mapping.id} has not ended yet: let it end, or stop it first.",
                mapping=mapping.id,
            )
        source = await session.get_one(Channel, mapping.source_id)
        mapping_checks.refuse_protected(source)
        return source

    async def _some(self, wanted: ColumnElement[bool], limit: int) -> list[BackfillView]:
        async with self._db.begin() as session:
            found = await session.scalars(
                select(Backfill).where(wanted).order_by(Backfill.id.desc()).limit(limit)
            )
            return [await view_of(session, run) for run in found.all()]

    async def _one(self, wanted: ColumnElement[bool], run_id: int) -> BackfillView:
        found = await self._some(wanted, limit=1)
        if not found:
            raise missing(run_id)
        return found[0]


def nothing(title: str) -> InvalidRequest:
    return InvalidRequest(
        "backfill_nothing",
        f"There are no older posts of {title} in this range. Posts newer than the mapping travel by themselves.",
        title=title,
    )


def missing(run_id: int) -> NotFound:
    return NotFound("backfill_not_found", f"There is no backfill {run_id}.", backfill=run_id)


async def highest(session: AsyncSession, mapping: Mapping) -> int:
    """The highest id that a backfill may bring: what is above travels by itself.

    A source that only the bot reads starts at 0, for whatever the bot hears is new; there it is the id below the first
    post that travelled.
    """
    if mapping.start_after > 0:
        return mapping.start_after
    first = await session.scalar(
        select(Delivery.position)
        .where(Delivery.mapping_id == mapping.id, Delivery.klass != BULK, Delivery.position > 0)
        .order_by(Delivery.position)
        .limit(1)
    )
    return (first or 0) - 1


async def locked(session: AsyncSession, run_id: int) -> Backfill:
    """The run's row, held until the transaction ends, after its source, as ingest holds it. Raises NotFound."""
    source = select(Backfill.channel_id).where(Backfill.id == run_id)
    await mapping_rows.lock_source(session, source)
    run = await session.get(Backfill, run_id, with_for_update=True, populate_existing=True)
    if run is None:
        raise missing(run_id)
    return run


async def pause_in(session: AsyncSession, run: Backfill, reason: str, actor: int | None) -> None:
    if run.ended_at is None and (run.state, run.reason) != (BackfillState.PAUSED, reason):
        run.state, run.reason = BackfillState.PAUSED, reason
        await session.flush()
        await session.execute(rows.HOLD, {"mapping": run.mapping_id})
        await audit.record(session, actor, "backfill.pause", f"mapping:{run.mapping_id}", reason=reason)


async def stop_in(session: AsyncSession, run: Backfill, reason: str, actor: int | None) -> list[Due]:
    if run.ended_at is not None:
        return []
    gone = list(await session.scalars(rows.WITHDRAW, {"mapping": run.mapping_id}))
    due = await ended_without_success(session, gone)
    run.queued -= len(gone)
    run.ended_at = await session.scalar(text("select clock_timestamp()"))
    run.state, run.reason = BackfillState.STOPPED, reason
    await audit.record(session, actor, "backfill.stop", f"mapping:{run.mapping_id}", withdrawn=len(gone))
    return due


async def pause_by_program(db: Database, run_id: int, reason: str) -> None:
    async with db.begin() as session:
        await pause_in(session, await locked(session, run_id), reason, None)


async def stop_by_program(db: Database, run_id: int, reason: str) -> list[Due]:
    async with db.begin() as session:
        return await stop_in(session, await locked(session, run_id), reason, None)


async def view_of(session: AsyncSession, run: Backfill) -> BackfillView:
    now = await rows.moment(session, run.mapping_id, run.created_at)
    ended = run.ended_at is not None
    return BackfillView(
        id=run.id,
        mapping=await mapping_rows.one(session, run.mapping_id),
        state=BackfillState(run.state),
        reason=run.reason,
        first_id=run.first_id,
        last_id=run.last_id,
        cursor=run.cursor,
        total=run.total,
        read=run.read,
        passed=run.passed,
        queued=run.queued,
        open=0 if ended else now.open,
        rate=0.0 if ended else now.rate,
        not_before=run.not_before,
        created_at=run.created_at,
        ended_at=run.ended_at,
        shown=(run.chat_id, run.message_id) if run.chat_id and run.message_id else None,
        asked_by=run.asked_by,
    )
