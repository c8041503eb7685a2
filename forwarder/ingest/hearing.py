"""What one account heard, stored in one transaction."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from forwarder.collect import Progress, ready
from forwarder.ingest.changes import apply_deletion, apply_edit
from forwarder.ingest.rows import (
    MARK_DUPLICATES,
    NEW_DELIVERIES,
    collecting,
    post_parts,
    store_messages,
    stored_parts,
)
from forwarder.ingest.sources import (
    Source,
    gate,
    heard_by_user,
    lock_sources,
    predecessor_collects,
    progress_of,
    save_progress,
)
from forwarder.message import (
    GENERAL_TOPIC,
    AccountKind,
    Deleted,
    Edited,
    Empty,
    Heard,
    Mode,
    News,
    Origin,
    SourceMessage,
    without_nul,
)
from forwarder.models import BEFORE_THE_MOVE, Dedup
from forwarder.outbox import LIVE, Due
from forwarder.services import migration
from forwarder.services.dedup import Candidate, DeduplicationService, keys_of

LOOK_AGAIN = 0.5
"""Seconds until a supergroup asks again whether the basic group that it was has delivered its last posts."""


@dataclass(slots=True)
class Received:
    """What a batch led to: lanes to ring, holes to fill per chat, and when to look at open albums again."""

    due: list[Due] = field(default_factory=list)
    holes: dict[int, tuple[int, ...]] = field(default_factory=dict)
    look_again: dict[int, float] = field(default_factory=dict)
    stored: int = 0


class Ingest:
    def __init__(self, dedup: DeduplicationService) -> None:
        self._dedup = dedup

    async def receive(
        self, session: AsyncSession, account_id: int, account_kind: AccountKind, news: Sequence[News]
    ) -> Received:
        """Store what one account heard; chats that are no source are passed over, unless they became others."""
        received = Received()
        for item in news:
            if isinstance(item, SourceMessage) and item.migrated_to is not None:
                await migration.move(session, item.chat_id, item.migrated_to)
        sources = await lock_sources(session, {chat_of(item) for item in news}, account_id)
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
        topic: int = 0,
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
                topic_id=topic,
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
        if await predecessor_collects(session, source):
            received.look_again[source.chat_id] = LOOK_AGAIN
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
        rows = (
            await session.execute(
                NEW_DELIVERIES,
                {"posts": list(posts), "class": LIVE, "before": BEFORE_THE_MOVE, "general": GENERAL_TOPIC},
            )
        ).all()
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
