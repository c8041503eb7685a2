"""Redis says where to find what was sent lately, PostgreSQL what is so: whatever Redis holds, nothing goes twice."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
from redis.asyncio import Redis
from sqlalchemy import text

from forwarder.ingest import Ingest
from forwarder.message import AccountKind, News
from forwarder.outbox import ended_without_success
from forwarder.services.dedup import DeduplicationService
from forwarder.services.working_set import NEW, OLD, WorkingSet
from tests.builders import ARCHIVE, DIGEST, NEWS, OTHER, House, post
from tests.integration.carriers import wait_for_lock


@pytest.fixture
async def redis(redis_db: str) -> AsyncIterator[Redis]:
    async with Redis.from_url(redis_db) as client:
        yield client


@pytest.fixture
async def known(core: House, redis: Redis) -> House:
    """A house with a working set, and three sources of one destination."""
    core.ingest = Ingest(DeduplicationService(WorkingSet(redis)))
    for source in (NEWS, OTHER, ARCHIVE):
        await core.mapping(source, DIGEST)
    return core


async def told(house: House, chat: int, words: str = "hello", number: int = 1) -> tuple[str, int | None]:
    """State and first copy of a post once it was heard."""
    await house.hear(post(number, words, chat=chat))
    [row] = await house.run(
        "select d.state, d.duplicate_of from deliveries d join mappings m on m.id = d.mapping_id"
        " where m.source_id = :source and d.position = :number",
        source=house.channels[chat],
        number=number,
    )
    return row["state"], row["duplicate_of"]


async def sent(house: House, chat: int = NEWS, words: str = "hello") -> int:
    """The delivery of a post that was sent."""
    await told(house, chat, words)
    [row] = await house.run(
        "update deliveries d set state = 'sent', done_at = clock_timestamp() from mappings m"
        " where m.id = d.mapping_id and m.source_id = :source returning d.id",
        source=house.channels[chat],
    )
    return int(row["id"])


LOOKS = "select pg_stat_get_xact_numscans('pk_fingerprints'::regclass)"


async def looks_by_index(house: House, *news: News) -> int:
    """Into the index over all places, while these are heard."""
    async with house.db.begin() as session:
        # A table as small as this one may be read whole instead.
        await session.execute(text("set local enable_seqscan = off"))
        before = await session.scalar(text(LOOKS)) or 0
        await house.ingest.receive(session, house.user, AccountKind.USER, news)
        return int(await session.scalar(text(LOOKS)) or 0) - int(before)


async def test_a_repeat_of_what_was_sent_lately_is_found_beside_the_index_over_all(known: House) -> None:
    first = await sent(known)
    assert await looks_by_index(known, post(1, "hello", chat=OTHER)) == 0
    assert await told(known, OTHER) == ("duplicate", first)
    assert await looks_by_index(known, post(2, "news", chat=OTHER)) > 0


async def test_with_redis_emptied_nothing_that_was_sent_goes_again(known: House, redis: Redis) -> None:
    first = await sent(known)
    await redis.flushdb()
    assert await told(known, OTHER) == ("duplicate", first)
    assert await told(known, ARCHIVE) == ("duplicate", first)


async def test_an_emptied_working_set_learns_from_what_is_asked_for(known: House, redis: Redis) -> None:
    first = await sent(known)
    await redis.flushdb()
    assert await looks_by_index(known, post(1, "hello", chat=OTHER)) > 0
    assert await looks_by_index(known, post(1, "hello", chat=ARCHIVE)) == 0
    assert await told(known, ARCHIVE) == ("duplicate", first)


@pytest.mark.parametrize("untrue", ["0", "-1", "987654321", "9" * 40, "", "words", "another"])
async def test_a_working_set_full_of_untruths_changes_nothing(
    known: House, redis: Redis, untrue: str
) -> None:
    first = await sent(known)
    another = await sent(known, ARCHIVE, "something else")
    for name in await redis.hkeys(NEW):
        await redis.hset(NEW, name, untrue if untrue != "another" else str(another))
    assert await told(known, OTHER) == ("duplicate", first)
    assert await told(known, OTHER, "news", 2) == ("queued", None)


async def test_a_working_set_that_names_an_old_owner_is_put_right(known: House, redis: Redis) -> None:
    first = await sent(known)
    await redis.hset(NEW, mapping=dict.fromkeys(await redis.hkeys(NEW), "987654321"))
    assert await looks_by_index(known, post(1, "hello", chat=OTHER)) > 0
    assert await looks_by_index(known, post(1, "hello", chat=ARCHIVE)) == 0
    assert await told(known, ARCHIVE) == ("duplicate", first)


async def test_what_the_working_set_knows_ends_with_its_window(known: House) -> None:
    await sent(known)
    await known.run("update fingerprints set until = clock_timestamp() - interval '1 second'")
    assert await told(known, OTHER) == ("queued", None)


async def test_a_place_that_was_given_up_is_free_whatever_the_working_set_says(known: House) -> None:
    await told(known, NEWS)
    [row] = await known.run(
        "update deliveries set state = 'failed', reason = 'x', done_at = clock_timestamp() returning id"
    )
    async with known.db.begin() as session:
        await ended_without_success(session, [row["id"]])
    assert await told(known, OTHER) == ("queued", None)


async def test_a_repeat_of_what_is_not_sent_yet_waits_until_that_has_ended(known: House) -> None:
    await told(known, NEWS)
    [row] = await known.run("select id from deliveries")
    async with known.db.begin() as session:
        await session.execute(
            text("update deliveries set state = 'failed', reason = 'x', done_at = now() where id = :id"),
            {"id": row["id"]},
        )
        await ended_without_success(session, [row["id"]])
        repeat = asyncio.create_task(told(known, OTHER))
        await wait_for_lock(known)
    assert await repeat == ("queued", None)


async def test_what_a_group_got_is_no_repeat_for_a_destination_that_has_left_it(
    known: House, redis: Redis
) -> None:
    """The working set knows places by their scope: the group's, and not the destination's own."""
    await known.run("insert into dedup_groups (id, name) values (7, 'papers')")
    await known.run("update channels set dedup_group = 7 where telegram_id = :chat", chat=DIGEST)
    first = await sent(known)
    assert await told(known, OTHER) == ("duplicate", first)
    await known.run("update channels set dedup_group = null where telegram_id = :chat", chat=DIGEST)
    await known.run("delete from fingerprints")
    assert await told(known, ARCHIVE) == ("queued", None)


async def test_the_working_set_is_bounded_and_keeps_what_is_asked_for(redis: Redis) -> None:
    working = WorkingSet(redis, size=10)
    wanted = (1, 0, b"wanted".ljust(32))
    await working.look({wanted: 1})
    for number in range(2, 60):
        await working.look({(1, 0, b"%016d" % number): number})
        assert await working.look({wanted: 999}) == {wanted: 1}
    assert await redis.hlen(NEW) <= 10
    assert await redis.hlen(OLD) <= 10
    forgotten = (1, 0, b"%016d" % 2)
    assert await working.look({forgotten: 999}) == {}


async def test_nobody_waits_for_a_redis_that_does_not_answer(known: House) -> None:
    first = await sent(known)
    now, asked = 0.0, 0

    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal asked
        asked += 1
        await reader.read()
        writer.close()

    server = await asyncio.start_server(silent, "127.0.0.1", 0)
    async with server, Redis(port=server.sockets[0].getsockname()[1]) as mute:
        known.ingest = Ingest(DeduplicationService(WorkingSet(mute, clock=lambda: now)))
        async with asyncio.timeout(5):
            assert await told(known, OTHER) == ("duplicate", first)
            assert asked == 1
            assert await told(known, ARCHIVE) == ("duplicate", first)
            assert asked == 1, "it has not answered just now"
            now = 60.0
            assert await told(known, OTHER, "news", 2) == ("queued", None)
            assert asked == 2, "it may answer again"


async def test_without_a_redis_checks_go_on(known: House) -> None:
    first = await sent(known)
    async with Redis(port=1) as nobody:
        known.ingest = Ingest(DeduplicationService(WorkingSet(nobody)))
        assert await told(known, OTHER) == ("duplicate", first)
