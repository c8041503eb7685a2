"""The whole house against a local Telegram: real processes, real protocols, real servers.

Verdicts come from the sandbox's world; the forwarder's own tables are only looked at for what the world
cannot show (why a post was not sent).
"""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import redis
from cryptography.fernet import Fernet
from sqlalchemy import text
from telethon import TelegramClient
from telethon.crypto import AuthKey
from telethon.tl import types

from forwarder.account_desk import AccountDesk
from forwarder.db import Database
from forwarder.message import AccountKind, Mode, Route
from forwarder.sandbox.limits import NO_QUOTAS
from forwarder.sandbox.person import Person, Screen, Shown
from forwarder.sandbox.server import Sandbox
from forwarder.sandbox.world import Content
from forwarder.services.accounts import AccountService
from forwarder.services.channels import ChannelService
from forwarder.services.mappings import MappingService
from forwarder.supervisor import ProcessSpec, Supervisor
from forwarder.telegram.bot_directory import BotDirectory
from forwarder.telegram.bot_sender import make_bot
from forwarder.telegram.sessions import EncryptedSession, SessionFile
from tests.copies import Copier, Copy, Finished

ROOT = Path(__file__).resolve().parents[3]
POSTER = frozenset({"post_messages", "edit_messages", "delete_messages"})
API_ID, API_HASH = 10001, "0123456789abcdef0123456789abcdef"
PROCESSES: dict[str, tuple[str, ...]] = {
    "ingest": ("ingest",),
    "bot": ("bot",),
    "worker": ("worker",),
    "user-worker": ("worker", "--user"),
    "beat": ("beat",),
    "flower": ("flower",),
}

PATIENCE = 60.0
"""Seconds that anything may take on a machine with other work; what has to be quick is measured."""


@dataclass
class Town:
    """A sandbox with an owner, our user account and our bot, and the forwarder's processes in front of it."""

    sandbox: Sandbox
    db: Database
    folder: Path
    environment: dict[str, str]
    owner: int
    user: int
    robot: int
    copier: Copier
    supervisor: Supervisor | None = None
    channels: dict[str, int] = field(default_factory=dict)

    @property
    def world(self):
        return self.sandbox.world

    def channel(self, name: str, *, user: bool = True, bot: bool = True) -> int:
        """A channel of the owner's where our accounts may post, or are not members."""
        chat: int = self.world.create_channel(self.owner, name).id
        if user:
            self.world.add_member(self.owner, chat, self.user)
            self.world.promote(self.owner, chat, self.user, POSTER)
        if bot:
            self.world.promote(self.owner, chat, self.robot, POSTER)
        self.channels[name] = chat
        return chat

    def log_in(self, name: str, account: int) -> None:
        """Put an encrypted session file where the settings say, logged in already."""
        key = Fernet(self.environment["ENCRYPTION_KEY"])
        session = EncryptedSession(SessionFile(self.folder / "sessions" / name, key))
        prepared = self.sandbox.prepared_session(account)
        session.set_dc(prepared.dc, prepared.host, prepared.port)
        session.auth_key = AuthKey(prepared.auth_key)
        own = self.sandbox.world.access_hash(account, account)
        session.process_entities(  # as Telethon leaves it: who it is, and by what it is addressed
            types.contacts.ResolvedPeer(
                types.PeerUser(account),
                [types.InputPeerUser(0, account), types.InputPeerUser(account, own)],
                [],
            )
        )
        session.save()

    async def start(self, *names: str) -> None:
        """Start these processes."""
        self.supervisor = Supervisor([self._spec(name) for name in names], launch=self.copier.launch)
        await asyncio.to_thread(self.supervisor.start)

    def launch(self, name: str) -> Copy:
        """Start one process that nobody starts again."""
        return self.copier.launch(self._spec(name))

    def _spec(self, name: str) -> ProcessSpec:
        argv = [sys.executable, str(ROOT / "manage.py"), *PROCESSES[name]]
        return ProcessSpec(name, argv, self.environment)

    async def stop(self) -> None:
        if self.supervisor is not None:
            await asyncio.to_thread(self.supervisor.stop)

    async def manage(self, *arguments: str) -> Finished:
        """Run a ``manage.py`` command to its end."""
        return await asyncio.to_thread(self.copier.run, arguments, self.environment, self.folder)

    async def did(self, *arguments: str) -> str:
        """Run a command that has to succeed; answers what it printed."""
        done = await self.manage(*arguments)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    async def map(
        self,
        source: int,
        destination: int,
        mode: Mode = Mode.COPY,
        route: Route = Route.AUTO,
        *,
        topics: tuple[int, int] = (0, 0),
    ) -> int:
        """Add both channels and let posts travel from one to the other, as the control bot does."""
        bot = make_bot(self.environment["BOT_TOKEN"], self.sandbox.bot_api_url, connections=4)
        try:
            service = ChannelService(self.db, BotDirectory(bot), AccountDesk(self.db))
            await self.registered()
            one = await service.add(str(source), as_source=True)
            two = await service.add(str(destination), as_destination=True)
            mapping = await MappingService(self.db).create(
                one.id,
                two.id,
                mode=mode,
                route=route,
                start_after=await service.start_id(one.id),
                source_topic=topics[0],
                destination_topic=topics[1],
            )
            return mapping.id
        finally:
            await bot.shutdown()
            await bot.request.shutdown()

    async def registered(self) -> None:
        """Both accounts have said who they are."""
        accounts = AccountService(self.db)

        async def known() -> bool:
            return {a.kind for a in await accounts.list()} == set(AccountKind)

        await eventually(known)

    async def counted(self, what: str) -> int:
        """How many of our own rows there are of what stands after ``from``."""
        async with self.db.begin() as session:
            return int(await session.scalar(text(f"select count(*) from {what}")) or 0)

    async def settled(self) -> bool:
        """Nothing is on its way any more, and what has arrived is recorded."""
        return not await self.counted("deliveries where done_at is null")

    def alive(self) -> int:
        """How many of our processes have given a sign of life."""
        with redis.Redis.from_url(self.environment["REDIS_URL"]) as client:
            return len(client.keys("alive:*"))

    def post(self, chat: int, what: Content | str) -> int:
        return int(self.world.send(self.owner, chat, what).id)

    def album(self, chat: int, captions: list[str]) -> list[int]:
        photos = [self.world.add_photo(f"picture {caption}".encode()) for caption in captions]
        items = [Content(caption, media=photo) for caption, photo in zip(captions, photos, strict=True)]
        return [message.id for message in self.world.send_album(self.owner, chat, items)]

    def texts(self, chat: int) -> list[str]:
        """What the chat shows now, oldest first, without service messages."""
        return [message.text for message in self.world.history(chat) if message.service is None]


async def eventually(condition: Callable[[], bool | Awaitable[bool]], seconds: float = PATIENCE) -> None:
    """Wait for a condition; fail when it has not come true in time."""
    async with asyncio.timeout(seconds):
        while True:
            met = condition()
            if met if isinstance(met, bool) else await met:
                return
            await asyncio.sleep(0.02)


async def shown(town: Town, person: Person, words: str, seconds: float = PATIENCE) -> Shown:
    """The bot's message that says this, as soon as there is one."""
    screen = await person.wait_screen(town.robot, lambda screen: bool(said(screen, words)), seconds)
    return said(screen, words)[-1]


def said(screen: Screen, words: str) -> list[Shown]:
    return [message for message in screen.messages if words in message.text and not message.mine]


@pytest.fixture
async def olga(town: Town) -> AsyncIterator[Person]:
    """The owner, who has spoken to the bot; without that it may not write to her."""
    person = Person(town.world, town.owner)
    await person.type(town.robot, "/start")
    yield person
    person.close()


@pytest.fixture
def until() -> Callable[..., Awaitable[None]]:
    return eventually


@pytest.fixture
async def town(
    tmp_path: Path, database_url: str, redis_db: str, process_copier: Copier
) -> AsyncIterator[Town]:
    # Telethon keeps the server's list of addresses on the class; another test's server is gone.
    TelegramClient._config = None
    sandbox = await Sandbox.start(seed=7, quotas=NO_QUOTAS)
    world = sandbox.world
    owner = world.create_user("Olga", username="olga_owner").id
    user = world.create_user("Uwe", username="uwe_user", phone="+99966100001").id
    robot = world.create_bot("Forwarder", username="forwarder_bot", owner=owner)
    assert robot.bot is not None
    key = tmp_path / "server.pem"
    key.write_text(sandbox.rsa_public_pem)
    environment = {
        **{name: value for name, value in os.environ.items() if name in ("PATH", "HOME", "LANG")},
        "ENV_FILE": "",
        "BOT_TOKEN": robot.bot.token,
        "API_ID": str(API_ID),
        "API_HASH": API_HASH,
        "ADMIN_IDS": str(owner),
        "ENCRYPTION_KEY": Fernet.generate_key().decode(),
        "DATABASE_URL": database_url,
        "REDIS_URL": redis_db,
        "USER_SESSION_FILE_PATH": str(tmp_path / "sessions" / "user.session"),
        "TELEGRAM_BOT_API_URL": sandbox.bot_api_url,
        "TELEGRAM_MTPROTO_ADDRESS": sandbox.mtproto_address,
        "TELEGRAM_MTPROTO_KEY": str(key),
        "PACE_SCALE": "1000",
        "DATA_DIR": str(tmp_path / "data"),
        "LOG_FILE": str(tmp_path / "forwarder.log"),
    }
    db = Database(database_url)
    place = Town(sandbox, db, tmp_path, environment, owner, user, robot.id, process_copier)
    for name in ("user.session", "user.sender.session"):
        place.log_in(name, user)
    place.log_in("bot.session", robot.id)
    try:
        yield place
    finally:
        await place.stop()
        await db.close()
        await sandbox.stop()
        assert sandbox.gate.record.unknown == [], (
            "the forwarder called something that the sandbox has not got"
        )
