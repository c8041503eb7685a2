"""A basic group became a supergroup: its id changed, and its message ids begin anew.

Source: core.telegram.org/api/channel, "Migrating from basic groups". The old row stays, because the posts
heard there keep their place in it; its mappings move to the new one.
"""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import or_, select, text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from forwarder.db import notify
from forwarder.message import ChatKind
from forwarder.models import BEFORE_THE_MOVE, Channel, ChannelAccess, Mapping, MappingState
from forwarder.services import audit
from forwarder.services.channel_rows import SOURCES_CHANGED, start_mark
from forwarder.services.kept_rules import kept_rules, lists_of
from forwarder.services.rules import ask_anew, raise_revisions

# The supergroup's ids begin at 1: what waits from the old chat must not end up behind its posts.
GO_FIRST = text(
    """
    update deliveries set position = position - :before
     where id = any(array(select id from deliveries where mapping_id = :mapping and done_at is null
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
    """
    old = await session.scalar(select(Channel).where(Channel.telegram_id == old_chat_id).with_for_update())
    if old is None or old.migrated_to == new_chat_id:
        return ()
    new = await _successor(session, old, new_chat_id)
    old.migrated_to, old.active = new_chat_id, False
    mappings = await session.scalars(
        select(Mapping)
        .where(or_(Mapping.source_id == old.id, Mapping.destination_id == old.id))
        .order_by(Mapping.id)
        .with_for_update(key_share=True)
    )
    both = (old.id, new.id)
    concerned = await session.scalars(
        select(Mapping.id).where(or_(Mapping.source_id.in_(both), Mapping.destination_id.in_(both)))
    )
    before = await _ruling_lists(session, concerned.all())
    # What was sent there is there: the new chat has the old one's history.
    await session.execute(REMEMBER, {"old": old.id, "new": new.id})
    # Its mappings go on by the rules of the lists that they belong to.
    await session.execute(KEEP_LISTS, {"old": old.id, "new": new.id})
    moved = [mapping.id for mapping in mappings.all() if await _move_mapping(session, mapping, old, new)]
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


async def _move_mapping(session: AsyncSession, mapping: Mapping, old: Channel, new: Channel) -> bool:
    source = new.id if mapping.source_id == old.id else mapping.source_id
    destination = new.id if mapping.destination_id == old.id else mapping.destination_id
    taken = await session.scalar(
        select(Mapping.id).where(
            Mapping.source_id == source,
            Mapping.source_topic == mapping.source_topic,
            Mapping.destination_id == destination,
            Mapping.destination_topic == mapping.destination_topic,
        )
    )
    if taken is not None:
        mapping.state, mapping.reason = MappingState.DISABLED, "migrated"
        return False
    if mapping.source_id != source:
        mapping.start_after = 0
        await session.execute(GO_FIRST, {"mapping": mapping.id, "before": BEFORE_THE_MOVE})
    mapping.source_id, mapping.destination_id = source, destination
    mapping.revision += 1
    await session.flush()
    return True
