"""GroupService: destinations that get the same content once among them.

What a destination remembers goes with it into a group and out of it again. Whoever changes a group holds the sources
of all posts that go there, as ingest holds them: no reservation is written into a scope that is about to end.
"""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import func, select, text
from sqlalchemy.ext.asyncio import AsyncSession

from forwarder.db import Database
from forwarder.errors import InvalidRequest, NotFound
from forwarder.models import Channel, DedupGroup
from forwarder.services import audit
from forwarder.services.channel_rows import as_moved
from forwarder.services.mapping_rows import name_of
from forwarder.services.values import ChannelName

LONGEST_NAME = 60


@dataclass(frozen=True, slots=True)
class Group:
    id: int
    name: str
    destinations: tuple[ChannelName, ...]


class GroupService:
    def __init__(self, db: Database) -> None:
        self._db = db

    async def list(self) -> tuple[Group, ...]:
        """By name. A group that has no destination left is none any more."""
        async with self._db.begin() as session:
            groups = (await session.scalars(select(DedupGroup).order_by(func.lower(DedupGroup.name)))).all()
            members = (
                await session.scalars(
                    select(Channel)
                    .where(Channel.dedup_group.is_not(None))
                    .order_by(func.lower(Channel.title), Channel.id)
                )
            ).all()
            return tuple(
                Group(one.id, one.name, tuple(name_of(m) for m in members if m.dedup_group == one.id))
                for one in groups
            )

    async def join(self, channel_id: int, name: str, *, actor: int | None = None) -> str:
        """Put a destination into the group of this name, which is made where there is none; answer its name.

        Raises NotFound ``channel_not_found``, InvalidRequest (``not_a_destination``, ``bad_group_name``).
        """
        wanted = " ".join(name.split())
        if not 0 < len(wanted) <= LONGEST_NAME or not wanted.isprintable():
            raise InvalidRequest(
                "bad_group_name", f"A group's name has 1 to {LONGEST_NAME} characters.", most=LONGEST_NAME
            )
        async with self._db.begin() as session:
            channel = await _held(session, channel_id)
            if not channel.is_destination:
                raise InvalidRequest(
                    "not_a_destination",
                    f"{channel.title} is no destination; add it as one first.",
                    title=channel.title,
                )
            group = await _named(session, wanted)
            if group.id != channel.dedup_group:
                await _leave(session, channel)
                await session.execute(INTO, {"channel": channel.id, "group": group.id})
                await session.execute(FORGET, {"channel": channel.id})
                channel.dedup_group = group.id
                await session.flush()
                await session.execute(DROP_EMPTY)
                await audit.record(session, actor, "channel.group", f"channel:{channel.id}", group=group.name)
            return group.name

    async def leave(self, channel_id: int, *, actor: int | None = None) -> bool:
        """Take a destination out of its group; answer whether it was in one. Raises NotFound."""
        async with self._db.begin() as session:
            if not await leave_in(session, channel_id):
                return False
            await audit.record(session, actor, "channel.group", f"channel:{channel_id}", group=None)
            return True


async def leave_in(session: AsyncSession, channel_id: int) -> bool:
    """The same in the caller's transaction, which holds nothing yet."""
    channel = await _held(session, channel_id)
    if channel.dedup_group is None:
        return False
    await _leave(session, channel)
    await session.execute(DROP_EMPTY)
    return True


HOLD = text(
    """
    with held as (
        select id, telegram_id from channels
         where id = :channel or id in (select source_id from mappings where destination_id = :channel)
    )
    select c.id from channels c
     where c.id in (select id from held) or c.migrated_to in (select telegram_id from held)
     order by c.id for no key update of c
    """
)

# Where both know the same content, the group's own knowledge stands.
INTO = text(
    """
    insert into fingerprints (scope, topic, key, source_id, delivery_id, until)
    select distinct on (key) -cast(:group as int), 0, key, source_id, delivery_id, until
      from fingerprints where scope = :channel order by key, until desc
    on conflict (scope, topic, key) do nothing
    """
)
FORGET = text("delete from fingerprints where scope = :channel")

OUT = text(
    """
    with own as (
        delete from fingerprints f using deliveries d, mappings m
         where f.scope = -cast(:group as int) and d.id = f.delivery_id and m.id = d.mapping_id
           and m.destination_id = :channel
        returning m.destination_id, m.destination_topic, f.key, f.source_id, f.delivery_id, f.until
    )
    insert into fingerprints (scope, topic, key, source_id, delivery_id, until) select * from own
    on conflict (scope, topic, key) do nothing
    """
)

DROP_EMPTY = text(
    "delete from dedup_groups g where not exists (select 1 from channels c where c.dedup_group = g.id)"
)


async def _held(session: AsyncSession, channel_id: int) -> Channel:
    """The channel, or the supergroup that it has become, with all that a change of its group must hold."""
    await session.execute(HOLD, {"channel": channel_id})
    # One change of groups at a time: an empty group is dropped, and nobody may join it at that moment.
    await session.execute(text("lock table dedup_groups in share row exclusive mode"))
    if (successor := await as_moved(session, channel_id)) != channel_id:
        return await _held(session, successor)
    channel = await session.get(Channel, channel_id, populate_existing=True)
    if channel is None:
        raise NotFound(
            "channel_not_found",
            f"There is no channel {channel_id} here. See the list of channels, or add it first.",
            reference=channel_id,
        )
    return channel


async def _named(session: AsyncSession, name: str) -> DedupGroup:
    await session.execute(
        text("insert into dedup_groups (name) values (:name) on conflict (lower(name)) do nothing"),
        {"name": name},
    )
    found = await session.scalars(select(DedupGroup).where(func.lower(DedupGroup.name) == func.lower(name)))
    return found.one()


async def _leave(session: AsyncSession, channel: Channel) -> None:
    """What it has got itself it goes on knowing; what others of the group have got it may get now."""
    if channel.dedup_group is not None:
        await session.execute(OUT, {"group": channel.dedup_group, "channel": channel.id})
        channel.dedup_group = None
        await session.flush()
