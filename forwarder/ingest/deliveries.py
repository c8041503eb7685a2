"""The deliveries of complete posts: one for each mapping that wants a post."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from forwarder.db import Ask
from forwarder.ingest.sources import Source
from forwarder.message import GENERAL_TOPIC, SourceMessage
from forwarder.models import BEFORE_THE_MOVE
from forwarder.outbox import HAS_RULES, LIVE
from forwarder.services import judging, reviewing
from forwarder.services.repeats import Repeat


@dataclass(frozen=True, slots=True)
class CompletePost:
    """A post to deliver; ``parts`` are its messages that were not deleted, as they read now.

    It is named by its source and position: whoever stores it may ask for its deliveries before its id is known.
    ``place`` orders it in its lanes: posts of a group that became a supergroup go to its successor's mappings
    before all that was heard there.
    """

    source: Source
    position: int
    parts: tuple[SourceMessage, ...]

    @property
    def place(self) -> int:
        moved = self.source.goes_on_as != self.source.id
        return self.position - BEFORE_THE_MOVE if moved else self.position


# The share lock on the mapping makes a pause that is under way wait, or be seen: none is left queued behind it. What is
# joined to it is read before that wait. Who changes a mapping's chats therefore holds its source first, for which we
# have waited before this statement (services/migration.py): else the mapping would be passed over, and its post lost.
# A copy of ours is not sent back to where it came from; longer loops are refused when a mapping is made.
NEW_DELIVERIES = text(
    f"""
    with ready as (
        select p.*, r.id,
               (select array[o.source_id, o.source_topic] from copies c join mappings o on o.id = c.mapping_id
                 where c.channel_id = p.channel and c.message_id = p.position) as came_from
          from json_to_recordset(cast(:posts as json)) as p (
               channel int, source int, position bigint, place bigint, topics int[])
          join posts r on r.channel_id = p.channel and r.position = p.position
    ), wanted as materialized (
        select p.id as post_id, p.channel as post_channel, p.position as post_position, p.place,
               m.id as mapping_id, m.state, m.revision, m.important, m.source_id, m.dedup, m.dedup_hours,
               m.destination_id, m.destination_topic, c.dedup_group, l.route, {HAS_RULES} as has_rules
          from ready p
          join mappings m on m.source_id = p.source and m.state <> 'disabled' and m.start_after < p.position
           and (m.source_topic = 0 or m.source_topic = any(p.topics))
           and not coalesce(p.came_from[1] = m.destination_id
                            and p.came_from[2] in (0, m.destination_topic, :general), false)
          join lanes l on l.mapping_id = m.id
          join channels c on c.id = m.destination_id
           for share of m
    ), made as (
        insert into deliveries (mapping_id, post_id, kind, class, position, state, reason, revision)
        select mapping_id, post_id, 'post', :class, place,
               case when state = 'paused' then 'held' else 'queued' end,
               case when state = 'paused' then 'paused' end, revision
          from wanted order by place, mapping_id
        on conflict (mapping_id, post_id, kind) do nothing
        returning id, mapping_id, post_id, state
    )
    select d.id, d.mapping_id, d.post_id, d.state, w.route, w.source_id, w.important, w.dedup, w.dedup_hours,
           w.destination_id, w.destination_topic, w.dedup_group, w.has_rules, w.post_channel, w.post_position
      from made d join wanted w using (mapping_id, post_id) order by d.id
    """  # noqa: S608 - what is put in is a literal
)


def making(posts: Sequence[CompletePost]) -> Ask:
    """The statement that writes one delivery for each mapping of each of these posts, in source order."""
    values = [
        {
            "channel": post.source.id,
            "source": post.source.goes_on_as,
            "position": post.position,
            "place": post.place,
            "topics": sorted({max(part.topic_id, GENERAL_TOPIC) for part in post.parts}),
        }
        for post in posts
    ]
    return Ask(NEW_DELIVERIES, {"posts": json.dumps(values), "class": LIVE, "general": GENERAL_TOPIC})


async def stop_refused(
    session: AsyncSession,
    rows: Sequence[Any],
    posts: Mapping[int, Sequence[SourceMessage]],
) -> frozenset[int]:
    """End those of these new deliveries that their mappings' rules do not let travel; answer them."""
    asked = {(row.mapping_id, row.post_id): row.id for row in rows if row.has_rules}
    if not asked:
        return frozenset()
    stopped = {asked[one]: result for one, result in (await judging.judge(session, asked, posts)).items()}
    await judging.stop(session, stopped)
    return frozenset(stopped)


async def hold_for_review(session: AsyncSession, rows: Sequence[Any]) -> frozenset[int]:
    """Let those of these new deliveries wait for somebody's word whose mappings' rules say so; answer them."""
    asked = {row.id: row.mapping_id for row in rows if row.has_rules}
    if not asked:
        return frozenset()
    hours = await reviewing.hours_of(session, set(asked.values()))
    return await reviewing.begin(session, {one: hours[m] for one, m in asked.items() if m in hours})


MARK_DUPLICATES = text(
    """
    update deliveries d set state = 'duplicate', reason = 'same_content', duplicate_of = n.first,
           keys = array(select decode(k, 'hex') from json_array_elements_text(n.keys) k), done_at = clock_timestamp()
      from json_to_recordset(cast(:repeats as json)) as n (id bigint, first bigint, keys json)
     where d.id = n.id
    """
)


async def mark_duplicates(session: AsyncSession, duplicates: Mapping[int, Repeat]) -> None:
    """End these deliveries as duplicates, each of the first copy that is named."""
    if duplicates:
        rows = [
            {"id": number, "first": repeat.first, "keys": [key.hex() for key in repeat.keys]}
            for number, repeat in duplicates.items()
        ]
        await session.execute(MARK_DUPLICATES, {"repeats": json.dumps(rows)})


THEIR_DUPLICATES = text(
    """
    update deliveries d set duplicate_of = n.first
      from unnest(cast(:ids as bigint[]), cast(:firsts as bigint[])) as n (id, first)
     where d.state = 'duplicate' and d.duplicate_of = n.id
    """
)


async def mark_late_duplicates(session: AsyncSession, duplicates: Mapping[int, Repeat]) -> None:
    """The same of deliveries that have been about for a while: who has waited for one waits for its first copy now."""
    await mark_duplicates(session, duplicates)
    if duplicates:
        values = {"ids": list(duplicates), "firsts": [repeat.first for repeat in duplicates.values()]}
        await session.execute(THEIR_DUPLICATES, values)
