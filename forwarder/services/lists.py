"""ListService: lists of sources and destinations, which give their mappings one set of rules.

A mapping belongs to every list that has its source among the sources and its destination among the destinations,
whenever it was made. Who comes into a list or leaves it goes by other rules from that moment on: the revision of each
mapping that this concerns is raised, and what waits in it is asked about anew.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import delete, func, select, text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from forwarder.db import Database
from forwarder.errors import InvalidRequest
from forwarder.models import Channel, ChannelList, Folder, ListChannel, Mapping, MappingState
from forwarder.services import audit, mapping_checks
from forwarder.services.mapping_rows import name_of
from forwarder.services.rules import hold_anew, mappings_in, no_list, raise_revisions
from forwarder.services.values import ChannelName

LONGEST_NAME = 60
NUMBER = re.compile(r"(?:list:)?([0-9]+)", re.ASCII)
SIDES = ("source", "destination")


@dataclass(frozen=True, slots=True)
class ListView:
    """A list; ``rules`` counts its rules and ``revision`` their changes. ``mappings`` are those that belong to it and
    are not disabled, ``missing`` the pairs of a source and a destination between which there is none."""

    id: int
    name: str
    folder: str | None
    rules: int
    revision: int
    sources: tuple[ChannelName, ...]
    destinations: tuple[ChannelName, ...]
    mappings: tuple[int, ...]
    missing: tuple[tuple[ChannelName, ChannelName], ...]


class ListService:
    def __init__(self, db: Database) -> None:
        self._db = db

    async def add(self, name: str, *, actor: int | None = None) -> ListView:
        """A new list without channels. Raises InvalidRequest ``bad_list_name``, ``list_name_taken``."""
        async with self._db.begin() as session:
            wanted = await _free_name(session, name, None)
            made = ChannelList(name=wanted)
            session.add(made)
            await session.flush()
            await audit.record(session, actor, "list.add", f"list:{made.id}", name=wanted)
            return await _view(session, made)

    async def list(self) -> tuple[ListView, ...]:
        """By number."""
        async with self._db.begin() as session:
            rows = (await session.scalars(select(ChannelList).order_by(ChannelList.id))).all()
            return tuple([await _view(session, row) for row in rows])

    async def get(self, reference: str) -> ListView:
        """By number (``2`` or ``list:2``) or name. Raises NotFound ``list_not_found``; InvalidRequest
        ``list_ambiguous`` for a name that lists in several folders have."""
        async with self._db.begin() as session:
            return await _view(session, await _found(session, reference))

    async def rename(self, list_id: int, name: str, *, actor: int | None = None) -> ListView:
        """Raises NotFound, InvalidRequest as ``add`` does."""
        async with self._db.begin() as session:
            row = await _locked(session, list_id)
            row.name = await _free_name(session, name, row)
            await session.flush()
            await audit.record(session, actor, "list.rename", f"list:{list_id}", name=row.name)
            return await _view(session, row)

    async def remove(self, list_id: int, *, actor: int | None = None) -> ListView:
        """Forget a list with its rules; its channels and mappings stay. Answers what it was. Raises NotFound."""
        async with self._db.begin() as session:
            row = await _locked(session, list_id)
            before = await _view(session, row)
            concerned = await mappings_in(session, list_id)
            await session.execute(delete(ChannelList).where(ChannelList.id == list_id))
            if "rules" in row.settings:
                await raise_revisions(session, concerned)
                await hold_anew(session, concerned)
            await audit.record(session, actor, "list.remove", f"list:{list_id}", name=row.name)
            return before

    async def put(
        self, list_id: int, channel_ids: Sequence[int], sides: Sequence[str], *, actor: int | None = None
    ) -> ListView:
        """Put channels in as sources, destinations or both; who is in it already stays so.

        Raises NotFound (``list_not_found``, ``channel_not_found``), InvalidRequest (``not_a_source``,
        ``not_a_destination``, ``protected_content``; ``rule_never`` where a mapping's own rules of time and those of
        the list together leave no time).
        """
        async with self._db.begin() as session:
            row = await _locked(session, list_id)
            before = await mappings_in(session, list_id)
            for side in sides:
                for channel_id in channel_ids:
                    await mapping_checks.channel_on(session, channel_id, side)
                    await session.execute(
                        insert(ListChannel)
                        .values(list_id=list_id, channel_id=channel_id, side=side)
                        .on_conflict_do_nothing()
                    )
            await _moved(session, row, before)
            await audit.record(
                session, actor, "list.put", f"list:{list_id}", channels=list(channel_ids), sides=list(sides)
            )
            return await _view(session, row)

    async def take(
        self,
        list_id: int,
        channel_ids: Sequence[int],
        sides: Sequence[str] = SIDES,
        *,
        actor: int | None = None,
    ) -> ListView:
        """Take channels out of a list. Raises NotFound, InvalidRequest ``not_in_list`` for one that is not in it."""
        async with self._db.begin() as session:
            row = await _locked(session, list_id)
            before = await mappings_in(session, list_id)
            for channel_id in channel_ids:
                channel = await mapping_checks.channel_on(session, channel_id, None)
                gone = await session.scalars(
                    delete(ListChannel)
                    .where(
                        ListChannel.list_id == list_id,
                        ListChannel.channel_id == channel_id,
                        ListChannel.side.in_(sides),
                    )
                    .returning(ListChannel.side)
                )
                if not gone.all():
                    raise InvalidRequest(
                        "not_in_list",
                        f"{channel.title} is not in the list “{row.name}” in that way: "
                        f"`manage.py list show {row.id}` says what is.",
                        title=channel.title,
                        name=row.name,
                        number=row.id,
                    )
            await _moved(session, row, before)
            await audit.record(
                session, actor, "list.take", f"list:{list_id}", channels=list(channel_ids), sides=list(sides)
            )
            return await _view(session, row)


async def _moved(session: AsyncSession, row: ChannelList, before: Sequence[int]) -> None:
    """Other mappings belong to the list than ``before``: other rules hold for those that came or left."""
    await session.flush()
    changed = sorted(set(before) ^ set(await mappings_in(session, row.id)))
    if "rules" in row.settings:
        await raise_revisions(session, changed)
        await hold_anew(session, changed)


async def _locked(session: AsyncSession, list_id: int) -> ChannelList:
    row: ChannelList | None = await session.get(ChannelList, list_id, with_for_update=True)
    if row is None:
        raise no_list(list_id)
    return row


async def _found(session: AsyncSession, reference: str) -> ChannelList:
    wanted = _tidy(reference)
    if (number := NUMBER.fullmatch(wanted)) is not None:
        counts = len(number[1]) <= 10 and int(number[1]) < 2**31
        row = await session.get(ChannelList, int(number[1])) if counts else None
        if row is None:
            raise no_list(wanted)
        return row
    if not wanted.isprintable():
        raise no_list(ascii(wanted[:LONGEST_NAME]))
    named = (
        await session.scalars(
            select(ChannelList)
            .where(func.lower(ChannelList.name) == func.lower(wanted))
            .order_by(ChannelList.id)
        )
    ).all()
    if not named:
        raise no_list(f"“{wanted[:LONGEST_NAME]}”")
    if len(named) > 1:
        numbers = ", ".join(str(one.id) for one in named)
        raise InvalidRequest(
            "list_ambiguous",
            f"Several lists are called “{wanted}”: say its number, one of {numbers}.",
            name=wanted,
            numbers=numbers,
        )
    return named[0]


def _tidy(name: str) -> str:
    return " ".join(name.split())


async def _free_name(session: AsyncSession, name: str, renamed: ChannelList | None) -> str:
    """The name as it is kept. Names are each their own within a folder, in any case."""
    wanted = _tidy(name)
    if not 0 < len(wanted) <= LONGEST_NAME or not wanted.isprintable() or NUMBER.fullmatch(wanted):
        raise InvalidRequest(
            "bad_list_name",
            f"A list's name has 1 to {LONGEST_NAME} characters and is no number.",
            most=LONGEST_NAME,
        )
    # One change of names at a time: two who ask for the same name are one after the other.
    await session.execute(text("lock table lists in share row exclusive mode"))
    folder = renamed.folder_id if renamed is not None else None
    taken = await session.scalar(
        select(ChannelList).where(
            func.lower(ChannelList.name) == func.lower(wanted),
            ChannelList.folder_id.is_not_distinct_from(folder),
            ChannelList.id != (renamed.id if renamed is not None else 0),
        )
    )
    if taken is not None:
        raise InvalidRequest(
            "list_name_taken",
            f"The list {taken.id} is called “{taken.name}” already; choose another name.",
            name=taken.name,
            number=taken.id,
        )
    return wanted


async def _view(session: AsyncSession, row: ChannelList) -> ListView:
    members = await session.execute(
        select(Channel, ListChannel.side)
        .join(ListChannel, ListChannel.channel_id == Channel.id)
        .where(ListChannel.list_id == row.id)
        .order_by(func.lower(Channel.title), Channel.id)
    )
    on: dict[str, list[ChannelName]] = {side: [] for side in SIDES}
    for channel, side in members:
        on[side].append(name_of(channel))
    mappings = await session.execute(
        select(Mapping.id, Mapping.source_id, Mapping.destination_id)
        .where(Mapping.id.in_(await mappings_in(session, row.id)), Mapping.state != MappingState.DISABLED)
        .order_by(Mapping.id)
    )
    found = mappings.all()
    joined = {(one.source_id, one.destination_id) for one in found}
    rules = row.settings.get("rules", [])
    return ListView(
        id=row.id,
        name=row.name,
        folder=await session.scalar(select(Folder.name).where(Folder.id == row.folder_id)),
        rules=len(rules) if isinstance(rules, list) else 0,
        revision=row.revision,
        sources=tuple(on["source"]),
        destinations=tuple(on["destination"]),
        mappings=tuple(one.id for one in found),
        missing=tuple(
            (source, destination)
            for source in on["source"]
            for destination in on["destination"]
            if source.id != destination.id and (source.id, destination.id) not in joined
        ),
    )
