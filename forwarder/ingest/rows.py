"""Messages, posts and new deliveries as rows."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime, timedelta

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from forwarder.collect import Collecting
from forwarder.ingest.sources import Source
from forwarder.message import NO_FACTS, Entity, Facts, Heard, Kind, Origin, SourceMessage, without_nul

BOT_RETENTION = timedelta(hours=24)
"""Telegram keeps a bot's updates for 24 hours: nothing older can be news to anyone."""


async def store_messages(
    session: AsyncSession, source: Source, messages: Sequence[SourceMessage], mark: int
) -> int:
    """Insert what is new with its posts; answer how many. Service messages only count as known ids.

    At or below the mark everything was stored or proven empty, and may have been forgotten since; only what
    is young enough to have slipped past an empty answer is taken from there.
    """
    young = datetime.now(UTC) - BOT_RETENTION
    wanted = {
        m.message_id: m
        for m in messages
        if m.kind is not Kind.SERVICE and (m.message_id > mark or m.date > young)
    }
    if not wanted:
        return 0
    known = set(
        await session.scalars(
            text("select message_id from messages where channel_id = :channel and message_id = any(:ids)"),
            {"channel": source.id, "ids": list(wanted)},
        )
    )
    new = [wanted[i] for i in sorted(wanted) if i not in known]
    await name_media(session, source, [wanted[i] for i in known])
    if new:
        posts = await posts_for(session, source, new)
        await session.execute(INSERT_MESSAGES, message_arrays(source, new, posts))
    return len(new)


async def name_media(session: AsyncSession, source: Source, known: Sequence[SourceMessage]) -> None:
    """Name media that the bot heard first as MTProto names them.

    Both APIs have names of their own for one medium; a source that a user account listens to is complete when
    that has heard its posts, so all such sources are compared by the same names.
    """
    named = [m for m in known if m.media_id is not None and m.heard not in (Heard.BOT, Heard.OWN)]
    if named:
        await session.execute(
            text(
                """
                update messages m set media_id = named.media
                  from unnest(cast(:ids as bigint[]), cast(:media as text[])) as named (id, media)
                 where m.channel_id = :channel and m.message_id = named.id and left(m.media_id, 4) = 'bot:'
                """
            ),
            {
                "channel": source.id,
                "ids": [m.message_id for m in named],
                "media": [m.media_id for m in named],
            },
        )


async def posts_for(session: AsyncSession, source: Source, new: Sequence[SourceMessage]) -> dict[int, int]:
    """The post of each new message, by message id: an open album's, or one of its own."""
    albums = {m.album_id for m in new if m.album_id}
    album_posts: dict[str, int] = {}
    if albums:
        rows = await session.execute(
            text(
                """
                update posts set last_part_at = clock_timestamp(), position = least(position, first)
                  from unnest(cast(:albums as text[]), cast(:firsts as bigint[])) as part (album, first)
                 where channel_id = :channel and state = 'collecting' and album_id = part.album
                returning id, album_id
                """
            ),
            {
                "channel": source.id,
                "albums": sorted(albums),
                "firsts": [min(m.message_id for m in new if m.album_id == a) for a in sorted(albums)],
            },
        )
        album_posts = {row.album_id: row.id for row in rows}
    firsts: dict[int, str | None] = {}
    seen: set[str] = set(album_posts)
    for message in new:
        if message.album_id is None:
            firsts[message.message_id] = None
        elif message.album_id not in seen:
            seen.add(message.album_id)
            firsts[message.message_id] = message.album_id
    rows = await session.execute(
        text(
            """
            insert into posts (channel_id, position, album_id)
            select :channel, position, album from unnest(cast(:positions as bigint[]), cast(:albums as text[]))
                with ordinality as new (position, album, n) order by n
            returning id, position, album_id
            """
        ),
        {"channel": source.id, "positions": list(firsts), "albums": list(firsts.values())},
    )
    singles: dict[int, int] = {}
    for row in rows:
        if row.album_id is None:
            singles[row.position] = row.id
        else:
            album_posts[row.album_id] = row.id
    return {m.message_id: album_posts[m.album_id] if m.album_id else singles[m.message_id] for m in new}


INSERT_MESSAGES = text(
    """
    insert into messages (channel_id, message_id, post_id, kind, heard, album_id, date, edit_date, topic_id, reply_to,
                          text, entities, media_id, facts, origin_chat, origin_message, protected)
    select :channel, m.* from unnest(
        cast(:ids as bigint[]), cast(:posts as bigint[]), cast(:kinds as text[]), cast(:heard as text[]),
        cast(:albums as text[]), cast(:dates as timestamptz[]), cast(:edit_dates as timestamptz[]),
        cast(:topics as int[]), cast(:replies as bigint[]), cast(:texts as text[]), cast(:entities as jsonb[]),
        cast(:media as text[]), cast(:facts as jsonb[]), cast(:origin_chats as bigint[]),
        cast(:origin_messages as bigint[]), cast(:protected as boolean[])) as m
    on conflict (channel_id, message_id) do nothing
    """
)


def message_arrays(source: Source, new: Sequence[SourceMessage], posts: dict[int, int]) -> dict[str, object]:
    return {
        "channel": source.id,
        "ids": [m.message_id for m in new],
        "posts": [posts[m.message_id] for m in new],
        "kinds": [m.kind.value for m in new],
        "heard": [m.heard.value for m in new],
        "albums": [m.album_id for m in new],
        "dates": [m.date for m in new],
        "edit_dates": [m.edit_date for m in new],
        "topics": [m.topic_id for m in new],
        "replies": [m.reply_to for m in new],
        "texts": [m.text for m in new],
        "entities": [entities_json(m.entities) for m in new],
        "media": [m.media_id for m in new],
        "facts": [facts_json(m.facts) for m in new],
        "origin_chats": [m.origin.chat_id if m.origin else None for m in new],
        "origin_messages": [m.origin.message_id if m.origin else None for m in new],
        "protected": [m.protected for m in new],
    }


def entities_json(entities: Sequence[Entity]) -> str:
    return json.dumps(
        [
            {
                key: value
                for key, value in (
                    ("type", e.type),
                    ("offset", e.offset),
                    ("length", e.length),
                    ("url", e.url),
                    ("user_id", e.user_id),
                    ("language", e.language),
                    ("custom_emoji_id", e.custom_emoji_id),
                )
                if value is not None
            }
            for e in entities
        ]
    )


def facts_json(facts: Facts) -> str:
    """Only what is known is kept, without what PostgreSQL refuses in a text."""
    if facts == NO_FACTS:
        return "{}"
    known = {
        name: without_nul(value) if isinstance(value, str) else value
        for name, value in asdict(facts).items()
        if value is not None and value is not False
    }
    return json.dumps(known)


async def collecting(session: AsyncSession, source: Source) -> list[Collecting]:
    rows = await session.execute(
        text(
            """
            select p.id, p.album_id is not null as album,
                   extract(epoch from clock_timestamp() - p.last_part_at)::float8 as silent_for,
                   array(select m.message_id from messages m where m.post_id = p.id order by 1) as ids
              from posts p where p.channel_id = :channel and p.state = 'collecting' order by p.position
            """
        ),
        {"channel": source.id},
    )
    return [Collecting(r.id, tuple(r.ids), r.album, r.silent_for) for r in rows]


# The share lock on the mapping makes a pause that is under way wait, or be seen: none is left queued behind it.
# A copy of ours is not sent back to where it came from; longer loops are refused when a mapping is made.
# Posts of a group that became a supergroup go to its successor's mappings, before all that was heard there.
NEW_DELIVERIES = text(
    """
    insert into deliveries as d (mapping_id, post_id, kind, class, position, state, reason, revision)
    select m.id, p.id, 'post', :class,
           p.position - case when h.migrated_to is null then 0 else cast(:before as bigint) end,
           case when m.state = 'paused' then 'held' else 'queued' end,
           case when m.state = 'paused' then 'paused' end, m.revision
      from posts p
      join channels h on h.id = p.channel_id
      join mappings m on m.source_id = coalesce((select n.id from channels n where n.telegram_id = h.migrated_to), h.id)
       and m.state <> 'disabled' and p.position > m.start_after
     where p.id = any(:posts)
       and exists (select 1 from messages x where x.post_id = p.id and x.deleted_at is null
                      and m.source_topic in (0, greatest(x.topic_id, :general)))
       and not exists (select 1 from copies c join mappings o on o.id = c.mapping_id
                        where c.channel_id = p.channel_id and c.message_id = p.position
                          and o.source_id = m.destination_id
                          and (o.source_topic = 0 or o.source_topic in (m.destination_topic, :general)))
     order by p.position, m.id
       for share of m
    on conflict (mapping_id, post_id, kind) do nothing
    returning d.id, d.mapping_id, d.post_id, d.state,
              (select l.route from lanes l where l.mapping_id = d.mapping_id) as route,
              (select m.source_id from mappings m where m.id = d.mapping_id) as source_id,
              (select m.important from mappings m where m.id = d.mapping_id) as important,
              (select m.dedup from mappings m where m.id = d.mapping_id) as dedup,
              (select m.dedup_hours from mappings m where m.id = d.mapping_id) as dedup_hours,
              (select m.destination_id from mappings m where m.id = d.mapping_id) as destination_id,
              (select m.destination_topic from mappings m where m.id = d.mapping_id) as destination_topic
    """
)


MARK_DUPLICATES = text(
    """
    update deliveries d set state = 'duplicate', reason = 'same_content', duplicate_of = pair.first,
           done_at = clock_timestamp()
      from unnest(cast(:ids as bigint[]), cast(:firsts as bigint[])) as pair (id, first)
     where d.id = pair.id
    """
)


async def stored_parts(session: AsyncSession, posts: Sequence[int]) -> dict[int, tuple[SourceMessage, ...]]:
    """The messages of these posts that were not deleted, as they read now."""
    rows = await session.execute(
        text(
            """
            select c.telegram_id, m.* from messages m join channels c on c.id = m.channel_id
             where m.post_id = any(:posts) and m.deleted_at is null order by m.post_id, m.message_id
            """
        ),
        {"posts": list(posts)},
    )
    parts: dict[int, list[SourceMessage]] = defaultdict(list)
    for row in rows:
        parts[row.post_id].append(message_of(row, row.telegram_id))
    return {post: tuple(messages) for post, messages in parts.items()}


async def post_parts(session: AsyncSession, post_id: int) -> tuple[int, tuple[SourceMessage, ...]]:
    """The source chat of a post and its messages, deleted ones too: they were sent."""
    rows = (
        await session.execute(
            text(
                """
                select c.telegram_id, m.* from messages m join channels c on c.id = m.channel_id
                 where m.post_id = :post order by m.message_id
                """
            ),
            {"post": post_id},
        )
    ).all()
    chat_id = rows[0].telegram_id if rows else 0
    return chat_id, tuple(message_of(row, chat_id) for row in rows)


def message_of(row: object, chat_id: int) -> SourceMessage:
    """A row of ``messages`` as a value."""
    values = row._mapping  # type: ignore[attr-defined]
    origin = values["origin_chat"]
    return SourceMessage(
        chat_id=chat_id,
        message_id=values["message_id"],
        date=values["date"],
        kind=Kind(values["kind"]),
        heard=Heard(values["heard"]),
        text=values["text"],
        entities=tuple(Entity(**entity) for entity in values["entities"]),
        album_id=values["album_id"],
        media_id=values["media_id"],
        edit_date=values["edit_date"],
        topic_id=values["topic_id"],
        reply_to=values["reply_to"],
        origin=Origin(origin, values["origin_message"]) if origin is not None else None,
        protected=values["protected"],
        facts=Facts(**values["facts"]) if values["facts"] else NO_FACTS,
    )
