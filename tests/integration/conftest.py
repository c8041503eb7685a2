"""A migrated database of its own for each test, and a house of channels and mappings in it."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from forwarder.db import Database
from tests.builders import House


@pytest.fixture
async def core_db(database_url: str) -> AsyncIterator[Database]:
    database = Database(database_url, pool_size=5)
    yield database
    await database.close()


@pytest.fixture
async def core(core_db: Database) -> House:
    return await House(core_db).open()
