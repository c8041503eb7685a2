"""What a mapping must not be, and who can carry it: the refusals, each with its sentence."""

from __future__ import annotations

from sqlalchemy import delete, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from forwarder.errors import InvalidRequest, NotFound
from forwarder.message import AccountKind, Route
from forwarder.models import Channel, Mapping, MappingState, Mark, Message
from forwarder.services import channel_rows, mapping_rows
from forwarder.services.accounts import active_accounts
from forwarder.services.graph import Edge, Place, choose_route, closes_loop
from forwarder.services.topics import no_forum


async def channel_on(session: AsyncSession, channel_id: int, side: str | None) -> Channel:
    channel = await session.get(Channel, channel_id)
    if channel is None:
        raise NotFound(
            "channel_not_found", f"There is no channel {channel_id} here. Add it first.", reference=channel_id
        )
    if side == "source":
        if not channel.is_source:
            raise InvalidRequest(
                "not_a_source",
                f"{channel.title} is not among the sources. Add it as a source first.",
                title=channel.title,
            )
        refuse_protected(channel)
    if side == "destination" and not channel.is_destination:
        raise InvalidRequest(
            "not_a_destination",
            f"{channel.title} is not among the destinations. Add it as a destination first.",
            title=channel.title,
        )
    return channel


def refuse_protected(source: Channel) -> None:
    if source.protected:
        raise InvalidRequest(
            "protected_content",
            f"{source.title} protects its content: Telegram does not let it be forwarded or copied. "
            "Its owner can lift this in the channel's settings.",
            title=source.title,
        )


def refuse_topic(channel: Channel, topic_id: int) -> None:
    if topic_id and not channel.forum:
        raise no_forum(channel.title)


def refuse_disabled(mapping: Mapping) -> None:
    if mapping.state == MappingState.DISABLED:
        raise InvalidRequest(
            "mapping_disabled",
            f"The mapping #{mapping.id} is disabled. Create it anew to use it again.",
            mapping=mapping.id,
        )


async def refuse_loop(
    session: AsyncSession, source: Channel, source_topic: int, destination: Channel, destination_topic: int
) -> None:
    new = Edge(Place(source.telegram_id, source_topic), Place(destination.telegram_id, destination_topic))
    if closes_loop([], new):
        raise InvalidRequest(
            "mapping_onto_itself",
            f"{source.title} can't be mapped onto itself: choose another destination.",
            title=source.title,
        )
    way = closes_loop(await mapping_rows.edges(session), new)
    if way is None:
        return
    chats = {place.chat_id for place in way}
    rows = await session.execute(
        select(Channel.telegram_id, Channel.title).where(Channel.telegram_id.in_(chats))
    )
    titles = dict(rows.all())
    named = " → ".join(titles.get(place.chat_id, str(place.chat_id)) for place in way)
    raise InvalidRequest(
        "mapping_closes_loop",
        f"This mapping would close a loop: {named}. Posts would go round for ever; "
        "disable one of the others first.",
        path=named,
    )


async def route_for(session: AsyncSession, source: Channel, destination: Channel, wanted: Route) -> Route:
    reaches = await mapping_rows.reaches(session, source.id, destination.id)
    chosen = choose_route(wanted, reaches)
    if chosen is not None:
        return chosen
    raise InvalidRequest(
        "no_route",
        f"No account can carry posts from {source.title} to {destination.title}: the same account "
        "must be able to read the one and post to the other. Give the bot or the user account these rights.",
        source=source.title,
        destination=destination.title,
    )


async def existing(
    session: AsyncSession, source_id: int, source_topic: int, destination_id: int, destination_topic: int
) -> Mapping | None:
    mapping: Mapping | None = await session.scalar(
        select(Mapping)
        .where(
            Mapping.source_id == source_id,
            Mapping.source_topic == source_topic,
            Mapping.destination_id == destination_id,
            Mapping.destination_topic == destination_topic,
        )
        .with_for_update(key_share=True)
    )
    if mapping is not None and mapping.state != MappingState.DISABLED:
        raise InvalidRequest(
            "mapping_exists", f"This mapping exists already: #{mapping.id}.", mapping=mapping.id
        )
    return mapping


async def follow(session: AsyncSession, source: Channel, start_after: int) -> None:
    """Begin to follow a source that no other mapping uses; an old mark would dig up what lies between."""
    others = await session.scalar(
        select(func.count())
        .select_from(Mapping)
        .where(Mapping.source_id == source.id, Mapping.state != MappingState.DISABLED)
    )
    if source.listener_id is None or (others or 0) > 1:
        return
    await session.execute(delete(Mark).where(Mark.channel_id == source.id))
    acting = await active_accounts(session)
    by_user = source.listener_id == acting.get(AccountKind.USER)
    await channel_rows.start_mark(session, source.id, source.listener_id, start_after if by_user else 0)


async def newest(session: AsyncSession, source_id: int, top_id: int) -> int:
    """Where a mapping made now starts: above the source's newest id, and above all that was heard already."""
    heard = await session.scalar(select(func.max(Message.message_id)).where(Message.channel_id == source_id))
    return max(top_id, heard or 0)
