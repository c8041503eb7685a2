"""A local Telegram with both doors, and the forwarder's own porch in front of them."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
import telegram
from cryptography.fernet import Fernet
from telethon import TelegramClient
from telethon.crypto import AuthKey

from forwarder.sandbox.bot_api import BotApiDoor
from forwarder.sandbox.faults import FaultRule
from forwarder.sandbox.guard import Guard
from forwarder.sandbox.limits import NO_QUOTAS
from forwarder.sandbox.mtproto.door import MtprotoDoor
from forwarder.sandbox.world import Content, World
from forwarder.telegram.bot_sender import make_bot
from forwarder.telegram.client import Client, MtprotoServer, make_client
from forwarder.telegram.sessions import EncryptedSession, SessionFile

os.environ.setdefault("PTB_TIMEDELTA", "true")

POSTER = frozenset({"post_messages", "edit_messages", "delete_messages"})
API_ID, API_HASH = 10001, "0123456789abcdef0123456789abcdef"


@dataclass
class Town:
    """One owner with a source and a target channel; our user and our bot may post to both."""

    world: World
    guard: Guard
    mtproto: MtprotoDoor
    bot_api: BotApiDoor
    folder: Path
    fernet: Fernet
    owner: int
    user: int
    robot: int
    token: str
    source: int
    target: int

    @property
    def server(self) -> MtprotoServer:
        return MtprotoServer.parse(self.mtproto.address, self.mtproto.server_key.public_pem)

    def session(self, name: str, account: int | None = None) -> EncryptedSession:
        """A session of its own; with ``account`` it is logged in already."""
        session = EncryptedSession(SessionFile(self.folder / f"{name}.session", self.fernet))
        if account is not None and not session.logged_in_once:
            prepared = self.mtproto.prepared_session(account)
            session.set_dc(prepared.dc, prepared.host, prepared.port)
            session.auth_key = AuthKey(prepared.auth_key)
        return session

    @asynccontextmanager
    async def client(
        self, name: str, account: int | None = None, *, listens: bool = False
    ) -> AsyncIterator[Client]:
        session = self.session(name, account)
        client = make_client(API_ID, API_HASH, session, self.server, listens=listens)
        try:
            yield client
        finally:
            await client.close()

    @asynccontextmanager
    async def bot(self, token: str | None = None) -> AsyncIterator[telegram.Bot]:
        bot = make_bot(token or self.token, self.bot_api.url, connections=4)
        yield bot
        await bot.shutdown()
        await bot.request.shutdown()

    def post(self, what: Content | str, chat: int | None = None) -> int:
        return self.world.send(self.owner, chat or self.source, what).id

    def album(self, captions: list[str]) -> list[int]:
        photos = [self.world.add_photo(f"picture {caption}".encode()) for caption in captions]
        items = [Content(caption, media=photo) for caption, photo in zip(captions, photos, strict=True)]
        return [message.id for message in self.world.send_album(self.owner, self.source, items)]

    def texts(self, chat: int) -> dict[int, str]:
        """What the chat shows now, by id; service messages left out."""
        found = self.world.history(chat)
        return {message.id: message.text for message in found if message.service is None}

    def fault(self, rule: FaultRule) -> None:
        self.guard.faults.add(rule)


@pytest.fixture
async def town(tmp_path: Path) -> AsyncIterator[Town]:
    # Telethon keeps the server's list of addresses on the class; another test's server is gone.
    TelegramClient._config = None
    world = World(seed=5)
    owner = world.create_user("Olga", username="olga_owner").id
    user = world.create_user("Uwe", username="uwe_user", phone="+99966100001").id
    robot = world.create_bot("Forwarder", username="forwarder_bot", owner=owner)
    assert robot.bot is not None
    source = world.create_channel(owner, "News", username="news_source").id
    target = world.create_channel(owner, "Copies").id
    for chat in (source, target):
        world.add_member(owner, chat, user)
        world.promote(owner, chat, user, POSTER)
        world.promote(owner, chat, robot.id, POSTER)
    guard = Guard(world, quotas=NO_QUOTAS)
    mtproto, bot_api = MtprotoDoor(world, guard), BotApiDoor(world, guard)
    await mtproto.start()
    await bot_api.start()
    yield Town(
        world, guard, mtproto, bot_api, tmp_path / "sessions", Fernet(Fernet.generate_key()),
        owner, user, robot.id, robot.bot.token, source, target,
    )  # fmt: skip
    await bot_api.stop()
    await mtproto.stop()
    assert guard.record.unknown == [], "the forwarder called something that the sandbox has not got"


async def eventually(condition: Callable[[], bool], seconds: float = 10.0) -> None:
    async with asyncio.timeout(seconds):
        while True:
            if condition():
                return
            await asyncio.sleep(0.01)


@pytest.fixture
def wait_until() -> Callable[[Callable[[], bool]], Awaitable[None]]:
    """Waits for a condition with a deadline."""
    return eventually
