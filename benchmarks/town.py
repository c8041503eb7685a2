"""The ground of the benchmarks: one local Telegram, the forwarder at work in it, and the peers beside it.

Each contender has sources and destinations of its own, as many as there are lanes, so that all of them stand
ready while one of them works.
"""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AbstractContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.peers import Peer, peer_at_work
from benchmarks.usage import Parts
from forwarder.demo import stage
from forwarder.demo.house import House, Telegram, forwarder_at_work, local_telegram
from forwarder.demo.servers import defaults
from forwarder.errors import ForwarderError
from forwarder.message import AccountKind, ChatCard, ChatKind, Mode, Route
from forwarder.models import MappingState
from forwarder.servers import ServerUrls, embedded
from forwarder.services import channel_rows
from forwarder.services.accounts import AccountService
from forwarder.services.mappings import MappingService
from forwarder.services.values import Rights
from forwarder.settings import Need, load_settings

OURS = "forwarder"
PEERS = ("plain", "ordered", "queues")
FREE = {"PACE_SCALE": "1000"}
"""Our own pace, out of the way."""
PACED = {"PACE_SCALE": "1"}
"""Our own pace, as it is against Telegram itself."""
START_SECONDS = 60.0
ALL = Rights(may_read=True, may_post=True, may_edit=True, may_delete=True)


@dataclass(frozen=True, slots=True)
class Plan:
    """What a benchmark needs. ``by_bot`` lanes of the forwarder, its first ones, are sent by the bot.

    ``limits``: whether Telegram limits. ``fan_out``: one source for all lanes of the forwarder. ``given``:
    settings of the forwarder. ``under_run``: its processes are those of one ``manage.py run``, with Flower.
    """

    lanes: int
    peers: tuple[str, ...] = ()
    by_bot: int = 0
    limits: bool = False
    fan_out: bool = False
    given: Mapping[str, str] = field(default_factory=lambda: FREE)
    under_run: bool = False


@dataclass(frozen=True, slots=True)
class Side:
    """One contender's chats by marked ids, and its processes."""

    name: str
    sources: tuple[int, ...]
    destinations: tuple[int, ...]
    parts: Parts


@dataclass(frozen=True, slots=True)
class Town:
    """Everything at work. ``mappings`` are the forwarder's, in the order of its lanes."""

    telegram: Telegram
    house: House
    urls: ServerUrls
    mappings: tuple[int, ...]
    sandbox_pid: int
    peers: Mapping[str, Peer]
    plan: Plan

    @property
    def owner(self) -> int:
        """The person who posts."""
        return self.telegram.users[stage.OWNER]

    def side(self, name: str) -> Side:
        """A contender as it is at this moment: its processes may have been started again."""
        sources, destinations = chats_of(self.telegram, self.plan, name)
        parts = self.forwarder_parts() if name == OURS else {name: self.peers[name].pid}
        return Side(name, sources, destinations, parts)

    def forwarder_parts(self) -> dict[str, int]:
        servers = {server.name: server.warden_pid for server in self.urls.servers}
        return {**self.house.supervisor.pids(), **servers}


@asynccontextmanager
async def town(plan: Plan, servers: ServerUrls | None = None) -> AsyncIterator[Town]:
    """Everything started and set up, on servers of its own unless some are given. Raises ForwarderError where
    something does not start."""
    folder = await asyncio.to_thread(_folder)
    try:
        async with AsyncExitStack() as stack:
            urls = servers or stack.enter_context(_servers(folder))
            flags = () if plan.limits else ("--no-limits",)
            telegram = await stack.enter_async_context(
                local_telegram(folder, 1, world=seed(plan), scale=1.0, flags=flags)
            )
            house = await stack.enter_async_context(
                forwarder_at_work(
                    folder, urls, telegram, lambda event: None,
                    given=plan.given, without=frozenset({"flower"}), under_run=plan.under_run,
                )
            )  # fmt: skip
            mappings = await set_up(house, plan)
            peers = {}
            for name in plan.peers:
                way = dict(zip(*chats_of(telegram, plan, name), strict=True))
                peers[name] = await stack.enter_async_context(peer_at_work(folder, telegram, name, way))
            pid = (await telegram.control.status())["pid"]
            yield Town(telegram, house, urls, mappings, pid, peers, plan)
    except BaseException:
        _show_last_words(folder)
        raise
    finally:
        await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)


def _folder() -> Path:
    folder = Path(tempfile.mkdtemp(prefix="forwarder-bench-"))
    folder.chmod(0o711)  # the database may run as a user of its own, who has to reach what is inside
    (folder / "logs").mkdir()
    return folder


def _show_last_words(folder: Path) -> None:
    for log in sorted((folder / "logs").glob("*.log")):
        words = log.read_text(errors="replace").splitlines()[-3:]
        print(f"--- {log.stem}", *words, sep="\n")


def _servers(folder: Path) -> AbstractContextManager[ServerUrls]:
    """Servers that keep what they are told: a throwaway one does not wait for the disk, and would flatter us."""
    settings = load_settings(Need.NOTHING, **(defaults() | {"data_dir": folder / "servers"}))
    return embedded(settings, throwaway=False)


# -- the world -------------------------------------------------------------------------------------------


def seed(plan: Plan) -> dict[str, object]:
    """People, the bot, and every contender's channels, as a seed file of the sandbox."""
    accounts = {OURS: stage.ACCOUNT} | {name: name for name in plan.peers}
    users = [
        {"key": stage.OWNER, "first_name": "Olga", "phone": "+99966100001"},
        {"key": stage.ACCOUNT, "first_name": "Anna", "phone": stage.PHONE, "password": stage.PASSWORD},
        *({"key": name, "first_name": name.title()} for name in plan.peers),
    ]
    bots = [{"key": stage.BOT, "name": "Forwarder", "username": "bench_bot", "owner": stage.OWNER}]
    chats: list[dict[str, object]] = []
    for name, account in accounts.items():
        bot = plan.by_bot > 0 and name == OURS
        chats += [_source(key, account, bot=bot) for key in _keys(plan, name, "from")]
        chats += [
            _destination(key, stage.BOT if name == OURS and number < plan.by_bot else account)
            for number, key in enumerate(_keys(plan, name, "to"))
        ]
    return {"users": users, "bots": bots, "chats": chats}


def _source(key: str, account: str, *, bot: bool) -> dict[str, object]:
    """The forwarder's bot is in its sources where it has lanes to send by; a peer has no bot that could be."""
    people = {"members": [account], "admins": {stage.BOT: []} if bot else {}}
    return {"key": key, "title": key, "creator": stage.OWNER, **people}


def _destination(key: str, poster: str) -> dict[str, object]:
    return {"key": key, "title": key, "creator": stage.OWNER, "admins": {poster: list(stage.POSTING)}}


def _keys(plan: Plan, name: str, side: str) -> list[str]:
    many = 1 if side == "from" and name == OURS and plan.fan_out else plan.lanes
    return [f"{name} {side} {number}" for number in range(many)]


def chats_of(telegram: Telegram, plan: Plan, name: str) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Sources and destinations of a contender."""
    sources = [telegram.chats[key] for key in _keys(plan, name, "from")]
    return tuple(sources), tuple(telegram.chats[key] for key in _keys(plan, name, "to"))


# -- the forwarder's rows ----------------------------------------------------------------------------------


async def set_up(house: House, plan: Plan) -> tuple[int, ...]:
    """Channels and mappings as the services write them, without asking Telegram about each chat."""
    await _registered(AccountService(house.db))
    sources, destinations = chats_of(house.telegram, plan, OURS)
    reading = {AccountKind.USER: ALL}
    if plan.by_bot:
        reading[AccountKind.BOT] = Rights(may_read=True)
    routes = [Route.BOT] * plan.by_bot + [Route.USER] * (plan.lanes - plan.by_bot)
    source_rows = [await _channel(house, chat, reading, source=True) for chat in sources]
    rows = [
        await _channel(house, chat, {AccountKind(route): ALL}, source=False)
        for chat, route in zip(destinations, routes, strict=True)
    ]
    service = MappingService(house.db)
    made = []
    pairs = zip(source_rows * (len(rows) // len(source_rows)), rows, routes, strict=True)
    for source, destination, route in pairs:
        mapping = await service.create(source, destination, mode=Mode.FORWARD, route=route, start_after=1)
        assert mapping.state is MappingState.ACTIVE
        made.append(mapping.id)
    return tuple(made)


async def _channel(house: House, chat: int, rights: Mapping[AccountKind, Rights], *, source: bool) -> int:
    card = ChatCard(chat, ChatKind.CHANNEL, f"Channel {chat}", top_id=1)
    async with house.db.begin() as session:
        row = await channel_rows.store(session, card, as_source=source, as_destination=not source, actor=None)
        await channel_rows.store_access(session, row.id, rights, {})
        await channel_rows.settle_listener(session, row, card.top_id)
        return row.id


async def _registered(accounts: AccountService) -> None:
    deadline = asyncio.get_running_loop().time() + START_SECONDS
    while {account.kind for account in await accounts.list()} != set(AccountKind):
        if asyncio.get_running_loop().time() > deadline:
            raise ForwarderError("The forwarder's accounts did not sign in.")
        await asyncio.sleep(0.1)


def names(plan: Plan) -> Sequence[str]:
    """All contenders, ours first."""
    return (OURS, *plan.peers)
