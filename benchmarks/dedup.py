"""What it costs to reserve a post's place among 1,000, 100,000 and 1,000,000 posts that a destination remembers.

Each check is what ingest does in the transaction that makes deliveries: both keys of a post are reserved, with the
working set in Redis as all processes have it; alone (one post a transaction), and fifty together. Half of the posts
are duplicates of remembered ones, of any age. ``repeats`` are nine duplicates in ten, of what came lately, fifty
together, with the working set and without. The ratios are of the processor time, ours and the servers', which other
work on the machine disturbs least.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import psycopg
from redis.asyncio import Redis
from sqlalchemy import text
from sqlalchemy.engine import URL, make_url

from benchmarks.contest import announce
from benchmarks.measure import Figures, Wishes
from benchmarks.usage import cpu_seconds
from forwarder import schema
from forwarder.db import Database
from forwarder.models import Dedup
from forwarder.servers import embedded
from forwarder.services.dedup import DeduplicationService
from forwarder.services.repeats import ORIGIN, Candidate
from forwarder.services.working_set import NEW, OLD, WorkingSet
from forwarder.settings import load_settings

REMEMBERED = (1000, 100_000, 1_000_000)
LATELY = 10_000
"""The posts that the working set knows at the beginning: its hashes hold twice as many places each."""

SOURCE, ANOTHER = -1001000000001, -1001000000002
CHECKS = 2000
TOGETHER = 50
WARM_UP = 200
AT_ONCE = 100_000


@dataclass(frozen=True, slots=True)
class Way:
    """How posts are checked: so many together, so many of ten duplicates, of what came lately or at any time."""

    name: str
    together: int
    repeats: int
    lately: bool = False
    working_set: bool = True


WAYS = (
    Way("one by one", 1, 5),
    Way("together", TOGETHER, 5),
    Way("repeats", TOGETHER, 9, lately=True),
    Way("repeats without working set", TOGETHER, 9, lately=True, working_set=False),
)
TO_REACH = {
    "one by one: ratio": "at most 1.2",
    "together: ratio": "at most 1.2",
    "repeats: ratio": "at most 1.2",
}

# A post's two keys are as ``keys_of`` makes them, its origin and a hash; the remembered ones were sent, from another
# source.
_FILL = text(
    """
    with sent as (
        insert into deliveries (id, mapping_id, post_id, kind, class, position, state, done_at)
        overriding system value
        select n, 1, n, 'post', 1, n, 'sent', clock_timestamp()
          from generate_series(cast(:first as int), cast(:last as int)) n)
    insert into fingerprints (scope, topic, key, source_id, delivery_id, until)
    select 1, 0, key, 2, n, clock_timestamp() + make_interval(secs => 86400 + n % 3600)
      from generate_series(cast(:first as int), cast(:last as int)) n,
           unnest(array[int8send(:chat) || int8send(n), sha256(convert_to('content' || n, 'UTF8'))]) key
    """
)


@dataclass(frozen=True, slots=True)
class Cost:
    """Of one check: milliseconds by the clock, and of processor time, ours and PostgreSQL's."""

    clock: float
    processor: float


async def run(wishes: Wishes) -> Figures:
    figures = Figures({}, to_reach=TO_REACH)
    with embedded(load_settings(), throwaway=True) as urls:
        pids = [os.getpid(), *(server.warden_pid for server in urls.servers)]
        places = [
            await prepared(urls.database_url, f"{urls.redis_url.rpartition('/')[0]}/{number}", pids, count)
            for number, count in enumerate(REMEMBERED, 1)
        ]
        try:
            for place in places:
                await remember(place, wishes.part(place.full) if place is not places[0] else place.full)
            await measured(places, wishes, figures)
        finally:
            for place in places:
                await place.db.close()
                await place.redis.aclose()
    return figures


@dataclass(slots=True)
class Place:
    """A database, and a Redis of its own, in which one destination remembers ``full`` posts, or a part of these.
    ``pids`` are the processes whose time counts; ``asked`` is how many posts have been checked so far."""

    db: Database
    url: str
    redis: Redis
    pids: Sequence[int]
    full: int
    remembered: int = 0
    asked: int = 0

    def __str__(self) -> str:
        return f"{self.full:,} remembered"


async def prepared(server: str, redis_url: str, pids: Sequence[int], count: int) -> Place:
    """A database of its own, so that runs among few and many posts can interleave."""
    name = f"remembers_{count}"
    plain = make_url(server).set(drivername="postgresql")
    async with await connected(plain) as connection:
        await connection.execute(f"create database {name}".encode())
    url = make_url(server).set(database=name).render_as_string(hide_password=False)
    await asyncio.to_thread(schema.upgrade, url)
    own = plain.set(database=name).render_as_string(hide_password=False)
    place = Place(Database(url), own, Redis.from_url(redis_url), pids, count)
    async with await connected(own) as connection:
        # What autovacuum would do meanwhile is no part of a check, and would be counted as one.
        for table in ("fingerprints", "deliveries"):
            await connection.execute(f"alter table {table} set (autovacuum_enabled = false)".encode())
    return place


async def connected(url: URL | str) -> psycopg.AsyncConnection[Any]:
    plain = url if isinstance(url, str) else url.render_as_string(hide_password=False)
    return await psycopg.AsyncConnection.connect(plain, autocommit=True)


async def remember(place: Place, count: int) -> None:
    """Let the destination have got so many posts, each with an origin and a content."""
    for begin in range(1, count + 1, AT_ONCE):
        async with place.db.begin() as session:
            await session.execute(text("set local statement_timeout = 0"))
            # Deliveries alone, without the posts and mappings that they are of.
            await session.execute(text("set local session_replication_role = replica"))
            await session.execute(
                _FILL, {"first": begin, "last": min(begin + AT_ONCE - 1, count), "chat": SOURCE}
            )
    place.remembered = count
    async with await connected(place.url) as connection:
        await connection.execute("vacuum analyze fingerprints")
        await connection.execute("vacuum analyze deliveries")
    await know_lately(place)


async def know_lately(place: Place) -> None:
    """Let the working set know what came last, and nothing else."""
    await place.redis.delete(NEW, OLD)
    working_set = WorkingSet(place.redis)
    for number in range(max(place.remembered - LATELY, 0) + 1, place.remembered + 1, 100):
        posts = range(number, min(number + 100, place.remembered + 1))
        await working_set.look({(1, 0, key): n for n in posts for key in keys(n)})


async def measured(places: Sequence[Place], wishes: Wishes, figures: Figures) -> None:
    count = wishes.part(CHECKS, TOGETHER)
    for place in places:
        await checked(place, WARM_UP, WAYS[0])
    # The first touch of each page after a checkpoint costs most: it is counted among all of them.
    async with await connected(places[0].url) as connection:
        await connection.execute("checkpoint")
    for number in range(wishes.runs):
        lasts = {}
        for way in WAYS:
            for place in places:
                await know_lately(place)
            costs = [await checked(place, count, way) for place in places]
            for place, cost in zip(places, costs, strict=True):
                figures.add(f"{way.name}, {place}", cost.processor, "ms/check of processor")
                figures.add(f"{way.name}, {place}: clock", cost.clock, "ms/check")
            first, last = costs[0].processor, costs[-1].processor
            figures.add(f"{way.name}: ratio", last / first, "times")
            announce("dedup", number, way.name, f"{first:.2f} and {last:.2f} ms/check")
            lasts[way.name] = last
        figures.add(
            "repeats: with to without", lasts["repeats"] / lasts["repeats without working set"], "times"
        )
        memory = [int(await places[-1].redis.memory_usage(name, samples=0) or 0) for name in (NEW, OLD)]
        places_known = [int(await places[-1].redis.hlen(name)) for name in (NEW, OLD)]
        figures.add("working set: a place", sum(memory) / sum(places_known), "bytes")


def keys(number: int) -> tuple[bytes, bytes]:
    """Of a post that is remembered, or of one of the other source."""
    chat = SOURCE if number < 10**9 else ANOTHER
    return ORIGIN.pack(chat, number), hashlib.sha256(f"content{number}".encode()).digest()


def candidates(place: Place, count: int, way: Way) -> list[Candidate]:
    """Posts of another source; so many of ten have a content that is remembered, each time another."""
    found = []
    within = min(LATELY, place.remembered) if way.lately else place.remembered
    for _ in range(count):
        place.asked += 1
        number = 10**9 + place.asked
        own = keys(number)
        repeat = place.asked % 10 < way.repeats
        known = keys(place.remembered - place.asked * 7919 % within)[1] if repeat else own[1]
        found.append(Candidate(number, number, 1, 0, 3, Dedup.ACROSS, 24, (own[0], known)))
    return found


async def checked(place: Place, count: int, way: Way) -> Cost:
    service = DeduplicationService(WorkingSet(place.redis) if way.working_set else None)
    asked = candidates(place, count, way)
    processor, clock = sum(map(cpu_seconds, place.pids)), time.perf_counter()
    duplicates = 0
    for begin in range(0, count, way.together):
        async with place.db.begin() as session:
            duplicates += len(await service.reserve(session, asked[begin : begin + way.together]))
    clock = time.perf_counter() - clock
    processor = sum(map(cpu_seconds, place.pids)) - processor
    assert duplicates == sum(one.keys[1] != keys(one.delivery_id)[1] for one in asked), "the repeats, no more"
    return Cost(clock * 1000 / count, processor * 1000 / count)
