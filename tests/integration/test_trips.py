"""Statements that are sent together leave no connection behind that the next one stumbles over."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from forwarder.db import Ask, Database, in_session
from forwarder.errors import Unavailable

ONE = Ask(text("select 1 as number"), {})
WRONG = Ask(text("select 1 / (:n - 1) as number"), {"n": 1})
SLOW = Ask(text("select pg_sleep(20)"), {})
KEEP = Ask(
    text("insert into leases (name, holder, fence, until) values ('kept', 'me', 1, clock_timestamp())"), {}
)


@pytest.fixture
async def db(core_db: Database) -> AsyncIterator[Database]:
    """A database as workers have it: no look whether a connection lives, and only one connection."""
    async with core_db.begin() as session:
        await session.execute(text("delete from leases"))
    database = Database(
        core_db.url.render_as_string(hide_password=False), pool_size=1, ping=False, name="trips"
    )
    database._engine.pool._max_overflow = 0  # type: ignore[attr-defined]
    yield database
    await database.close()


async def end_others(core_db: Database) -> None:
    async with core_db.begin() as session:
        await session.execute(
            text(
                "select pg_terminate_backend(pid, 5000) from pg_stat_activity where application_name = 'trips'"
            )
        )


async def works(db: Database) -> bool:
    [rows] = await db.in_one_trip(ONE)
    again, _ = await db.in_one_trip(ONE, ONE)
    async with db.begin() as session:
        [inside, _] = await in_session(session, ONE, ONE)
    return [rows[0].number, again[0].number, inside[0].number] == [1, 1, 1]


async def kept(db: Database) -> int:
    async with db.begin() as session:
        return int(await session.scalar(text("select count(*) from leases")) or 0)


async def test_what_fails_in_one_trip_takes_all_of_it_back(db: Database) -> None:
    with pytest.raises(Exception, match="division by zero"):
        await db.in_one_trip(KEEP, WRONG, ONE)
    assert await works(db)
    assert await kept(db) == 0


async def test_what_fails_within_a_transaction_takes_all_of_it_back(db: Database) -> None:
    async def inside() -> None:
        async with db.begin() as session:
            await in_session(session, KEEP, ONE)
            await in_session(session, ONE, WRONG, KEEP)

    with pytest.raises(DBAPIError, match="division by zero"):
        await inside()
    assert await works(db)
    assert await kept(db) == 0


async def test_a_server_that_went_away_is_said_and_the_next_trip_goes(
    core_db: Database, db: Database
) -> None:
    assert await works(db)
    await end_others(core_db)
    with pytest.raises(Unavailable):
        await db.in_one_trip(ONE, ONE)
    with pytest.raises(Unavailable):
        async with db.begin() as session:
            await in_session(session, ONE, ONE)
    assert await works(db)


async def test_a_server_that_goes_away_in_the_middle_is_said_and_the_next_trip_goes(
    core_db: Database, db: Database
) -> None:
    async def inside() -> None:
        async with db.begin() as session:
            await in_session(session, KEEP, SLOW)

    for work in (inside(), db.in_one_trip(KEEP, SLOW)):
        task = asyncio.create_task(work)
        await asyncio.sleep(0.3)
        await end_others(core_db)
        with pytest.raises(Unavailable):
            await task
    assert await works(db)
    assert await kept(db) == 0


@pytest.mark.parametrize("asks", [(KEEP, SLOW), (SLOW, KEEP)])
async def test_who_is_called_off_in_the_middle_leaves_nothing_half_done(
    db: Database, asks: tuple[Ask, ...]
) -> None:
    async def inside() -> None:
        async with db.begin() as session:
            await in_session(session, *asks)

    for work in (inside(), db.in_one_trip(*asks)):
        task = asyncio.create_task(work)
        await asyncio.sleep(0.3)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asyncio.wait_for(task, 10)
    async with asyncio.timeout(10):
        assert await works(db)
    assert await kept(db) == 0


async def test_who_waits_too_long_for_others_is_told_so_and_not_that_nobody_answers(
    core_db: Database,
) -> None:
    async def delete() -> None:
        async with core_db.begin() as session:
            await session.execute(text("set local lock_timeout = 50"))
            await session.execute(text("delete from leases"))

    async with core_db.begin() as holder:
        await holder.execute(text("lock table leases in exclusive mode"))
        with pytest.raises(Unavailable, match="Somebody else was changing the same rows") as refused:
            await delete()
    assert "does not answer" not in str(refused.value)
