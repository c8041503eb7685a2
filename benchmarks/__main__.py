"""``python -m benchmarks [--only NAME] [--report FILE]``: a table on the screen, JSON in the file."""

from __future__ import annotations

import argparse
import asyncio
import json
import platform
from collections.abc import Awaitable, Callable
from pathlib import Path

from rich.console import Console
from rich.table import Table

from benchmarks import intake
from benchmarks.measure import Figures
from forwarder import schema
from forwarder.servers import embedded
from forwarder.settings import load_settings

BENCHMARKS: dict[str, Callable[[str], Awaitable[Figures]]] = {"intake": intake.run}


def main() -> None:
    options = argparse.ArgumentParser(prog="benchmarks", description=__doc__)
    options.add_argument("--only", choices=sorted(BENCHMARKS), action="append", help="run this one alone")
    options.add_argument("--report", type=Path, help="write the figures as JSON here")
    chosen = options.parse_args()
    with embedded(load_settings(), throwaway=True) as urls:
        schema.upgrade(urls.database_url)
        results = {
            name: asyncio.run(BENCHMARKS[name](urls.database_url)) for name in chosen.only or BENCHMARKS
        }
    show(results)
    if chosen.report is not None:
        figures = {name: result.as_json() for name, result in results.items()}
        chosen.report.write_text(json.dumps({"machine": platform.platform(), "figures": figures}, indent=2))


def show(results: dict[str, Figures]) -> None:
    table = Table(title="Medians; each ratio within one run")
    for heading in ("benchmark", "what", "median", "unit"):
        table.add_column(heading, justify="right" if heading == "median" else "left")
    for name, figures in results.items():
        for what, (value, unit) in figures.medians.items():
            table.add_row(name, what, f"{value:,.2f}", unit)
    Console().print(table)


if __name__ == "__main__":
    main()
