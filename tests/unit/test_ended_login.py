"""The end of a login is said once, and another file is what ends the waiting."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from forwarder.processes import ended_login
from forwarder.processes.ended_login import EndedLogin, signed_out
from forwarder.telegram.sessions import write_atomically


async def test_it_is_said_once_however_often_it_is_tried_and_again_when_it_has_lived(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ended_login, "TRY_ANYWAY", 0.0)
    session = tmp_path / "user.session"
    ended, stop = EndedLogin(session), asyncio.Event()
    with capture_logs() as lines:
        for _ in range(3):
            await ended.wait(signed_out(session), stop)
        ended.lives()
        await ended.wait(signed_out(session), stop)
    assert [line["event"] for line in lines] == ["signed_out", "signed_out"]
    assert "manage.py login" in lines[0]["remedy"]


@pytest.mark.parametrize("there", [False, True], ids=["no file before", "an ended login's file"])
async def test_a_new_session_file_ends_the_waiting(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, there: bool
) -> None:
    monkeypatch.setattr(ended_login, "LOOK_EVERY", 0.01)
    session = tmp_path / "user.session"
    if there:
        write_atomically(session, b"old")
    ended = EndedLogin(session)
    ended.ends()
    waiting = asyncio.create_task(ended.wait(signed_out(session), asyncio.Event()))
    await asyncio.sleep(0.05)
    assert not waiting.done()
    write_atomically(session, b"new")
    await asyncio.wait_for(waiting, 5)


async def test_a_session_file_that_came_before_the_waiting_began_ends_it_too(tmp_path: Path) -> None:
    session = tmp_path / "user.session"
    write_atomically(session, b"old")
    ended = EndedLogin(session)
    ended.ends()
    write_atomically(session, b"new")
    await asyncio.wait_for(ended.wait(signed_out(session), asyncio.Event()), 5)


async def test_a_wish_to_stop_ends_the_waiting(tmp_path: Path) -> None:
    stop = asyncio.Event()
    stop.set()
    await asyncio.wait_for(EndedLogin(tmp_path / "x").wait(signed_out(tmp_path / "x"), stop), 5)
