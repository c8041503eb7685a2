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
index over all that is remembered. Whatever Redis says or forgets, the same posts are duplicates.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from forwarder.db import Ask, in_session
from forwarder.models import Dedup
from forwarder.outbox import GIVE_UP_KEYS, KEY_IS_FREE
from forwarder.services.repeats import Candidate, Owner, Place, Repeat, judged
from forwarder.services.working_set import WorkingSet


class DeduplicationService:
    """Reserves and releases keys, always inside the caller's transaction.

    The outbox confirms them in the statement that records a sent post: its window begins then. Without a
    ``working_set`` it answers the same.
    """

    def __init__(self, working_set: WorkingSet | None = None) -> None:
        self._working_set = working_set

    async def reserve(self, session: AsyncSession, candidates: Sequence[Candidate]) -> dict[int, Repeat]:
        """Reserve the keys of each candidate, as if they came one by one in the order of their ids; answer which are
        duplicates.

        Keys are reserved in sorted order, so that two transactions that want the same keys wait for each
        other instead of deadlocking.
        """
        asking = sorted(
            (c for c in candidates if c.dedup is not Dedup.OFF), key=lambda c: c.delivery_id, reverse=True
        )
        # The lowest one's, which is the last to be put down.
        said = {place: c.delivery_id for c in asking for place in c.places}
        hints = await self._working_set.look(said) if self._working_set is not None and said else {}
        taken = await self._reserve(session, asking, hints) if asking else {}
        duplicates, holders = judged(candidates, taken)
        # Whoever repeats what was known before has written nothing; the others give way to one of this call.
        written = [c for c in asking if c.delivery_id in duplicates and not duplicates[c.delivery_id].known]
        if written:
            await self._give_way(session, written, holders)
        said |= hints
        wrong = {
            place: owner.delivery_id
            for place, owner in holders.items()
            if place in said and owner.delivery_id != said[place]
        }
        if wrong and self._working_set is not None:
            await self._working_set.correct(wrong)
        keys = {c.delivery_id: c.keys for c in asking}
        return {one: Repeat(owner.delivery_id, keys.get(one, ())) for one, owner in duplicates.items()}

    async def _give_way(
        self, session: AsyncSession, duplicates: Sequence[Candidate], holders: Mapping[Place, Owner]
    ) -> None:
        """What these wrote goes to who has it now, or to nobody."""
        rows = [
            {
                "scope": scope,
                "topic": topic,
                "key": key.hex(),
                "delivery": holders[scope, topic, key].delivery_id,
                "source": holders[scope, topic, key].source_id,
            }
            for scope, topic, key in {place for one in duplicates for place in one.places} & holders.keys()
        ]
        ids = [one.delivery_id for one in duplicates]
        if rows:
            await session.execute(GIVE_WAY, {"rows": json.dumps(rows), "ids": ids})
        await self.release(session, ids)

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
        return {
            (r.scope, r.topic, bytes(r.key)): Owner(r.delivery_id, r.source_id, r.post_id, r.known)
            for r in taken
        }

    async def release(self, session: AsyncSession, delivery_ids: Sequence[int]) -> None:
        """The deliveries will not be sent: others may have their keys."""
        if delivery_ids:
            await session.execute(text(GIVE_UP_KEYS), {"ids": list(delivery_ids)})


# Whether the candidate ``w`` repeats what the owner ``t`` of one of its keys brings: ``is_repeat``, as PostgreSQL
# says it.
IS_REPEAT = "coalesce(t.post_id = w.post or w.always or t.source_id <> w.source, false)"
SAME_PLACE = "t.scope = w.scope and t.topic = w.topic and t.key = w.digest"

# What was sent is looked for by its delivery, near what was written lately; what is put to its columns keeps the
# planner from the index over all places. What somebody has already is only locked, so that it stays his until the
# duplicate's row is there (a write would move the row, and cost more the more is remembered). Whoever repeats it
# reserves nothing.
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
    ), hinted as materialized (
        select f.*, d.post_id
          from (select distinct scope, topic, digest, hint from wanted where hint is not null
                 order by scope, topic, digest) w
          join deliveries d on d.id = w.hint and d.state = 'sent'
         cross join lateral (
            select f.scope, f.topic, f.key, f.delivery_id, f.source_id from fingerprints f
             where f.delivery_id = w.hint and f.scope + 0 = w.scope and f.topic + 0 = w.topic
               and f.key || ''::bytea = w.digest and f.until >= statement_timestamp()
               for key share) f
    ), repeats as (
        select w.delivery from wanted w join hinted t on {SAME_PLACE} where {IS_REPEAT}
    ), found as materialized (
        select f.*, (select d.post_id from deliveries d where d.id = f.delivery_id) as post_id
          from (select distinct scope, topic, digest from wanted w
                 where w.delivery not in (select delivery from repeats)
                   and not exists (select 1 from hinted t where {SAME_PLACE})
                 order by scope, topic, digest) w
         cross join lateral (
            select f.scope, f.topic, f.key, f.delivery_id, f.source_id from fingerprints f
             where f.scope = w.scope and f.topic = w.topic and f.key = w.digest and not {KEY_IS_FREE}
               for key share) f
    ), taken as materialized (
        select * from hinted union all select * from found
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
    select *, true as known from taken
     union all
    select r.*, (select d.post_id from deliveries d where d.id = r.delivery_id), false
      from reserved r where r.delivery_id not in (select delivery from wanted)
    """  # noqa: S608 - what is put in is a literal
)

GIVE_WAY = text(
    """
    update fingerprints f set delivery_id = w.delivery, source_id = w.source
      from json_to_recordset(cast(:rows as json)) as w (scope int, topic int, key text, delivery bigint, source int)
     where f.scope = w.scope and f.topic = w.topic and f.key = decode(w.key, 'hex') and f.delivery_id = any(:ids)
    """
)
