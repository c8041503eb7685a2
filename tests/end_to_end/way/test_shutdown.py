"""A process that is asked to stop finishes or gives back what it holds, and is gone within ten seconds."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
import time

import pytest

from forwarder.message import Mode, Route
from tests.copies import Copy

from .conftest import PROCESSES, ROOT, Town, eventually

GONE_WITHIN = 10.0


def launch(town: Town, name: str) -> subprocess.Popen[bytes]:
    """Start a process as a program of its own, as containers do."""
    argv = [sys.executable, str(ROOT / "manage.py"), *PROCESSES[name]]
    return subprocess.Popen(argv, env=town.environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


async def leave(process: subprocess.Popen[bytes] | Copy, *signals: int) -> tuple[int, float]:
    """Send the signals a moment apart; the exit status and the seconds that it took."""
    asked = time.monotonic()
    for number in signals:
        process.send_signal(number)
        await asyncio.sleep(0.2)
    status = await asyncio.to_thread(process.wait, 30)
    return status, time.monotonic() - asked


@pytest.mark.timeout(240)
@pytest.mark.parametrize("signals", [(signal.SIGTERM, signal.SIGTERM), (signal.SIGINT,)])
async def test_every_process_leaves_in_time_with_status_0(town: Town, signals: tuple[int, ...]) -> None:
    source, target = town.channel("News"), town.channel("Copies")
    names = ("ingest", "bot", "worker", "user-worker", "beat")
    processes: dict[str, subprocess.Popen[bytes] | Copy] = {name: launch(town, name) for name in names}
    try:
        await town.map(source, target, Mode.COPY, Route.BOT)
        town.post(source, "before")
        await eventually(lambda: town.texts(target) == ["before"])
        await eventually(lambda: town.alive() >= 5)
        left = {name: await leave(process, *signals) for name, process in processes.items()}
        assert {name: status for name, (status, _) in left.items()} == dict.fromkeys(names, 0)
        assert all(seconds < GONE_WITHIN for _, seconds in left.values()), left
        town.post(source, "while all were away")
        processes = {name: town.launch(name) for name in ("ingest", "worker", "user-worker", "beat")}
        await eventually(lambda: town.texts(target) == ["before", "while all were away"])
    finally:
        for process in processes.values():
            process.kill()
            process.wait()
