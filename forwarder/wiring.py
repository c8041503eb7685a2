"""The only place where real parts are joined. Each process takes from here what it needs."""

from __future__ import annotations

import asyncio
import os
import secrets
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from celery import Celery
from cryptography.fernet import Fernet
from redis.asyncio import BlockingConnectionPool, Redis
from redis.exceptions import RedisError
from sqlalchemy.ext.asyncio import AsyncSession

from forwarder.broker import make_celery, publisher
from forwarder.db import Database
from forwarder.deliver import Carrier
from forwarder.errors import Unavailable
from forwarder.health import Heart
from forwarder.hooks import Hooks
from forwarder.ingest import Ingest
from forwarder.ingest.rows import stored_parts
from forwarder.outbox import Worker
from forwarder.pace import Pace, Preset, Window, tempo_of
from forwarder.seam import Finder, Sender
from forwarder.servers import database_url_for_tools, redis_url_for_tools
from forwarder.services import pace_memory
from forwarder.services.accounts import AccountService
from forwarder.services.dedup import DeduplicationService
from forwarder.services.mappings import pause_by_program
from forwarder.services.migration import move
from forwarder.services.places import Places
from forwarder.services.queue import QueueManager
from forwarder.services.working_set import WorkingSet
from forwarder.settings import Settings, public_url
from forwarder.telegram.bot_sender import Bot, make_bot
from forwarder.telegram.client import Client, MtprotoServer, make_client
from forwarder.telegram.sessions import EncryptedSession, SessionFile

SWITCH_SECONDS = 0.0005


@dataclass(frozen=True, slots=True)
class House:
    """What every process has: the database, Redis, and the services that need no account."""

    settings: Settings
    name: str
    db: Database
    redis: Redis
    queue: QueueManager
    dedup: DeduplicationService
    places: Places
    ingest: Ingest
    accounts: AccountService
    pace: Pace
    heart: Heart

    @property
    def holder(self) -> str:
        """The name under which this process holds leases: never the same twice."""
        return self.heart.process_id


@asynccontextmanager
async def open_house(
    settings: Settings, name: str, *, celery: Celery | None = None, pool_size: int = 5, ping: bool = True
) -> AsyncIterator[House]:
    """Join the parts for one process. Raises Unavailable when PostgreSQL or Redis does not answer."""
    # Each process has a loop beside threads that speak to the broker. By default a thread keeps the interpreter for 5
    # ms while the loop waits, and a post passes through a dozen such waits.
    sys.setswitchinterval(SWITCH_SECONDS)
    db = Database(database_url_for_tools(settings), pool_size=pool_size, name=f"forwarder {name}", ping=ping)
    redis_url = redis_url_for_tools(settings)
    redis = open_redis(redis_url)
    try:
        await db.check()
        await check_redis(redis, redis_url)
        dedup = DeduplicationService(WorkingSet(redis))
        places = Places(dedup, stored_parts)
        process_id = f"{name}:{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(3)}"
        yield House(
            settings=settings,
            name=name,
            db=db,
            redis=redis,
            queue=QueueManager(db, redis, publisher(celery or make_celery()), places),
            places=places,
            dedup=dedup,
            ingest=Ingest(dedup, timedelta(minutes=settings.outage_ask_after)),
            accounts=AccountService(db),
            pace=open_pace(settings, db, redis),
            heart=Heart(redis, process_id),
        )
    finally:
        await redis.aclose()
        await db.close()


def open_pace(settings: Settings, db: Database, redis: Redis) -> Pace:
    def own(windows: tuple[tuple[int, float], ...] | None) -> tuple[Window, ...] | None:
        return None if windows is None else tuple(Window(*window) for window in windows)

    tempo = tempo_of(
        Preset(settings.pace),
        scale=settings.pace_scale,
        bot_account=own(settings.pace_bot_account),
        bot_chat=own(settings.pace_bot_chat),
        user_account=own(settings.pace_user_account),
        user_chat=own(settings.pace_user_chat),
    )
    return Pace(redis, bot=tempo.bot, user=tempo.user, recall=lambda: pace_memory.recall(db))


def open_redis(url: str) -> Redis:
    # A blocking pool: redis-py's plain one refuses the connection after its last instead of waiting for one.
    pool = BlockingConnectionPool.from_url(
        url,
        max_connections=20,
        timeout=5,
        socket_timeout=5,
        socket_connect_timeout=5,
        health_check_interval=10,
    )
    return Redis.from_pool(pool)


async def check_redis(redis: Redis, url: str) -> None:
    try:
        async with asyncio.timeout(6):
            await redis.ping()
    except (RedisError, OSError, TimeoutError) as error:
        raise Unavailable(
            f"Redis at {public_url(url)} does not answer ({type(error).__name__}). "
            "Start it, or correct REDIS_URL; nothing is lost, waiting posts go on when it is back."
        ) from error


def open_bot(settings: Settings) -> Bot:
    if settings.bot_token is None:
        raise AssertionError("the settings were checked for BOT_TOKEN at start")
    return make_bot(settings.bot_token.get_secret_value(), settings.telegram_bot_api_url)


def mtproto_server(settings: Settings) -> MtprotoServer | None:
    if settings.telegram_mtproto_address is None:
        return None
    key = settings.telegram_mtproto_key
    return MtprotoServer.parse(settings.telegram_mtproto_address, key.read_text() if key else None)


def open_client(settings: Settings, session: Path, *, listens: bool = False) -> Client:
    """A client on an encrypted session file. Raises SessionError for a wrong key or a damaged file."""
    if settings.api_id is None or settings.api_hash is None or settings.encryption_key is None:
        raise AssertionError("the settings were checked for API_ID, API_HASH and ENCRYPTION_KEY at start")
    fernet = Fernet(settings.encryption_key.get_secret_value())
    return make_client(
        settings.api_id,
        settings.api_hash.get_secret_value(),
        EncryptedSession(SessionFile(session, fernet)),
        mtproto_server(settings),
        listens=listens,
    )


def make_carrier(house: House, sender: Sender, finder: Finder | None) -> Carrier:
    return Carrier(
        house.db,
        house.pace,
        Worker(house.holder, sender.kind, sender.account_id),
        sender,
        Hooks(
            pause_mapping=pause_by_program,
            migrate=migrate,
            feed_own=house.ingest.feed_own,
            ring=house.queue.ring,
            clear_bell=house.queue.clear_bell,
            bell_again=house.queue.bell_again,
            leave_mark=house.queue.leave_mark,
        ),
        finder=finder,
        concurrency=house.settings.max_concurrent_forwards,
    )


async def migrate(session: AsyncSession, old_chat_id: int, new_chat_id: int) -> None:
    await move(session, old_chat_id, new_chat_id)
