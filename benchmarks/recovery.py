"""How soon the work goes on after ``kill -9`` of a process or of Redis, and after Redis has lost everything."""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from functools import partial

from benchmarks.contest import announce
from benchmarks.measure import Figures, Wishes
from benchmarks.town import FREE, OURS, Plan, Town, town
from benchmarks.work import as_posted
from forwarder.errors import ForwarderError
from forwarder.processes.roster import process
from forwarder.supervisor import Supervisor
from tests.chaos.servers import Restartable, servers

LANES = 20
BY_BOT = 10
BACKLOG = 200
PATIENCE = 90.0
STANDBY_SECONDS = 10.0

TO_REACH = {
    "user worker killed": "at most 20",
    "bot worker killed, outcome unknown": "at most 45",
    "ingest killed, a standby beside it": "at most 15",
    "Redis emptied": "at most 10",
    "Redis killed": "at most 10",
}


async def run(wishes: Wishes) -> Figures:
    figures = Figures({}, to_reach=TO_REACH)
    trials: dict[str, Callable[[Town], Awaitable[float]]] = {
        "user worker killed": user_worker_killed,
        "bot worker killed, outcome unknown": bot_worker_killed,
        "ingest killed, a standby beside it": ingest_killed,
    }
    async with AsyncExitStack() as stack:
        own = stack.enter_context(servers())
        trials["Redis emptied"] = partial(redis_lost, lose=own.empty_redis)
        trials["Redis killed"] = partial(redis_lost, lose=partial(killed_and_started, own.redis))
        place = await stack.enter_async_context(town(Plan(LANES, by_bot=BY_BOT, given=FREE), own.urls))
        await as_posted(place, OURS, LANES)
        for number in range(wishes.runs):
            for what, trial in trials.items():
                took = await trial(place)
                figures.add(what, took, "s")
                announce("recovery", number, what, f"{took:.1f} s")
                await settled(place)
    return figures


async def settled(place: Town) -> None:
    """Until every post of every source has its copy: the next trial begins with nothing under way."""
    side = place.side(OURS)

    async def all_there() -> bool:
        return await _count(place, side.destinations) >= await _count(place, side.sources)

    await _until(all_there)


async def user_worker_killed(place: Town) -> float:
    """With deliveries under way and waiting: until the first copy after the kill."""
    await place.telegram.control.call("delay", seconds=0.2)
    chats = place.side(OURS).destinations[BY_BOT:]
    await _post(place, place.side(OURS).sources[BY_BOT:], BACKLOG)
    await _more(place, chats, await _count(place, chats))
    place.house.supervisor.kill("user-worker")
    began = time.monotonic()
    await place.telegram.control.call("delay", seconds=0.0)
    await asyncio.sleep(0.3)  # what was on the network at the kill is not the work of the next one
    await _more(place, chats, await _count(place, chats))
    return time.monotonic() - began


async def bot_worker_killed(place: Town) -> float:
    """Its answer was lost, then it was killed: until the next post of the same lane is there."""
    control, side = place.telegram.control, place.side(OURS)
    number = await control.add_fault(
        action="drop", moment="after", door="bot_api", chat=side.destinations[0], times=1
    )
    await _post(place, side.sources[:1], 1)
    await _until(lambda: _struck(place, number))
    place.house.supervisor.kill("worker")
    began = time.monotonic()
    await control.call("remove_fault", number=number)
    before = await _count(place, side.destinations[:1])
    await _post(place, side.sources[:1], 1)
    await _more(place, side.destinations[:1], before)
    return time.monotonic() - began


async def ingest_killed(place: Town) -> float:
    """A second one stands by: until a post that came after the kill has arrived."""
    side = place.side(OURS)
    standby = Supervisor([process("standby", ["ingest"], place.house.env, 0)])
    await asyncio.to_thread(standby.start)
    try:
        await asyncio.sleep(STANDBY_SECONDS)
        before = await _count(place, side.destinations)
        place.house.supervisor.kill("ingest", signal.SIGKILL)
        began = time.monotonic()
        await _post(place, side.sources, LANES)
        await _more(place, side.destinations, before)
        return time.monotonic() - began
    finally:
        await asyncio.to_thread(standby.stop)


async def redis_lost(place: Town, lose: Callable[[], None]) -> float:
    """Posts wait in every lane of a worker that stands still; all bells are lost: until all have arrived."""
    side = place.side(OURS)
    chats = side.destinations[BY_BOT:]
    before = await _count(place, chats)
    place.house.supervisor.kill("user-worker", signal.SIGSTOP)
    await _post(place, side.sources[BY_BOT:], len(chats))
    await asyncio.sleep(1)
    await asyncio.to_thread(lose)
    began = time.monotonic()
    place.house.supervisor.kill("user-worker", signal.SIGCONT)
    await _more(place, chats, before + len(chats) - 1)
    return time.monotonic() - began


def killed_and_started(redis: Restartable) -> None:
    """``kill -9``; it comes back with nothing."""
    redis.end()
    redis.start()


async def _post(place: Town, sources: tuple[int, ...], posts: int) -> None:
    call = place.telegram.control.call
    await call("stream", account=place.owner, chats=sources, posts=posts, rate=0, text=f"{time.time()}")


async def _count(place: Town, chats: tuple[int, ...]) -> int:
    return int(await place.telegram.control.call("count", chats=chats))


async def _more(place: Town, chats: tuple[int, ...], than: int) -> None:
    async def there() -> bool:
        return await _count(place, chats) > than

    await _until(there)


async def _struck(place: Town, number: int) -> bool:
    rules = await place.telegram.control.call("faults")
    return bool(rules[str(number)]["struck"])


async def _until(condition: Callable[[], Awaitable[bool]]) -> None:
    """Raises ForwarderError when it does not come true within PATIENCE."""
    deadline = time.monotonic() + PATIENCE
    while not await condition():
        if time.monotonic() > deadline:
            raise ForwarderError(f"The work did not go on within {PATIENCE:g} s.")
        await asyncio.sleep(0.05)
