"""What the processes share: work under a lease goes on through outages."""

from __future__ import annotations

import asyncio

import pytest

from forwarder.db import Database
from forwarder.errors import AccountNotReady, ForwarderError, Unavailable
from forwarder.processes import life
from forwarder.processes.life import Hold, work_under_lease


async def test_work_that_loses_its_server_is_taken_up_again(
    core_db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(life, "TRY_AGAIN", 0.01)
    stop, fences = asyncio.Event(), []

    async def work(hold: Hold) -> None:
        hold.at_work = True
        fences.append(hold.held.fence)
        if len(fences) < 3:
            raise Unavailable("PostgreSQL does not answer.")
        stop.set()

    async with asyncio.timeout(20):
        await work_under_lease(core_db, "session:test", "me", stop, work)
    assert len(fences) == 3
    assert fences == sorted(fences)


@pytest.mark.parametrize(
    ("at_work", "error"), [(False, Unavailable("nobody answers")), (True, AccountNotReady("token refused"))]
)
async def test_work_that_never_got_going_or_cannot_be_done_at_all_ends_the_process(
    core_db: Database, at_work: bool, error: ForwarderError
) -> None:
    async def work(hold: Hold) -> None:
        hold.at_work = at_work
        raise error

    with pytest.raises(type(error)):
        async with asyncio.timeout(20):
            await work_under_lease(core_db, "session:test", "me", asyncio.Event(), work)
