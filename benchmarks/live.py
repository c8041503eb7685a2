"""How much live traffic is carried: 20,000 posts over 200 lanes, as fast as they are heard, no network delay."""

from __future__ import annotations

from benchmarks.contest import add_cost, announce
from benchmarks.measure import Figures, Wishes
from benchmarks.town import FREE, OURS, PEERS, Plan, names, town
from benchmarks.work import as_posted

LANES = 200
POSTS = 20_000
SAMPLES = {"ordered": 4000, "queues": 4000}
WARM_UP = 200
AT_ONCE = 50


async def run(wishes: Wishes) -> Figures:
    figures = Figures({}, to_reach={"to plain": "at least 1", OURS: "at least 400"})
    plan = Plan(LANES, PEERS, given={**FREE, "MAX_CONCURRENT_FORWARDS": str(AT_ONCE)})
    async with town(plan) as place:
        for name in names(plan):
            await as_posted(place, name, WARM_UP)
        for number in range(wishes.runs):
            rates = {}
            for name in names(plan):
                done = await as_posted(place, name, wishes.part(SAMPLES.get(name, POSTS), LANES))
                rates[name] = done.rate
                figures.add(name, done.rate, "posts/s")
                figures.add(f"{name} p99", done.latency(0.99), "ms")
                add_cost(figures, name, done)
                announce("live", number, name, f"{done.rate:,.0f} posts/s")
            figures.add("to plain", rates[OURS] / rates["plain"], "times")
    return figures
