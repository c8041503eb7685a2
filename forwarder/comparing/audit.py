"""Reads a mapping's source and destination again and says what differs."""

from __future__ import annotations

import asyncio
from datetime import datetime

from forwarder.comparing.judgement import Post, Scene, judge
from forwarder.comparing.reading import Pages, Read, Sleep, posts_of
from forwarder.comparing.report import Audit, sum_up
from forwarder.comparing.rows import Terms, fates_of, records_of, terms_of
from forwarder.db import Database
from forwarder.errors import InvalidRequest
from forwarder.message import GENERAL_TOPIC, Kind, Mode, SourceMessage
from forwarder.seam import Chats

MOST_IDS = 200_000
"""Ids of one chat that one audit reads: some ten minutes."""


class Auditor:
    """``chats`` reads for us; ``sleep`` paces it."""

    def __init__(self, db: Database, chats: Chats, sleep: Sleep = asyncio.sleep) -> None:
        self._db, self._pages = db, Pages(chats, sleep)

    async def audit(self, mapping_id: int, since: datetime | None = None) -> Audit:
        """Compare the posts since a moment, or since the mapping's first. The destination is read before the source:
        a post that comes meanwhile is then waiting, and no copy is without its post.

        Raises NotFound (``mapping_not_found``, ``unreadable``), InvalidRequest (``audit_too_long``),
        AccountNotReady where nobody answers, TelegramError for what lasts.
        """
        async with self._db.begin() as session:
            terms = await terms_of(session, mapping_id)
        source_top = await self._pages.top(terms.source, terms.mark)
        first = terms.start_after + 1
        if since is not None:
            first = await self._pages.first_since(terms.source, since, source_top)
        there = await self._destination(terms, since, first, source_top)
        source = await self._pages.read(terms.source, first, refuse_too_long(first, source_top))
        posts = tuple(post for post in posts_of(source.messages) if is_wanted(terms, post))
        async with self._db.begin() as session:
            records = await records_of(session, terms, there.first)
            of = {part.message_id for post in posts for part in post}
            of |= {*records.ours.values(), *records.rests.values()}
            fates = await fates_of(session, terms, of)
        messages = tuple(message for message in there.messages if is_placed(terms, message))
        judgement = judge(
            Scene(posts, messages, within(records.ours, first), records.foreign, verbatim=terms.verbatim)
        )
        modes = {m.message_id: mode_of(m) for m in messages}
        rests = {copy: of for copy, of in within(records.rests, first).items() if copy in modes}
        return sum_up(terms, posts, judgement, fates, modes, rests)

    async def _destination(self, terms: Terms, since: datetime | None, first: int, source_top: int) -> Read:
        top = await self._pages.top(terms.destination, terms.newest_copy)
        begin = since or await self._date_of(terms.source, first, source_top)
        start = await self._pages.first_since(terms.destination, begin, top) if begin is not None else top + 1
        return await self._pages.read(terms.destination, start, refuse_too_long(start, top))

    async def _date_of(self, chat_id: int, first: int, top: int) -> datetime | None:
        """When the first message from this id on was posted: no copy of it or of a later one is older."""
        message = await self._pages.first_from(chat_id, first, top)
        return message.date if message is not None else None


def within(records: dict[int, int], first: int) -> dict[int, int]:
    """Copies of older posts are nobody's business here."""
    return {copy: source for copy, source in records.items() if source >= first}


def is_wanted(terms: Terms, post: Post) -> bool:
    if all(part.kind is Kind.SERVICE for part in post):
        return False
    return terms.source_topic == 0 or any(
        max(part.topic_id, GENERAL_TOPIC) == terms.source_topic for part in post
    )


def is_placed(terms: Terms, message: SourceMessage) -> bool:
    return terms.destination_topic in (0, message.topic_id)


def mode_of(message: SourceMessage) -> str:
    return (Mode.FORWARD if message.forwarded is not None else Mode.COPY).value


def refuse_too_long(first: int, top: int) -> int:
    """The top again. Raises InvalidRequest ``audit_too_long`` for more than one audit can read."""
    if top - first >= MOST_IDS:
        raise InvalidRequest(
            "audit_too_long",
            f"That is {top - first + 1:,} message ids, and one audit reads at most {MOST_IDS:,}. "
            "Name a later time with --since.",
            ids=top - first + 1,
            most=MOST_IDS,
        )
    return top
