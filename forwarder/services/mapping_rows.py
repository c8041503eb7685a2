"""Mappings as rows: reading them for the screens, and what decides about them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import ColumnElement, Select, and_, func, or_, select, text, true
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import aliased

from forwarder.errors import NotFound
from forwarder.message import AccountKind, ChatKind, Mode, Route, State
from forwarder.models import (
    AfterOutage,
    Channel,
    ChannelAccess,
    Dedup,
    Lane,
    Mapping,
    MappingState,
    WhenUnsure,
)
from forwarder.services.accounts import active_accounts
from forwarder.services.graph import Edge, Place, Reach
from forwarder.services.values import ChannelName, MappingCounts, MappingSettings, MappingView, Trouble

Source = aliased(Channel, name="source")
Destination = aliased(Channel, name="destination")
LARGEST_ID = 2**31 - 1
MAPPINGS_MADE = 0x6C6F6F70


async def hold_mappings_made(session: AsyncSession) -> None:
    """No mapping is made, and no chat becomes another, until the transaction ends: two mappings made at the same time
    could close a loop that neither sees alone."""
    await session.execute(select(func.pg_advisory_xact_lock(MAPPINGS_MADE)))


def joined() -> Select[Mapping, Lane, Channel, Channel]:
    return (
        select(Mapping, Lane, Source, Destination)
        .join(Lane, Lane.mapping_id == Mapping.id)
        .join(Source, Source.id == Mapping.source_id)
        .join(Destination, Destination.id == Mapping.destination_id)
    )


def view(mapping: Mapping, lane: Lane, source: Channel, destination: Channel) -> MappingView:
    return MappingView(
        id=mapping.id,
        source=name_of(source),
        source_topic=mapping.source_topic,
        destination=name_of(destination),
        destination_topic=mapping.destination_topic,
        mode=Mode(mapping.mode),
        route=Route(mapping.route),
        lane_route=Route(lane.route),
        state=MappingState(mapping.state),
        reason=mapping.reason,
        settings=MappingSettings(
            copy_fallback=mapping.copy_fallback,
            important=mapping.important,
            silent=mapping.silent,
            dedup=Dedup(mapping.dedup),
            dedup_hours=mapping.dedup_hours,
            edit_sync=mapping.edit_sync,
            delete_sync=mapping.delete_sync,
            when_unsure=WhenUnsure(mapping.when_unsure),
            after_outage=AfterOutage(mapping.after_outage),
            skip_hours=mapping.skip_hours,
        ),
        revision=mapping.revision,
        start_after=mapping.start_after,
        created_at=mapping.created_at,
    )


def name_of(channel: Channel) -> ChannelName:
    return ChannelName(channel.id, channel.telegram_id, channel.title, channel.username)


async def one(session: AsyncSession, mapping_id: int) -> MappingView:
    """Raises NotFound, also for a number that the database does not count to."""
    if not 0 < mapping_id <= LARGEST_ID:
        raise missing(mapping_id)
    row = (await session.execute(joined().where(Mapping.id == mapping_id))).one_or_none()
    if row is None:
        raise missing(mapping_id)
    return view(*row)


async def locked(session: AsyncSession, mapping_id: int) -> Mapping:
    """The mapping's row, held until the transaction ends. Raises NotFound.

    Its source is held first, as ingest holds it: no post can be decided by a state that is about to end.
    """
    if not 0 < mapping_id <= LARGEST_ID:
        raise missing(mapping_id)
    await lock_source(session, select(Mapping.source_id).where(Mapping.id == mapping_id))
    row = await session.get(Mapping, mapping_id, with_for_update={"key_share": True}, populate_existing=True)
    if row is None:
        raise missing(mapping_id)
    return row


async def lock_source(session: AsyncSession, source_id: int | Select[int]) -> None:
    """Hold the source until the transaction ends, before any mapping of it: what ingest holds too."""
    wanted = Channel.id == source_id if isinstance(source_id, int) else Channel.id.in_(source_id)
    await session.execute(
        select(Channel.id).where(wanted).order_by(Channel.id).with_for_update(key_share=True)
    )


def missing(mapping_id: int) -> NotFound:
    return NotFound(
        "mapping_not_found",
        f"There is no mapping #{mapping_id}. See `manage.py mapping list`.",
        mapping=mapping_id,
    )


def chosen(state: MappingState | None, query: str, channel_id: int | None) -> ColumnElement[bool]:
    """The condition of a list; without a state, everything that is not disabled."""
    conditions: list[ColumnElement[bool]] = [
        Mapping.state == state if state is not None else Mapping.state != MappingState.DISABLED
    ]
    if channel_id is not None:
        conditions.append(or_(Mapping.source_id == channel_id, Mapping.destination_id == channel_id))
    if query:
        part = query.removeprefix("@")
        conditions.append(
            or_(
                *(
                    column.icontains(part, autoescape=True)
                    for column in (Source.title, Source.username, Destination.title, Destination.username)
                )
            )
        )
    return and_(true(), *conditions)


async def edges(session: AsyncSession) -> list[Edge]:
    """Every way a post may go on by itself: mappings that are not disabled, and discussion groups.

    Telegram posts each post of a channel into its linked discussion group; the group's messages do not
    go back (core.telegram.org/api/discussion).
    """
    rows = await session.execute(joined().where(Mapping.state != MappingState.DISABLED))
    found = [
        Edge(
            Place(source.telegram_id, mapping.source_topic),
            Place(destination.telegram_id, mapping.destination_topic),
        )
        for mapping, _, source, destination in rows
    ]
    linked = await session.scalars(select(Channel).where(Channel.linked_chat_id.is_not(None)))
    for chat in linked:
        assert chat.linked_chat_id is not None
        if chat.kind == ChatKind.CHANNEL:
            found.append(Edge(Place(chat.telegram_id), Place(chat.linked_chat_id)))
        else:
            found.append(Edge(Place(chat.linked_chat_id), Place(chat.telegram_id)))
    return found


async def reaches(session: AsyncSession, source_id: int, destination_id: int) -> list[Reach]:
    """What each account that acts now may do for a mapping between these channels.

    Messages of a basic group have other ids for each account: only the one that hears them can name them.
    """
    acting = await active_accounts(session)
    source = await session.get_one(Channel, source_id)
    hears_alone = source.listener_id if source.kind == ChatKind.GROUP else None
    rows = await session.scalars(
        select(ChannelAccess).where(
            ChannelAccess.channel_id.in_([source_id, destination_id]),
            ChannelAccess.account_id.in_(acting.values()),
        )
    )
    access = {(row.channel_id, row.account_id): row for row in rows}
    found = []
    for kind in AccountKind:
        if kind not in acting:
            continue
        reading, posting = access.get((source_id, acting[kind])), access.get((destination_id, acting[kind]))
        reads = bool(reading and reading.may_read) and hears_alone in (None, acting[kind])
        found.append(Reach(kind, reads, bool(posting and posting.may_post)))
    return found


async def counts(session: AsyncSession, mapping_id: int) -> MappingCounts:
    rows = await session.execute(
        text(
            """
            select state, count(*) as number, max(done_at) as last,
                   count(*) filter (where state = 'held' and reason = 'paused') as paused,
                   count(*) filter (where state = 'held' and reason = 'outage') as outage,
                   count(*) filter (where state = 'held' and reason = 'review') as review,
                   min(not_before) filter (where not_before > clock_timestamp()) as next_try
              from deliveries where mapping_id = :mapping and kind = 'post' group by state
            """
        ),
        {"mapping": mapping_id},
    )
    numbers: dict[str, int] = {}
    last_sent: datetime | None = None
    next_try: datetime | None = None
    paused = outage = review = 0
    for row in rows:
        numbers[row.state] = row.number
        if row.state == State.SENT:
            last_sent = row.last
        if row.state == State.QUEUED:
            next_try = row.next_try
        if row.state == State.HELD:
            paused, outage, review = row.paused, row.outage, row.review
    return MappingCounts(
        **numbers,
        last_sent_at=last_sent,
        next_try_at=next_try,
        paused=paused,
        outage=outage,
        review=review,
    )


async def troubles(session: AsyncSession, mapping_id: int | None, limit: int) -> tuple[Trouble, ...]:
    """The newest deliveries that failed, are unsure, or wait for a person (a pause or an outage is one
    question for many, and posts for review have a list of their own)."""
    rows = await session.execute(
        text(
            f"""
            select d.id, d.mapping_id, d.position, d.state, d.reason,
                   coalesce(d.done_at, d.claimed_at, d.created_at) as at, m.source_id, m.destination_id
              from deliveries d join mappings m on m.id = d.mapping_id
             where {"d.mapping_id = :mapping and" if mapping_id is not None else ""}
                   (d.state in ('failed', 'unsure')
                    or (d.state = 'held' and d.reason not in ('paused', 'outage', 'review')))
             order by at desc, d.id desc limit :limit
            """  # noqa: S608 - one of two constant texts
        ),
        {"mapping": mapping_id, "limit": limit} if mapping_id is not None else {"limit": limit},
    )
    found = rows.all()
    names = await channel_names(
        session, {row.source_id for row in found} | {row.destination_id for row in found}
    )
    return tuple(
        Trouble(
            delivery_id=row.id,
            mapping_id=row.mapping_id,
            source=names[row.source_id],
            destination=names[row.destination_id],
            message_id=row.position,
            state=State(row.state),
            reason=row.reason or "",
            at=row.at,
        )
        for row in found
    )


async def channel_names(session: AsyncSession, ids: set[int]) -> dict[int, ChannelName]:
    rows: Sequence[Channel] = (await session.scalars(select(Channel).where(Channel.id.in_(ids)))).all()
    return {row.id: name_of(row) for row in rows}
