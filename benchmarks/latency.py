"""How long a post takes to its copy: 20 posts a second over 20 mappings, 50 ms of network each way.

A post of the plain handler needs 100 ms on the network alone, the push and the call; ours needs them too.
"""

from __future__ import annotations

from benchmarks.contest import add_cost, announce
from benchmarks.measure import Figures, Wishes
from benchmarks.town import OURS, PEERS, Plan, names, town
from benchmarks.work import as_posted

LANES = 20
RATE = 20.0
POSTS = 400
DELAY = 0.05
WARM_UP = 40


async def run(wishes: Wishes) -> Figures:
    figures = Figures({}, to_reach={"p50 ratio": "at most 1.25", "p99 ratio": "at most 1.5"})
    plan = Plan(LANES, PEERS)
    async with town(plan) as place:
        await place.telegram.control.call("delay", seconds=DELAY)
        for name in names(plan):
            await as_posted(place, name, WARM_UP, RATE)
        for number in range(wishes.runs):
            halves: dict[str, tuple[float, float]] = {}
            for name in names(plan):
                done = await as_posted(place, name, wishes.part(POSTS, LANES), RATE)
                halves[name] = done.latency(0.5), done.latency(0.99)
                figures.add(f"{name} p50", halves[name][0], "ms")
                figures.add(f"{name} p99", halves[name][1], "ms")
                add_cost(figures, name, done)
                announce(
                    "latency", number, name, f"p50 {halves[name][0]:.1f} ms, p99 {halves[name][1]:.1f} ms"
                )
            figures.add("p50 ratio", halves[OURS][0] / halves["plain"][0], "times")
            figures.add("p99 ratio", halves[OURS][1] / halves["plain"][1], "times")
    return figures
