"""A peer in a process of its own, logged in as an account of its own."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from forwarder.demo.house import ROOT, Telegram
from forwarder.errors import ForwarderError

START_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Peer:
    """A peer that has said that it is ready."""

    name: str
    pid: int


@asynccontextmanager
async def peer_at_work(
    folder: Path, telegram: Telegram, style: str, way: Mapping[int, int]
) -> AsyncIterator[Peer]:
    """The peer of this style; ended with the ``with``. Raises ForwarderError when it does not start."""
    login = await telegram.control.call("prepared_session", account=telegram.users[style])
    told = {
        **login,
        "key": await asyncio.to_thread(telegram.key_file.read_text),
        "session": str(folder / f"{style}.session"),
        "way": way,
    }
    file = folder / f"{style}.json"
    await asyncio.to_thread(file.write_text, json.dumps(told))
    log = folder / "logs" / f"{style}.log"
    with log.open("ab") as words:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "benchmarks.peer", style, str(file)),
            cwd=ROOT,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=words,
        )
    try:
        assert process.stdout is not None
        async with asyncio.timeout(START_SECONDS):
            if await process.stdout.readline() != b"ready\n":
                raise ForwarderError(f"The peer {style!r} did not start. Its log: {log}")
        yield Peer(style, process.pid)
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()
