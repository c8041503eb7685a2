"""A house of channels and mappings in a migrated database, emptied for each test."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from redis.asyncio import Redis
from sqlalchemy import text

from forwarder.db import Database
from tests.builders import House
from tests.integration.carriers import Street

END_OTHERS = text(
    "select pg_terminate_backend(pid, 10000) from pg_stat_activity"
    " where datname = current_database() and backend_type = 'client backend' and pid <> pg_backend_pid()"
)


@pytest.fixture
async def core_db(module_database_url: str) -> AsyncIterator[Database]:
    database = Database(module_database_url, pool_size=5)
    async with database.begin() as session:
        # A test that cut its work off may leave a server process behind that still holds locks: it ends first.
        await session.execute(END_OTHERS)
        # Everything else hangs on these. (A fresh database costs half a second, this a few milliseconds.)
        for table in ("mappings", "channels", "dedup_groups", "fingerprints", "accounts", "notices", "users"):
            await session.execute(text(f"delete from {table}"))
    yield database
    await database.close()


@pytest.fixture
async def core(core_db: Database) -> House:
    return await House(core_db).open()


@pytest.fixture
async def street(core: House, redis_db: str) -> AsyncIterator[Street]:
    async with Redis.from_url(redis_db) as client:
        yield Street(core, client)
