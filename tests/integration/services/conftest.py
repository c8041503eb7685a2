"""A fresh database, and a house of services over it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence

import pytest

from forwarder.db import Database
from forwarder.message import AccountKind
from forwarder.services.accounts import AccountService
from forwarder.services.channels import ChannelService
from forwarder.services.mappings import MappingService
from tests.integration.services.house import FakeDirectory, House


@pytest.fixture
async def db(emptied_database_url: str) -> AsyncIterator[Database]:
    database = Database(emptied_database_url, pool_size=2)
    yield database
    await database.close()


@pytest.fixture
async def house(db: Database) -> House:
    accounts = AccountService(db)
    bot, user = FakeDirectory(), FakeDirectory()
    rung: list[int] = []

    async def ring(lanes: Sequence[int]) -> None:
        rung.extend(lanes)

    return House(
        db=db,
        bot=bot,
        user=user,
        bot_id=await accounts.register(AccountKind.BOT, 700, "carrier_bot"),
        user_id=await accounts.register(AccountKind.USER, 800, "carrier"),
        accounts=accounts,
        channels=ChannelService(db, bot, user),
        mappings=MappingService(db, ring),
        rung=rung,
    )
