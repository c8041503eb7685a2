"""A login that Telegram has ended: noticed at once, said once, and waited for until somebody has made a new one."""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress
from pathlib import Path

import structlog

from forwarder.errors import AccountNotReady, ForwarderError
from forwarder.message import AccountKind
from forwarder.processes.life import pause
from forwarder.services.accounts import ACCOUNTS, SESSION_LOST
from forwarder.telegram.client import Client
from forwarder.telegram.login import whoami
from forwarder.wiring import House

log = structlog.get_logger(__name__)

PULSE = 20.0
"""Seconds between looks at a login that nothing speaks against."""
LOOK_EVERY = 1.0
TRY_ANYWAY = 300.0
"""Seconds until an ended login is tried once more without a new file: Telegram may have lifted a ban."""

Stamp = tuple[int, int, int] | None


def signed_out(session: Path) -> AccountNotReady:
    return AccountNotReady(
        f"The user account is signed out: {session} holds no login that Telegram knows. Run `manage.py login`, "
        "beside this process or without it; posts that appear meanwhile are fetched afterwards.",
        SESSION_LOST,
    )


async def note_end(house: House, client: Client) -> None:
    """Stop the account, which tells administrators: once, however often the ended login is looked at again.

    A session file that never held a login says nothing of the account: its other logins may live.
    """
    account = await house.accounts.active(AccountKind.USER) if client.session.logged_in_once else None
    if account is not None:
        await house.accounts.stop(account.id, SESSION_LOST, signed_out=True)


async def watch(house: House, client: Client, session: Path) -> None:
    """Look whether the login lives, every so often and whenever an account was stopped.

    Raises AccountNotReady where Telegram refuses it; that Telegram does not answer says nothing.
    """
    woken = asyncio.Event()
    listening = asyncio.create_task(_wake(house, woken), name="login-watch")
    try:
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(PULSE):
                    await woken.wait()
            woken.clear()
            try:
                alive = await whoami(client) is not None
            except ForwarderError:
                continue
            if not alive:
                raise signed_out(session)
    finally:
        listening.cancel()
        await asyncio.gather(listening, return_exceptions=True)


async def _wake(house: House, woken: asyncio.Event) -> None:
    async for _ in house.db.listen(ACCOUNTS):
        woken.set()


class EndedLogin:
    """What one process knows of a session file whose login has ended. No lease is held while it waits here, or
    ``manage.py login`` could not make a new one."""

    def __init__(self, session: Path) -> None:
        self._session = session
        self._told = False
        self._found: Stamp = None

    def lives(self) -> None:
        """The login works: its next end is news."""
        self._told = False

    def ends(self) -> None:
        """The login has ended. To be called while its lease is held and nobody else can write the file: what is there
        later, be it only a moment, is another login."""
        self._found = stamp_of(self._session)

    async def wait(self, error: AccountNotReady, stop: asyncio.Event) -> None:
        """Say why, unless it was said, and wait for another file than at ``ends``, for a while, or for ``stop``."""
        if not self._told:
            self._told = True
            log.error("signed_out", reason=error.reason, remedy=str(error))
        until = time.monotonic() + TRY_ANYWAY
        while not stop.is_set() and time.monotonic() < until:
            if stamp_of(self._session) != self._found:
                self._told = False
                log.info("session_file_changed", file=self._session.name)
                return
            await pause(LOOK_EVERY, stop)


def stamp_of(path: Path) -> Stamp:
    """What changes whenever a session is written: each time it is another file of that name."""
    try:
        about = path.stat()
    except OSError:
        return None
    return about.st_ino, about.st_mtime_ns, about.st_size
