"""The user account is signed out: after a new login its posts go on, none lost and none doubled."""

from __future__ import annotations

import asyncio
import json
import sys
import time

import pytest

from forwarder.message import Mode, Route
from forwarder.processes.ended_login import PULSE
from forwarder.sandbox.faults import FaultRule
from forwarder.sandbox.person import Person
from forwarder.sandbox.world.events import Event, NewMessage

from .conftest import ROOT, Town, eventually, said, shown

pytestmark = pytest.mark.timeout(240)

PHONE = "+99966100001"
SLACK = 5.0
"""Seconds for the word to go from one process by the database to the other, and to the owner."""
PROCESSES = ("ingest", "bot", "worker", "user-worker", "beat")


@pytest.mark.parametrize("executed", [False, True], ids=["refused", "executed, and the answer lost"])
async def test_after_a_new_login_a_send_that_was_cut_short_is_neither_lost_nor_doubled(
    town: Town, olga: Person, executed: bool
) -> None:
    source, target = town.channel("News"), town.channel("Copies")
    await town.start(*PROCESSES)
    await shown(town, olga, "Message forwarder")
    await town.map(source, target, Mode.COPY, Route.USER)
    town.post(source, "before")
    await eventually(lambda: town.texts(target) == ["before"])

    faults = town.sandbox.gate.faults
    if executed:
        rule = FaultRule("cut", "after", method="messages.forwardMessages")
        sign_out_with_the_next_copy(town, target)
    else:
        rule = FaultRule("error", method="messages.forwardMessages", error="AUTH_KEY_UNREGISTERED")
    struck = faults.add(rule)
    posted = ["before", "in the middle", "and the next"]
    for words in posted[1:]:
        town.post(source, words)
    await eventually(lambda: bool(faults.struck(struck)))
    sign_out(town)
    card = await shown(town, olga, "is signed out")
    assert "manage.py login" in card.text
    posted.append("while signed out")
    town.post(source, posted[-1])
    there = town.texts(target)
    assert there == posted[: len(there)]
    assert (len(there) > 1) == executed

    await town.stop()
    await log_in_again(town)
    await town.start(*PROCESSES)
    await eventually(lambda: len(town.texts(target)) >= len(posted))
    await eventually(town.settled)
    assert town.texts(target) == posted


@pytest.mark.parametrize("how", ["signed out", "destroyed"])
async def test_a_sign_out_is_said_once_and_a_login_made_beside_the_processes_is_taken_up(
    town: Town, olga: Person, how: str
) -> None:
    source, target = town.channel("News"), town.channel("Copies")
    await town.start(*PROCESSES)
    await shown(town, olga, "Message forwarder")
    await town.map(source, target, Mode.COPY, Route.USER)
    town.post(source, "before")
    await eventually(lambda: town.texts(target) == ["before"])

    assert town.supervisor is not None
    pids = town.supervisor.pids()
    if how == "signed out":
        sign_out(town)
    else:
        destroy(town)
    ended = time.monotonic()
    await shown(town, olga, "is signed out")
    assert time.monotonic() - ended < PULSE + SLACK
    town.post(source, "while signed out")
    await eventually(lambda: len(logged(town, "signed_out")) == 2)
    await log_in_again(town)
    await eventually(lambda: town.texts(target) == ["before", "while signed out"])
    town.post(source, "after")
    await eventually(lambda: town.texts(target)[2:] == ["after"])

    lines = logged(town, "signed_out")
    assert sorted(line["process"] for line in lines) == ["ingest", "user-worker"]
    assert all("manage.py login" in line["remedy"] for line in lines)
    assert len(said(olga.screen(town.robot), "is signed out")) == 1
    assert town.supervisor.pids() == pids, "no process has had to be started again"


def logged(town: Town, event: str) -> list[dict[str, str]]:
    """What the processes have logged under this name."""
    lines = (town.folder / "forwarder.log").read_text().splitlines()
    return [line for line in map(json.loads, lines) if line["event"] == event]


def destroy(town: Town) -> None:
    """End them as Telegram does where a key is used on two connections."""
    for login in town.sandbox.mtproto.keys.logins.values():
        if login.account == town.user:
            login.account, login.duplicated = None, True
            for connection in town.sandbox.mtproto.with_key(login.key_id):
                town.sandbox.mtproto.file(connection)


def sign_out(town: Town) -> None:
    """End all of the account's sessions, as a person does on a phone."""
    for login in town.sandbox.mtproto.keys.logins.values():
        if login.account == town.user:
            town.sandbox.mtproto.logins.log_out(login)


def sign_out_with_the_next_copy(town: Town, target: int) -> None:
    """End them at the moment when a message appears in the target."""

    def notice(event: Event) -> None:
        if isinstance(event, NewMessage) and event.message.chat == target:
            looking_away()
            asyncio.get_running_loop().call_soon(sign_out, town)

    looking_away = town.world.subscribe(notice)


async def log_in_again(town: Town) -> None:
    """``manage.py login``, answered with the code that Telegram has sent."""
    login = await asyncio.create_subprocess_exec(
        sys.executable,
        str(ROOT / "manage.py"),
        "login",
        cwd=town.folder,
        env=town.environment,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    assert login.stdin is not None
    login.stdin.write(f"{PHONE}\n".encode())
    await eventually(lambda: code_has_come(town))
    login.stdin.write(f"{town.sandbox.login_code(PHONE)}\n".encode())
    said, _ = await asyncio.wait_for(login.communicate(), 60)
    assert login.returncode == 0, said.decode()


def code_has_come(town: Town) -> bool:
    try:
        town.sandbox.login_code(PHONE)
    except KeyError:
        return False
    return True
