"""What the processes share: work under a lease goes on through outages."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
from pydantic import SecretStr
from sqlalchemy import URL, make_url
from structlog.testing import capture_logs

from forwarder.db import Database
from forwarder.errors import AccountNotReady, TelegramError, Unavailable
from forwarder.processes import life
from forwarder.processes.life import Hold, Outage, work_under_lease
from forwarder.processes.opening import opened_house
from forwarder.settings import Settings


async def test_work_that_loses_its_server_is_taken_up_again(
    core_db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(life, "FIRST_PAUSE", 0.01)
    stop, fences = asyncio.Event(), []

    async def work(hold: Hold) -> None:
        hold.at_work = True
        fences.append(hold.held.fence)
        if len(fences) < 3:
            raise Unavailable("PostgreSQL does not answer.")
        stop.set()

    async with asyncio.timeout(20):
        await work_under_lease(core_db, "session:test", "me", stop, work)
    assert len(fences) == 3
    assert fences == sorted(fences)


async def test_work_that_cannot_be_done_at_all_ends(core_db: Database) -> None:
    async def work(hold: Hold) -> None:
        raise AccountNotReady("token refused")

    with pytest.raises(AccountNotReady):
        async with asyncio.timeout(20):
            await work_under_lease(core_db, "session:test", "me", asyncio.Event(), work)


async def test_an_outage_is_said_once_while_it_goes_on_and_again_when_another_begins(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(life, "FIRST_PAUSE", 0.0)
    outage, stop = Outage(), asyncio.Event()
    with capture_logs() as lines:
        for _ in range(3):
            await outage.wait(Unavailable("Redis does not answer."), stop)
        outage.over()
        await outage.wait(Unavailable("Redis does not answer."), stop)
    assert [line["reason"] for line in lines] == ["Redis does not answer."] * 2


async def test_pauses_grow_up_to_a_limit_and_a_wait_that_telegram_asks_for_is_kept(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pauses: list[float] = []

    async def noted(seconds: float, stop: asyncio.Event) -> None:
        pauses.append(seconds)

    monkeypatch.setattr(life, "pause", noted)
    outage = Outage()
    for _ in range(6):
        await outage.wait(Unavailable("PostgreSQL does not answer."), asyncio.Event())
    await outage.wait(TelegramError("FLOOD_WAIT", code=420, seconds=37), asyncio.Event())
    assert pauses == [0.5, 1, 2, 4, 8, 8, 37]


async def test_a_process_that_starts_before_its_server_begins_when_it_answers(
    database_url: str, redis_db: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(life, "LONGEST_PAUSE", 0.1)
    async with door_to(make_url(redis_db)) as redis:
        settings = Settings(
            database_url=SecretStr(database_url),
            redis_url=SecretStr(redis.url.render_as_string(hide_password=False)),
            _env_file=None,
        )
        stop = asyncio.Event()
        with capture_logs() as lines:

            async def opened() -> str:
                async with opened_house(settings, "ingest", stop) as house:
                    assert house is not None
                    await house.heart.beat()
                    return house.name

            opening = asyncio.create_task(opened())
            await said(lines, "Redis")
            await redis.open()
            assert await asyncio.wait_for(opening, 30) == "ingest"
        assert len(lines) == 1, "it is said once"


async def test_who_waits_for_a_server_can_be_stopped() -> None:
    settings = Settings(
        database_url=SecretStr("postgresql://nobody@127.0.0.1:1/none"),
        redis_url=SecretStr("redis://127.0.0.1:1"),
        _env_file=None,
    )
    stop = asyncio.Event()
    asyncio.get_running_loop().call_later(0.5, stop.set)
    async with asyncio.timeout(20), opened_house(settings, "ingest", stop) as house:
        assert house is None


async def said(lines: list[Any], word: str) -> None:
    async with asyncio.timeout(30):
        while not any(word in line["reason"] for line in lines):  # noqa: ASYNC110 - there is a deadline
            await asyncio.sleep(0.02)


@dataclass
class ServersDoor:
    """A port that refuses until it is opened, and then leads to a server."""

    url: URL
    behind: URL
    listening: asyncio.Server | None = None
    guests: set[asyncio.Task[Any]] = field(default_factory=set)

    async def open(self) -> None:
        self.listening = await asyncio.start_server(self._serve, "127.0.0.1", self.url.port)

    async def close(self) -> None:
        if self.listening is not None:
            self.listening.close()
            await asyncio.wait_for(asyncio.gather(*self.guests), 10)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        guest = asyncio.current_task()
        assert guest is not None
        self.guests.add(guest)
        there = await asyncio.open_connection(self.behind.host, self.behind.port)
        await asyncio.gather(carry(reader, there[1]), carry(there[0], writer))


async def carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(65536):
        writer.write(data)
    writer.close()
    await writer.wait_closed()


@asynccontextmanager
async def door_to(behind: URL) -> AsyncIterator[ServersDoor]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    door = ServersDoor(behind.set(host="127.0.0.1", port=port, query={}), behind)
    try:
        yield door
    finally:
        await door.close()
