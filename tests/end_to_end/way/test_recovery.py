"""A process or a server is lost with posts under way: the promised seconds are the deadlines, counted from the loss."""

from __future__ import annotations

import asyncio
import base64
import json
import signal
import time
from collections.abc import Callable, Iterator
from typing import Literal

import pytest
import redis

from forwarder.message import Mode, Route
from forwarder.sandbox.faults import FaultRule
from forwarder.sandbox.person import Person
from forwarder.sandbox.world import Edit
from tests.chaos.servers import Servers, servers
from tests.conftest import Databases, migrate, name_of

from .conftest import PATIENCE, Town, eventually, said, shown

USER_DELIVERIES, BOT_DELIVERIES, BELLS = 20.0, 45.0, 10.0
"""Seconds within which they go on."""
HOUSE = ("ingest", "bot", "worker", "user-worker", "beat")


@pytest.fixture(scope="module")
def own() -> Iterator[Servers]:
    """Servers for these tests alone, which may be killed and emptied."""
    with servers() as both:
        migrate(both.postgres.url)
        yield both


@pytest.fixture
def database_url(own: Servers) -> Iterator[str]:
    databases = Databases(own.postgres.url)
    url = databases.create(name_of(own.postgres.url))
    yield url
    databases.drop(url)


@pytest.fixture
def redis_db(own: Servers) -> str:
    own.empty_redis()
    return own.redis.url


async def test_user_deliveries_go_on_within_20_seconds_of_their_workers_death(town: Town) -> None:
    source = town.channel("News")
    executed, lost, idle = targets = [town.channel(f"Copies {number}") for number in range(3)]
    await town.start("ingest", "worker", "user-worker", "beat")
    for target, mode in zip(targets, (Mode.COPY, Mode.FORWARD, Mode.COPY), strict=True):
        await town.map(source, target, mode, Route.USER)
    posted: list[str] = []
    post(town, source, posted, "before")
    await eventually(lambda: arrived(town, targets, posted))

    struck = [
        town.sandbox.gate.faults.add(FaultRule("drop", moment, method="messages.forwardMessages", chat=chat))
        for moment, chat in (("after", executed), ("before", lost))
    ]
    post(town, source, posted, "under way")
    await eventually(lambda: all(town.sandbox.gate.faults.struck(rule) for rule in struck))
    post(town, source, posted, "behind it")
    await eventually(lambda: arrived(town, [idle], posted))
    assert [town.texts(chat) for chat in (executed, lost)] == [["before", "under way"], ["before"]]
    died = kill(town, "user-worker")
    await eventually(lambda: arrived(town, targets, posted), left(died, USER_DELIVERIES))

    post(town, source, posted, "later")
    await eventually(lambda: arrived(town, targets, posted))
    await eventually(town.settled)
    assert arrived(town, targets, posted)


@pytest.mark.parametrize("moment", ["after", "before"], ids=["executed", "never executed"])
async def test_unsure_bot_deliveries_go_on_within_45_seconds_of_their_workers_death(
    town: Town, moment: Literal["after", "before"]
) -> None:
    source, target = town.channel("News"), town.channel("Copies")
    await town.start("ingest", "worker", "user-worker", "beat")
    await town.map(source, target, Mode.COPY, Route.BOT)
    posted: list[str] = []
    post(town, source, posted, "before")
    await eventually(lambda: arrived(town, [target], posted))

    struck = town.sandbox.gate.faults.add(FaultRule("drop", moment, method="copyMessage", chat=target))
    post(town, source, posted, "under way")
    await eventually(lambda: bool(town.sandbox.gate.faults.struck(struck)))
    post(town, source, posted, "behind it")
    assert town.texts(target) == (["before", "under way"] if moment == "after" else ["before"])
    died = kill(town, "worker")
    await eventually(lambda: arrived(town, [target], posted), left(died, BOT_DELIVERIES))

    post(town, source, posted, "later")
    await eventually(lambda: arrived(town, [target], posted))
    await eventually(town.settled)
    assert arrived(town, [target], posted)


def emptied(own: Servers) -> None:
    own.empty_redis()


def killed(own: Servers) -> None:
    """``kill -9``; it comes back with nothing."""
    own.redis.end()
    own.redis.start()


@pytest.mark.parametrize("lose", [emptied, killed])
async def test_what_was_pending_is_rung_again_within_10_seconds_of_the_loss_of_redis(
    town: Town, own: Servers, lose: Callable[[Servers], None]
) -> None:
    source, other = town.channel("News"), town.channel("Other news")
    targets, others = ([town.channel(f"{name} {n}") for n in range(2)] for name in ("Copies", "Others"))
    await town.start("ingest", "worker", "user-worker", "beat")
    lanes = set()
    for target, elsewhere, route in zip(targets, others, (Route.USER, Route.BOT), strict=True):
        lanes.add(await town.map(source, target, Mode.COPY, route))
        await town.map(other, elsewhere, Mode.COPY, route)
    posted: list[str] = []
    post(town, source, posted, "before")
    await eventually(lambda: arrived(town, targets, posted))
    await eventually(town.settled)

    assert town.supervisor is not None
    workers = ("worker", "user-worker")
    for name in workers:
        town.supervisor.kill(name, signal.SIGSTOP)
    try:
        # The question that a worker was asking when it was stopped is answered all the same: with these.
        town.post(other, "in the hands of those who stand still")
        await eventually(lambda: len(flags(own)) == len(others))
        post(town, source, posted, "pending")
        await eventually(lambda: rung(own) >= lanes)
        began = time.monotonic()
        await asyncio.to_thread(lose, own)
        assert rung(own) == set(), "nobody is told of them any more"
    finally:
        for name in workers:
            town.supervisor.kill(name, signal.SIGCONT)
    # Nothing is posted meanwhile: it would ring the lanes itself.
    await eventually(lambda: arrived(town, targets, posted), left(began, BELLS))

    post(town, source, posted, "later")
    await eventually(lambda: arrived(town, targets, posted))
    await eventually(town.settled)
    assert arrived(town, targets, posted)
    assert arrived(town, others, ["in the hands of those who stand still"])


@pytest.mark.parametrize("seconds", [2, 12], ids=["shorter than the leases", "longer than the leases"])
async def test_after_a_restart_of_postgresql_all_processes_go_on_by_themselves(
    town: Town, own: Servers, olga: Person, seconds: int
) -> None:
    source, bots = town.channel("News"), town.channel("The bot's", user=False)
    by_user, by_bot, from_bots = (town.channel(name) for name in ("By user", "By bot", "From the bot's"))
    await town.start(*HOUSE)
    await shown(town, olga, "Message forwarder")
    ways = ((source, by_user, Route.USER), (source, by_bot, Route.BOT), (bots, from_bots, Route.BOT))
    for chat, target, route in ways:
        await town.map(chat, target, Mode.COPY, route)
    posted: list[str] = []
    numbers: dict[int, list[int]] = {source: [], bots: []}

    def both(words: str) -> None:
        for chat, known in numbers.items():
            known.append(town.post(chat, words))
        posted.append(words)

    def edit(place: int, words: str) -> None:
        for chat, known in numbers.items():
            town.world.edit(town.owner, chat, known[place], Edit(words))
        posted[place] = words

    def all_there() -> bool:
        return arrived(town, (by_user, by_bot, from_bots), posted)

    both("before")
    both("a tpyo")
    await eventually(all_there)
    await eventually(town.settled)
    assert town.supervisor is not None
    pids = town.supervisor.pids()

    # Executed, and the answer is on its way when there is nowhere to record it.
    struck = [
        town.sandbox.gate.faults.add(FaultRule("delay", "after", method=method, chat=chat, seconds=1.0))
        for chat, method in (
            (by_user, "messages.forwardMessages"),
            (by_bot, "copyMessage"),
            (from_bots, "copyMessage"),
        )
    ]
    both("at the moment of the loss")
    await eventually(lambda: all(town.sandbox.gate.faults.struck(rule) for rule in struck))
    await asyncio.to_thread(own.postgres.end)
    for number in range(seconds):
        both(f"during {number}")
        await asyncio.sleep(1)
    edit(1, "a typo, corrected")
    await asyncio.to_thread(own.postgres.start)
    await eventually(all_there)

    both("after")
    edit(0, "before, corrected")
    await eventually(all_there)
    await answers_a_start(town, olga)
    await eventually(town.settled)
    assert all_there()
    assert town.supervisor.pids() == pids, "nobody had to be started again"


async def answers_a_start(town: Town, person: Person) -> None:
    newest = max(message.id for message in person.screen(town.robot).messages)
    await person.type(town.robot, "/start")
    await person.wait_screen(
        town.robot,
        lambda screen: any(message.id > newest for message in said(screen, "Message forwarder")),
        PATIENCE,
    )


def post(town: Town, source: int, posted: list[str], words: str) -> None:
    town.post(source, words)
    posted.append(words)


def arrived(town: Town, targets: list[int] | tuple[int, ...], posted: list[str]) -> bool:
    """Each post is there, once, in its order."""
    return all(town.texts(target) == posted for target in targets)


def kill(town: Town, name: str) -> float:
    """``kill -9``; answers when (monotonic)."""
    assert town.supervisor is not None
    town.supervisor.kill(name)
    return time.monotonic()


def left(began: float, promised: float) -> float:
    """What is left of the promised seconds."""
    return promised - (time.monotonic() - began)


def flags(own: Servers) -> list[bytes]:
    """What says of a lane that it was rung and nobody has come yet."""
    with redis.Redis.from_url(own.redis.url) as client:
        return list(client.keys("bell:*"))


def rung(own: Servers) -> set[int]:
    """The lanes of the tasks that lie in Redis."""
    with redis.Redis.from_url(own.redis.url) as client:
        queues = [queue for route in ("bot", "user") for queue in client.keys(f"{route}.live*")]
        tasks = [json.loads(task) for queue in queues for task in client.lrange(queue, 0, -1)]
    arguments = [json.loads(base64.b64decode(task["body"]))[0] for task in tasks]
    return {lane for (lanes,) in arguments for lane, _ in lanes}
