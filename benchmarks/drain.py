"""How fast a backlog goes: 20,000 posts that waited while 20 mappings were paused, 50 ms of network each way.

The peers have nowhere to let posts wait: they get a sample at once. Telegram sets no limits here.
"""

from __future__ import annotations

import asyncio
import time

from sqlalchemy import text

from benchmarks.contest import add_cost, announce
from benchmarks.measure import Figures, Wishes
from benchmarks.town import FREE, OURS, PEERS, Plan, Town, town
from benchmarks.work import Done, Stopwatch, as_posted, post
from forwarder.services.mappings import MappingService

LANES = 20
POSTS = 20_000
SAMPLES = {"plain": 1000, "ordered": 60, "queues": 1000}
DELAY = 0.05
WARM_UP = 40
STORE_SECONDS = 300.0

_WAITING = text("select count(*) from deliveries where done_at is null")


async def run(wishes: Wishes) -> Figures:
    figures = Figures({}, to_reach={"to ordered": "at least 50", "to queues": "at least 2.5"})
    async with town(Plan(LANES, PEERS, given={**FREE, "MAX_CONCURRENT_FORWARDS": str(LANES)})) as place:
        await place.telegram.control.call("delay", seconds=DELAY)
        for name in (OURS, *PEERS):
            await as_posted(place, name, WARM_UP)
        for number in range(wishes.runs):
            rates = {}
            for name in (*PEERS, OURS):
                if name == OURS:
                    done = await drained(place, wishes.part(POSTS, LANES))
                else:
                    done = await as_posted(place, name, SAMPLES[name])
                rates[name] = done.rate
                figures.add(name, done.rate, "posts/s")
                add_cost(figures, name, done)
                announce("drain", number, name, f"{done.rate:,.0f} posts/s")
            figures.add("to ordered", rates[OURS] / rates["ordered"], "times")
            figures.add("to queues", rates[OURS] / rates["queues"], "times")
    return figures


async def drained(place: Town, posts: int) -> Done:
    """Let posts pile up in paused mappings, resume these, and see them go."""
    service = MappingService(place.house.db)
    for mapping in place.mappings:
        await service.pause(mapping)
    side, posted = place.side(OURS), time.time()
    await post(place, side, posts, text="waiting")
    await stored(place, posts)
    watch = await Stopwatch.begin(place, side, posts)
    for mapping in place.mappings:
        await service.resume(mapping, send=True)
    return await watch.done(posted)


async def stored(place: Town, posts: int) -> None:
    """Until so many deliveries wait. Raises TimeoutError."""
    async with asyncio.timeout(STORE_SECONDS):
        while True:
            async with place.house.db.begin() as session:
                if await session.scalar(_WAITING) >= posts:
                    return
            await asyncio.sleep(0.2)
