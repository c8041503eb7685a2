"""How posts become deliveries: many together from many sources, one commit for each, and a lone post.

Two hundred sources with one mapping each, text posts, no Telegram. The ratio is the reason why ``Intake`` stores in
groups; the processor time is that of ingest alone, without PostgreSQL's; ``lone post`` is the time from hearing a post
to its commit when nothing else is under way.
"""

from __future__ import annotations

import asyncio
import statistics
import time
from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import text

from benchmarks.measure import Figures, Wishes
from forwarder import schema
from forwarder.db import Database
from forwarder.ingest import Ingest
from forwarder.message import AccountKind, Heard, Kind, SourceMessage
from forwarder.servers import embedded
from forwarder.services.dedup import DeduplicationService
from forwarder.settings import load_settings

SOURCES = 200
POSTS = 4000
ALONE = 200
GROUP = 500


async def run(wishes: Wishes) -> Figures:
    with embedded(load_settings(), throwaway=True) as urls:
        await asyncio.to_thread(schema.upgrade, urls.database_url)
        return await compared(urls.database_url, wishes)


async def compared(database_url: str, wishes: Wishes) -> Figures:
    figures = Figures(
        {
            "together": "posts/s",
            "one by one": "posts/s",
            "ratio": "times",
            "processor, together": "ms/post",
            "processor, one by one": "ms/post",
            "lone post": "ms",
        }
    )
    db = Database(database_url)
    try:
        account_id = await prepare(db)
        next_id = 1
        for _ in range(wishes.runs):
            alone = await stored(db, account_id, posts(next_id, ALONE), 1)
            together = await stored(db, account_id, posts(next_id + ALONE, POSTS), GROUP)
            next_id += ALONE + POSTS
            figures.add("one by one", alone.per_second)
            figures.add("together", together.per_second)
            figures.add("ratio", together.per_second / alone.per_second)
            figures.add("processor, one by one", alone.processor_ms)
            figures.add("processor, together", together.processor_ms)
            figures.add("lone post", alone.median_ms)
    finally:
        await db.close()
    return figures


async def prepare(db: Database) -> int:
    async with db.begin() as session:
        account_id: int = await session.scalar(
            text("insert into accounts (kind, telegram_id) values ('bot', 1) returning id")
        )
        await session.execute(
            text(
                """
                insert into channels (telegram_id, kind, title, is_source, is_destination)
                select -1000000000000 - n, 'channel', 'Channel ' || n, n <= :sources, n > :sources
                  from generate_series(1, 2 * :sources) n
                """
            ),
            {"sources": SOURCES},
        )
        await session.execute(
            text(
                """
                insert into mappings (source_id, destination_id, mode, start_after)
                select s.id, d.id, 'copy', 0 from channels s
                  join channels d on d.telegram_id = s.telegram_id - :sources where s.is_source
                """
            ),
            {"sources": SOURCES},
        )
        await session.execute(text("insert into lanes (mapping_id, route) select id, 'bot' from mappings"))
        return account_id


def posts(first: int, count: int) -> list[SourceMessage]:
    now = datetime.now(UTC)
    return [
        SourceMessage(
            chat_id=-1000000000000 - 1 - number % SOURCES,
            message_id=first + number // SOURCES,
            date=now,
            kind=Kind.TEXT,
            heard=Heard.BOT,
            text=f"post {first}/{number}",
        )
        for number in range(count)
    ]


@dataclass(frozen=True, slots=True)
class Stored:
    """Posts stored a second, this process's own time per post, and the median time of one transaction."""

    per_second: float
    processor_ms: float
    median_ms: float


async def stored(db: Database, account_id: int, news: list[SourceMessage], group: int) -> Stored:
    ingest = Ingest(DeduplicationService())
    times: list[float] = []
    processor = time.process_time()
    for start in range(0, len(news), group):
        began = time.perf_counter()
        async with db.begin() as session:
            await ingest.receive(session, account_id, AccountKind.BOT, news[start : start + group])
        times.append(time.perf_counter() - began)
    processor = time.process_time() - processor
    return Stored(len(news) / sum(times), processor * 1000 / len(news), statistics.median(times) * 1000)
