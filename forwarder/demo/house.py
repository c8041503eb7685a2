"""The demo's processes: the local Telegram, then the whole forwarder, told of it by its settings alone."""

from __future__ import annotations

import asyncio
import json
import socket
import sys
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from cryptography.fernet import Fernet

from forwarder import schema
from forwarder.db import Database
from forwarder.demo import stage
from forwarder.demo.servers import defaults
from forwarder.errors import ForwarderError
from forwarder.processes.logins import make_logins
from forwarder.processes.roster import process, processes
from forwarder.sandbox.client import ControlClient
from forwarder.servers import ServerUrls
from forwarder.settings import Need, Settings, load_settings
from forwarder.supervisor import STOP_GRACE_SECONDS, Event, ProcessSpec, Supervisor
from forwarder.telegram.login import Question

ROOT = Path(__file__).resolve().parents[2]
LIMIT_SCALE = 10.0
"""The local Telegram's flood limits, and our pace, are so many times Telegram's own."""
SANDBOX_SECONDS = 20.0


@dataclass(frozen=True, slots=True)
class Telegram:
    """The local Telegram: where it is, and the ids of what was put into it, by the stage's keys."""

    control: ControlClient
    bot_api: str
    mtproto: str
    key_file: Path
    control_url: str
    users: Mapping[str, int]
    chats: Mapping[str, int]
    invites: Mapping[str, str]
    bot: int
    bot_token: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class House:
    """Everything at work. ``supervisor`` holds the forwarder's processes, not the local Telegram.

    ``env`` is what these processes have in their environment.
    """

    telegram: Telegram
    settings: Settings
    supervisor: Supervisor
    db: Database
    flower_url: str
    env: Mapping[str, str] = field(repr=False)


@asynccontextmanager
async def local_telegram(
    folder: Path,
    seed: int,
    world: Mapping[str, object] | None = None,
    scale: float = LIMIT_SCALE,
    flags: Sequence[str] = (),
) -> AsyncIterator[Telegram]:
    """The sandbox in its own process, with a world to begin with: the stage's where none is given.

    ``flags`` are further options of its command line.

    Raises ForwarderError when it stays silent.
    """
    seed_file, announced, log = (
        folder / "seed.json",
        folder / "telegram.json",
        folder / "logs" / "sandbox.log",
    )
    await asyncio.to_thread(seed_file.write_text, json.dumps(world or stage.seed()))
    argv = [
        *(sys.executable, "-m", "forwarder.sandbox"),
        *("--seed-file", str(seed_file), "--announce", str(announced), "--seed", str(seed)),
        *("--limits-scale", f"{scale:g}"),
        *flags,
    ]
    supervisor = Supervisor([ProcessSpec("sandbox", argv, {"PYTHONPATH": str(ROOT)}, output=log)])
    await asyncio.to_thread(supervisor.start)
    try:
        facts = await asyncio.to_thread(_announced, announced, log)
        async with ControlClient(facts["control"]) as control:
            yield _telegram(facts, control)
    finally:
        await asyncio.to_thread(supervisor.stop)


def _announced(path: Path, log: Path) -> Mapping[str, Any]:
    """What the sandbox says of itself when it is ready."""
    deadline = time.monotonic() + SANDBOX_SECONDS
    while not path.exists():
        if time.monotonic() > deadline:
            words = log.read_text(errors="replace")[-500:] if log.exists() else ""
            raise ForwarderError(f"The local Telegram did not start. Its last words:\n{words}")
        time.sleep(0.05)
    facts: Mapping[str, Any] = json.loads(path.read_text())
    return facts


def _telegram(facts: Mapping[str, Any], control: ControlClient) -> Telegram:
    made = facts["seeded"]
    return Telegram(
        control=control,
        bot_api=facts["bot_api"],
        mtproto=facts["mtproto"],
        key_file=Path(facts["key_file"]),
        control_url=facts["control"],
        users={key: user["id"] for key, user in made["users"].items()},
        chats={key: chat["id"] for key, chat in made["chats"].items()},
        invites={key: chat["invite"] for key, chat in made["chats"].items() if "invite" in chat},
        bot=made["bots"][stage.BOT]["id"],
        bot_token=made["bots"][stage.BOT]["token"],
    )


@asynccontextmanager
async def forwarder_at_work(
    folder: Path,
    urls: ServerUrls,
    telegram: Telegram,
    on_event: Callable[[Event], None],
    *,
    given: Mapping[str, str] | None = None,
    without: frozenset[str] = frozenset(),
    under_run: bool = False,
) -> AsyncIterator[House]:
    """Tables, logins and all processes but those ``without``; stopped in order at the end.

    ``given`` are settings that beat the demo's own. ``under_run``: all of them as copies of one ``manage.py run``.
    """
    env = environment(folder, urls, telegram) | dict(given or {})
    settings = load_settings(Need.NOTHING, **(defaults() | _given(env)))
    await asyncio.to_thread(schema.upgrade, urls.database_url)
    db = Database(urls.database_url, pool_size=2, name="forwarder demo")
    try:
        await log_in(settings, db, telegram)
        specs = [process("run", ["run"], env, 0)] if under_run else processes(settings, env)
        supervisor = Supervisor(
            [
                replace(spec, output=folder / "logs" / f"{spec.name}.log")
                for spec in specs
                if spec.name not in without
            ],
            on_event=on_event,
            stop_grace=STOP_GRACE_SECONDS * (4 if under_run else 1),
        )
        supervisor.start()
        try:
            flower_url = f"http://127.0.0.1:{settings.flower_port}"
            yield House(telegram, settings, supervisor, db, flower_url, env)
        finally:
            await asyncio.to_thread(supervisor.stop)
    finally:
        await db.close()


def environment(folder: Path, urls: ServerUrls, telegram: Telegram) -> dict[str, str]:
    """The children's settings: ours, and blanks for all others, whatever the user's own are."""
    blank = dict.fromkeys((name.upper() for name in Settings.model_fields), "")
    return blank | {
        "ENV_FILE": "",
        **urls.environment(),
        "BOT_TOKEN": telegram.bot_token,
        "API_ID": str(stage.API_ID),
        "API_HASH": stage.API_HASH,
        "ADMIN_IDS": str(telegram.users[stage.OWNER]),
        "ENCRYPTION_KEY": Fernet.generate_key().decode(),
        "USER_SESSION_FILE_PATH": str(folder / "sessions" / "user.session"),
        "DATA_DIR": str(folder / "data"),
        "TELEGRAM_BOT_API_URL": telegram.bot_api,
        "TELEGRAM_MTPROTO_ADDRESS": telegram.mtproto,
        "TELEGRAM_MTPROTO_KEY": str(telegram.key_file),
        "PACE_SCALE": f"{LIMIT_SCALE:g}",
        "FLOWER_PORT": str(free_port()),
    }


def _given(env: Mapping[str, str]) -> dict[str, object]:
    return {
        name.lower(): text for name, text in env.items() if text and name.lower() in Settings.model_fields
    }


async def log_in(settings: Settings, db: Database, telegram: Telegram) -> None:
    """The same logins as `manage.py login` makes, with the account's owner answering."""

    async def ask(question: Question) -> str:
        if question is Question.CODE:
            return await telegram.control.login_code(stage.PHONE)
        return stage.PHONE if question is Question.PHONE else stage.PASSWORD

    async def tell(sentence: str) -> None:
        """Nobody reads along; what goes wrong is raised."""

    await make_logins(settings, db, ask, tell)


def free_port() -> int:
    """A port that nobody listens on: two demos side by side must not meet at one Flower."""
    with socket.socket() as trial:
        trial.bind(("127.0.0.1", 0))
        return int(trial.getsockname()[1])
