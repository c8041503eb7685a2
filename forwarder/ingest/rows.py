"""Messages, posts and marks as rows: each statement writes what concerns all sources of a batch."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from forwarder.collect import Progress
from forwarder.db import Ask, in_session
from forwarder.ingest.plan import Plan, PlannedPost
from forwarder.message import NO_FACTS, Entity, Facts, Heard, Kind, Origin, SourceMessage, without_nul

# The rows travel as JSON: per value it costs a tenth of what the driver takes for arrays.
STORE = text(
    """
    with fresh as (
        insert into posts (channel_id, position, album_id, state)
        select channel, position, album, case when done then 'ready' else 'collecting' end
          from json_to_recordset(cast(:posts as json)) as p (channel int, position bigint, album text, done boolean)
         order by channel, position
        returning id, channel_id, position, state
    ), changed as (
        update posts p
           set position = c.position, state = case when c.done then 'ready' else 'collecting' end,
               last_part_at = case when c.grew then clock_timestamp() else p.last_part_at end
          from json_to_recordset(cast(:changed as json)) as c (id bigint, position bigint, done boolean, grew boolean)
         where p.id = c.id
        returning p.id, p.channel_id, p.position, p.state
    ), stored as (
        insert into messages (channel_id, message_id, post_id, kind, heard, album_id, date, edit_date, topic_id,
                              reply_to, text, entities, media_id, file_id, facts, origin_chat, origin_message,
                              protected)
        select m.channel, m.id, coalesce(m.post, f.id), m.kind, m.heard, m.album, m.date, m.edit_date, m.topic,
               m.reply_to, m.text, m.entities, m.media, m.file, m.facts, m.origin_chat, m.origin_message, m.protected
          from json_to_recordset(cast(:messages as json)) as m (
               channel int, id bigint, post bigint, position bigint, kind text, heard text, album text,
               date timestamptz, edit_date timestamptz, topic int, reply_to bigint, text text, entities jsonb,
               media text, file text, facts jsonb, origin_chat bigint, origin_message bigint, protected boolean)
          left join fresh f on f.channel_id = m.channel and f.position = m.position
        on conflict (channel_id, message_id) do nothing
    ), moved as (
        insert into marks (channel_id, account_id, mark, known)
        select channel, cast(:account as int), mark, cast(known as int8multirange)
          from json_to_recordset(cast(:marks as json)) as k (channel int, mark bigint, known text)
        on conflict (channel_id, account_id) do update
           set mark = excluded.mark, known = excluded.known, checked_at = clock_timestamp()
    )
    select id, channel_id, position from fresh where state = 'ready'
    union all select id, channel_id, position from changed where state = 'ready'
    """
)


async def store(session: AsyncSession, plans: Sequence[Plan], account_id: int | None) -> Sequence[Any]:
    """Write messages, posts and marks; answer (id, channel_id, position) of each post that is complete now."""
    asks = storing(plans, account_id)
    return (await in_session(session, *asks))[0] if asks else ()


def storing(plans: Sequence[Plan], account_id: int | None) -> list[Ask]:
    """The statement that writes messages, posts and marks, where there is anything to write."""
    posts, changed, messages, marks = [], [], [], []
    for plan in plans:
        channel = plan.source.id
        for post in plan.posts:
            if post.id is None:
                posts.append(
                    {"channel": channel, "position": post.position, "album": post.album_id, "done": post.done}
                )
            elif post.done or post.added:
                changed.append(
                    {"id": post.id, "position": post.position, "done": post.done, "grew": bool(post.added)}
                )
            messages += [message_json(channel, post, message) for message in post.added]
        if plan.progress is not None:
            marks.append({"channel": channel, "mark": plan.progress.mark, "known": multirange(plan.progress)})
    if not (posts or changed or messages or marks):
        return []
    values = {"posts": posts, "changed": changed, "messages": messages, "marks": marks}
    return [Ask(STORE, {name: json.dumps(value) for name, value in values.items()} | {"account": account_id})]


def multirange(progress: Progress) -> str:
    return "{" + ",".join(f"[{low},{high})" for low, high in progress.known) + "}"


def message_json(channel: int, post: PlannedPost, message: SourceMessage) -> dict[str, object]:
    """A row of ``messages``; what is missing is null. ``position`` finds the post where that is new."""
    row: dict[str, object] = {
        "channel": channel,
        "id": message.message_id,
        "post": post.id,
        "position": post.position,
        "kind": message.kind,
        "heard": message.heard,
        "album": message.album_id,
        "date": message.date.isoformat(),
        "topic": message.topic_id,
        "reply_to": message.reply_to,
        "text": message.text,
        "entities": entities_rows(message.entities),
        "media": message.media_id,
        "facts": facts_row(message.facts),
        "protected": message.protected,
    }
    if message.edit_date is not None:
        row["edit_date"] = message.edit_date.isoformat()
    if message.file_id is not None:
        row["file"] = message.file_id
    if message.origin is not None:
        row["origin_chat"], row["origin_message"] = message.origin.chat_id, message.origin.message_id
    return row


def entities_rows(entities: Sequence[Entity]) -> list[dict[str, object]]:
    return [
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


def entities_json(entities: Sequence[Entity]) -> str:
    return json.dumps(entities_rows(entities))


def facts_row(facts: Facts) -> dict[str, object]:
    """Only what is known is kept, without what PostgreSQL refuses in a text."""
    if facts == NO_FACTS:
        return {}
    return {
        name: without_nul(value) if isinstance(value, str) else value
        for name, value in asdict(facts).items()
        if value is not None and value is not False
    }


def facts_json(facts: Facts) -> str:
    return json.dumps(facts_row(facts))


async def name_media(session: AsyncSession, plans: Sequence[Plan]) -> None:
    """Name media that the bot heard first as MTProto names them, and learn which posts are silent: no bot is told.

    Both APIs have names of their own for one medium; a source that a user account listens to is complete when
    that has heard its posts, so all such sources are compared by the same names. What the bot calls a file is kept
    whoever heard it first: it sends anew by that name only.
    """
    named = [
        (plan.source.id, m.message_id, m.media_id, m.facts.silent)
        for plan in plans
        for m in plan.known
        if (m.media_id is not None or m.facts.silent) and m.heard not in (Heard.BOT, Heard.OWN)
    ]
    filed = [
        (plan.source.id, m.message_id, m.file_id)
        for plan in plans
        for m in plan.known
        if m.file_id is not None and m.heard is Heard.BOT
    ]
    if filed:
        channels, ids, files = zip(*filed, strict=True)
        await session.execute(
            text(
                """
                update messages m set file_id = named.file
                  from unnest(cast(:channels as int[]), cast(:ids as bigint[]), cast(:files as text[]))
                           as named (channel, id, file)
                 where m.channel_id = named.channel and m.message_id = named.id and m.file_id is null
                """
            ),
            {"channels": list(channels), "ids": list(ids), "files": list(files)},
        )
    if named:
        channels, ids, media, silent = zip(*named, strict=True)
        await session.execute(
            text(
                """
                update messages m
                   set media_id = case when left(m.media_id, 4) = 'bot:' then coalesce(named.media, m.media_id)
                                       else m.media_id end,
                       facts = case when named.silent then m.facts || '{"silent": true}' else m.facts end
                  from unnest(cast(:channels as int[]), cast(:ids as bigint[]), cast(:media as text[]),
                              cast(:silent as boolean[])) as named (channel, id, media, silent)
                 where m.channel_id = named.channel and m.message_id = named.id
                   and (left(m.media_id, 4) = 'bot:' or (named.silent and not m.facts ? 'silent'))
                """
            ),
            {"channels": list(channels), "ids": list(ids), "media": list(media), "silent": list(silent)},
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
        file_id=values["file_id"],
        facts=Facts(**values["facts"]) if values["facts"] else NO_FACTS,
    )
