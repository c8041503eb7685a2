"""What follows from a post that ended unsent: its edits are closed, and its place goes to the first who wants it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Row, text
from sqlalchemy.ext.asyncio import AsyncSession

from forwarder.message import AccountKind
from forwarder.outbox.values import KEY_IS_FREE, Due

ENDED_UNSENT = text(
    "select id from deliveries where id = any(:ids) and done_at is not null and state <> 'sent'"
)

HOLD_KEYS = text(
    "select 1 from fingerprints where delivery_id = any(:ids) order by scope, topic, key for update"
)


CLOSE_FIXES = text(
    """
    update deliveries f set state = 'withdrawn', reason = 'post_not_sent', done_at = clock_timestamp()
      from deliveries p
     where p.id = any(:ids) and f.mapping_id = p.mapping_id and f.post_id = p.post_id
       and f.kind <> 'post' and f.done_at is null and not (f.kind = 'delete' and p.sent_ids is not null)
    """
)

WANTED = text(
    "select distinct duplicate_of from deliveries where state = 'duplicate' and duplicate_of = any(:ids) order by 1"
)

# Scope and topic are the heir's own: the destination of one of the two may have left their group since, or joined one.
NEXT = text(
    """
    select d.id, d.mapping_id, d.also_of, d.post_id, d.class, l.route, m.state as mapping_state, m.important,
           m.source_id, m.dedup, m.dedup_hours, coalesce(-c.dedup_group, m.destination_id) as scope,
           case when c.dedup_group is null then m.destination_topic else 0 end as topic
      from deliveries d
      join mappings m on m.id = d.mapping_id and m.state <> 'disabled'
      join channels c on c.id = m.destination_id
      join lanes l on l.mapping_id = d.mapping_id
     where d.state = 'duplicate' and d.duplicate_of = :first
     order by d.id limit 1 for no key update of d
    """
)

# Who has the heir's place already, by one of the keys that the first had, or as the other one that the heir repeated.
# It is locked as a first copy is by its duplicates: it may end at this moment, and then its place is free.
RIVAL = text(
    f"""
    select f.delivery_id from fingerprints f
     where f.scope = :scope and f.topic = :topic and not {KEY_IS_FREE}
       and f.delivery_id <> all(:ended) and f.delivery_id <> :heir
       and (f.delivery_id = :also
            or f.key = any(array(select k.key from fingerprints k where k.delivery_id = :first))
               and (:always or f.source_id <> :source
                    or (select d.post_id from deliveries d where d.id = f.delivery_id) = :post))
     order by f.key limit 1 for key share
    """  # noqa: S608 - what is put in is a literal
)

HANG_ON_RIVAL = text("update deliveries set duplicate_of = :rival, also_of = null where id = :id")

QUEUE_HEIR = text(
    """
    update deliveries
       set state = case when :paused then 'held' else 'queued' end, reason = case when :paused then 'paused' end,
           duplicate_of = null, also_of = null, done_at = null
     where id = :id
    """
)

OTHERS_WAIT_FOR_HEIR = text(
    "update deliveries set duplicate_of = :heir where state = 'duplicate' and duplicate_of = :first"
)

OTHERS_KNOW_HEIR = text("update deliveries set also_of = :heir where also_of = :first")

# A place whose window has ended while its post waited must not be free at the moment at which it is handed on.
KEYS_TO_HEIR = text(
    f"""
    insert into fingerprints as f (scope, topic, key, source_id, delivery_id, until)
    select distinct on (key) :scope, :topic, key, :source, :heir,
           greatest(until, clock_timestamp() + make_interval(hours => :hours))
      from fingerprints where delivery_id = :first order by key, until desc
    on conflict (scope, topic, key) do update
       set delivery_id = excluded.delivery_id, source_id = excluded.source_id, until = excluded.until
     where f.delivery_id = any(:ended) or {KEY_IS_FREE}
    """  # noqa: S608 - what is put in is a literal
)


async def ended_without_success(session: AsyncSession, deliveries: Sequence[int]) -> list[Due]:
    """Close what hung on post deliveries that ended unsent: their edits, and the place they held as first copies.

    The first duplicate of each takes its place, in the same transaction, and is queued (or held, where its
    mapping is paused; a disabled mapping inherits nothing). One whose place somebody else has meanwhile becomes
    that one's duplicate. Passed over is what did not end so after all: a success of another holder may have come
    before.
    """
    ended = list(await session.scalars(ENDED_UNSENT, {"ids": list(deliveries)})) if deliveries else []
    if not ended:
        return []
    # Whoever finds one of these keys taken at this moment is waited for, and its duplicate seen below.
    await session.execute(HOLD_KEYS, {"ids": ended})
    await session.execute(CLOSE_FIXES, {"ids": ended})
    wanted = (await session.scalars(WANTED, {"ids": ended})).all()
    heirs = [heir for first in wanted if (heir := await hand_on(session, first, ended)) is not None]
    await session.execute(text("delete from fingerprints where delivery_id = any(:ids)"), {"ids": ended})
    return [
        Due(h.mapping_id, h.id, AccountKind(h.route), h._mapping["class"], h.important)
        for h in heirs
        if h.mapping_state != "paused"
    ]


async def hand_on(session: AsyncSession, first: int, ended: Sequence[int]) -> Row[Any] | None:
    """Give the place of a first copy, one of those that ended, to its first duplicate that nobody else stands before;
    answer it."""
    while (heir := (await session.execute(NEXT, {"first": first})).one_or_none()) is not None:
        place = {
            "scope": heir.scope, "topic": heir.topic, "source": heir.source_id, "heir": heir.id,
            "first": first, "ended": list(ended),
        }  # fmt: skip
        rival = await session.scalar(
            RIVAL,
            place | {"also": heir.also_of or 0, "always": heir.dedup == "all", "post": heir.post_id},
        )
        if rival is not None:
            await session.execute(HANG_ON_RIVAL, {"id": heir.id, "rival": rival})
            continue
        await session.execute(QUEUE_HEIR, {"id": heir.id, "paused": heir.mapping_state == "paused"})
        await session.execute(OTHERS_WAIT_FOR_HEIR, {"heir": heir.id, "first": first})
        await session.execute(OTHERS_KNOW_HEIR, {"heir": heir.id, "first": first})
        await session.execute(KEYS_TO_HEIR, place | {"hours": heir.dedup_hours})
        return heir
    return None
