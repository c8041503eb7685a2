"""Leads through the demo, from the first server to the verdict."""

from __future__ import annotations

import asyncio
import json
import shutil
import signal
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from forwarder import log
from forwarder.demo import stage
from forwarder.demo.house import LIMIT_SCALE, House, forwarder_at_work, local_telegram
from forwarder.demo.play import Play
from forwarder.demo.script import Post, Step, write_script
from forwarder.demo.servers import own_servers, server_settings
from forwarder.demo.setup import set_up
from forwarder.demo.table import Display, idle
from forwarder.demo.verdict import Seen, Verdict
from forwarder.supervisor import Event, What

ALL_OVER_SECONDS = 172.0
"""``--once`` is over by then, well or badly."""
SETTLE_SECONDS = 90.0
SLOW_RATE = 0.5
SLOW_POSTS = 25


@dataclass(frozen=True, slots=True)
class Wishes:
    """What the command line asked for; ``kills`` are (process, seconds after the script's beginning)."""

    once: bool
    seed: int
    posts: int
    report: Path | None
    logs: Path | None
    kills: tuple[tuple[str, float], ...] = ()


async def perform(wishes: Wishes) -> int:
    """Runs the demo; returns 0 after a good verdict, 1 after a bad one. Ctrl-C stops everything in order."""
    folder = Path(tempfile.mkdtemp(prefix="forwarder-demo-"))
    display = Display()
    log.configure(level="WARNING", log_file=folder / "demo.log", stream=_Nowhere())  # type: ignore[arg-type]  # all that a log asks of a stream
    _log_folder(folder, wishes.logs)
    good = False
    try:
        good = await _until_told_to_stop(_show(wishes, folder, display))
    except asyncio.CancelledError:
        display.say("Everything has stopped.")
        good = True
    finally:
        if not good and wishes.logs is None and any((folder / "logs").iterdir()):
            display.say(f"What the processes said is in {folder / 'logs'}.")
        else:
            await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)
    return 0 if good else 1


class _Nowhere:
    """The demo's own log goes to its file: the screen belongs to the table."""

    def write(self, text: str) -> int:
        return len(text)

    def flush(self) -> None:
        """Nothing is kept back."""

    def isatty(self) -> bool:
        return False


def _log_folder(folder: Path, wanted: Path | None) -> None:
    if wanted is None:
        (folder / "logs").mkdir()
        return
    wanted.mkdir(parents=True, exist_ok=True)
    (folder / "logs").symlink_to(wanted.absolute(), target_is_directory=True)


async def _until_told_to_stop(work: Any) -> bool:
    """The work's result; the first SIGINT or SIGTERM cancels it, further ones change nothing."""
    task: asyncio.Task[bool] = asyncio.ensure_future(work)
    loop = asyncio.get_running_loop()
    told = False

    def stop() -> None:
        nonlocal told
        if not told:
            told = True
            task.cancel()

    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop)
    try:
        return await task
    finally:
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.remove_signal_handler(number)


async def _show(wishes: Wishes, folder: Path, display: Display) -> bool:
    began = time.monotonic()
    async with _everything(wishes, folder, display) as house:
        display.say("Setting up through the control bot, by its buttons:")
        await set_up(house.telegram, display.say)
        play = await Play.begin(house.telegram)
        await _plan_flood_waits(house)
        steps = write_script(wishes.seed, wishes.posts)
        display.say(
            f"{wishes.posts} posts into {len(stage.SOURCES)} sources with {len(stage.MAPPINGS)} mappings, "
            f"{len(steps) - wishes.posts} edits and deletions, and flood waits on the way "
            f"(limits are Telegram's x {LIMIT_SCALE:g})."
        )
        following = asyncio.create_task(display.follow(house.db))
        try:
            await _play_and_kill(wishes, play, steps, house, display)
            verdict, world = await _settled(play, house, began, wishes)
            report = await _report(wishes, house, verdict, world, time.monotonic() - began)
            if not wishes.once:
                _tell(display, report)
                await _stay(wishes, play, house, display)
        finally:
            following.cancel()
            await asyncio.gather(following, return_exceptions=True)
    _tell(display, report)
    return verdict.good


@asynccontextmanager
async def _everything(wishes: Wishes, folder: Path, display: Display) -> AsyncIterator[House]:
    """Servers, the local Telegram, and all processes, in this order; stopped the other way round."""

    def on_event(event: Event) -> None:
        if event.what in (What.EXITED, What.REFUSED, What.KILLED):
            display.say(f"! {event}")

    async with AsyncExitStack() as stack:
        urls = stack.enter_context(own_servers(server_settings()))
        display.say(
            " ".join(urls.notes) or "A database and a Redis number of its own on the servers you set."
        )
        telegram = await stack.enter_async_context(local_telegram(folder, wishes.seed))
        display.say(f"A local Telegram: MTProto {telegram.mtproto}, Bot API {telegram.bot_api}")
        house = await stack.enter_async_context(forwarder_at_work(folder, urls, telegram, on_event))
        display.say(f"Processes: {', '.join(house.supervisor.pids())}. Flower: {house.flower_url}")
        yield house


async def _plan_flood_waits(house: House) -> None:
    """One wait for each account on the way, as Telegram would ask for it."""
    telegram = house.telegram
    for account, chat, methods, seconds in (
        (telegram.users[stage.ACCOUNT], "night", "messages.forwardMessages", 6),
        (telegram.bot, "front", "forwardMessage*", 4),
    ):
        await telegram.control.add_fault(
            action="error", error="FLOOD_WAIT_X", seconds=seconds, account=account, method=methods,
            chat=telegram.chats[chat], skip=4, times=1,
        )  # fmt: skip


async def _play_and_kill(
    wishes: Wishes, play: Play, steps: Sequence[Step], house: House, display: Display
) -> None:
    async def kill(name: str, at: float) -> None:
        await asyncio.sleep(at)
        try:
            display.say(f"! kill -9 {name} (process {house.supervisor.kill(name)})")
        except (KeyError, ProcessLookupError):
            display.say(f"! {name} does not run, so it cannot be killed")

    killers = [asyncio.create_task(kill(name, at)) for name, at in wishes.kills]
    try:
        await play.perform(steps)
        await asyncio.gather(*killers)
    finally:
        for killer in killers:
            killer.cancel()


async def _settled(
    play: Play, house: House, began: float, wishes: Wishes
) -> tuple[Verdict, dict[int, list[Seen]]]:
    """The verdict when all is well and nothing is under way, else the one at the end of patience."""
    end = began + ALL_OVER_SECONDS if wishes.once else time.monotonic() + SETTLE_SECONDS
    while True:
        at_rest = await idle(house.db)
        verdict, world = await play.verdict()
        if (verdict.good and at_rest) or time.monotonic() > end:
            return verdict, world
        await asyncio.sleep(0.5)


async def _report(
    wishes: Wishes, house: House, verdict: Verdict, world: Mapping[int, Sequence[Seen]], seconds: float
) -> dict[str, Any]:
    telegram = house.telegram
    status = await telegram.control.status()
    destinations = {telegram.chats[chat.key] for chat in stage.DESTINATIONS}
    copies = [one for chat in destinations for one in world[chat] if not one.deleted]
    senders = {str(telegram.bot): "bot", str(telegram.users[stage.ACCOUNT]): "user"}
    written = asdict(verdict)
    faults = written.pop("faults")
    report = {
        **written,
        "flood_waits_met": status["flood_waits_met"],
        "limit_scale": status["limit_scale"],
        "seconds": round(seconds, 1),
        "seed": wishes.seed,
        "good": verdict.good,
        "messages_by_route": dict(Counter(senders.get(one.sender, "other") for one in copies)),
        "messages_by_mode": dict(Counter("forward" if one.origin else "copy" for one in copies)),
        "killed": [f"{name}@{at:g}" for name, at in wishes.kills],
        "unknown_methods": status["unknown_methods"],
        "faults": list(faults),
    }
    if wishes.report is not None:
        await asyncio.to_thread(wishes.report.write_text, json.dumps(report, indent=2) + "\n")
    return report


def _tell(display: Display, report: Mapping[str, Any]) -> None:
    """The verdict on the screen."""
    display.say(f"Verdict, from the local Telegram's own world: {'GOOD' if report['good'] else 'BAD'}")
    for name, value in report.items():
        if name not in ("faults", "good"):
            display.say(f"  {name.replace('_', ' ')}: {value}")
    for fault in report["faults"]:
        display.say(f"  - {fault}")


async def _stay(wishes: Wishes, play: Play, house: House, display: Display) -> None:
    """Keep posting slowly until Ctrl-C."""
    display.say(f"Everything stays up. Flower: {house.flower_url} · local Telegram's control port: "
                f"{house.telegram.control_url} · Ctrl-C stops it all.")  # fmt: skip
    first = wishes.posts + 1
    while True:
        steps = write_script(wishes.seed, SLOW_POSTS, first=first, rate=SLOW_RATE)
        await play.perform(steps)
        first += sum(isinstance(step.act, Post) for step in steps)
