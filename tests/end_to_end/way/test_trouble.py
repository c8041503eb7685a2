"""Telegram misbehaves: nothing is lost, doubled or reordered, and admins see what happened."""

from __future__ import annotations

import json
import socket
from urllib.request import Request, urlopen

import pytest

from forwarder.message import Mode, Route
from forwarder.sandbox.faults import FaultRule

from .conftest import Town, eventually

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
    await eventually(lambda: flower_answers(port))
    town.sandbox.gate.faults.add(
        FaultRule("error", method="copyMessage", error="FLOOD_WAIT_X", seconds=3, skip=1)
    )
    for number in range(3):
        town.post(source, f"post {number}")

    await eventually(lambda: "RETRY" in states(port))
    await eventually(lambda: town.texts(target) == ["post 0", "post 1", "post 2"])
    await eventually(lambda: any("sent" in (t["result"] or "") for t in tasks(port).values()))
    queues = {t["routing_key"] for t in tasks(port).values() if t["name"] == "forward"}
    assert queues == {"bot.live"}


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def tasks(port: int) -> dict[str, dict[str, str]]:
    request = Request(f"http://127.0.0.1:{port}/api/tasks")
    request.add_header("Authorization", "Basic YWRtaW46b3Blbi1zZXNhbWU=")
    with urlopen(request, timeout=5) as answer:
        found: dict[str, dict[str, str]] = json.load(answer)
    return found


def states(port: int) -> set[str]:
    return {task["state"] for task in tasks(port).values() if task["name"] == "forward"}


def flower_answers(port: int) -> bool:
    try:
        tasks(port)
    except OSError:
        return False
    return True
