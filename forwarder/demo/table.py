"""What the demo shows while it runs. It reads the forwarder's tables: it is a display, never the judge."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from rich.console import Console
from rich.live import Live
from rich.table import Table
from sqlalchemy import text

from forwarder.db import Database
from forwarder.errors import Unavailable

ROWS = 16
EVERY = 0.4

_SHOWN = """
    select d.id, s.title as source, d.position, d.kind, c.title as destination, d.state, d.reason,
           coalesce(d.route, l.route) as route, d.mode, d.done_at,
           greatest(0, extract(epoch from d.not_before - clock_timestamp()))::float8 as wait,
           extract(epoch from coalesce(d.done_at, clock_timestamp()) - d.created_at)::float8 as latency
      from deliveries d
      join mappings m on m.id = d.mapping_id join lanes l on l.mapping_id = m.id
      join channels s on s.id = m.source_id join channels c on c.id = m.destination_id
"""
_NEWEST = text(f"{_SHOWN} order by coalesce(d.done_at, 'infinity') desc, d.id desc limit :rows")
_DONE_SINCE = text(f"{_SHOWN} where d.done_at > :since order by d.done_at, d.id limit 1000")
_COUNTS = text("select state, count(*) as number from deliveries group by state")


@dataclass(frozen=True, slots=True)
class Line:
    """One delivery as shown; ``latency`` and ``wait`` in seconds."""

    post: str
    destination: str
    state: str
    route: str
    wait: float | None
    latency: float

    def cells(self) -> tuple[str, ...]:
        """The columns in order."""
        wait = f"{self.wait:.1f} s" if self.wait else ""
        return self.post, self.destination, self.state, self.route, wait, f"{self.latency:.2f} s"


COLUMNS = ("post", "destination", "state", "route", "wait", "latency")


class Display:
    """Says things, and shows deliveries: a live table in a terminal, a line each where it is piped."""

    def __init__(self) -> None:
        self._console = Console(file=sys.stdout, highlight=False)
        self.is_live = self._console.is_terminal

    def say(self, sentence: str) -> None:
        """A line of its own, above the table where there is one."""
        self._console.print(sentence, markup=False, soft_wrap=True)

    async def follow(self, db: Database) -> None:
        """Show what happens until cancelled; a database that is away for a moment is looked at again."""
        if self.is_live:
            with Live(console=self._console, auto_refresh=False, transient=True) as live:
                while True:
                    if (drawn := await _drawn(db)) is not None:
                        live.update(drawn, refresh=True)
                    await asyncio.sleep(EVERY)
        since = datetime.now(UTC) - timedelta(days=1)
        while True:
            for row in await _rows(db, _DONE_SINCE, since=since):
                since = row.done_at
                self.say("  ".join(_line(row).cells()))
            await asyncio.sleep(EVERY)


async def idle(db: Database) -> bool:
    """Whether the forwarder believes that it has nothing left to do."""
    found = await _rows(db, text("select 1 from deliveries where done_at is null limit 1"))
    waiting = await _rows(db, text("select 1 from posts where state = 'collecting' limit 1"))
    return not found and not waiting


async def _drawn(db: Database) -> Table | None:
    counts = {row.state: row.number for row in await _rows(db, _COUNTS)}
    if not counts:
        return None
    title = ", ".join(f"{state} {number}" for state, number in sorted(counts.items()))
    table = Table(title=title, title_style="bold", box=None, pad_edge=False)
    for column in COLUMNS:
        table.add_column(column, no_wrap=True)
    for row in await _rows(db, _NEWEST, rows=ROWS):
        table.add_row(*_line(row).cells())
    return table


def _line(row: Any) -> Line:
    what = "" if row.kind == "post" else f" ({row.kind})"
    return Line(
        post=f"{row.source} #{row.position}{what}",
        destination=row.destination,
        state=f"{row.state} ({row.reason})" if row.reason else row.state,
        route=f"{row.route} {row.mode or ''}".strip(),
        wait=None if row.done_at else row.wait,
        latency=row.latency,
    )


async def _rows(db: Database, statement: Any, **values: object) -> Sequence[Any]:
    try:
        async with db.begin() as session:
            return (await session.execute(statement, values)).all()
    except Unavailable:
        return ()
