"""The command line as a person uses it: real processes, a local Telegram, real servers."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from forwarder.demo.house import Telegram, environment, local_telegram
from forwarder.servers import ServerUrls
from tests.copies import Copier, Finished

ROOT = Path(__file__).resolve().parents[3]


@dataclass
class Manage:
    """``manage.py`` with the settings of one test, in a directory of its own."""

    copier: Copier
    folder: Path
    env: dict[str, str] = field(repr=False)

    def command(self, *arguments: str) -> list[str]:
        return [sys.executable, str(ROOT / "manage.py"), *arguments]

    async def __call__(self, *arguments: str, **env: str) -> Finished:
        """Run a command to its end, with these settings changed."""
        return await asyncio.to_thread(self.copier.run, arguments, self.env | env, self.folder)

    async def start(self, *arguments: str, **env: str) -> asyncio.subprocess.Process:
        """Start a command that one talks to, as a program of its own."""
        return await asyncio.create_subprocess_exec(
            *self.command(*arguments),
            cwd=self.folder,
            env=os.environ | self.env | env,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )


@pytest.fixture
async def local(tmp_path: Path) -> AsyncIterator[Telegram]:
    """The local Telegram with the demo's stage."""
    (tmp_path / "logs").mkdir()
    async with local_telegram(tmp_path, seed=1) as telegram:
        yield telegram


@pytest.fixture
def manage(
    process_copier: Copier, tmp_path: Path, local: Telegram, database_url: str, redis_db: str
) -> Manage:
    return Manage(process_copier, tmp_path, environment(tmp_path, ServerUrls(database_url, redis_db), local))


async def until(what: Callable[[], object], seconds: float = 60.0) -> None:
    """Wait for a condition; ``what`` may be a coroutine function. The time is for a machine with other work."""
    deadline = asyncio.get_running_loop().time() + seconds
    while True:
        found = what()
        if asyncio.iscoroutine(found):
            found = await found
        if found:
            return
        assert asyncio.get_running_loop().time() < deadline, "it did not come to pass in time"
        await asyncio.sleep(0.1)
