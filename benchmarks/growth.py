"""What a delivery costs when there is much else: 10 or 10,000 mappings, 1,000 or 2,000,000 finished deliveries."""

from __future__ import annotations

import asyncio

from sqlalchemy import text

from benchmarks.contest import announce
from benchmarks.measure import Figures, Wishes
from benchmarks.town import OURS, Plan, Town, town
from benchmarks.work import as_posted
from forwarder.db import Database
from forwarder.services.channel_rows import SOURCES_CHANGED

LANES = 10
POSTS = 2000
WARM_UP = 500
FEW, MANY = 1000, 2_000_000
MAPPINGS = 10_000
AT_ONCE = 100_000

_CHANNELS = text(
    """
    insert into channels (telegram_id, kind, title, is_source, is_destination, listener_id)
    select -1009000000000 - n, 'channel', 'Other ' || n, n <= :count, n > :count, a.id
      from generate_series(1, 2 * :count) n, (select id from accounts where kind = 'user') a
    """
)
_MAPPINGS = text(
    """
    insert into mappings (source_id, destination_id, mode, route, start_after)
    select s.id, d.id, 'forward', 'user', 1000000 from channels s
      join channels d on d.telegram_id = s.telegram_id - :count
     where s.telegram_id between -1009000000000 - :count and -1009000000001
    """
)
_LANES = text("insert into lanes (mapping_id, route) select id, 'user' from mappings on conflict do nothing")
_FINISHED = text(
    """
    with m as (select id, source_id, row_number() over (order by id) - 1 as nth from mappings),
         p as (insert into posts (channel_id, position, state)
               select m.source_id, -n, 'ready' from generate_series(cast(:first as int), cast(:last as int)) n
                 join m on m.nth = n % (select count(*) from m)
               returning id, channel_id, position)
    insert into deliveries (mapping_id, post_id, kind, class, position, state, route, mode, sent_ids, done_at)
    select m.id, p.id, 'post', 1, p.position, 'sent', 'user', 'forward', array[-p.position], clock_timestamp()
      from p join m on m.source_id = p.channel_id
    """
)


async def run(wishes: Wishes) -> Figures:
    figures = Figures(
        {}, to_reach={"mappings ratio": "at most 1.2", "finished ratio": "at most 1.2", "both": "at most 1.2"}
    )
    async with town(Plan(LANES)) as place:
        await as_posted(place, OURS, wishes.part(WARM_UP, LANES))
        await finished(place.house.db, 1, FEW)
        first = await cost(place, wishes, figures, "10 mappings, 1,000 finished")
        await mappings(place.house.db, wishes.part(MAPPINGS))
        second = await cost(place, wishes, figures, "10,000 mappings, 1,000 finished")
        await finished(place.house.db, FEW + 1, wishes.part(MANY, FEW + 1))
        third = await cost(place, wishes, figures, "10,000 mappings, 2,000,000 finished")
        for a, b, c in zip(first, second, third, strict=True):
            figures.add("mappings ratio", b / a, "times")
            figures.add("finished ratio", c / b, "times")
            figures.add("both", c / a, "times")
    return figures


async def cost(place: Town, wishes: Wishes, figures: Figures, what: str) -> list[float]:
    """Processor milliseconds per delivery of all parts, in each run; the first posts after a change do not count."""
    await as_posted(place, OURS, wishes.part(WARM_UP, LANES))
    costs = []
    for number in range(wishes.runs):
        done = await as_posted(place, OURS, wishes.part(POSTS, LANES))
        costs.append(done.cost)
        figures.add(what, done.cost, "ms/post")
        figures.add(f"{what}: database", done.cpu_ms()["postgres"], "ms/post")
        announce("growth", number, what, f"{done.cost:.2f} ms/post")
    return costs


async def mappings(db: Database, count: int) -> None:
    """So many mappings in which nothing happens."""
    async with db.begin() as session:
        for statement in (_CHANNELS, _MAPPINGS, _LANES):
            await session.execute(statement, {"count": count} if statement is not _LANES else {})
        await session.execute(text(f"notify {SOURCES_CHANGED}"))
    await _analyzed(db)


async def finished(db: Database, first: int, last: int) -> None:
    """Deliveries that were sent long ago, spread over all mappings."""
    for begin in range(first, last + 1, AT_ONCE):
        async with db.begin() as session:
            await session.execute(text("set local statement_timeout = 0"))
            await session.execute(_FINISHED, {"first": begin, "last": min(begin + AT_ONCE - 1, last)})
    await _analyzed(db)


async def _analyzed(db: Database) -> None:
    async with db.begin() as session:
        await session.execute(text("set local statement_timeout = 0"))
        await session.execute(text("analyze"))
    await asyncio.sleep(1)
