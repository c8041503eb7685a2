"""A house of channels and mappings in a migrated database, emptied for each test."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from redis.asyncio import Redis

from forwarder.db import Database
from tests.builders import House
from tests.integration.carriers import Street


@pytest.fixture
async def core_db(emptied_database_url: str) -> AsyncIterator[Database]:
    database = Database(emptied_database_url, pool_size=5)
    yield database
    await database.close()


@pytest.fixture
async def core(core_db: Database) -> House:
    return await House(core_db).open()


@pytest.fixture
async def street(core: House, redis_db: str) -> AsyncIterator[Street]:
    async with Redis.from_url(redis_db) as client:
        yield Street(core, client)
