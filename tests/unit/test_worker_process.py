"""A worker that stops answers at once the tasks that still come."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from forwarder.errors import AccountNotReady
from forwarder.message import AccountKind
from forwarder.processes.worker import WorkerProcess


@pytest.mark.parametrize("task", ["relay", "carry"])
async def test_a_task_that_comes_while_a_worker_stops_does_not_hold_it_up(task: str) -> None:
    nothing: Any = None
    worker = WorkerProcess(nothing, AccountKind.BOT, nothing, nothing)
    asked = asyncio.create_task(worker.relay() if task == "relay" else worker.carry([1]))
    await asyncio.sleep(0)
    await worker.stop()
    async with asyncio.timeout(2):
        with pytest.raises(AccountNotReady, match="stopping"):
            await asked
        with pytest.raises(AccountNotReady, match="stopping"):
            await worker.relay()
