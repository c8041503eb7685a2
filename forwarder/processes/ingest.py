"""``manage.py ingest``: the listening login. A second one beside it stands by until the first lets go."""

from __future__ import annotations

import asyncio

import structlog

from forwarder.errors import AccountNotReady, Unavailable
from forwarder.ingest import source_chats
from forwarder.intake import Intake
from forwarder.message import AccountKind
from forwarder.processes.life import (
    GRACE,
    Hold,
    any_of,
    lease_name,
    live_until,
    stop_on_signals,
    work_under_lease,
)
from forwarder.reconcile import Reconciler
from forwarder.services.accounts import AccountView
from forwarder.services.channel_rows import SOURCES_CHANGED
from forwarder.services.channels import ChannelService
from forwarder.settings import Settings
from forwarder.telegram.client import Client
from forwarder.telegram.listener import Listener
from forwarder.telegram.login import whoami
from forwarder.telegram.reader import MtprotoReader
from forwarder.wiring import House, open_client, open_house

log = structlog.get_logger(__name__)

SESSION_LOST = "session_lost"
"""Why an account is signed out whose login Telegram does not know any more."""


async def run(settings: Settings) -> int:
    stop = stop_on_signals()
    async with open_house(settings, "ingest", ping=False) as house:
        beating = asyncio.create_task(house.heart.beat_forever())
        try:
            name = lease_name(settings.listener_session)
            await work_under_lease(house.db, name, house.holder, stop, lambda hold: listen(house, hold, stop))
        finally:
            beating.cancel()
            await house.heart.stop()
    return 0


async def listen(house: House, hold: Hold, stop: asyncio.Event) -> None:
    """Hear posts while the lease of the session is ours."""
    client = open_client(house.settings, house.settings.listener_session, listens=True)
    try:
        await client.ready()
        await hear(house, client, hold, stop)
    finally:
        # Whatever ends it: two connections on one login destroy the login.
        await client.close()


async def hear(house: House, client: Client, hold: Hold, stop: asyncio.Event) -> None:
    """Hear posts by a client that is connected."""
    me = await whoami(client)
    if me is None:
        await signed_out(house, await house.accounts.active(AccountKind.USER))
        raise AccountNotReady(
            f"{house.settings.listener_session} holds no login that Telegram knows. Run `manage.py login`; "
            "posts that appear meanwhile are fetched afterwards.",
            SESSION_LOST,
        )
    account_id = await house.accounts.register(AccountKind.USER, me.id, me.username)
    intake = Intake(house.db, house.ingest, account_id, AccountKind.USER, house.queue.ring)
    note = ChannelService(house.db, None, None).note_protection
    reader = MtprotoReader(client, account_id, on_protection=note)
    reconciler = Reconciler(house.db, reader, account_id, intake.store, intake.quarantine)
    intake.on_holes, intake.look = reconciler.fill, reconciler.compare
    reconciler.on_caught_up = intake.close_albums

    async def after_reconnect() -> None:
        reconciler.was_away()

    listener = Listener(client, intake.store, after_reconnect, intake.quarantine, note)
    storing = asyncio.create_task(intake.run())
    hold.at_work = True
    log.info("listening", account=account_id)
    try:
        await live_until(
            any_of(stop, hold.lost),
            listener.run(),
            reconciler.run(),
            on_new_sources(house, listener, reconciler),
        )
    except AccountNotReady as error:
        await house.accounts.stop(account_id, error.reason or SESSION_LOST, signed_out=True)
        raise
    finally:
        await intake.drain(GRACE / 2)
        storing.cancel()
        await asyncio.gather(storing, return_exceptions=True)


async def signed_out(house: House, account: AccountView | None) -> None:
    """The login is gone; administrators are told, once, however often this process is started again."""
    if account is not None:
        await house.accounts.stop(account.id, SESSION_LOST, signed_out=True)


async def on_new_sources(house: House, listener: Listener, reconciler: Reconciler) -> None:
    """A mapping was made: its source is compared at once, and not only at the next minute. What was posted there
    before it was among the sources is found by that, so they are read first."""
    async for _ in house.db.listen(SOURCES_CHANGED):
        try:
            listener.sources = await source_chats(house.db)
        except Unavailable:
            listener.sources = None  # the connection that listens is lost too, and its return asks again
        reconciler.look_at_all()
