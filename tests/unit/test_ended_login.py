"""The end of a login is said once, and another file is what ends the waiting."""

from __future__ import annotations

import asyncio
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from structlog.testing import capture_logs

from forwarder.errors import AccountNotReady
from forwarder.processes import ended_login, ingest
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


@pytest.mark.parametrize("held_a_login", [True, False])
async def test_a_listener_without_a_login_stops_the_account_only_where_there_was_one(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, held_a_login: bool
) -> None:
    stopped: list[int] = []

    class Accounts:
        async def active(self, kind: object) -> object:
            return SimpleNamespace(id=7)

        async def stop(self, account_id: int, reason: str, *, signed_out: bool) -> None:
            stopped.append(account_id)

    async def nobody(client: object) -> None:
        return None

    monkeypatch.setattr(ingest, "whoami", nobody)
    session = tmp_path / "user.session"
    settings = SimpleNamespace(listener_session=session)
    house: Any = SimpleNamespace(accounts=Accounts(), settings=settings)
    client: Any = SimpleNamespace(session=SimpleNamespace(logged_in_once=held_a_login))
    hold: Any = SimpleNamespace()
    with pytest.raises(AccountNotReady):
        await ingest.hear(house, client, hold, asyncio.Event(), EndedLogin(session))
    assert stopped == ([7] if held_a_login else [])
