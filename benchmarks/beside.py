"""How quick live posts and the bot's answers stay while a large backfill runs, under Telegram's own limits.

The backfill are posts that waited in paused mappings and were made bulk, as those of ``manage.py backfill`` are.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable

from sqlalchemy import text

from benchmarks.contest import announce
from benchmarks.drain import stored
from benchmarks.measure import Figures, Wishes, quantile
from benchmarks.town import OURS, PACED, Plan, Side, Town, town
from benchmarks.work import Stopwatch, post
from forwarder.services.mappings import MappingService

LANES, LIVE = 60, 10
BULK = 6000
"""More than may be sent while the live posts are measured."""
ROUNDS = 30
APART = 1.0
ANSWER = 10.0
"""Seconds within which the bot's answer must come."""

_BULK = text("update deliveries set class = 2 where done_at is null")


async def run(wishes: Wishes) -> Figures:
    figures = Figures(
        {},
        to_reach={
            "live post beside a backfill, p95": "at most 1",
            "bot's answer beside a backfill, p95": "at most 1",
        },
    )
    async with town(Plan(LANES, by_bot=LANES, limits=True, given=PACED)) as place:
        rounds = wishes.part(ROUNDS, 5)
        await measured(place, rounds, figures, "alone")
        carried = await backfilling(place, wishes.part(BULK, 600))
        await asyncio.sleep(5)
        before = await carried()
        began = time.monotonic()
        await measured(place, rounds, figures, "beside a backfill")
        rate = (await carried() - before) / (time.monotonic() - began)
        figures.add("backfill meanwhile", rate, "posts/s")
        announce("beside", 0, OURS, f"{rate:.1f} posts/s of backfill meanwhile")
    return figures


async def measured(place: Town, rounds: int, figures: Figures, when: str) -> None:
    """A live post into each of some chats in turn, and a word to the bot after each."""
    whole = place.side(OURS)
    posts, answers = [], []
    for number in range(rounds):
        at = number % LIVE
        side = Side(OURS, (whole.sources[at],), (whole.destinations[at],), whole.parts)
        watch = await Stopwatch.begin(place, side, 1)
        await post(place, side, 1, text=f"{when} {number}")
        posts.append((await watch.done()).latency(1.0) / 1000)
        answers.append(await answered(place))
        await asyncio.sleep(APART)
    for what, times in (("live post", posts), ("bot's answer", answers)):
        ordered = sorted(times)
        figures.add(f"{what} {when}, p50", quantile(ordered, 0.5), "s")
        figures.add(f"{what} {when}, p95", quantile(ordered, 0.95), "s")
        announce("beside", 0, when, f"{what}: {quantile(ordered, 0.95):.2f} s in 95 of 100")


async def answered(place: Town) -> float:
    """Seconds from a person's word to the bot's answer."""
    person = place.telegram.control.person(place.owner)
    began = time.monotonic()
    typed = await person.type(place.telegram.bot, "/start")
    await person.wait_screen(place.telegram.bot, "", after=typed, timeout=ANSWER)
    return time.monotonic() - began


async def backfilling(place: Town, posts: int) -> Callable[[], Awaitable[int]]:
    """Let so many posts go as bulk through the lanes that are not measured; answers what counts their copies."""
    service = MappingService(place.house.db)
    others = place.mappings[LIVE:]
    for mapping in others:
        await service.pause(mapping)
    whole = place.side(OURS)
    side = Side(OURS, whole.sources[LIVE:], whole.destinations[LIVE:], whole.parts)
    await post(place, side, posts, text="older")
    await stored(place, posts)
    async with place.house.db.begin() as session:
        await session.execute(_BULK)
    for mapping in others:
        await service.resume(mapping, send=True)

    async def carried() -> int:
        return int(await place.telegram.control.call("count", chats=side.destinations))

    return carried
