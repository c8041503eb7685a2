"""Deduplication: a destination gets the same content once within a window.

Two posts are the same when they have the same origin (one is a forward of the other, or both of a third)
or the same normalised text with the same media. The first delivery to reserve a key keeps it while it waits, and until
the window ends that begins when it is sent; a later one from another source (from any source, where the mapping says
``all``) becomes its ``duplicate``. When the first ends without being sent, the outbox hands its keys to the first
duplicate.

The very same post is brought to one place once whatever the mappings say: two mappings of one source, for all of it
and for a topic of it, are no wish to have it twice.

Destinations may be in a group: it then is one place for all of them, and what is the same goes to one of them only.

PostgreSQL answers: a reservation is a row, written before the post may go. Redis holds the working set, which says by
which row to find what was reserved lately (``working_set``): a repeat of that is then decided without a look into the
index over all that is remembered, and without a lock. Whatever Redis says or forgets, the answer is the same.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from forwarder.db import Ask, in_session
from forwarder.message import SourceMessage
from forwarder.models import Dedup
from forwarder.outbox import KEY_IS_FREE
from forwarder.rules import content_hash
from forwarder.services.working_set import Place, WorkingSet

ORIGIN = struct.Struct(">qq")
"""A chat and a message, as a key; those of content are of another length."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A delivery that asks for its place in a destination, which may be in a ``group``. ``hours`` is its mapping's
    window."""

    delivery_id: int
    post_id: int
    destination_id: int
    topic: int
    source_id: int
    dedup: Dedup
    hours: int
    keys: tuple[bytes, ...]
    group: int | None = None

    @property
    def scope(self) -> tuple[int, int]:
        """What remembers its keys: the group, or else the destination with its topic."""
        return (-self.group, 0) if self.group is not None else (self.destination_id, self.topic)


@dataclass(frozen=True, slots=True)
class Owner:
    """Who has a key: a delivery, and the source and the post that it is of."""

    delivery_id: int
    source_id: int
    post_id: int | None


def keys_of(parts: tuple[SourceMessage, ...]) -> tuple[bytes, ...]:
    """The keys under which a post is known in a destination: its origin, and its content if it has one.

    An album's origin is its first part's. It is not hashed, so that the places of one source's posts lie together in
    the index, those of its newest at hand.
    """
    first = parts[0]
    chat, message = (
        (first.origin.chat_id, first.origin.message_id) if first.origin else (first.chat_id, first.message_id)
    )
    keys = [ORIGIN.pack(chat, message)]
    content = content_hash(parts)
    if content is not None:
        keys.append(content)
    return tuple(keys)


def repeats(candidates: Sequence[Candidate]) -> dict[int, int]:
    """Deliveries that bring the same post to the same place as an earlier one: ``{again: first}``."""
    firsts: dict[tuple[int, int, int], int] = {}
    found: dict[int, int] = {}
    for c in sorted(candidates, key=lambda c: c.delivery_id):
        first = firsts.setdefault((c.post_id, c.destination_id, c.topic), c.delivery_id)
        if first != c.delivery_id:
            found[c.delivery_id] = first
    return found


def is_repeat(candidate: Candidate, owner: Owner) -> bool:
    """Whether what the owner of a key brings makes this one a duplicate: the same post always does, the same content
    where it is another source's, or where the mapping wants no repeats in one source either."""
    same_post = owner.post_id == candidate.post_id
    return same_post or candidate.dedup is Dedup.ALL or owner.source_id != candidate.source_id


class DeduplicationService:
    """Reserves and releases keys, always inside the caller's transaction.

    The outbox confirms them in the statement that records a sent post: its window begins then. Without a
    ``working_set`` it answers the same.
    """

    def __init__(self, working_set: WorkingSet | None = None) -> None:
        self._working_set = working_set

    async def reserve(self, session: AsyncSession, candidates: Sequence[Candidate]) -> dict[int, int]:
        """Reserve the keys of each candidate, in the order given; answer ``{duplicate: first}`` delivery ids.

        Keys are reserved in sorted order, so that two transactions that want the same keys wait for each
        other instead of deadlocking.
        """
        repeated = repeats(candidates)
        asking = sorted(
            (c for c in candidates if c.dedup is not Dedup.OFF and c.delivery_id not in repeated),
            key=lambda c: c.delivery_id,
        )
        if not asking:
            return repeated
        firsts = {
            (*c.scope, key): Owner(c.delivery_id, c.source_id, c.post_id)
            for c in reversed(asking)
            for key in c.keys
        }
        said = {place: owner.delivery_id for place, owner in sorted(firsts.items())}
        hints = await self._working_set.look(said) if self._working_set is not None else {}
        owners = firsts | await self._reserve(session, asking, hints)
        duplicates: dict[int, int] = {}
        for candidate in asking:
            for key in candidate.keys:
                owner = owners[(*candidate.scope, key)]
                if owner.delivery_id != candidate.delivery_id and is_repeat(candidate, owner):
                    # An owner that is a duplicate itself stands for the first copy, which is the one to wait for.
                    duplicates[candidate.delivery_id] = duplicates.get(owner.delivery_id, owner.delivery_id)
                    break
        await self.release(session, list(duplicates))
        if self._working_set is not None:
            said |= hints
            wrong = {
                place: owner.delivery_id
                for place, owner in owners.items()
                if owner.delivery_id != said[place] and owner.delivery_id not in duplicates
            }
            if wrong:
                await self._working_set.correct(wrong)
        return duplicates | {again: duplicates.get(first, first) for again, first in repeated.items()}

    async def _reserve(
        self, session: AsyncSession, asking: Sequence[Candidate], hints: Mapping[Place, int]
    ) -> dict[Place, Owner]:
        """Write what is free, but nothing for those that are duplicates of what is not; answer who has that.

        ``hints`` say which delivery may have a place.
        """
        rows = [
            {
                "scope": c.scope[0],
                "topic": c.scope[1],
                "key": key.hex(),
                "hint": hints.get((*c.scope, key)),
                "delivery": c.delivery_id,
                "post": c.post_id,
                "source": c.source_id,
                "hours": c.hours,
                "always": c.dedup is Dedup.ALL,
            }
            for c in asking
            for key in c.keys
        ]
        [taken] = await in_session(session, Ask(RESERVE, {"wanted": json.dumps(rows)}))
        return {(r.scope, r.topic, bytes(r.key)): Owner(r.delivery_id, r.source_id, r.post_id) for r in taken}

    async def release(self, session: AsyncSession, delivery_ids: Sequence[int]) -> None:
        """The deliveries will not be sent: others may have their keys."""
        if delivery_ids:
            await session.execute(
                text("delete from fingerprints where delivery_id = any(:ids)"), {"ids": list(delivery_ids)}
            )


# Whether the candidate ``w`` repeats what the owner ``t`` of one of its keys brings: ``is_repeat``, as PostgreSQL
# says it.
IS_REPEAT = "coalesce(t.post_id = w.post or w.always or t.source_id <> w.source, false)"
SAME_PLACE = "t.scope = w.scope and t.topic = w.topic and t.key = w.digest"

# Sent is final: what was sent and is within its window is neither handed on nor given up, and needs no lock. It is
# looked for by its delivery (``offset 0`` keeps the planner from the other index), near what was written lately.
# What somebody else has is only locked, so that it stays his until the duplicate's row is there (a write would move the
# row, and cost more the more is remembered). Whoever is a duplicate of either reserves nothing.
# The first of several candidates for one key within this call is the one with the lowest delivery id. What another
# transaction is reserving at this moment is waited for, and written as it is, because only a row that is written is
# returned.
RESERVE = text(
    f"""
    with wanted as materialized (
        select w.*, decode(w.key, 'hex') as digest
          from json_to_recordset(cast(:wanted as json)) as w (
               scope int, topic int, key text, hint bigint, delivery bigint, post bigint, source int, hours int,
               always boolean)
    ), sent as materialized (
        select distinct t.scope, t.topic, t.key, t.delivery_id, t.source_id, d.post_id
          from wanted w join deliveries d on d.id = w.hint and d.state = 'sent'
         cross join lateral (select f.* from fingerprints f where f.delivery_id = w.hint offset 0) t
         where {SAME_PLACE} and t.until >= statement_timestamp()
    ), repeats as (
        select w.delivery from wanted w join sent t on {SAME_PLACE} where {IS_REPEAT}
    ), waited as materialized (
        select f.*, (select d.post_id from deliveries d where d.id = f.delivery_id) as post_id
          from (select distinct scope, topic, digest from wanted w
                 where w.delivery not in (select delivery from repeats)
                   and not exists (select 1 from sent t where {SAME_PLACE})
                 order by scope, topic, digest) w
         cross join lateral (
            select f.scope, f.topic, f.key, f.delivery_id, f.source_id from fingerprints f
             where f.scope = w.scope and f.topic = w.topic and f.key = w.digest and not {KEY_IS_FREE}
               for key share) f
    ), taken as materialized (
        select * from sent union all select * from waited
    ), known as (
        select w.*, t.key is not null as taken,
               bool_or(t.key is not null and {IS_REPEAT}) over (partition by w.delivery) as repeat
          from wanted w left join taken t on {SAME_PLACE}
    ), reserved as (
        insert into fingerprints as f (scope, topic, key, source_id, delivery_id, until)
        select distinct on (scope, topic, digest)
               scope, topic, digest, source, delivery, clock_timestamp() + make_interval(hours => hours)
          from known where not taken and not repeat
         order by scope, topic, digest, delivery
        on conflict (scope, topic, key) do update
           set (source_id, delivery_id, until) = (
               select case when free then excluded.source_id else f.source_id end,
                      case when free then excluded.delivery_id else f.delivery_id end,
                      case when free then excluded.until else f.until end
                 from (select {KEY_IS_FREE} as free) as x)
        returning scope, topic, key, delivery_id, source_id
    )
    select * from taken
     union all
    select r.*, (select d.post_id from deliveries d where d.id = r.delivery_id) as post_id
      from reserved r where r.delivery_id not in (select delivery from wanted)
    """  # noqa: S608 - what is put in is a literal
)
