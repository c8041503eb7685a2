"""Making the logins that these settings ask for, with the accounts' rows."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from functools import partial

from forwarder.db import Database
from forwarder.errors import AccountNotReady, SessionInUse
from forwarder.message import AccountKind
from forwarder.processes.life import holding, lease_name
from forwarder.services.accounts import AccountService
from forwarder.settings import Settings
from forwarder.telegram.client import Client
from forwarder.telegram.login import (
    Ask,
    LoggedIn,
    LoginName,
    Tell,
    connected,
    make_bot_login,
    make_user_logins,
)
from forwarder.wiring import open_client

LEASE_PATIENCE = 3.0
"""Seconds to wait for a process that is just letting go of a login."""


async def make_logins(settings: Settings, db: Database, ask: Ask, tell: Tell) -> list[LoggedIn]:
    """The user account's two logins and, where there is a token, the bot's own; only what is missing is made, and what
    a running process uses is left alone: it has that login, or makes it itself.

    Raises AccountNotReady where a login fails, SessionInUse where both of the account's are in use.
    """
    accounts = AccountService(db)
    open_login = partial(opened, settings, db)
    made: list[LoggedIn] = [*await make_user_logins(open_login, ask, tell)]
    await refuse_strangers(accounts, made)
    await accounts.register(AccountKind.USER, made[0].telegram_id, made[0].username)
    if settings.bot_token is not None:
        try:
            bot = await make_bot_login(open_login, settings.bot_token.get_secret_value())
        except SessionInUse:
            return made
        await accounts.register(AccountKind.BOT, bot.telegram_id, bot.username)
        made.append(bot)
    return made


async def refuse_strangers(accounts: AccountService, made: Sequence[LoggedIn]) -> None:
    """A login beside one that is in use has to be the same account's. Raises AccountNotReady."""
    known = [one for one in await accounts.list() if one.kind is AccountKind.USER]
    if len(made) == 2 or not known or any(one.telegram_id == made[0].telegram_id for one in known):
        return
    raise AccountNotReady(
        f"The new login belongs to account {made[0].telegram_id}, the one in use to {known[-1].telegram_id}. Stop "
        "`manage.py run`, move the session file that is wrong away and run `manage.py login` again."
    )


@asynccontextmanager
async def opened(settings: Settings, db: Database, name: LoginName) -> AsyncIterator[Client]:
    """A connected client on the login's file, which no other process may hold meanwhile."""
    path = {
        LoginName.LISTENER: settings.listener_session,
        LoginName.SENDER: settings.sender_session,
        LoginName.BOT: settings.bot_session,
    }[name]
    not_free = asyncio.Event()
    asyncio.get_running_loop().call_later(LEASE_PATIENCE, not_free.set)
    holder = f"login:{socket.gethostname()}:{os.getpid()}"
    async with holding(db, lease_name(path), holder, not_free) as hold:
        if hold is None:
            raise SessionInUse(
                f"Another process uses the login in {path}: stop `manage.py run` (or ingest and the user "
                "worker) first, because two connections on one login destroy it."
            )
        client = open_client(settings, path, listens=True)
        try:
            await connected(client)
            yield client
        finally:
            await client.close()
