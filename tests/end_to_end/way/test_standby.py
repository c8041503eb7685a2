"""A second ``ingest`` stands by: it takes over when the first dies or leaves, and the login stays whole."""

from __future__ import annotations

import asyncio
import signal
import time

import pytest

from forwarder.message import Mode, Route

from .conftest import Town, eventually

WITHIN = {signal.SIGKILL: 15.0, signal.SIGTERM: 10.0}
"""Seconds until posts arrive again: a dead holder's lease must run out, one that leaves gives it back."""


@pytest.mark.parametrize("how", WITHIN)
async def test_a_standby_takes_over_and_posts_of_the_gap_arrive_once_and_in_order(
    town: Town, how: signal.Signals
) -> None:
    source, target = town.channel("News"), town.channel("Copies")
    first = town.launch("ingest")
    processes = [first]
    try:
        await town.start("worker", "user-worker", "beat")
        await town.map(source, target, Mode.COPY, Route.USER)
        town.post(source, "post 0")
        await eventually(lambda: town.texts(target) == ["post 0"])
        processes.append(town.launch("ingest"))
        await eventually(lambda: town.alive() >= 5)
        first.send_signal(how)
        died = time.monotonic()
        for number in range(1, 6):
            town.post(source, f"post {number}")
            await asyncio.sleep(0.2)
        posted = [f"post {number}" for number in range(6)]
        await eventually(lambda: town.texts(target) == posted, WITHIN[how] - (time.monotonic() - died))
    finally:
        for process in processes:
            process.kill()
            process.wait()
