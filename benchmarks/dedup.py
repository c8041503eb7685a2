"""What it costs to reserve a post's place among 1,000, 100,000 and 1,000,000 posts that a destination remembers.

Each check is what ingest does in the transaction that makes deliveries: both keys of a post are reserved, and half of
the posts are duplicates of remembered ones; alone (one post a transaction), and fifty together. The ratios are of the
processor time, ours and PostgreSQL's, which other work on the machine disturbs least. ``look into Redis`` is what a
working set there would cost besides: whether it has the keys of a post, among as many.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import time
from collections.abc import Awaitable, Callable, Sequence
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
from forwarder.services.dedup import Candidate, DeduplicationService
from forwarder.settings import load_settings

REMEMBERED = (1000, 100_000, 1_000_000)
CHECKS = 2000
TOGETHER = 50
GROUPS = {"one by one": 1, "together": TOGETHER}
WARM_UP = 200
AT_ONCE = 100_000
RATIO = "at most 1.2"

# A post's two keys are a hash each, as ``keys_of`` makes them; the remembered ones have a delivery of another source.
_FILL = text(
    """
    insert into fingerprints (scope, topic, key, source_id, delivery_id, until)
    select 1, 0, sha256(convert_to(kind || n, 'UTF8')), 2, n,
           clock_timestamp() + make_interval(secs => 86400 + n % 3600)
      from generate_series(cast(:first as int), cast(:last as int)) n, unnest(array['origin', 'content']) kind
    """
)


@dataclass(frozen=True, slots=True)
class Cost:
    """Of one check: milliseconds by the clock, and of processor time, ours and PostgreSQL's."""

    clock: float
    processor: float


async def run(wishes: Wishes) -> Figures:
    figures = Figures({}, to_reach={f"{what}: ratio": RATIO for what in GROUPS})
    with embedded(load_settings(), throwaway=True) as urls:
        pids = [os.getpid(), *(server.warden_pid for server in urls.servers if server.name == "postgres")]
        redis = Redis.from_url(urls.redis_url)
        places = [await prepared(urls.database_url, redis, pids, count) for count in REMEMBERED]
        try:
            for place in places:
                await remember(place, wishes.part(place.full) if place is not places[0] else place.full)
            await measured(places, wishes, figures)
        finally:
            for place in places:
                await place.db.close()
            await redis.aclose()
    return figures


@dataclass(slots=True)
class Place:
    """A database in which one destination remembers ``full`` posts, or a part of these. ``pids`` are the processes
    whose time counts; ``asked`` is how many posts have been checked so far."""

    db: Database
    url: str
    redis: Redis
    pids: Sequence[int]
    full: int
    remembered: int = 0
    asked: int = 0

    @property
    def working_set(self) -> str:
        return f"working set of {self.full}"


async def prepared(server: str, redis: Redis, pids: Sequence[int], count: int) -> Place:
    """A database of its own, so that runs among few and many posts can interleave."""
    name = f"remembers_{count}"
    plain = make_url(server).set(drivername="postgresql")
    async with await connected(plain) as connection:
        await connection.execute(f"create database {name}".encode())
    url = make_url(server).set(database=name).render_as_string(hide_password=False)
    await asyncio.to_thread(schema.upgrade, url)
    place = Place(
        Database(url), plain.set(database=name).render_as_string(hide_password=False), redis, pids, count
    )
    async with place.db.begin() as session:
        await session.execute(text("alter table fingerprints set (autovacuum_enabled = false)"))
    return place


async def connected(url: URL | str) -> psycopg.AsyncConnection[Any]:
    plain = url if isinstance(url, str) else url.render_as_string(hide_password=False)
    return await psycopg.AsyncConnection.connect(plain, autocommit=True)


async def remember(place: Place, count: int) -> None:
    """Let the destination have got so many posts, each with an origin and a content."""
    for begin in range(1, count + 1, AT_ONCE):
        end = min(begin + AT_ONCE - 1, count)
        async with place.db.begin() as session:
            await session.execute(text("set local statement_timeout = 0"))
            await session.execute(_FILL, {"first": begin, "last": end})
        for first in range(begin, end + 1, 5000):
            last = min(first + 5000, end + 1)
            await place.redis.sadd(place.working_set, *(key for n in range(first, last) for key in keys(n)))
    place.remembered = count
    # What autovacuum would do meanwhile is no part of a check, and would be counted as one.
    async with await connected(place.url) as connection:
        await connection.execute("vacuum analyze fingerprints")


async def measured(places: Sequence[Place], wishes: Wishes, figures: Figures) -> None:
    count = wishes.part(CHECKS, TOGETHER)
    for place in places:
        await checked(place, WARM_UP, 1)
    # The first touch of each page after a checkpoint costs most: it is counted among all of them.
    async with await connected(places[0].url) as connection:
        await connection.execute("checkpoint")
    for number in range(wishes.runs):
        for what, group in GROUPS.items():
            costs = [await checked(place, count, group) for place in places]
            for place, cost in zip(places, costs, strict=True):
                figures.add(f"{what}, {place.full:,} remembered", cost.processor, "ms/check of processor")
                figures.add(f"{what}, {place.full:,} remembered: clock", cost.clock, "ms/check")
            ratio = costs[-1].processor / costs[0].processor
            figures.add(f"{what}: ratio", ratio, "times")
            announce(
                "dedup", number, what, f"{costs[0].processor:.2f} and {costs[-1].processor:.2f} ms/check"
            )
        for place in places:
            figures.add(
                f"look into Redis, {place.full:,} remembered: clock", await looked(place, count), "ms/look"
            )


def keys(number: int) -> tuple[bytes, bytes]:
    return tuple(hashlib.sha256(f"{kind}{number}".encode()).digest() for kind in ("origin", "content"))  # type: ignore[return-value]


def candidates(place: Place, count: int) -> list[Candidate]:
    """Posts of another source; every second has a content that is remembered, each time another."""
    found = []
    for _ in range(count):
        place.asked += 1
        number = 10**9 + place.asked
        own = keys(number)
        known = keys(1 + place.asked * 7919 % place.remembered)[1] if place.asked % 2 else own[1]
        found.append(Candidate(number, number, 1, 0, 3, Dedup.ACROSS, 24, (own[0], known)))
    return found


async def checked(place: Place, count: int, group: int) -> Cost:
    service = DeduplicationService()

    async def check(wanted: Sequence[Candidate]) -> None:
        async with place.db.begin() as session:
            duplicates = await service.reserve(session, wanted)
        assert len(duplicates) == sum(one.delivery_id % 2 for one in wanted), "half of them are known"

    asked = candidates(place, count)
    return await timed(place, check, [asked[n : n + group] for n in range(0, count, group)], count)


async def timed(
    place: Place,
    work: Callable[[Sequence[Candidate]], Awaitable[None]],
    parts: Sequence[Sequence[Candidate]],
    count: int,
) -> Cost:
    processor, clock = sum(map(cpu_seconds, place.pids)), time.perf_counter()
    for part in parts:
        await work(part)
    clock = time.perf_counter() - clock
    return Cost(clock * 1000 / count, (sum(map(cpu_seconds, place.pids)) - processor) * 1000 / count)


async def looked(place: Place, count: int) -> float:
    """Milliseconds of one look for both keys of a post in Redis."""
    asked = [one.keys for one in candidates(place, count)]
    began = time.perf_counter()
    for pair in asked:
        await place.redis.smismember(place.working_set, list(pair))
    return (time.perf_counter() - began) * 1000 / count
