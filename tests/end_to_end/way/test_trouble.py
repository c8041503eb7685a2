"""Telegram misbehaves: nothing is lost, doubled or reordered, and admins see what happened."""

from __future__ import annotations

import asyncio
import json
import socket
from urllib.request import Request, urlopen

import pytest

from forwarder.message import Mode, Route
from forwarder.sandbox.faults import FaultRule

from .conftest import Town, eventually

Task = dict[str, str | float | None]
SENDS = {Route.USER: "messages.forwardMessages", Route.BOT: "copyMessage"}


@pytest.mark.parametrize("route", [Route.USER, Route.BOT])
async def test_a_lost_answer_and_a_cut_connection_do_not_double_a_post(town: Town, route: Route) -> None:
    source, target = town.channel("News"), town.channel("Copies")
    await town.start("ingest", "worker", "user-worker", "beat")
    await town.map(source, target, Mode.COPY, route)
    # Executed, but the client never hears of it; and cut before execution.
    town.sandbox.gate.faults.add(FaultRule("cut", "after", method=SENDS[route], skip=2))
    town.sandbox.gate.faults.add(FaultRule("cut", "before", method=SENDS[route], skip=6))
    posted = [f"post {number}" for number in range(10)]
    for post in posted:
        town.post(source, post)
    await eventually(lambda: len(town.texts(target)) >= 10)
    assert town.texts(target) == posted


async def test_a_flood_wait_is_a_retry_in_flower_and_the_post_arrives_after_it(town: Town) -> None:
    source, target = town.channel("News"), town.channel("Copies")
    port = free_port()
    town.environment |= {"FLOWER_PORT": str(port), "FLOWER_BASIC_AUTH": "admin:open-sesame"}
    await town.start("ingest", "worker", "user-worker", "beat", "flower")
    await town.map(source, target, Mode.COPY, Route.BOT)
    posted = await posts_until_flower_hears(town, source, port)
    await eventually(lambda: town.texts(target) == posted)
    town.sandbox.gate.faults.add(
        FaultRule("error", method="copyMessage", error="FLOOD_WAIT_X", seconds=3, skip=1)
    )
    for number in range(3):
        posted.append(f"post {number}")
        town.post(source, posted[-1])

    async def retried() -> bool:
        # The state RETRY passes, and may be over before Flower is told of it; when and why it was stays.
        known = (await forwards(port)).values()
        return any(t["retried"] and t["succeeded"] and "FloodWait" in str(t["exception"]) for t in known)

    await eventually(retried)
    await eventually(lambda: town.texts(target) == posted)
    known = (await forwards(port)).values()
    assert any("sent" in str(task["result"]) for task in known)
    assert {task["routing_key"] for task in known} == {"bot.live"}


async def posts_until_flower_hears(town: Town, source: int, port: int) -> list[str]:
    """Post until a task of ours is seen; what is told before Flower listens is told to nobody."""
    posted: list[str] = []

    async def seen() -> bool:
        posted.append(f"warm-up {len(posted)}")
        town.post(source, posted[-1])
        await asyncio.sleep(0.5)
        return any(task["succeeded"] for task in (await forwards(port)).values())

    await eventually(seen)
    return posted


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


async def forwards(port: int) -> dict[str, Task]:
    """What Flower knows of the tasks that carry lanes, by their ids; none while it does not answer yet."""
    return await asyncio.to_thread(_forwards, port)


def _forwards(port: int) -> dict[str, Task]:
    request = Request(f"http://127.0.0.1:{port}/api/tasks?taskname=forward")
    request.add_header("Authorization", "Basic YWRtaW46b3Blbi1zZXNhbWU=")
    try:
        with urlopen(request, timeout=5) as answer:
            found: dict[str, Task] = json.load(answer)
    except OSError:
        return {}
    return found
