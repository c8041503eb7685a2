"""``login``: the user account's logins, and the bot's own over MTProto."""

from __future__ import annotations

import asyncio
import os
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial

import click
from cryptography.fernet import Fernet

from forwarder.cli.ground import tool_settings, with_database
from forwarder.db import Database
from forwarder.errors import SessionError, SettingsError
from forwarder.message import AccountKind
from forwarder.processes.life import holding, lease_name
from forwarder.services.accounts import AccountService
from forwarder.settings import Need, Settings
from forwarder.telegram.client import Client
from forwarder.telegram.login import LoggedIn, LoginName, Question, make_bot_login, make_user_logins

PROMPTS = {
    Question.PHONE: "Phone number of the user account, with country code",
    Question.CODE: "The code that Telegram has just sent to that account",
    Question.PASSWORD: "Two-step verification password (not shown)",
}
KINDS = {LoginName.LISTENER: "to listen", LoginName.SENDER: "to send", LoginName.BOT: "of the bot"}
LEASE_PATIENCE = 3.0
"""Seconds to wait for a process that is just letting go of a login."""


@click.command()
def login() -> None:
    """Log the user account in: once by a code, then by itself for each process that needs a login.

    Harmless to run again: only what is missing is made. Needs API_ID, API_HASH and ENCRYPTION_KEY.
    """
    settings = tool_settings()
    _offer_key(settings)
    settings.require(Need.USER)
    for made in with_database(settings, partial(make_logins, settings)):
        state = "made" if made.fresh else "there already"
        name = f"@{made.username}" if made.username else f"account {made.telegram_id}"
        click.echo(f"The login {KINDS[made.name]} is {state}: {name}.")
    click.echo("Restart `manage.py run` if it is running, so that it uses them.")


async def make_logins(settings: Settings, db: Database) -> list[LoggedIn]:
    """All logins these settings allow for, and the accounts' rows."""
    accounts = AccountService(db)
    open_client = partial(opened, settings, db)
    made: list[LoggedIn] = [*await make_user_logins(open_client, _ask, _tell)]
    await accounts.register(AccountKind.USER, made[0].telegram_id, made[0].username)
    if settings.bot_token is not None:
        bot = await make_bot_login(open_client, settings.bot_token.get_secret_value())
        await accounts.register(AccountKind.BOT, bot.telegram_id, bot.username)
        made.append(bot)
    return made


@asynccontextmanager
async def opened(settings: Settings, db: Database, name: LoginName) -> AsyncIterator[Client]:
    """A connected client on the login's file, which no other process may hold meanwhile."""
    from forwarder.wiring import open_client

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
            raise SessionError(
                f"Another process uses the login in {path}: stop `manage.py run` (or ingest and the user "
                "worker) first, because two connections on one login destroy it."
            )
        client = open_client(settings, path, listens=True)
        try:
            await client.ready()
            yield client
        finally:
            await client.close()


def _offer_key(settings: Settings) -> None:
    if settings.encryption_key is not None:
        return
    click.echo(
        "Logins are kept encrypted. Put this line into .env, keep a copy, and run the command again:\n\n"
        f"ENCRYPTION_KEY={Fernet.generate_key().decode()}\n",
        err=True,
    )
    raise SettingsError(
        "\n".join(["The login is refused without a key:", *(f"  * {m}" for m in settings.missing(Need.USER))])
    )


async def _ask(question: Question) -> str:
    hidden = question is Question.PASSWORD and sys.stdin.isatty()
    answer = await asyncio.to_thread(click.prompt, PROMPTS[question], hide_input=hidden, err=True)
    return str(answer)


async def _tell(sentence: str) -> None:
    click.echo(sentence, err=True)
