"""MappingService: who wants the posts of whom, by which route, and whether they travel now."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import asdict, dataclass

from sqlalchemy import and_, func, or_, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from forwarder.db import Database, notify
from forwarder.message import GENERAL_TOPIC, Mode, Route
from forwarder.models import Lane, Mapping, MappingState, NoticeKind
from forwarder.outbox import count_from_now
from forwarder.services import audit, mapping_checks, mapping_rows, mapping_work, notices
from forwarder.services.channel_rows import SOURCES_CHANGED, as_moved
from forwarder.services.graph import choose_route
from forwarder.services.rules import check_joined_times
from forwarder.services.values import (
    BY_PERSON,
    MappingCounts,
    MappingSettings,
    MappingView,
    Page,
    Trouble,
    page_bounds,
)

Ring = Callable[[Sequence[int]], Awaitable[None]]
"""Ring the lanes of these mappings: a hint after commit that work is due; the relay finds what it misses."""

NO_ROUTE = "no_route"
HEALED_BY_ACCESS = frozenset(
    {NO_ROUTE, "no_right_to_post", "restricted_there", "banned_there", "chat_unreachable", "unreadable"}
)
"""Reasons of a pause by the program that end when an account has the rights again."""

DEFAULTS = MappingSettings()


@dataclass(frozen=True, slots=True)
class Routing:
    """What a change of rights did to the mappings of a channel, by mapping id."""

    rerouted: tuple[int, ...] = ()
    paused: tuple[int, ...] = ()
    resumed: tuple[int, ...] = ()


async def no_bell(lanes: Sequence[int]) -> None:
    """Without a bell the relay finds the work within seconds."""


class MappingService:
    def __init__(self, db: Database, ring: Ring = no_bell) -> None:
        self._db = db
        self._ring = ring

    async def create(
        self,
        source_id: int,
        destination_id: int,
        *,
        mode: Mode,
        start_after: int,
        route: Route = Route.AUTO,
        source_topic: int = 0,
        destination_topic: int = 0,
        settings: MappingSettings = DEFAULTS,
        actor: int | None = None,
    ) -> MappingView:
        """Let the posts of one channel travel to another from now on.

        ``start_after`` is the source's newest message id (``ChannelService.start_id``). Topic 0 is the whole chat
        as a source, and a forum's General as a destination. A pair that was disabled begins anew. Raises NotFound,
        or InvalidRequest with code ``not_a_source``, ``not_a_destination``, ``not_a_forum``,
        ``protected_content``, ``mapping_onto_itself``, ``mapping_closes_loop``, ``mapping_exists``, ``no_route`` or
        ``rule_never`` (the rules of time of its lists and its own leave no time).
        """
        if destination_topic == GENERAL_TOPIC:
            destination_topic = 0
        async with self._db.begin() as session:
            await mapping_rows.hold_mappings_made(session)
            source_id = await as_moved(session, source_id)
            destination_id = await as_moved(session, destination_id)
            await mapping_rows.lock_source(session, source_id)
            source = await mapping_checks.channel_on(session, source_id, "source")
            destination = await mapping_checks.channel_on(session, destination_id, "destination")
            mapping_checks.refuse_topic(source, source_topic)
            mapping_checks.refuse_topic(destination, destination_topic)
            await mapping_checks.refuse_loop(session, source, source_topic, destination, destination_topic)
            chosen = await mapping_checks.route_for(session, source, destination, route)
            mapping = await mapping_checks.existing(
                session, source_id, source_topic, destination_id, destination_topic
            )
            if mapping is None:
                mapping = Mapping(
                    source_id=source_id,
                    source_topic=source_topic,
                    destination_id=destination_id,
                    destination_topic=destination_topic,
                    created_by=actor,
                    revision=0,
                    mode=mode,
                    start_after=start_after,
                )
                session.add(mapping)
            for name, value in asdict(settings).items():
                setattr(mapping, name, value)
            mapping.mode, mapping.route = mode, route
            mapping.start_after = await mapping_checks.newest(session, source_id, start_after)
            mapping.state, mapping.reason = MappingState.ACTIVE, None
            mapping.revision += 1
            await session.flush()
            await check_joined_times(session, [mapping.id])
            lane = await session.get(Lane, mapping.id)
            if lane is None:
                session.add(Lane(mapping_id=mapping.id, route=chosen))
            else:
                lane.route = chosen
            await session.flush()
            await mapping_checks.follow(session, source, start_after)
            await notify(session, SOURCES_CHANGED)
            await audit.record(
                session, actor, "mapping.create", f"mapping:{mapping.id}",
                source=source_id, destination=destination_id, mode=mode, route=route, start_after=start_after,
            )  # fmt: skip
            return await mapping_rows.one(session, mapping.id)

    async def pause(
        self, mapping_id: int, *, actor: int | None = None, reason: str = BY_PERSON
    ) -> MappingView:
        """Hold what is queued and what comes, until resumed. Another ``reason`` is the program's."""
        async with self._db.begin() as session:
            mapping = await mapping_rows.locked(session, mapping_id)
            mapping_checks.refuse_disabled(mapping)
            if (mapping.state, mapping.reason) != (MappingState.PAUSED, reason):
                await pause_in(session, mapping, reason, actor)
            return await mapping_rows.one(session, mapping_id)

    async def resume(self, mapping_id: int, *, send: bool, actor: int | None = None) -> MappingView:
        """Let posts travel again; ``send`` what was held meanwhile, or skip it. One that is active stays as it is.

        Raises InvalidRequest ``no_route`` when no account can carry it out, ``protected_content`` when the
        source protects its content.
        """
        async with self._db.begin() as session:
            mapping = await mapping_rows.locked(session, mapping_id)
            mapping_checks.refuse_disabled(mapping)
            if mapping.state == MappingState.ACTIVE:
                return await mapping_rows.one(session, mapping_id)
            source = await mapping_checks.channel_on(session, mapping.source_id, None)
            destination = await mapping_checks.channel_on(session, mapping.destination_id, None)
            mapping_checks.refuse_protected(source)
            chosen = await mapping_checks.route_for(session, source, destination, Route(mapping.route))
            await session.execute(update(Lane).where(Lane.mapping_id == mapping_id).values(route=chosen))
            lanes = await resume_in(session, mapping, send, actor)
            answer = await mapping_rows.one(session, mapping_id)
        await self._ring(lanes)
        return answer

    async def disable(self, mapping_id: int, *, actor: int | None = None) -> MappingView:
        """End the mapping: what was queued or held is withdrawn; what is being sent ends as it ends."""
        async with self._db.begin() as session:
            mapping = await mapping_rows.locked(session, mapping_id)
            mapping_checks.refuse_disabled(mapping)
            mapping.state, mapping.reason = MappingState.DISABLED, None
            mapping.revision += 1
            await session.flush()
            lanes = await mapping_work.withdraw(session, mapping_id)
            await audit.record(session, actor, "mapping.disable", f"mapping:{mapping_id}")
            answer = await mapping_rows.one(session, mapping_id)
        await self._ring(lanes)
        return answer

    async def get(self, mapping_id: int) -> MappingView:
        async with self._db.begin() as session:
            return await mapping_rows.one(session, mapping_id)

    async def counts(self, mapping_id: int) -> MappingCounts:
        async with self._db.begin() as session:
            return await mapping_rows.counts(session, mapping_id)

    async def troubles(self, mapping_id: int | None = None, limit: int = 5) -> tuple[Trouble, ...]:
        """The newest deliveries that went wrong or wait for a person, of one mapping or of all."""
        async with self._db.begin() as session:
            return await mapping_rows.troubles(session, mapping_id, limit)

    async def paused_by_program(self, limit: int = 5) -> tuple[MappingView, ...]:
        """Mappings that an error has paused, by number."""
        wanted = and_(Mapping.state == MappingState.PAUSED, Mapping.reason != BY_PERSON)
        async with self._db.begin() as session:
            rows = await session.execute(
                mapping_rows.joined().where(wanted).order_by(Mapping.id).limit(limit)
            )
            return tuple(mapping_rows.view(*row) for row in rows)

    async def settle_unsure(
        self, mapping_id: int, *, again: bool, until: int | None = None, actor: int | None = None
    ) -> int:
        """Send the posts again whose outcome nobody could see, or count them as arrived; answer how many.

        A person has looked into the destination; where ``until`` is given (as of HeldUnsure), for those called by then.
        What is sent again gets new random ids.
        """
        async with self._db.begin() as session:
            mapping = await mapping_rows.locked(session, mapping_id)
            mapping_checks.refuse_disabled(mapping)
            paused = mapping.state == MappingState.PAUSED
            settled = await mapping_work.settle_unsure(session, mapping_id, until, again=again, paused=paused)
            await audit.record(
                session, actor, "mapping.settle", f"mapping:{mapping_id}", again=again, posts=settled
            )
        if settled:
            # Also where they have arrived: what rules have split may go on.
            await self._ring([mapping_id])
        return settled

    async def list(
        self,
        page: int = 0,
        size: int = 8,
        *,
        state: MappingState | None = None,
        query: str = "",
        channel_id: int | None = None,
    ) -> Page[MappingView]:
        """Mappings by number; without a state, all that are not disabled."""
        wanted = mapping_rows.chosen(state, query, channel_id)
        async with self._db.begin() as session:
            counted = mapping_rows.joined().where(wanted).with_only_columns(func.count())
            total = await session.scalar(counted) or 0
            page, pages = page_bounds(total, page, size)
            rows = await session.execute(
                mapping_rows.joined().where(wanted).order_by(Mapping.id).offset(page * size).limit(size)
            )
            return Page(tuple(mapping_rows.view(*row) for row in rows), page, pages, total)

    async def refresh_routes(self, channel_id: int) -> Routing:
        """Choose the routes of a channel's mappings anew, after rights changed there.

        A mapping that nobody can carry out any more is paused with the reason ``no_route``; one that was
        paused for want of rights goes on when somebody has them again, with what was held.
        """
        rerouted: list[int] = []
        paused: list[int] = []
        resumed: list[int] = []
        lanes: list[int] = []
        of_channel = select(Mapping.source_id).where(
            or_(Mapping.source_id == channel_id, Mapping.destination_id == channel_id)
        )
        async with self._db.begin() as session:
            await mapping_rows.lock_source(session, of_channel)
            rows = await session.scalars(
                select(Mapping)
                .where(
                    or_(Mapping.source_id == channel_id, Mapping.destination_id == channel_id),
                    Mapping.state != MappingState.DISABLED,
                )
                .order_by(Mapping.id)
                .with_for_update(key_share=True)
            )
            for mapping in rows.all():
                reach = await mapping_rows.reaches(session, mapping.source_id, mapping.destination_id)
                chosen = choose_route(Route(mapping.route), reach)
                if chosen is None:
                    if mapping.state == MappingState.ACTIVE:
                        await pause_in(session, mapping, NO_ROUTE, None)
                        paused.append(mapping.id)
                    continue
                lane = await session.get_one(Lane, mapping.id)
                if lane.route != chosen:
                    lane.route = chosen
                    rerouted.append(mapping.id)
                    lanes.append(mapping.id)
                if mapping.state == MappingState.PAUSED and mapping.reason in HEALED_BY_ACCESS:
                    lanes += await resume_in(session, mapping, True, None)
                    resumed.append(mapping.id)
            await session.flush()
        if lanes:
            await self._ring(sorted(set(lanes)))
        return Routing(tuple(rerouted), tuple(paused), tuple(resumed))


async def pause_in(session: AsyncSession, mapping: Mapping, reason: str, actor: int | None) -> int:
    """Pause in the caller's transaction, which holds the mapping's row; answer how many deliveries are held.

    A person's pause takes the place of the program's, so that the program does not end it by itself. Of the
    program's the owner is told.
    """
    mapping.state, mapping.reason = MappingState.PAUSED, reason
    mapping.revision += 1
    await session.flush()
    held = await mapping_work.hold(session, mapping.id)
    await audit.record(session, actor, "mapping.pause", f"mapping:{mapping.id}", reason=reason, held=held)
    if reason != BY_PERSON:
        await notices.leave(session, NoticeKind.MAPPING_PAUSED, mapping.id, reason)
    return held


async def pause_by_program(session: AsyncSession, mapping_id: int, reason: str) -> None:
    """Pause an active mapping after a permanent error, in the caller's transaction.

    A call that was under way when a person paused or disabled the mapping, or when another one was refused,
    changes nothing about that.
    """
    mapping = await session.get(
        Mapping, mapping_id, with_for_update={"key_share": True}, populate_existing=True
    )
    if mapping is not None and mapping.state == MappingState.ACTIVE:
        await pause_in(session, mapping, reason, None)


async def resume_in(session: AsyncSession, mapping: Mapping, send: bool, actor: int | None) -> list[int]:
    """Resume in the caller's transaction; answer the lanes to ring after it."""
    mapping.state, mapping.reason = MappingState.ACTIVE, None
    mapping.revision += 1
    await session.flush()
    if send:
        await count_from_now(session, [mapping.id])
    lanes = await mapping_work.let_go(session, mapping.id, send=send)
    await audit.record(session, actor, "mapping.resume", f"mapping:{mapping.id}", send=send)
    return lanes
