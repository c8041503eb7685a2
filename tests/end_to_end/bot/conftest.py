"""The control bot in front of a local Telegram, and people who press its buttons."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

import pytest
from telegram import Bot

os.environ.setdefault("PTB_TIMEDELTA", "true")

from forwarder.backfill import BackfillService
from forwarder.bot.access import RateLimit
from forwarder.bot.application import Door, build_application
from forwarder.bot.visit import BotServices
from forwarder.db import Database
from forwarder.ingest.rows import stored_parts
from forwarder.message import AccountKind, News, Span, Wish
from forwarder.sandbox.bot_api import BotApiDoor
from forwarder.sandbox.guard import Guard
from forwarder.sandbox.limits import NO_QUOTAS
from forwarder.sandbox.person import Person, Screen
from forwarder.sandbox.world import World
from forwarder.services.accounts import AccountService
from forwarder.services.channels import ChannelService
from forwarder.services.groups import GroupService
from forwarder.services.late import LateService
from forwarder.services.mappings import MappingService
from forwarder.services.reopening import Reopening
from forwarder.services.reviews import ReviewService
from forwarder.services.status import AccountStatus, ProcessStatus, Status
from forwarder.services.takeback import TakebackService
from forwarder.services.tempo import TempoService, TooFast
from forwarder.services.users import UserService
from forwarder.services.why import explain
from forwarder.telegram.bot_directory import BotDirectory
from forwarder.telegram.bot_sender import make_bot
from forwarder.telegram.bot_updates import BotPoller


class FixedTempo(TempoService):
    """What is known about the pace of every pair, as a test wants it."""

    now: TooFast | None = None

    async def too_fast(self, source_id: int, destination_id: int) -> TooFast | None:
        return self.now


@dataclass
class FixedStatus:
    """The state of everything, as a test wants it; an exception is raised in its place."""

    now: Status = field(
        default_factory=lambda: Status(
            at=datetime(2026, 11, 22, 14, 0, tzinfo=UTC),
            processes=(ProcessStatus("worker", False, None),),
            accounts=(AccountStatus(AccountKind.BOT, "forwarder_bot", "active", None, None),),
            failed=3,
        )
    )
    broken: Exception | None = None

    async def status(self) -> Status:
        if self.broken is not None:
            raise self.broken
        return self.now


class FixedSpan:
    """A source with 250 older messages, as its history answers; of dates it knows nothing, but keeps what was asked."""

    def __init__(self) -> None:
        self.asked: list[Wish] = []

    async def span(self, accounts: Sequence[int], chat_id: int, wish: Wish, ceiling: int) -> Span:
        self.asked.append(wish)
        last = min(ceiling, wish.until_id or ceiling)
        first = wish.from_id or last - (wish.last or 250) + 1
        return Span(first, last, last - first + 1)


class Clock:
    """What the limit of a person's pace goes by; it can be stopped.

    Until then people take their time: a quiet machine presses faster than the limit allows.
    """

    def __init__(self) -> None:
        self._stopped: float | None = None
        self._taken = 0.0

    def take_time(self) -> None:
        self._taken += 1.0

    def stop(self) -> None:
        self._stopped = time.monotonic() + self._taken

    def now(self) -> float:
        return time.monotonic() + self._taken if self._stopped is None else self._stopped


@dataclass
class Town:
    """An administrator with two channels, a stranger, and the bot that serves them."""

    world: World
    guard: Guard
    robot: int
    bot: Bot
    owner: Person
    stranger: Person
    source: int
    target: int
    services: BotServices
    status: FixedStatus
    tempo: FixedTempo
    clock: Clock
    span: FixedSpan
    restart: Callable[[], Awaitable[None]]

    async def press(self, label: str, shows: str, person: Person | None = None) -> Screen:
        """Press a button and wait until the bot's latest message shows a text."""
        person = person or self.owner
        self.clock.take_time()
        await person.press(self.robot, label)
        return await self.wait(shows, person)

    async def type(self, text: str, shows: str, person: Person | None = None) -> Screen:
        person = person or self.owner
        self.clock.take_time()
        typed = await person.type(self.robot, text)
        return await self.wait(shows, person, after=typed)

    async def wait(self, shows: str, person: Person | None = None, after: int = 0) -> Screen:
        """The screen whose latest message of the bot, below the message ``after``, shows a text."""

        def shown(screen: Screen) -> bool:
            if screen.last is None or screen.last.id <= after:
                return False
            return shows in screen.last.text or shows in screen.toast or shows in screen.last.labels()

        return await (person or self.owner).wait_screen(self.robot, shown)


async def serve(
    token: str,
    url: str,
    services_of: Callable[[BotDirectory], BotServices],
    stop: asyncio.Event,
    limit: RateLimit,
) -> None:
    """One life of the bot process: updates fetched by our own poller, fed to the application."""
    bot = make_bot(token, url, connections=8)
    application = build_application(bot, services_of(BotDirectory(bot)), limit=limit)
    await application.initialize()
    door = Door(application)

    async def store(news: Sequence[News]) -> None:
        """Posts are another room's matter."""

    async def broken(raw: bytes, error: Exception) -> None:
        raise AssertionError(raw) from error

    poller = BotPoller(bot, store, door.feed, broken)
    polling = asyncio.create_task(poller.run())
    await stop.wait()
    poller.stop()
    await polling
    await door.close()
    await application.shutdown()


@pytest.fixture
def database_url(emptied_database_url: str) -> str:
    """The town's database."""
    return emptied_database_url


@pytest.fixture
async def town(database_url: str) -> AsyncIterator[Town]:
    db = Database(database_url, pool_size=3)
    world = World(seed=3)
    owner = world.create_user("Olga", username="olga").id
    stranger = world.create_user("Sergey", username="sergey", language="ru").id
    robot = world.create_bot("Forwarder", username="forwarder_bot", owner=owner)
    assert robot.bot is not None
    source = world.create_channel(owner, "News", username="news_source").id
    target = world.create_channel(owner, "Copies").id
    guard = Guard(world, quotas=NO_QUOTAS)
    api = BotApiDoor(world, guard)
    await api.start()
    accounts, status, tempo = AccountService(db), FixedStatus(), FixedTempo(db, None)
    clock, span = Clock(), FixedSpan()
    await accounts.register(AccountKind.BOT, robot.id, "forwarder_bot")

    def services_of(directory: BotDirectory) -> BotServices:
        return BotServices(
            users=UserService(db, [owner]),
            accounts=accounts,
            channels=ChannelService(db, directory, None),
            mappings=MappingService(db),
            topics=Reopening(db),
            groups=GroupService(db),
            late=LateService(db),
            reviews=ReviewService(db, stored_parts),
            backfills=BackfillService(db, span),
            tempo=tempo,
            status=status,
            explain=lambda link: explain(db, link),
            takeback=TakebackService(db),
            auditor=None,
            mender=None,
        )

    lives: list[tuple[asyncio.Task[None], asyncio.Event]] = []

    def begin() -> None:
        stop = asyncio.Event()
        limit = RateLimit(calls=30, seconds=1.0, clock=clock.now)
        token = robot.bot.token if robot.bot else ""
        lives.append((asyncio.create_task(serve(token, api.url, services_of, stop, limit)), stop))

    async def end() -> None:
        task, stop = lives.pop()
        stop.set()
        await asyncio.wait_for(task, 20)

    async def restart() -> None:
        await end()
        begin()

    begin()
    checking = make_bot(robot.bot.token, api.url, connections=1)
    people = Person(world, owner), Person(world, stranger)
    yield Town(
        world,
        guard,
        robot.id,
        checking,
        *people,
        source,
        target,
        services_of(BotDirectory(checking)),
        status,
        tempo,
        clock,
        span,
        restart,
    )
    await end()
    for person in people:
        person.close()
    await checking.request.shutdown()
    await api.stop()
    await db.close()
    assert guard.record.unknown == [], "the bot called something that the sandbox has not got"
