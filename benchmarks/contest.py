"""What all comparisons say of every contender."""

from __future__ import annotations

import sys

from benchmarks.measure import Figures
from benchmarks.work import Done


def add_cost(figures: Figures, name: str, done: Done) -> None:
    """Losses, doubles, order, processor time of each part, and how busy the local Telegram was."""
    figures.add(f"{name} lost", done.lost, "posts")
    figures.add(f"{name} doubled", done.doubled, "posts")
    figures.add(f"{name} out of order", done.disorder, "posts")
    parts = done.cpu_ms()
    for part, used in parts.items() if len(parts) > 1 else ():
        figures.add(f"{name} cpu: {part}", used, "ms/post")
    figures.add(f"{name} cpu", done.cost, "ms/post")
    figures.add(f"{name}: sandbox busy", done.sandbox * 100, "% of a core")


def announce(benchmark: str, run: int, name: str, words: str) -> None:
    """Tell the person who waits how it goes."""
    print(f"{benchmark}, run {run + 1}, {name}: {words}", file=sys.stderr, flush=True)
