"""What one account heard, stored in one transaction."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from forwarder.db import in_session
from forwarder.ingest.changes import Change, apply_deletion, apply_edit, real_changes
from forwarder.ingest.deliveries import (
    CompletePost,
    hold_for_review,
    making,
    mark_duplicates,
    stop_refused,
)
from forwarder.ingest.plan import Listening, Plan, plan
from forwarder.ingest.rows import name_media, post_parts, store, stored_parts, storing
from forwarder.ingest.sources import heard_by_user, lock_and_read
from forwarder.message import (
    AccountKind,
    Deleted,
    Edited,
    Facts,
    Heard,
    Kind,
    Mode,
    News,
    Origin,
    Rewrite,
    SourceMessage,
    without_nul,
)
from forwarder.outbox import LIVE, Due
from forwarder.services import migration, outage
from forwarder.services.dedup import DeduplicationService
from forwarder.services.places import candidate_of
from forwarder.services.repeats import keys_of

Parts = tuple[SourceMessage, ...]


@dataclass(slots=True)
class Received:
    """What a batch led to: lanes to ring, holes to fill per chat, and when to look at open albums again."""

    due: list[Due] = field(default_factory=list)
    holes: dict[int, tuple[int, ...]] = field(default_factory=dict)
    look_again: dict[int, float] = field(default_factory=dict)
    stored: int = 0


class Ingest:
    """Posts heard ``ask_after`` or longer after they appeared wait for their mapping's owner."""

    def __init__(self, dedup: DeduplicationService, ask_after: timedelta = outage.ASK_AFTER) -> None:
        self._dedup, self._ask_after = dedup, ask_after

    async def receive(
        self, session: AsyncSession, account_id: int, account_kind: AccountKind, news: Sequence[News]
    ) -> Received:
        """Store what one account heard; chats that are no source are passed over, unless they became others.

        The number of statements does not grow with the sources; edits that change something, and deletions, are
        applied one by one.
        """
        for item in news:
            if isinstance(item, SourceMessage) and item.migrated_to is not None:
                await migration.move(session, item.chat_id, item.migrated_to)
        ids: dict[int, set[int]] = defaultdict(set)
        for item in news:
            ids[chat_of(item)].update((item.message_id,) if isinstance(item, SourceMessage) else ())
        sources, known = await lock_and_read(session, ids, account_id)
        if not sources:
            return Received()
        by_source: dict[int, list[News]] = defaultdict(list)
        changes: list[Change] = []
        for item in news:
            source = sources.get(chat_of(item))
            if source is None:
                continue
            by_source[source.id].append(clean(item) if isinstance(item, SourceMessage) else item)
            if isinstance(item, Edited):
                changes.append((source, Edited(clean(item.message))))
            elif isinstance(item, Deleted):
                changes.append((source, item))
        by = Listening(account_id, account_kind)
        plans = [plan(source, known[source.id], by, by_source[source.id]) for source in sources.values()]
        return await self._write(session, plans, account_id, changes)

    async def feed_own(
        self,
        session: AsyncSession,
        account_id: int,
        chat_id: int,
        post_id: int,
        pairs: Sequence[tuple[int, int]],
        mode: Mode,
        topic: int = 0,
        rewrite: Rewrite | None = None,
        silent: bool = False,
    ) -> list[Due]:
        """Hear our own copies in a chat that is also a source: Telegram does not echo a bot's posts to it.

        ``pairs`` are (source message id, copy id), ``rewrite`` what rules have made of the post, ``silent`` how they
        were sent. Where a user account listens it hears them by itself, with their album; hearing them in two ways
        would tear the album apart.
        """
        if await heard_by_user(session, chat_id):
            return []
        copies: dict[int, int] = {}
        for message_id, copy in pairs:
            copies.setdefault(message_id, copy)
        source_chat, parts = await post_parts(session, post_id)
        said = {part.message_id: part for part in rewrite.parts} if rewrite is not None else {}
        own = [
            replace(
                part,
                chat_id=chat_id,
                message_id=copies[part.message_id],
                text=said[part.message_id].text if part.message_id in said else part.text,
                entities=said[part.message_id].entities if part.message_id in said else part.entities,
                date=datetime.now(UTC),
                heard=Heard.OWN,
                album_id=f"own:{post_id}" if len(copies) > 1 else None,
                edit_date=None,
                reply_to=None,
                topic_id=topic,
                origin=(part.origin or Origin(source_chat, part.message_id))
                if mode is Mode.FORWARD
                else None,
                facts=replace(part.facts, silent=silent),
            )
            for part in parts
            if part.message_id in copies
        ]
        if rewrite is not None and rewrite.rest is not None and len(pairs) > len(copies):
            rest, copy = rewrite.rest, pairs[-1][1]
            own.append(
                SourceMessage(
                    chat_id,
                    copy,
                    datetime.now(UTC),
                    Kind.TEXT,
                    Heard.OWN,
                    rest.text,
                    rest.entities,
                    topic_id=topic,
                    facts=Facts(silent=silent),
                )
            )
        return (await self.receive(session, account_id, AccountKind.BOT, own)).due

    async def settle(
        self, session: AsyncSession, chat_ids: Iterable[int], account_id: int | None = None
    ) -> Received:
        """Deliver the posts of these sources that have become complete by silence.

        An account settles only the sources that it answers for, and none where it knows of a hole; without one,
        silence is believed.
        """
        found, known = await lock_and_read(session, dict.fromkeys(chat_ids, ()), account_id)
        sources = [
            source
            for source in found.values()
            if account_id is None or source.gate_account in (None, account_id)
        ]
        if not sources:
            return Received()
        return await self._write(session, [plan(source, known[source.id]) for source in sources])

    async def _write(
        self,
        session: AsyncSession,
        plans: Sequence[Plan],
        account_id: int | None = None,
        changes: Sequence[Change] = (),
    ) -> Received:
        received = Received(stored=sum(p.stored for p in plans))
        for planned in plans:
            if planned.holes:
                received.holes[planned.source.chat_id] = planned.holes
            if planned.look_again is not None:
                received.look_again[planned.source.chat_id] = planned.look_again
        if at_once := [] if changes else whole_posts(plans):
            # What was heard just now reads as it was heard, and goes into its lanes in the same trip.
            _, made = await in_session(session, *storing(plans, account_id), making(at_once))
            received.due += await self._deliver(session, at_once, made)
        complete = [] if at_once else await store(session, plans, account_id)
        await name_media(session, plans)
        for source, change in await real_changes(session, changes):
            if isinstance(change, Edited):
                received.due += await apply_edit(session, source, change.message)
            else:
                received.due += await apply_deletion(session, source, change.message_ids)
        if complete:
            stored = await stored_parts(session, [row.id for row in complete])
            channels = {planned.source.id: planned.source for planned in plans}
            posts = [
                CompletePost(channels[row.channel_id], row.position, stored[row.id])
                for row in complete
                if row.id in stored
            ]
            [made] = await in_session(session, making(posts))
            received.due += await self._deliver(session, posts, made)
        return received

    async def _deliver(
        self, session: AsyncSession, posts: Sequence[CompletePost], made: Sequence[Any]
    ) -> list[Due]:
        """See to what was made of these posts; for all sources at once, so that keys are reserved in one order."""
        places = {(post.source.id, post.position): post for post in posts}
        heard = {row.post_id: places[row.post_channel, row.post_position] for row in made}
        parts = {post_id: post.parts for post_id, post in heard.items()}
        stopped = await stop_refused(session, made, parts)
        rows = [row for row in made if row.id not in stopped]
        keys = {post_id: keys_of(post.parts) for post_id, post in heard.items()}
        duplicates = await self._dedup.reserve(
            session, [candidate_of(row, keys[row.post_id]) for row in rows]
        )
        await mark_duplicates(session, duplicates)
        late, heirs = await self._decide_late(session, {row.id: heard[row.post_id] for row in rows})
        going = [
            row for row in rows if row.state == "queued" and row.id not in duplicates and row.id not in late
        ]
        reviewed = await hold_for_review(session, going)
        return heirs + [
            Due(row.mapping_id, row.id, AccountKind(row.route), LIVE, row.important)
            for row in going
            if row.id not in reviewed
        ]

    async def _decide_late(
        self, session: AsyncSession, made: Mapping[int, CompletePost]
    ) -> tuple[frozenset[int], list[Due]]:
        """Hold or withdraw new deliveries (by id, with their posts) of posts that nobody heard in time.

        PostgreSQL's clock decides; ours, which may be wrong, only spares it the question where nothing is old.
        """
        limit = datetime.now(UTC) - min(self._ask_after, outage.ASK_AFTER) / 2
        asked = [delivery for delivery, post in made.items() if any(part.date < limit for part in post.parts)]
        return await outage.decide_late(session, asked, self._ask_after) if asked else (frozenset(), [])


def whole_posts(plans: Sequence[Plan]) -> list[CompletePost]:
    """The posts that are complete at once, where all complete ones are."""
    done = [(planned.source, post) for planned in plans for post in planned.posts if post.done]
    if any(post.id is not None for _, post in done):
        return []
    return [CompletePost(source, post.position, tuple(post.added)) for source, post in done]


def chat_of(item: News) -> int:
    return item.message.chat_id if isinstance(item, Edited) else item.chat_id


def clean(message: SourceMessage) -> SourceMessage:
    text = without_nul(message.text)
    return message if text == message.text else replace(message, text=text)
