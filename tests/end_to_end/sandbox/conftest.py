"""A sandbox of its own for each test, and real Telethon clients that know it as Telegram."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
from telethon import TelegramClient
from telethon.crypto import AuthKey, rsa
from telethon.sessions import MemorySession

from forwarder.sandbox.mtproto import PreparedSession, ServerKey
from forwarder.sandbox.server import Sandbox
from forwarder.sandbox.world import Account, Chat, Rules

SERVER_KEY = ServerKey.generate()
rsa.add_key(SERVER_KEY.public_pem, old=False)
# Limits are tested on their own; here they would only make tests slow.
UNLIMITED = 1_000_000.0


async def eventually(condition: Callable[[], object], seconds: float = 5.0) -> None:
    """Wait until something is so, or fail after a deadline."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError(f"It did not come true within {seconds} s.")
        await asyncio.sleep(0.01)


class Stage:
    """A sandbox with a person who owns a channel, and a maker of clients."""

    def __init__(self, sandbox: Sandbox) -> None:
        self.sandbox = sandbox
        self.world = sandbox.world
        self.owner: Account = self.world.create_user("Olga", phone="+15550001")
        self.reader: Account = self.world.create_user("Rita", phone="+15550002")
        self.channel: Chat = self.world.create_channel(self.owner.id, "Source", username="source_channel")
        self.target: Chat = self.world.create_channel(self.owner.id, "Target")
        self.world.join(self.reader.id, self.channel.id)
        self._clients: list[TelegramClient] = []

    def fresh_session(self) -> MemorySession:
        """A session that knows the address and no key yet."""
        session = MemorySession()
        session.set_dc(2, self.sandbox.mtproto.host, self.sandbox.mtproto.port)
        return session

    def session_of(self, prepared: PreparedSession) -> MemorySession:
        session = self.fresh_session()
        session.auth_key = AuthKey(prepared.auth_key)
        return session

    def client(self, session: MemorySession, **options: Any) -> TelegramClient:
        settings = {
            "flood_sleep_threshold": 0,
            "raise_last_call_error": True,
            "request_retries": 1,
            "connection_retries": 5,
            "retry_delay": 0.05,
            **options,
        }
        client = TelegramClient(session, 1, "0" * 32, **settings)
        client.parse_mode = None
        self._clients.append(client)
        return client

    async def login(self, account: Account, **options: Any) -> TelegramClient:
        """A connected client of a prepared login."""
        session = self.session_of(self.sandbox.prepared_session(account.id))
        client = self.client(session, **options)
        await client.connect()
        await client.get_me()
        return client

    async def close(self) -> None:
        for client in self._clients:
            await client.disconnect()
        unknown = [entry.method for entry in self.sandbox.gate.record.unknown]
        assert unknown == [], "the sandbox was asked for what it has not got"


MakeStage = Callable[..., Awaitable[Stage]]


@pytest.fixture
async def make_stage() -> AsyncIterator[MakeStage]:
    stages: list[Stage] = []

    async def make(rules: Rules | None = None) -> Stage:
        TelegramClient._config = None  # Telethon caches the server's addresses on the class
        sandbox = await Sandbox.start(rules=rules, limits_scale=UNLIMITED, server_key=SERVER_KEY)
        stages.append(Stage(sandbox))
        return stages[-1]

    yield make
    for stage in stages:
        try:
            await stage.close()
        finally:
            await stage.sandbox.stop()
    TelegramClient._config = None


@pytest.fixture
async def stage(make_stage: MakeStage) -> Stage:
    return await make_stage()
