"""Posts become rows: the one place where what was heard enters the outbox.

``receive`` runs in one transaction: messages and posts, the listener's mark, and one delivery for each
mapping of each post that is complete. Only after its commit may an update be confirmed to Telegram, and only
then are bells rung. The sources concerned are locked first, in the order of their ids, so that two listeners
that hear the same source take turns; each row is unique, so hearing a message twice changes nothing.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from forwarder.collect import Collecting, Progress, ready
from forwarder.message import (
    AccountKind,
    Deleted,
    DeliveryKind,
    Edited,
    Empty,
    Entity,
    Heard,
    Kind,
    Mode,
    News,
    Origin,
    SourceMessage,
    without_nul,
)
from forwarder.models import Dedup
from forwarder.outbox import FIX, LIVE, Due, ended_without_success
from forwarder.services.dedup import Candidate, DeduplicationService, keys_of

BOT_RETENTION = timedelta(hours=24)
"""Telegram keeps a bot's updates for 24 hours: nothing older can be news to anyone."""


@dataclass(slots=True)
class Received:
    """What a batch led to: lanes to ring, holes to fill per chat, and when to look at open albums again."""

    due: list[Due] = field(default_factory=list)
    holes: dict[int, tuple[int, ...]] = field(default_factory=dict)
    look_again: dict[int, float] = field(default_factory=dict)
    stored: int = 0


@dataclass(frozen=True, slots=True)
class Source:
    """A source under our lock. ``gate_account`` is the account whose mark decides what is complete."""

    id: int
    chat_id: int
    gate_account: int | None


class Ingest:
    def __init__(self, dedup: DeduplicationService) -> None:
        self._dedup = dedup

    async def receive(
        self, session: AsyncSession, account_id: int, account_kind: AccountKind, news: Sequence[News]
    ) -> Received:
        """Store what one account heard; chats that are no source are passed over."""
        received = Received()
        sources = await lock_sources(session, {chat_of(item) for item in news})
        by_chat: dict[int, list[News]] = defaultdict(list)
        for item in news:
            if chat_of(item) in sources:
                by_chat[chat_of(item)].append(item)
        done: list[int] = []
        for chat_id in sorted(by_chat, key=lambda chat: sources[chat].id):
            done += await self._receive_chat(
                session, sources[chat_id], account_id, account_kind, by_chat[chat_id], received
            )
        received.due += await self._deliver(session, done)
        return received

    async def feed_own(
        self,
        session: AsyncSession,
        account_id: int,
        chat_id: int,
        post_id: int,
        pairs: Sequence[tuple[int, int]],
        mode: Mode,
    ) -> list[Due]:
        """Hear our own copies in a chat that is also a source: Telegram does not echo a bot's posts to it.

        ``pairs`` are (source message id, copy id). Where a user account listens it hears them by itself, with
        their album; hearing them in two ways would tear the album apart.
        """
        if await heard_by_user(session, chat_id):
            return []
        copies = dict(pairs)
        source_chat, parts = await post_parts(session, post_id)
        own = [
            replace(
                part,
                chat_id=chat_id,
                message_id=copies[part.message_id],
                date=datetime.now(UTC),
                heard=Heard.OWN,
                album_id=f"own:{post_id}" if len(copies) > 1 else None,
                edit_date=None,
                reply_to=None,
                topic_id=0,
                origin=(part.origin or Origin(source_chat, part.message_id))
                if mode is Mode.FORWARD
                else None,
            )
            for part in parts
            if part.message_id in copies
        ]
        return (await self.receive(session, account_id, AccountKind.BOT, own)).due

    async def settle(self, session: AsyncSession, chat_ids: Iterable[int]) -> Received:
        """Deliver the posts of these sources that have become complete by silence."""
        received = Received()
        done: list[int] = []
        for source in sorted((await lock_sources(session, set(chat_ids))).values(), key=lambda s: s.id):
            done += await self._settle(session, source, received)
        received.due += await self._deliver(session, done)
        return received

    async def _receive_chat(
        self,
        session: AsyncSession,
        source: Source,
        account_id: int,
        account_kind: AccountKind,
        news: Sequence[News],
        received: Received,
    ) -> list[int]:
        progress = await progress_of(session, source, account_id, account_kind, news)
        fresh = [clean(item) for item in news if isinstance(item, SourceMessage)]
        received.stored += await store_messages(session, source, fresh, progress.mark)
        for item in news:
            if isinstance(item, Edited):
                received.due += await apply_edit(session, source, clean(item.message))
            elif isinstance(item, Deleted):
                received.due += await apply_deletion(session, source, item.message_ids)
        moved = move(progress, account_kind, news)
        if moved != progress:
            await save_progress(session, source, account_id, moved)
        if account_kind is AccountKind.USER and (holes := moved.holes()):
            received.holes[source.chat_id] = holes
        return await self._settle(session, source, received)

    async def _settle(self, session: AsyncSession, source: Source, received: Received) -> list[int]:
        """The posts of a source that are complete now, in its order."""
        posts = await collecting(session, source)
        if not posts:
            return []
        done, again = ready(posts, await gate(session, source))
        if again is not None:
            received.look_again[source.chat_id] = again
        return done

    async def _deliver(self, session: AsyncSession, posts: Sequence[int]) -> list[Due]:
        """Write one delivery per mapping; for all sources at once, so that keys are reserved in one order."""
        if not posts:
            return []
        await session.execute(
            text("update posts set state = 'ready' where id = any(:ids)"), {"ids": list(posts)}
        )
        rows = (await session.execute(NEW_DELIVERIES, {"posts": list(posts), "class": LIVE})).all()
        if not rows:
            return []
        parts = await stored_parts(session, posts)
        duplicates = await self._dedup.reserve(
            session,
            [
                Candidate(
                    delivery_id=row.id,
                    destination_id=row.destination_id,
                    topic=row.destination_topic,
                    source_id=row.source_id,
                    dedup=Dedup(row.dedup),
                    hours=row.dedup_hours,
                    keys=keys_of(parts[row.post_id]),
                )
                for row in rows
                if parts.get(row.post_id)
            ],
        )
        if duplicates:
            await session.execute(
                MARK_DUPLICATES, {"ids": list(duplicates), "firsts": list(duplicates.values())}
            )
        return [
            Due(row.mapping_id, row.id, AccountKind(row.route), LIVE, row.important)
            for row in rows
            if row.state == "queued" and row.id not in duplicates
        ]


def chat_of(item: News) -> int:
    return item.message.chat_id if isinstance(item, Edited) else item.chat_id


def clean(message: SourceMessage) -> SourceMessage:
    text = without_nul(message.text)
    return message if text == message.text else replace(message, text=text)


def move(progress: Progress, kind: AccountKind, news: Sequence[News]) -> Progress:
    """A user account sees every id of a channel, so a missing one is a hole. A bot does not see its own posts
    nor other bots', and Telegram gives it updates in order: what it has heard is all it can hear."""
    ids: list[int] = []
    for item in news:
        if isinstance(item, SourceMessage):
            ids.append(item.message_id)
        elif isinstance(item, Deleted | Empty):
            ids.extend(item.message_ids)
    if kind is AccountKind.BOT:
        heard = [item.message_id for item in news if isinstance(item, SourceMessage)]
        return Progress(max([progress.mark, *heard]))
    return progress.add(ids)


async def lock_sources(session: AsyncSession, chat_ids: set[int]) -> dict[int, Source]:
    """Lock the channels among these chats that are sources of a mapping that is not disabled."""
    if not chat_ids:
        return {}
    rows = await session.execute(
        text(
            """
            select c.id, c.telegram_id, c.listener_id from channels c
             where c.telegram_id = any(:chats) and c.is_source
               and exists (select 1 from mappings m where m.source_id = c.id and m.state <> 'disabled')
             order by c.id for no key update of c
            """
        ),
        {"chats": list(chat_ids)},
    )
    return {row.telegram_id: Source(row.id, row.telegram_id, row.listener_id) for row in rows}


async def heard_by_user(session: AsyncSession, chat_id: int) -> bool:
    return bool(
        await session.scalar(
            text(
                "select a.kind = 'user' from channels c join accounts a on a.id = c.listener_id"
                " where c.telegram_id = :chat"
            ),
            {"chat": chat_id},
        )
    )


async def progress_of(
    session: AsyncSession, source: Source, account_id: int, kind: AccountKind, news: Sequence[News]
) -> Progress:
    """This listener's mark. Where it has none yet it begins where the first mapping began."""
    row = (
        await session.execute(
            text("select mark, known from marks where channel_id = :channel and account_id = :account"),
            {"channel": source.id, "account": account_id},
        )
    ).one_or_none()
    if row is not None:
        spans = tuple((span.lower, span.upper) for span in row.known)
        return Progress(row.mark, spans)
    start = await session.scalar(
        text("select min(start_after) from mappings where source_id = :id and state <> 'disabled'"),
        {"id": source.id},
    )
    ids = [item.message_id for item in news if isinstance(item, SourceMessage)]
    if kind is AccountKind.USER and start:
        return Progress(start)
    return Progress(min(ids) - 1 if ids else start or 0)


async def save_progress(session: AsyncSession, source: Source, account_id: int, progress: Progress) -> None:
    await session.execute(
        text(
            """
            insert into marks (channel_id, account_id, mark, known)
            values (:channel, :account, :mark, cast(:known as int8multirange))
            on conflict (channel_id, account_id) do update
               set mark = excluded.mark, known = excluded.known, checked_at = clock_timestamp()
            """
        ),
        {
            "channel": source.id,
            "account": account_id,
            "mark": progress.mark,
            "known": multirange(progress.known),
        },
    )


def multirange(spans: Sequence[tuple[int, int]]) -> str:
    return "{" + ",".join(f"[{low},{high})" for low, high in spans) + "}"


async def gate(session: AsyncSession, source: Source) -> int:
    """The mark that decides: the listener's own, or where it has none the highest of any account."""
    return int(
        await session.scalar(
            text(
                """
                select coalesce(max(mark) filter (where account_id = :listener), max(mark), 0)
                  from marks where channel_id = :channel
                """
            ),
            {"channel": source.id, "listener": source.gate_account},
        )
        or 0
    )


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
                          text, entities, media_id, origin_chat, origin_message, protected)
    select :channel, m.* from unnest(
        cast(:ids as bigint[]), cast(:posts as bigint[]), cast(:kinds as text[]), cast(:heard as text[]),
        cast(:albums as text[]), cast(:dates as timestamptz[]), cast(:edit_dates as timestamptz[]),
        cast(:topics as int[]), cast(:replies as bigint[]), cast(:texts as text[]), cast(:entities as jsonb[]),
        cast(:media as text[]), cast(:origin_chats as bigint[]), cast(:origin_messages as bigint[]),
        cast(:protected as boolean[])) as m
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
NEW_DELIVERIES = text(
    """
    insert into deliveries as d (mapping_id, post_id, kind, class, position, state, reason, revision)
    select m.id, p.id, 'post', :class, p.position,
           case when m.state = 'paused' then 'held' else 'queued' end,
           case when m.state = 'paused' then 'paused' end, m.revision
      from posts p
      join mappings m on m.source_id = p.channel_id and m.state <> 'disabled' and p.position > m.start_after
     where p.id = any(:posts)
       and exists (select 1 from messages x where x.post_id = p.id and x.deleted_at is null
                      and (m.source_topic = 0 or x.topic_id = m.source_topic))
       and not exists (select 1 from copies c join mappings o on o.id = c.mapping_id
                        where c.channel_id = p.channel_id and c.message_id = p.position
                          and o.source_id = m.destination_id)
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
    )


async def apply_edit(session: AsyncSession, source: Source, message: SourceMessage) -> list[Due]:
    """Take over an edit of a message we have, and queue it where a copy may exist already.

    An edit of a post that is still queued changes the row only: what is sent is read when it is sent. An
    edit that changes neither text nor medium (a reaction, a view) is none.
    """
    changed = await session.scalar(
        text(
            """
            update messages set text = :text, entities = cast(:entities as jsonb), edit_date = :edit_date,
                   media_id = case when left(media_id, 3) = left(:media, 3) then :media else media_id end
             where channel_id = :channel and message_id = :id and deleted_at is null
               and (text <> :text or entities <> cast(:entities as jsonb)
                    or (left(media_id, 3) = left(:media, 3) and media_id <> :media))
            returning post_id
            """
        ),
        {
            "channel": source.id,
            "id": message.message_id,
            "text": message.text,
            "entities": entities_json(message.entities),
            "edit_date": message.edit_date,
            "media": message.media_id,
        },
    )
    if changed is None:
        return []
    return await queue_fix(session, changed, DeliveryKind.EDIT, [message.message_id])


async def apply_deletion(session: AsyncSession, source: Source, message_ids: Sequence[int]) -> list[Due]:
    """Mark messages as deleted, withdraw posts that were not sent, queue the deletion of copies."""
    rows = (
        await session.execute(
            text(
                """
                update messages set deleted_at = clock_timestamp()
                 where channel_id = :channel and message_id = any(:ids) and deleted_at is null
                returning post_id, message_id
                """
            ),
            {"channel": source.id, "ids": list(message_ids)},
        )
    ).all()
    gone: dict[int, list[int]] = defaultdict(list)
    for row in rows:
        gone[row.post_id].append(row.message_id)
    due: list[Due] = []
    for post_id, ids in gone.items():
        withdrawn = await session.scalars(
            text(
                """
                update deliveries d set state = 'withdrawn', reason = 'deleted_at_source', done_at = clock_timestamp()
                 where d.post_id = :post and d.done_at is null
                   and ((d.kind = 'post' and d.state in ('queued', 'held') and not d.unsettled)
                        or (d.kind = 'edit' and d.state = 'queued'))
                   and not exists (select 1 from messages m where m.post_id = d.post_id and m.deleted_at is null)
                returning case when d.kind = 'post' then d.id end
                """
            ),
            {"post": post_id},
        )
        due += await ended_without_success(session, [i for i in withdrawn if i is not None])
        due += await queue_fix(session, post_id, DeliveryKind.DELETE, ids)
    return due


async def queue_fix(
    session: AsyncSession, post_id: int, kind: DeliveryKind, message_ids: Sequence[int]
) -> list[Due]:
    """Queue an edit or deletion of these messages in every mapping that has sent the post or is sending it.

    A post that waits after a call of unknown outcome counts as being sent: if that call was executed after all,
    the repeated one answers with its message, which has the old text. Quick edits coalesce: the row collects the
    parts, and one that is being applied is applied again. The lock on the post's row makes a result that is
    being recorded wait, or be seen: no edit is left behind a post that has just failed.
    """
    rows = await session.execute(
        text(
            """
            insert into deliveries as d (mapping_id, post_id, kind, class, position, parts, state, reason)
            select p.mapping_id, p.post_id, :kind, :class, p.position, cast(:parts as bigint[]),
                   case when m.state = 'paused' then 'held' else 'queued' end,
                   case when m.state = 'paused' then 'paused' end
              from deliveries p join mappings m on m.id = p.mapping_id and m.state <> 'disabled'
             where p.post_id = :post and p.kind = 'post'
               and (p.state in ('sending', 'unsure', 'sent')
                    or (p.state in ('queued', 'held') and p.unsettled))
               and case when :kind = 'edit' then m.edit_sync else m.delete_sync end
             order by p.id for share of p
            on conflict (mapping_id, post_id, kind) do update
               set parts = array(select distinct unnest(d.parts || excluded.parts) order by 1),
                   again = d.state = 'sending', done_at = null, not_before = null, attempts = 0,
                   reason = case when d.state = 'sending' then null else excluded.reason end,
                   state = case when d.state = 'sending' then 'sending' else excluded.state end
            returning d.id, d.mapping_id, d.state,
                      (select l.route from lanes l where l.mapping_id = d.mapping_id) as route,
                      (select m.important from mappings m where m.id = d.mapping_id) as important
            """
        ),
        {"post": post_id, "kind": kind.value, "class": FIX, "parts": sorted(message_ids)},
    )
    return [
        Due(r.mapping_id, r.id, AccountKind(r.route), FIX, r.important) for r in rows if r.state == "queued"
    ]
