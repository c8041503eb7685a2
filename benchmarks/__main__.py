"""``python -m benchmarks [--only NAME] [--report FILE]``: a table on the screen, JSON in the file."""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import platform
import sys
from collections.abc import Callable, Coroutine
from pathlib import Path

from rich.console import Console
from rich.table import Table

from benchmarks import (
    beside,
    dedup,
    drain,
    fanout,
    growth,
    intake,
    latency,
    limits,
    live,
    memory,
    recovery,
    rules,
)
from benchmarks.measure import Figures, Wishes
from forwarder.errors import ForwarderError

BENCHMARKS: dict[str, Callable[[Wishes], Coroutine[None, None, Figures]]] = {
    "latency": latency.run,
    "drain": drain.run,
    "live": live.run,
    "limits": limits.run,
    "beside": beside.run,
    "fanout": fanout.run,
    "growth": growth.run,
    "memory": memory.run,
    "recovery": recovery.run,
    "intake": intake.run,
    "rules": rules.run,
    "dedup": dedup.run,
}


def main() -> int:
    options = argparse.ArgumentParser(prog="benchmarks", description=__doc__)
    options.add_argument("--only", choices=sorted(BENCHMARKS), action="append", help="run this one alone")
    options.add_argument("--report", type=Path, help="write the figures as JSON here")
    options.add_argument("--runs", type=int, default=5, help="how often, for the medians (default: 5)")
    options.add_argument("--share", type=float, default=1.0, help="part of the full work, to look quickly")
    options.add_argument("--seconds", type=float, help="length of what runs by time (default: its own)")
    chosen = options.parse_args()
    if chosen.runs < 1 or chosen.share <= 0:
        print("Say at least --runs 1, and a --share above 0.", file=sys.stderr)
        return 2
    wishes = Wishes(chosen.runs, chosen.share, chosen.seconds)
    results: dict[str, Figures] = {}
    try:
        for name in chosen.only or BENCHMARKS:
            results[name] = asyncio.run(BENCHMARKS[name](wishes))
            show(name, results[name])
            if chosen.report is not None:
                # After each: what is measured is not lost by what comes after it.
                chosen.report.write_text(json.dumps(report(results, wishes), indent=1) + "\n")
    except ForwarderError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def report(results: dict[str, Figures], wishes: Wishes) -> dict[str, object]:
    return {
        "machine": platform.platform(),
        "processors": os.cpu_count(),
        "python": platform.python_version(),
        "runs": wishes.runs,
        "share": wishes.share,
        "figures": {name: result.as_json() for name, result in results.items()},
        "notes": {name: result.notes for name, result in results.items() if result.notes},
    }


def show(name: str, figures: Figures) -> None:
    table = Table(title=f"{name}: medians of {max(map(len, figures.runs.values()), default=0)}")
    for heading in ("what", "median", "unit", "to reach"):
        table.add_column(heading, justify="right" if heading == "median" else "left")
    for what, (value, unit) in figures.medians.items():
        table.add_row(what, f"{value:,.2f}", unit, figures.to_reach.get(what, ""))
    console = Console()
    console.print(table)
    for note in figures.notes:
        console.print(note)


if __name__ == "__main__":
    sys.exit(main())
