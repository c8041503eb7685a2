"""A basic group became a supergroup: its id changed, and its message ids begin anew.

Source: core.telegram.org/api/channel, "Migrating from basic groups". The old row stays, because the posts
heard there keep their place in it; its mappings move to the new one.

Whoever makes deliveries reads a mapping's destination, its list and its group in the statement that waits for the
mapping's row: after the wait they would be those of before, and the post would be passed over. So a move holds what
they hold first, the sources of every mapping that it touches.
"""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import or_, select, text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from forwarder.db import notify
from forwarder.message import ChatKind
from forwarder.models import BEFORE_THE_MOVE, Channel, ChannelAccess, Mapping, MappingState
from forwarder.services import audit, mapping_rows
from forwarder.services.channel_rows import SOURCES_CHANGED, start_mark
from forwarder.services.kept_rules import kept_rules, lists_of
from forwarder.services.rules import HOLD_LANES, ask_anew, raise_revisions

# Whoever changes a list takes it before mappings, and refers to channels meanwhile. While all are held, no chat comes
# into one under its old number.
HOLD_LISTS = text("select id from lists order by id for key share")

# Both chats and all sources of both, as those who change a group hold them; and the groups that these sources were
# once, whose last posts go into the same mappings. In the order in which ingest takes them. Not for update: a copy that
# is recorded refers to its chat, and who records it may hold what is needed here.
HOLD_CHATS = text(
    """
    with chats as (
        select id, telegram_id from channels where telegram_id in (:old, :new)
    ), heard as (
        select id, telegram_id from chats
        union
        select s.id, s.telegram_id
          from chats join mappings m on m.destination_id = chats.id join channels s on s.id = m.source_id
    )
    select c.id from channels c
     where c.id in (select id from heard) or c.migrated_to in (select telegram_id from heard)
     order by c.id for no key update of c
    """
)

# The supergroup's ids begin at 1: what waits from the old chat must not end up behind its posts. Deliveries of all
# lanes in the order of who records several, and before a mapping's chats change: who records a copy holds deliveries,
# and then refers to its mapping, which nobody can while these change.
GO_FIRST = text(
    """
    update deliveries set position = position - :before
     where id = any(array(select id from deliveries where mapping_id = any(:mappings) and done_at is null
                           order by id for no key update))
    """
)

KEEP_LISTS = text(
    """
    with moved as (delete from list_channels where channel_id = :old returning *)
    insert into list_channels (list_id, channel_id, side) select list_id, :new, side from moved
    on conflict do nothing
    """
)

REMEMBER = text(
    """
    with moved as (delete from fingerprints where scope = :old returning *)
    insert into fingerprints (scope, topic, key, source_id, delivery_id, until)
    select :new, topic, key, source_id, delivery_id, until from moved
    on conflict (scope, topic, key) do nothing
    """
)


async def move(session: AsyncSession, old_chat_id: int, new_chat_id: int) -> tuple[int, ...]:
    """Move everything that concerns the old chat to the new one; answer the mappings that moved.

    A chat that is none of ours, or a migration that is known already, changes nothing. A mapping whose
    pair exists with the new chat already stays where it is and is disabled. Mappings of either chat for which the
    rules of other lists hold now have their revision raised, and what waits in them is asked about anew.

    The caller holds no lane and no delivery yet: both are taken after what is held here.
    """
    if await _unmoved(session, old_chat_id, new_chat_id) is None:
        return ()
    await mapping_rows.hold_mappings_made(session)
    await session.execute(HOLD_LISTS)
    await session.execute(HOLD_CHATS, {"old": old_chat_id, "new": new_chat_id})
    # Somebody else may have moved it meanwhile.
    old = await _unmoved(session, old_chat_id, new_chat_id)
    if old is None:
        return ()
    new = await _successor(session, old, new_chat_id)
    old.migrated_to, old.active = new_chat_id, False
    both = (old.id, new.id)
    # Those of the new chat too, for their lists may change: whoever takes several takes them in this order.
    concerned = await session.scalars(
        select(Mapping)
        .where(or_(Mapping.source_id.in_(both), Mapping.destination_id.in_(both)))
        .order_by(Mapping.id)
        .with_for_update(key_share=True)
        .execution_options(populate_existing=True)
    )
    mappings = concerned.all()
    await session.execute(HOLD_LANES, {"mappings": [mapping.id for mapping in mappings]})
    before = await _ruling_lists(session, [mapping.id for mapping in mappings])
    # What was sent there is there: the new chat has the old one's history.
    await session.execute(REMEMBER, {"old": old.id, "new": new.id})
    # Its mappings go on by the rules of the lists that they belong to.
    await session.execute(KEEP_LISTS, {"old": old.id, "new": new.id})
    moved = await _move_mappings(session, mappings, old, new)
    await session.flush()
    after = await _ruling_lists(session, list(before))
    changed = sorted(number for number, lists in before.items() if after[number] != lists)
    # Those that moved have a revision of their new place already.
    await raise_revisions(session, [number for number in changed if number not in moved])
    await ask_anew(session, changed)
    if old.is_source and new.listener_id is not None:
        # The supergroup's ids begin at 1, and everything in it came after the move.
        await start_mark(session, new.id, new.listener_id, 0)
    await notify(session, SOURCES_CHANGED)
    await audit.record(
        session, None, "channel.migrated", f"channel:{old.id}", to=f"channel:{new.id}", mappings=moved
    )
    return tuple(moved)


async def _unmoved(session: AsyncSession, old_chat_id: int, new_chat_id: int) -> Channel | None:
    """The chat as it is now, unless this move is known."""
    old: Channel | None = await session.scalar(
        select(Channel).where(Channel.telegram_id == old_chat_id).execution_options(populate_existing=True)
    )
    return None if old is None or old.migrated_to == new_chat_id else old


async def _ruling_lists(session: AsyncSession, mapping_ids: Sequence[int]) -> dict[int, list[int]]:
    """The lists whose rules hold for each mapping, by number."""
    rows = await kept_rules(session, mapping_ids)
    return {row.id: [number for number, _ in lists_of(row)] for row in rows}


async def _successor(session: AsyncSession, old: Channel, new_chat_id: int) -> Channel:
    await session.execute(
        insert(Channel)
        .values(
            telegram_id=new_chat_id,
            kind=ChatKind.SUPERGROUP,
            title=old.title,
            protected=old.protected,
            created_by=old.created_by,
            dedup_group=old.dedup_group,
        )
        .on_conflict_do_nothing()
    )
    new = (await session.scalars(select(Channel).where(Channel.telegram_id == new_chat_id))).one()
    new.is_source, new.is_destination = (
        new.is_source or old.is_source,
        new.is_destination or old.is_destination,
    )
    new.active = True
    new.dedup_group = new.dedup_group or old.dedup_group
    new.listener_id = new.listener_id or old.listener_id
    for access in await session.scalars(select(ChannelAccess).where(ChannelAccess.channel_id == old.id)):
        # Members and their rights move along; the access hash of a basic group means nothing there.
        await session.execute(
            insert(ChannelAccess)
            .values(
                channel_id=new.id,
                account_id=access.account_id,
                may_read=access.may_read,
                may_post=access.may_post,
                may_edit=access.may_edit,
                may_delete=access.may_delete,
                slowed=access.slowed,
            )
            .on_conflict_do_nothing()
        )
    await session.flush()
    return new


async def _move_mappings(
    session: AsyncSession, mappings: Sequence[Mapping], old: Channel, new: Channel
) -> list[int]:
    """Of all mappings of both chats, move those of the old one; answer those that moved."""
    to_new = {old.id: new.id}
    taken = {(m.source_id, m.source_topic, m.destination_id, m.destination_topic) for m in mappings}
    moving: list[tuple[Mapping, int, int]] = []
    for mapping in mappings:
        source = to_new.get(mapping.source_id, mapping.source_id)
        destination = to_new.get(mapping.destination_id, mapping.destination_id)
        if (source, destination) == (mapping.source_id, mapping.destination_id):
            continue
        if (source, mapping.source_topic, destination, mapping.destination_topic) in taken:
            mapping.state, mapping.reason = MappingState.DISABLED, "migrated"
        else:
            moving.append((mapping, source, destination))
    going_on = [mapping for mapping, _, _ in moving if mapping.source_id == old.id]
    await session.execute(GO_FIRST, {"mappings": [m.id for m in going_on], "before": BEFORE_THE_MOVE})
    for mapping in going_on:
        mapping.start_after = 0
    for mapping, source, destination in moving:
        mapping.source_id, mapping.destination_id = source, destination
        mapping.revision += 1
    await session.flush()
    return [mapping.id for mapping, _, _ in moving]
