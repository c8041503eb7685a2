"""The bot's own login over MTProto: for looking up what it sent and reading what it missed, never for updates."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import structlog

from forwarder.errors import ForwarderError
from forwarder.processes.life import LEASE_SECONDS, any_of, holding, lease_name
from forwarder.telegram.client import Client
from forwarder.telegram.login import connected, log_in_bot
from forwarder.wiring import House, open_client

log = structlog.get_logger(__name__)

PATIENCE = LEASE_SECONDS + 2.0
"""Seconds to wait for a process that is letting go of the login, or has died with it."""


@dataclass(frozen=True, slots=True)
class BotsLogin:
    """``client`` is None where there is no such login, or where another process has it (``elsewhere``). ``lost`` is set
    when somebody else may have what was ours."""

    client: Client | None
    lost: asyncio.Event
    elsewhere: bool = False


@asynccontextmanager
async def bots_login(
    house: House, stop: asyncio.Event, patience: float = PATIENCE
) -> AsyncIterator[BotsLogin]:
    """The login under its lease, made here when it is missing. Where it cannot be had, things go on without."""
    settings = house.settings
    if settings.bot_token is None:
        yield BotsLogin(None, asyncio.Event())
        return
    enough = asyncio.Event()
    late = asyncio.get_running_loop().call_later(patience, enough.set)
    stopping = asyncio.create_task(_pass_on(stop, enough))
    try:
        async with holding(house.db, lease_name(settings.bot_session), house.holder, enough) as hold:
            if hold is None:
                log.info("bot_login_over_mtproto_in_use")
                yield BotsLogin(None, asyncio.Event(), elsewhere=True)
                return
            client = open_client(settings, settings.bot_session)
            try:
                yield BotsLogin(await _logged_in(client, settings.bot_token.get_secret_value()), hold.lost)
            finally:
                await client.close()
    finally:
        late.cancel()
        stopping.cancel()
        await asyncio.gather(stopping, return_exceptions=True)


async def _pass_on(stop: asyncio.Event, enough: asyncio.Event) -> None:
    await any_of(stop)
    enough.set()


async def _logged_in(client: Client, token: str) -> Client | None:
    try:
        await connected(client)
        await log_in_bot(client, token)
    except ForwarderError as error:
        log.warning("bot_login_over_mtproto_failed", reason=str(error))
        return None
    return client
