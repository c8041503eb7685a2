"""What follows from a post that ended unsent: its edits are closed, and its place goes to those who repeated it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Row, text
from sqlalchemy.ext.asyncio import AsyncSession

from forwarder.message import AccountKind
from forwarder.outbox.values import GIVE_UP_KEYS, HOLD_KEYS, KEY_IS_FREE, Due

ENDED_UNSENT = text(
    "select id from deliveries where id = any(:ids) and done_at is not null and state <> 'sent'"
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

# Scope and topic are its own: the destination of one of the two may have left their group since, or joined one.
NEXT = text(
    """
    select d.id, d.mapping_id, d.post_id, d.class, l.route, m.state as mapping_state, m.important, m.source_id,
           m.dedup, m.dedup_hours, coalesce(-c.dedup_group, m.destination_id) as scope,
           case when c.dedup_group is null then m.destination_topic else 0 end as topic,
           d.keys
      from deliveries d
      join mappings m on m.id = d.mapping_id and m.state <> 'disabled'
      join channels c on c.id = m.destination_id
      join lanes l on l.mapping_id = d.mapping_id
     where d.state = 'duplicate' and d.duplicate_of = :first
     order by d.id limit 1 for no key update of d
    """
)

# Whether the place that the fingerprint ``f`` is was somebody's who has ended unsent at this moment: it is given up.
GIVEN_UP = """exists (select 1 from deliveries e
                 where e.id = f.delivery_id and e.done_at is not null and e.state <> 'sent')"""

# Who has its place meanwhile. That is locked as a first copy is by its duplicates: it may end at this moment, and then
# the place is free.
RIVAL = text(
    f"""
    select f.delivery_id from fingerprints f
     where f.scope = :scope and f.topic = :topic and f.key = any(:keys) and not {KEY_IS_FREE}
       and not {GIVEN_UP} and f.delivery_id <> :heir
       and (:always or f.source_id <> :source
            or (select d.post_id from deliveries d where d.id = f.delivery_id) = :post)
     order by f.key limit 1 for key share
    """  # noqa: S608 - what is put in is a literal
)

KEYS = text("select distinct key from fingerprints where delivery_id = :first")

HANG_ON_RIVAL = text("update deliveries set duplicate_of = :rival where id = :heir")

QUEUE_HEIR = text(
    """
    update deliveries
       set state = case when :paused then 'held' else 'queued' end, reason = case when :paused then 'paused' end,
           duplicate_of = null, keys = null, done_at = null
     where id = :heir
    """
)

RESERVE = text(
    f"""
    insert into fingerprints as f (scope, topic, key, source_id, delivery_id, until)
    select :scope, :topic, key, :source, :heir, clock_timestamp() + make_interval(hours => :hours)
      from unnest(cast(:keys as bytea[])) key order by key
    on conflict (scope, topic, key) do update
       set delivery_id = excluded.delivery_id, source_id = excluded.source_id, until = excluded.until
     where {GIVEN_UP} or {KEY_IS_FREE}
    returning key
    """  # noqa: S608 - what is put in is a literal
)


async def ended_without_success(session: AsyncSession, deliveries: Sequence[int]) -> list[Due]:
    """Close what hung on post deliveries that ended unsent: their edits, and the place they held as first copies.

    Their duplicates are judged anew, in the same transaction, as if they came now one by one: the first takes its place
    and is queued (or held, where its mapping is paused; a disabled mapping inherits nothing), the others become its
    duplicates, or those of whoever has their place. Passed over is what did not end so after all: a success of another
    holder may have come before.
    """
    ended = list(await session.scalars(ENDED_UNSENT, {"ids": list(deliveries)})) if deliveries else []
    if not ended:
        return []
    # Whoever finds one of these keys taken at this moment is waited for, and its duplicate seen below.
    await session.execute(text(HOLD_KEYS), {"ids": ended})
    await session.execute(CLOSE_FIXES, {"ids": ended})
    heirs = [
        heir
        for first in (await session.scalars(WANTED, {"ids": ended})).all()
        for heir in await hand_on(session, first)
    ]
    await session.execute(text(GIVE_UP_KEYS), {"ids": ended})
    return [
        Due(h.mapping_id, h.id, AccountKind(h.route), h._mapping["class"], h.important)
        for h in heirs
        if h.mapping_state != "paused"
    ]


async def hand_on(session: AsyncSession, first: int) -> list[Row[Any]]:
    """Judge the duplicates of a first copy that ended; answer those that go now."""
    # Those of before the keys were kept ask by the first copy's.
    its_own = list(await session.scalars(KEYS, {"first": first}))
    heirs = []
    while (one := (await session.execute(NEXT, {"first": first})).one_or_none()) is not None:
        keys = one.keys if one.keys is not None else its_own
        place = {
            "heir": one.id, "scope": one.scope, "topic": one.topic, "keys": keys, "source": one.source_id
        }  # fmt: skip
        asking = place | {"always": one.dedup == "all", "post": one.post_id}
        rival = await session.scalar(RIVAL, asking)
        if rival is None:
            reserved = (await session.scalars(RESERVE, place | {"hours": one.dedup_hours})).all()
            # What somebody else was reserving at this moment is seen only now.
            rival = await session.scalar(RIVAL, asking) if len(reserved) < len(keys) else None
        if rival is not None:
            await session.execute(text(GIVE_UP_KEYS), {"ids": [one.id]})
            await session.execute(HANG_ON_RIVAL, place | {"rival": rival})
            continue
        await session.execute(QUEUE_HEIR, place | {"paused": one.mapping_state == "paused"})
        heirs.append(one)
    return heirs
