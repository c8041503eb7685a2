"""``manage.py ingest``: the listening login. A second one beside it stands by until the first lets go."""

from __future__ import annotations

import asyncio

import structlog

from forwarder.errors import AccountNotReady, Unavailable
from forwarder.ingest import source_chats
from forwarder.intake import Intake
from forwarder.message import AccountKind
from forwarder.processes.ended_login import EndedLogin, note_end, signed_out, watch
from forwarder.processes.life import (
    GRACE,
    Hold,
    any_of,
    lease_name,
    live_until,
    stop_on_signals,
    work_under_lease,
)
from forwarder.processes.opening import opened_house
from forwarder.reconcile import Reconciler
from forwarder.services.accounts import SESSION_LOST
from forwarder.services.channel_rows import SOURCES_CHANGED
from forwarder.services.channels import ChannelService
from forwarder.settings import Settings
from forwarder.telegram.client import Client
from forwarder.telegram.listener import Listener
from forwarder.telegram.login import connected, whoami
from forwarder.telegram.reader import MtprotoReader
from forwarder.wiring import House, open_client

log = structlog.get_logger(__name__)


async def run(settings: Settings) -> int:
    stop = stop_on_signals()
    async with opened_house(settings, "ingest", stop, ping=False) as house:
        if house is None:
            return 0
        beating = asyncio.create_task(house.heart.beat_forever())
        try:
            await listen_whenever_there_is_a_login(house, stop)
        finally:
            beating.cancel()
            await house.heart.stop()
    return 0


async def listen_whenever_there_is_a_login(house: House, stop: asyncio.Event) -> None:
    """Hear posts until ``stop``; where Telegram has ended the login, wait for the next one."""
    session = house.settings.listener_session
    ended = EndedLogin(session)

    async def work(hold: Hold) -> None:
        try:
            await listen(house, hold, stop, ended)
        except AccountNotReady:
            ended.ends()
            raise

    while not stop.is_set():
        try:
            await work_under_lease(house.db, lease_name(session), house.holder, stop, work)
        except AccountNotReady as error:
            await ended.wait(error, stop)


async def listen(house: House, hold: Hold, stop: asyncio.Event, ended: EndedLogin) -> None:
    """Hear posts while the lease of the session is ours. Raises AccountNotReady where its login has ended."""
    client = open_client(house.settings, house.settings.listener_session, listens=True)
    try:
        await connected(client)
        await hear(house, client, hold, stop, ended)
    finally:
        # Whatever ends it: two connections on one login destroy the login.
        await client.close()


async def hear(house: House, client: Client, hold: Hold, stop: asyncio.Event, ended: EndedLogin) -> None:
    """Hear posts by a client that is connected."""
    me = await whoami(client)
    if me is None:
        await note_end(house, client)
        raise signed_out(house.settings.listener_session)
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
    ended.lives()
    log.info("listening", account=account_id)
    try:
        await live_until(
            any_of(stop, hold.lost),
            listener.run(),
            reconciler.run(),
            on_new_sources(house, listener, reconciler),
            watch(house, client, house.settings.listener_session),
        )
    except AccountNotReady as error:
        await house.accounts.stop(account_id, error.reason or SESSION_LOST, signed_out=True)
        raise
    finally:
        await intake.drain(GRACE / 2)
        storing.cancel()
        await asyncio.gather(storing, return_exceptions=True)


async def on_new_sources(house: House, listener: Listener, reconciler: Reconciler) -> None:
    """A mapping was made: its source is compared at once, and not only at the next minute. What was posted there
    before it was among the sources is found by that, so they are read first."""
    async for _ in house.db.listen(SOURCES_CHANGED):
        try:
            listener.sources = await source_chats(house.db)
        except Unavailable:
            listener.sources = None  # the connection that listens is lost too, and its return asks again
        reconciler.look_at_all()
