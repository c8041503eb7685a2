"""Resident memory: of each process idle, of the whole, and how it grows from 20,000 to 100,000 deliveries.

PSS, which divides what processes share among them: the sum is what the machine really gives. What is measured is
``manage.py run``, whose processes share what they import, with Flower and with the servers.
"""

from __future__ import annotations

import asyncio

from benchmarks.contest import announce
from benchmarks.measure import Figures, Wishes
from benchmarks.town import OURS, Plan, Town, town
from benchmarks.usage import children_by_name, own_pss_mb, pss_mb
from benchmarks.work import as_posted

LANES = 20
FIRST, LAST = 20_000, 100_000
STEP = 10_000
SETTLE = 15.0


async def run(wishes: Wishes) -> Figures:
    figures = Figures({}, to_reach={"all, idle": "at most 500", "all: slope": "at most 5"})
    # Without the pace: scaled up, its log of a day would hold every message of the benchmark, and not ten thousand.
    given = {"PACE": "off", "MAX_CONCURRENT_FORWARDS": "20"}
    async with town(Plan(LANES, given=given, under_run=True)) as place:
        await asyncio.sleep(SETTLE)
        add(figures, memory(place), "idle")
        first, last = wishes.part(FIRST, LANES), wishes.part(LAST, 2 * LANES)
        await carry(place, first)
        early = memory(place)
        await carry(place, last - first)
        late = memory(place)
        add(figures, early, f"after {first:,}")
        add(figures, late, f"after {last:,}")
        for part in early:
            figures.add(f"{part}: slope", (late[part] / early[part] - 1) * 100, "%")
        announce("memory", 0, OURS, f"{early['all']:.0f} MB, later {late['all']:.0f} MB")
    return figures


async def carry(place: Town, posts: int) -> None:
    """In steps, so that the backlog in memory is that of a busy day and not of a flood."""
    for begin in range(0, posts, STEP):
        done = await as_posted(place, OURS, min(STEP, posts - begin))
        announce("memory", 0, OURS, f"{begin + done.posts:,} carried, {done.rate:,.0f} posts/s")


def memory(place: Town) -> dict[str, float]:
    """MB of each part and of all together."""
    run = place.house.supervisor.pids()["run"]
    parts = {name: pss_mb(pid) for name, pid in children_by_name(run).items()}
    parts |= {"supervisor": own_pss_mb(run)}
    parts |= {server.name: pss_mb(server.warden_pid) for server in place.urls.servers}
    return {**parts, "all": sum(parts.values())}


def add(figures: Figures, parts: dict[str, float], when: str) -> None:
    for part, mb in parts.items():
        figures.add(f"{part}, {when}", mb, "MB")
