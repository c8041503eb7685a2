"""The bot tells what there is to tell: through a kill, past people who cannot be reached, and politely."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import pytest
from sqlalchemy import insert
from telegram.error import Forbidden, TimedOut

from forwarder.bot import teller as room
from forwarder.bot.teller import Teller
from forwarder.ingest.rows import stored_parts
from forwarder.models import Language, User
from forwarder.services.mappings import pause_by_program
from forwarder.services.notices import NOTICES
from forwarder.services.telling import NoticeService
from tests.builders import NEWS, House

OWNER, ADMIN = 51, 52


class Killed(BaseException):
    """The process is gone."""


@dataclass
class FakeBot:
    """Remembers what it was asked to send; ``trouble`` is raised for a person, ``killed`` after the message left."""

    sent: list[tuple[int, str]] = field(default_factory=list)
    trouble: dict[int, Exception] = field(default_factory=dict)
    killed: bool = False
    arrived: asyncio.Event = field(default_factory=asyncio.Event)
    before: Callable[[], Awaitable[None]] | None = None
    """Happens before each message leaves."""

    async def send_message(self, chat: int, text: str, **_: Any) -> None:
        if self.before is not None:
            await self.before()
        if chat in self.trouble:
            raise self.trouble[chat]
        self.sent.append((chat, text))
        self.arrived.set()
        if self.killed:
            raise Killed

    @property
    def people(self) -> list[int]:
        return [person for person, _ in self.sent]


@dataclass
class Stage:
    core: House
    bot: FakeBot = field(default_factory=FakeBot)
    now: float = 1000.0

    listening: asyncio.Event = field(default_factory=asyncio.Event)

    def teller(self) -> Teller:
        bot: Any = self.bot
        service = NoticeService(self.core.db, [ADMIN], stored_parts)
        return Teller(bot, service, self.woken, clock=lambda: self.now)

    async def woken(self) -> AsyncIterator[str]:
        async for payload in self.core.db.listen(NOTICES):
            self.listening.set()
            yield payload

    async def pause(self, *mappings: int) -> None:
        for mapping in mappings:
            async with self.core.db.begin() as session:
                await pause_by_program(session, mapping, "no_right_to_post")

    async def open(self) -> int:
        return len(await self.core.run("select 1 from notices where done_at is null"))


@pytest.fixture
async def stage(core: House) -> Stage:
    async with core.db.begin() as session:
        await session.execute(insert(User).values(telegram_id=OWNER, language=Language.RU))
    return Stage(core)


async def test_the_owner_is_told_once_in_their_language(stage: Stage) -> None:
    await stage.pause(await stage.core.mapping(created_by=OWNER))
    teller = stage.teller()
    await teller.tell()
    await teller.tell()
    [(person, text)] = stage.bot.sent
    assert person == OWNER
    assert "на паузе" in text
    assert "нет права публиковать в приёмнике" in text
    assert await stage.open() == 0


async def test_a_notice_outlives_a_kill_before_and_after_the_message(stage: Stage) -> None:
    await stage.pause(await stage.core.mapping(created_by=OWNER))
    stage.bot.killed = True
    with pytest.raises(Killed):
        await stage.teller().tell()
    stage.bot.killed = False
    teller = stage.teller()
    await teller.tell()
    await teller.tell()
    assert stage.bot.people == [OWNER, OWNER], "once more after the kill, and then never again"
    assert await stage.open() == 0


async def test_who_was_told_before_a_kill_is_not_told_again(stage: Stage) -> None:
    await stage.pause(await stage.core.mapping(created_by=OWNER))
    service = NoticeService(stage.core.db, [ADMIN], stored_parts)
    [notice] = await service.due()
    await service.told(notice, OWNER)
    await stage.teller().tell()
    assert stage.bot.sent == []
    assert await stage.open() == 0


async def test_where_the_owner_cannot_be_reached_administrators_are_told(stage: Stage) -> None:
    await stage.pause(await stage.core.mapping(created_by=OWNER))
    stage.bot.trouble[OWNER] = Forbidden("bot was blocked by the user")
    teller = stage.teller()
    assert await teller.tell() < 1.0, "at once"
    await teller.tell()
    assert stage.bot.people == [ADMIN]
    assert await stage.open() == 0


async def test_what_reaches_nobody_is_kept_for_a_day(stage: Stage) -> None:
    await stage.pause(await stage.core.mapping())
    stage.bot.trouble[ADMIN] = Forbidden("bot can't initiate conversation with a user")
    await stage.teller().tell()
    assert await stage.open() == 1
    del stage.bot.trouble[ADMIN]
    await stage.core.run("update notices set not_before = null")
    await stage.teller().tell()
    assert stage.bot.people == [ADMIN]
    assert await stage.open() == 0


async def test_a_day_later_it_is_given_up(stage: Stage) -> None:
    await stage.pause(await stage.core.mapping())
    await stage.core.run("update notices set created_at = created_at - interval '25 hours'")
    stage.bot.trouble[ADMIN] = Forbidden("bot can't initiate conversation with a user")
    await stage.teller().tell()
    assert await stage.open() == 0


async def test_an_outage_of_telegram_loses_nothing(stage: Stage) -> None:
    await stage.pause(await stage.core.mapping(created_by=OWNER))
    stage.bot.trouble[OWNER] = TimedOut()
    assert await stage.teller().tell() == room.TRY_AGAIN
    stage.bot.trouble.clear()
    await stage.teller().tell()
    assert stage.bot.people == [OWNER]


async def test_many_pauses_come_in_one_message_and_more_of_them_later(stage: Stage) -> None:
    mappings = [await stage.core.mapping(NEWS, -5000 - n, created_by=OWNER) for n in range(12)]
    await stage.pause(*mappings[:6])
    teller = stage.teller()
    await teller.tell()
    assert len(stage.bot.sent) == 1
    assert "всего дел: 6" in stage.bot.sent[0][1]
    await stage.pause(*mappings[6:9])
    await teller.tell()
    assert len(stage.bot.sent) == 4, "a few come singly"
    await stage.pause(*mappings[9:])
    assert await teller.tell() == pytest.approx(room.BURST_SECONDS)
    assert len(stage.bot.sent) == 4
    stage.now += room.BURST_SECONDS + 1
    await teller.tell()
    assert len(stage.bot.sent) == 7
    assert await stage.open() == 0


async def test_what_becomes_due_while_others_are_told_does_not_wait_for_the_sweep(stage: Stage) -> None:
    first, second = [await stage.core.mapping(NEWS, -5000 - n, created_by=OWNER) for n in range(2)]
    await stage.pause(first, second)
    await stage.core.run(
        f"update notices set not_before = clock_timestamp() + interval '0.5 seconds' where subject = {second}"
    )
    stage.bot.before = lambda: due(stage, second)
    teller = stage.teller()
    assert await teller.tell() <= 0.5
    assert len(stage.bot.sent) == 1
    await teller.tell()
    assert len(stage.bot.sent) == 2


async def due(stage: Stage, mapping: int) -> None:
    """Return as soon as the mapping's notice is due."""
    await stage.core.run(
        "select pg_sleep(extract(epoch from not_before - clock_timestamp()) + 0.01) from notices"
        f" where subject = {mapping}"
    )


async def test_a_notification_wakes_the_teller(stage: Stage) -> None:
    mapping = await stage.core.mapping(created_by=OWNER)
    running = asyncio.create_task(stage.teller().run())
    try:
        async with asyncio.timeout(10):
            await stage.listening.wait()
            await stage.pause(mapping)
            await stage.bot.arrived.wait()
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
    assert stage.bot.people == [OWNER]
