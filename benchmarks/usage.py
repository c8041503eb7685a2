"""What processes cost, as Linux counts it: processor seconds and memory of a process with all its children."""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

TICKS = os.sysconf("SC_CLK_TCK")

Parts = Mapping[str, int]
"""The parts of a whole by name, each by its topmost process."""


def family(pid: int) -> list[int]:
    """The process and all that descend from it; empty when it has ended."""
    if not Path(f"/proc/{pid}").exists():
        return []
    return [pid, *(one for child in children(pid) for one in family(child))]


def children_by_name(pid: int) -> dict[str, int]:
    """The process's own children by the names that ``ps`` shows."""
    found = {}
    for child in children(pid):
        with suppress(OSError):  # it has ended
            found[Path(f"/proc/{child}/comm").read_text().strip()] = child
    return found


def children(pid: int) -> list[int]:
    """Empty when the process has ended."""
    try:
        return [
            int(child)
            for task in Path(f"/proc/{pid}/task").iterdir()
            for child in (task / "children").read_text().split()
        ]
    except OSError:
        return []


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
    return sum(own_pss_mb(one) for one in family(pid))


def own_pss_mb(pid: int) -> float:
    """The same of one process without its children."""
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0.0
    return sum(int(line.split()[1]) * 1024 for line in lines if line.startswith("Pss:")) / 1e6


def cpu_of(parts: Parts) -> dict[str, float]:
    """Processor seconds of each part so far."""
    return {name: cpu_seconds(pid) for name, pid in parts.items()}
