"""A page of older messages becomes rows: posts, and deliveries behind all live ones, in one transaction."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from sqlalchemy import Row, text
from sqlalchemy.ext.asyncio import AsyncSession

from forwarder.backfill.rows import Run
from forwarder.ingest.deliveries import mark_duplicates, stop_refused
from forwarder.ingest.hearing import clean
from forwarder.ingest.plan import Plan, PlannedPost
from forwarder.ingest.rows import store, stored_parts
from forwarder.ingest.sources import Source, Standing, lock_and_read
from forwarder.message import (
    GENERAL_TOPIC,
    AccountKind,
    HistoryPage,
    Kind,
    SourceMessage,
)
from forwarder.outbox import BULK, HAS_RULES, Due
from forwarder.services.dedup import DeduplicationService
from forwarder.services.places import candidate_of
from forwarder.services.repeats import keys_of
from forwarder.services.retention import REOPENED


async def store_page(
    session: AsyncSession, dedup: DeduplicationService, run: Run, page: HistoryPage
) -> list[Due] | None:
    """Store a page and queue its posts, oldest first, and move the cursor; answer whom to ring.

    None where nothing could be stored now: the run was paused or moved by somebody else, or a listener must first
    store what it hears of these ids.
    """
    ids = [message.message_id for message in page.messages]
    sources, standings = await lock_and_read(session, {run.chat_id: ids})
    source = sources.get(run.chat_id)
    still = await session.scalar(STILL, {"id": run.id, "cursor": run.cursor})
    if source is None or still is None or page.through is None:
        return None
    standing = standings[source.id]
    left = left_to_listeners(source, standing, page, await first_start_of_others(session, run))
    through = min(page.through, left - 1)
    if through <= run.cursor:
        return None
    found = [message for message in page.messages if message.message_id <= through]
    handled = await handled_ids(session, run, [message.message_id for message in found])
    wanted = [m for m in found if m.message_id not in handled and m.kind is not Kind.SERVICE]
    await store(session, [Plan(source, posts_of(wanted, standing.stored))], None)
    rows = await make_deliveries(session, run, [message.message_id for message in wanted])
    ended = await settle_new(session, dedup, rows)
    await session.execute(
        ADVANCE,
        {
            "id": run.id,
            "cursor": through,
            "read": len(found),
            "queued": len(rows),
            "passed": max(0, len(found) - sum(row.parts for row in rows)),
        },
    )
    due = [row for row in rows if row.state == "queued" and row.id not in ended]
    return [Due(run.mapping_id, row.id, AccountKind(row.route), BULK, row.important) for row in due[:1]]


def left_to_listeners(
    source: Source, standing: Standing, page: HistoryPage, others_start_after: int | None
) -> int:
    """The lowest id that a listener must store first, or one beyond the page.

    What a listener has not come to yet it must find new, or the other mappings of the source would not get it; and
    an album that it still collects is left to it.
    """
    marks = standing.marks
    gate = marks.get(source.gate_account or 0, max(marks.values(), default=0))
    beyond = (page.through or 0) + 1
    if others_start_after is not None:
        beyond = min(beyond, max(gate, others_start_after) + 1)
    collected = {number for post in standing.open_posts for number in post.ids}
    albums = {post.album_id for post in standing.open_posts} - {None}
    return min(
        beyond,
        *(m.message_id for m in page.messages if m.message_id in collected or m.album_id in albums),
        beyond,
    )


async def first_start_of_others(session: AsyncSession, run: Run) -> int | None:
    start: int | None = await session.scalar(
        text(
            "select min(start_after) from mappings"
            " where source_id = :channel and state <> 'disabled' and id <> :mapping"
        ),
        {"channel": run.channel_id, "mapping": run.mapping_id},
    )
    return start


async def handled_ids(session: AsyncSession, run: Run, ids: Sequence[int]) -> frozenset[int]:
    """Those that retention has forgotten, known by their ids or by their copies."""
    rows = await session.scalars(
        HANDLED, {"channel": run.channel_id, "mapping": run.mapping_id, "ids": list(ids)}
    )
    return frozenset(rows)


def posts_of(messages: Iterable[SourceMessage], stored: frozenset[int]) -> list[PlannedPost]:
    """New posts, complete at once: the page was cut so that albums are whole."""
    posts: dict[str | int, PlannedPost] = {}
    for message in messages:
        number = message.message_id
        if number not in stored:
            post = posts.setdefault(
                message.album_id or number, PlannedPost(number, message.album_id, 0.0, [], done=True)
            )
            post.ids.append(number)
            post.added.append(clean(message))
    return list(posts.values())


async def make_deliveries(
    session: AsyncSession, run: Run, ids: Sequence[int]
) -> Sequence[Row[tuple[object, ...]]]:
    rows = await session.execute(
        NEW_DELIVERIES,
        {
            "mapping": run.mapping_id,
            "channel": run.channel_id,
            "ids": list(ids),
            "class": BULK,
            "general": GENERAL_TOPIC,
            "reopened": list(REOPENED),
        },
    )
    return rows.all()


async def settle_new(
    session: AsyncSession, dedup: DeduplicationService, made: Sequence[Row[tuple[object, ...]]]
) -> frozenset[int]:
    """End what the mapping's rules refuse or the destination has already; answer these deliveries."""
    parts = await stored_parts(session, [row.post_id for row in made]) if made else {}
    stopped = await stop_refused(session, made, parts)
    rows = [row for row in made if row.id not in stopped]
    duplicates = await dedup.reserve(
        session, [candidate_of(row, keys_of(parts[row.post_id])) for row in rows]
    )
    await mark_duplicates(session, duplicates)
    return stopped | duplicates.keys()


STILL = text("select 1 from backfills where id = :id and state = 'running' and cursor = :cursor for update")

HANDLED = text(
    """
    select w.id from unnest(cast(:ids as bigint[])) as w (id)
     where exists (select 1 from handled h where h.mapping_id = :mapping and h.channel_id = :channel and h.ids @> w.id)
        or (not exists (select 1 from messages m where m.channel_id = :channel and m.message_id = w.id)
            and exists (select 1 from copies c where c.mapping_id = :mapping and c.source_message_id = w.id
                           and c.source_id = :channel))
    """
)

# The same choice as ingest makes for live posts, but for one mapping and without its start. A post that was withdrawn
# unsent from it is queued after all; any other delivery of it stays as it is. As there, the source is held before: a
# destination that changed during the wait for the mapping would have the page passed over.
NEW_DELIVERIES = text(
    f"""
    with ready as (
        select p.id, p.position,
               array(select greatest(x.topic_id, :general) from messages x
                      where x.post_id = p.id and x.deleted_at is null) as topics,
               (select count(*) from messages x where x.post_id = p.id) as parts,
               (select array[o.source_id, o.source_topic] from copies c join mappings o on o.id = c.mapping_id
                 where c.channel_id = p.channel_id and c.message_id = p.position) as came_from
          from posts p
         where p.id in (select x.post_id from messages x where x.channel_id = :channel and x.message_id = any(:ids))
    ), wanted as materialized (
        select p.id as post_id, p.position, p.parts, m.id as mapping_id, m.state, m.revision, m.important, m.source_id,
               m.dedup, m.dedup_hours, m.destination_id, m.destination_topic, c.dedup_group, l.route,
               {HAS_RULES} as has_rules
          from ready p
          join mappings m on m.id = :mapping and m.state <> 'disabled' and cardinality(p.topics) > 0
           and (m.source_topic = 0 or m.source_topic = any(p.topics))
           and not coalesce(p.came_from[1] = m.destination_id
                            and p.came_from[2] in (0, m.destination_topic, :general), false)
          join lanes l on l.mapping_id = m.id
          join channels c on c.id = m.destination_id
           for share of m
    ), made as (
        insert into deliveries as d (mapping_id, post_id, kind, class, position, state, reason, revision)
        select mapping_id, post_id, 'post', :class, position,
               case when state = 'paused' then 'held' else 'queued' end,
               case when state = 'paused' then 'paused' end, revision
          from wanted order by position
        on conflict (mapping_id, post_id, kind) do update
           set class = excluded.class, state = excluded.state, reason = excluded.reason,
               revision = excluded.revision, done_at = null, attempts = 0, epoch = d.epoch + 1, not_before = null,
               reserved = 0, details = null
         where d.state = 'withdrawn' and not d.unsettled and d.reason = any(:reopened)
        returning id, mapping_id, post_id, state
    )
    select d.id, d.mapping_id, d.post_id, d.state, w.parts, w.route, w.source_id, w.important, w.dedup, w.dedup_hours,
           w.destination_id, w.destination_topic, w.dedup_group, w.has_rules
      from made d join wanted w using (mapping_id, post_id) order by w.position
    """  # noqa: S608 - what is put in is a literal
)

ADVANCE = text(
    """
    update backfills set cursor = :cursor, read = read + :read, queued = queued + :queued, passed = passed + :passed,
           not_before = null, reason = null
     where id = :id
    """
)
