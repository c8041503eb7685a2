"""``python -m forwarder.sandbox``: the local Telegram as a program of its own."""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import signal
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from .control import ControlPort
from .limits import NO_QUOTAS
from .scripts import BadScript, plant
from .server import Sandbox
from .snapshot import BadSnapshot, Snapshot, load
from .world import TelegramError
from .world.events import Event


@dataclass(slots=True)
class Saver:
    """Saves the snapshot file whenever something has changed since the last time."""

    sandbox: Sandbox
    path: Path | None
    changed: bool = True

    def notice(self, event: Event) -> None:
        self.changed = True

    def save(self) -> None:
        if self.path is not None and self.changed:
            self.changed = False
            self.sandbox.save(self.path)

    async def run(self, every: float) -> None:
        while True:
            await asyncio.sleep(every)
            self.save()


def parser() -> argparse.ArgumentParser:
    """The options of the command line."""
    options = argparse.ArgumentParser(
        prog="sandbox",
        description="A local Telegram for trying things out: MTProto and Bot API on this machine.",
    )
    options.add_argument("--host", default="127.0.0.1", help="address to listen on (default: %(default)s)")
    options.add_argument("--mtproto-port", type=int, default=0, help="port for MTProto (default: a free one)")
    options.add_argument(
        "--http-port", type=int, default=0, help="port for the Bot API (default: a free one)"
    )
    options.add_argument("--control-port", type=int, default=0, help="port for control (default: a free one)")
    options.add_argument(
        "--seed-file", type=Path, help="JSON file with users, bots, chats and posts to begin with"
    )
    options.add_argument(
        "--snapshot", type=Path, help="file to restore from, and to save to, also at the end"
    )
    options.add_argument(
        "--snapshot-every", type=float, default=5.0, help="seconds between two savings (default: %(default)s)"
    )
    options.add_argument(
        "--limits-scale", type=float, default=1.0, help="multiply all flood limits (default: 1)"
    )
    options.add_argument("--no-limits", action="store_true", help="switch the flood limits off")
    options.add_argument(
        "--delay",
        type=float,
        default=0.0,
        help="seconds that everything takes on the network, each way (default: 0)",
    )
    options.add_argument("--announce", type=Path, help="write the addresses to this JSON file when ready")
    options.add_argument(
        "--key-file", type=Path, help="write the public key here (default: beside the others)"
    )
    options.add_argument(
        "--seed", type=int, default=0, help="for everything that is left to chance (default: 0)"
    )
    return options


def main(argv: Sequence[str] | None = None) -> int:
    """Run until SIGTERM or SIGINT. Returns 0 after a clean stop, 1 when it could not start."""
    options = parser().parse_args(argv)
    if options.limits_scale <= 0:
        print(
            "The scale of the limits must be above 0: use --limits-scale 1 for Telegram's own.",
            file=sys.stderr,
        )
        return 2
    if options.delay < 0:
        print("A delay can't be negative: use --delay 0.05 for 50 ms each way.", file=sys.stderr)
        return 2
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(name)s: %(message)s")
    try:
        return asyncio.run(_run(options))
    except BadSnapshot as error:
        print(error, file=sys.stderr)
    except BadScript as error:
        print(f"The seed file {options.seed_file} can't be used: {error}", file=sys.stderr)
    except TelegramError as error:
        print(
            f"The seed file {options.seed_file} asks for something Telegram refuses: {error}.",
            file=sys.stderr,
        )
    except OSError as error:
        print(f"The sandbox can't start: {error}. Choose other ports or files.", file=sys.stderr)
    return 1


async def _run(options: argparse.Namespace) -> int:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    seed = _read_seed(options.seed_file)
    snapshot: Snapshot | None = None
    if options.snapshot is not None and options.snapshot.exists():
        snapshot = load(options.snapshot)
    sandbox = await Sandbox.start(
        options.host,
        options.mtproto_port,
        options.http_port,
        seed=options.seed,
        quotas=NO_QUOTAS if options.no_limits else None,
        limits_scale=options.limits_scale,
        snapshot=snapshot,
        delay=options.delay,
    )
    control = ControlPort(sandbox, options.snapshot)
    saver = Saver(sandbox, options.snapshot)
    saving = asyncio.create_task(saver.run(options.snapshot_every))
    try:
        await control.start(options.host, options.control_port or (snapshot.ports[2] if snapshot else 0))
        made: object = None
        if seed is not None and snapshot is None:
            made = plant(sandbox.world, seed).to_json()
        sandbox.world.subscribe(saver.notice)
        saver.save()
        _announce(sandbox, options, made)
        await stop.wait()
    finally:
        saving.cancel()
        saver.changed = True
        saver.save()
        await control.stop()
        await sandbox.stop()
    return 0


def _read_seed(path: Path | None) -> dict[str, object] | None:
    if path is None:
        return None
    try:
        found = json.loads(path.read_text())
    except ValueError as error:
        raise BadScript(f"it is no JSON ({error})") from error
    if not isinstance(found, dict):
        raise BadScript("it must hold a JSON object")
    return found


def _announce(sandbox: Sandbox, options: argparse.Namespace, made: object) -> None:
    """Say where everything is: on the screen as lines for .env, and in a file for programs."""
    control = f"http://{options.host}:{sandbox.control_port}"
    key_file = _key_file(options)
    key_file.parent.mkdir(parents=True, exist_ok=True)
    key_file.write_text(sandbox.rsa_public_pem)
    print("A local Telegram is ready. Lines for .env:", flush=True)
    print(f"TELEGRAM_BOT_API_URL={sandbox.bot_api_url}")
    print(f"TELEGRAM_MTPROTO_ADDRESS={sandbox.mtproto_address}")
    print(f"TELEGRAM_MTPROTO_KEY={key_file}")
    print(f"Control port: {control}")
    print(
        f"Flood limits: {'off' if options.no_limits else f'Telegram x {options.limits_scale:g}'}", flush=True
    )
    if options.announce is not None:
        facts = {
            "bot_api": sandbox.bot_api_url,
            "mtproto": sandbox.mtproto_address,
            "control": control,
            "key_file": str(key_file),
            "key": sandbox.rsa_public_pem,
            "limit_scale": options.limits_scale,
            "seeded": made,
        }
        draft = options.announce.with_name(f".{options.announce.name}.new")
        draft.write_text(json.dumps(facts, indent=1))
        draft.replace(options.announce)


def _key_file(options: argparse.Namespace) -> Path:
    """Where the public key goes: as told, or beside the announcement or snapshot, or here."""
    if options.key_file is not None:
        return Path(options.key_file).absolute()
    beside = options.announce or options.snapshot
    folder = Path(beside).absolute().parent if beside is not None else Path.cwd() / "data"
    return folder / "sandbox-key.pem"
