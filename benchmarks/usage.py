"""What processes cost, as Linux counts it: processor seconds and memory of a process with all its children."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

TICKS = os.sysconf("SC_CLK_TCK")

Parts = Mapping[str, int]
"""The parts of a whole by name, each by its topmost process."""


def family(pid: int) -> list[int]:
    """The process and all that descend from it; empty when it has ended."""
    try:
        children = [
            child
            for task in Path(f"/proc/{pid}/task").iterdir()
            for child in (task / "children").read_text().split()
        ]
    except OSError:
        return []
    return [pid, *(one for child in children for one in family(int(child)))]


def cpu_seconds(pid: int) -> float:
    """Processor time of a family so far, that of children who have ended included."""
    return sum(_ticks(one) for one in family(pid)) / TICKS


def _ticks(pid: int) -> int:
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0
    return sum(int(ticks) for ticks in fields[11:15])


def pss_mb(pid: int) -> float:
    """Memory of a family in MB (10**6 bytes), what is shared with others divided among the sharers."""
    return sum(_pss(one) for one in family(pid)) / 1e6


def _pss(pid: int) -> int:
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0
    return sum(int(line.split()[1]) * 1024 for line in lines if line.startswith("Pss:"))


def cpu_of(parts: Parts) -> dict[str, float]:
    """Processor seconds of each part so far."""
    return {name: cpu_seconds(pid) for name, pid in parts.items()}
