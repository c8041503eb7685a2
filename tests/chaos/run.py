"""One chaos from the first server to the verdict."""

from __future__ import annotations

import asyncio
import json
import shutil
import tempfile
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import text

from forwarder.db import Database
from forwarder.demo.house import House, forwarder_at_work, local_telegram
from forwarder.demo.play import Play
from forwarder.demo.script import write_script
from forwarder.errors import Unavailable
from forwarder.message import Route
from forwarder.supervisor import Event, What
from tests.chaos import judge, town
from tests.chaos.judge import Finding, Held, Sent, Span
from tests.chaos.mischief import Done, Mischief
from tests.chaos.plan import BOT_SENDS, EVERY, Kind, Trouble, last_over, make_plan
from tests.chaos.servers import servers

SETTLE_SECONDS = 120.0
LOOK_EVERY = 2.0
RATE = 2.0
SCALE = 20.0
"""The local Telegram's limits and our pace are so many times Telegram's own."""
STRIKES = frozenset({Kind.KILL, Kind.FREEZE, Kind.POSTGRES_RESTARTED, Kind.REDIS_KILLED})


@dataclass(frozen=True, slots=True)
class Wishes:
    """What the command line asked for; ``logs`` keeps what the processes said."""

    seconds: float
    seed: int
    report: Path | None = None
    logs: Path | None = None
    rate: float = RATE
    every: float = EVERY


@dataclass(frozen=True, slots=True)
class Settled:
    """What was found, and how many seconds after the last trouble."""

    user: Finding
    bot: Finding
    after: float

    @property
    def good(self) -> bool:
        return self.user.good and self.bot.good


async def perform(wishes: Wishes, say: Callable[[str], None]) -> dict[str, Any]:
    """Run a chaos and answer the report, which is written where it was asked for."""
    folder = Path(tempfile.mkdtemp(prefix="forwarder-chaos-"))
    logs = (wishes.logs or folder / "logs").absolute()
    logs.mkdir(parents=True, exist_ok=True)
    if wishes.logs is not None:
        (folder / "logs").symlink_to(logs, target_is_directory=True)
    try:
        report = await _chaos(wishes, folder, say)
    finally:
        await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)
    if wishes.report is not None:
        await asyncio.to_thread(wishes.report.write_text, json.dumps(report, indent=1) + "\n")
    return report


async def _chaos(wishes: Wishes, folder: Path, say: Callable[[str], None]) -> dict[str, Any]:
    deaths: Counter[str] = Counter()
    async with _everything(wishes, folder, deaths) as (house, mischief):
        mischief.say = say
        say(f"Setting up {len(town.LANES)} lanes.")
        mappings = await town.set_up(house)
        play = await Play.begin(house.telegram)
        plan = make_plan(wishes.seed, wishes.seconds, wishes.every)
        posts = int(last_over(plan) * wishes.rate) + len(town.SOURCES)
        steps = write_script(wishes.seed, posts, rate=wishes.rate, sources=town.SOURCES)
        say(
            f"{len(plan)} troubles in {wishes.seconds:g} s, {posts} posts, {len(steps) - posts} edits and deletions."
        )
        async with asyncio.TaskGroup() as group:
            group.create_task(play.perform(steps))
            group.create_task(mischief.perform(plan))
        say("Peace. Waiting for everything to arrive.")
        settled = await _settled(house, play, mappings, mischief)
        return await _report(wishes, house, mischief, settled, deaths)


@asynccontextmanager
async def _everything(
    wishes: Wishes, folder: Path, deaths: Counter[str]
) -> AsyncIterator[tuple[House, Mischief]]:
    def on_event(event: Event) -> None:
        if event.what in (What.EXITED, What.REFUSED, What.KILLED):
            how = event.what.value if event.status is None else f"{event.what.value} {event.status}"
            deaths[f"{event.name} {how}"] += 1

    async with AsyncExitStack() as stack:
        own = stack.enter_context(servers())
        telegram = await stack.enter_async_context(
            local_telegram(folder, wishes.seed, world=town.seed(), scale=SCALE)
        )
        await town.admit_bot(telegram)
        house = await stack.enter_async_context(
            forwarder_at_work(
                folder, own.urls, telegram, on_event,
                given={"PACE_SCALE": f"{SCALE:g}"}, without=frozenset({"flower"}),
            )
        )  # fmt: skip
        yield house, Mischief(house, own, wishes.seed, lambda words: None)


async def _settled(house: House, play: Play, mappings: dict[int, town.Lane], mischief: Mischief) -> Settled:
    """The first good verdict, else the one when the patience is at its end; it begins with the last trouble's end."""
    last = max((done.ended or done.began for done in mischief.done), default=datetime.now(UTC))
    while True:
        after = (datetime.now(UTC) - last).total_seconds()
        found = await _look(house, play, mappings, mischief, after)
        if (found.good and await _idle(house.db)) or found.after + LOOK_EVERY > SETTLE_SECONDS:
            return found
        await asyncio.sleep(LOOK_EVERY)


async def _look(
    house: House, play: Play, mappings: dict[int, town.Lane], mischief: Mischief, after: float
) -> Settled:
    world = await play.world()
    posts = play.expected(world)
    calls = await _sent_by_bot(house)
    times = await _times(house)
    held = await _held(house.db)
    struck = [_span(done) for done in mischief.done if done.trouble.kind in STRIKES]
    user = judge.find(posts, town.ways(house.telegram, Route.USER), world, times=times)
    bot = judge.find(
        posts, town.ways(house.telegram, Route.BOT), world, held=held, sent=calls, struck=struck, times=times
    )
    return Settled(user, bot, after)


def _span(done: Done) -> Span:
    blind = done.trouble.target == "user-worker" or done.trouble.kind is Kind.POSTGRES_RESTARTED
    return Span(done.began, done.ended or done.began, blind)


async def _sent_by_bot(house: House) -> list[Sent]:
    """The bot's sends that were executed, by the local Telegram's own record."""
    wanted = tuple(pattern.rstrip("*") for pattern in BOT_SENDS)
    return [
        Sent(call["chat"], datetime.fromisoformat(call["at"]), answered=call["outcome"] == "ok")
        for call in await house.telegram.control.call("calls", account=house.telegram.bot)
        if call["method"].startswith(wanted) and call["outcome"].startswith("ok")
    ]


async def _times(house: House) -> dict[tuple[int, int], datetime]:
    times = {}
    for chat in town.DESTINATIONS:
        exported = await house.telegram.control.history(house.telegram.chats[chat.key])
        for message in (*exported["messages"], *exported["deleted"]):
            times[message["chat"], message["id"]] = datetime.fromisoformat(message["at"])
    return times


_HELD = text(
    """
    select s.telegram_id as source, min(x.message_id) as message, c.telegram_id as destination
      from deliveries d join mappings m on m.id = d.mapping_id
      join channels s on s.id = m.source_id join channels c on c.id = m.destination_id
      join messages x on x.post_id = d.post_id
     where d.kind = 'post' and d.state = 'held' and d.reason = 'unsure'
     group by d.id, s.telegram_id, c.telegram_id
    """
)
_UNDER_WAY = text("select 1 from deliveries where done_at is null and state <> 'held' limit 1")


async def _held(db: Database) -> frozenset[Held]:
    try:
        async with db.begin() as session:
            return frozenset((r.source, r.message, r.destination) for r in await session.execute(_HELD))
    except Unavailable:
        return frozenset()


async def _idle(db: Database) -> bool:
    try:
        async with db.begin() as session:
            return (await session.execute(_UNDER_WAY)).first() is None
    except Unavailable:
        return False


async def _report(
    wishes: Wishes, house: House, mischief: Mischief, settled: Settled, deaths: Counter[str]
) -> dict[str, Any]:
    status = await house.telegram.control.status()
    report: dict[str, Any] = {
        "good": settled.good and not status["unknown_methods"],
        "seed": wishes.seed,
        "seconds": wishes.seconds,
        "lanes": len(town.LANES),
        "limit_scale": status["limit_scale"],
        "settled_seconds_after_the_last_trouble": round(settled.after, 1),
        "user": settled.user.to_json(),
        "bot": settled.bot.to_json(),
        "flood_waits_met": status["flood_waits_met"],
        "unknown_methods": status["unknown_methods"],
        "deaths": dict(sorted(deaths.items())),
        "done": [_done_json(done.trouble, done.note) for done in mischief.done],
    }
    report["words"] = in_words(report)
    return report


def _done_json(trouble: Trouble, note: str) -> dict[str, object]:
    return {
        "at": round(trouble.at, 1), "kind": trouble.kind.name.lower(), "what": trouble.kind.value,
        "target": trouble.target, "seconds": round(trouble.seconds, 1), "times": trouble.times, "note": note,
    }  # fmt: skip


def in_words(report: dict[str, Any]) -> list[str]:
    """The report as sentences: the verdict, each case by name, and what was done."""
    judged = (
        f"Verdict, from the local Telegram's own world: {'GOOD' if report['good'] else 'BAD'} "
        f"(seed {report['seed']}, {report['seconds']:g} s of trouble, {report['lanes']} lanes, "
        f"settled {report['settled_seconds_after_the_last_trouble']} s after the last trouble)."
    )
    said = [judged]
    for route in ("user", "bot"):
        found = report[route]
        said.append(
            f"{route.capitalize()} route: {found['delivered']} of {found['expected']} delivered, "
            f"{found['lost']} lost, {found['doubled']} doubled, {found['out_of_order']} out of order, "
            f"{found['wrong_content']} wrong, {found['wrong_place']} misplaced, {found['album_split']} albums split, "
            f"{found['stale_edit']} stale edits, {found['undeleted']} not deleted."
        )
        said += [f"  - {fault}" for fault in found["faults"]]
        said += [
            f"  - post {case['post']} from {case['source']} in {case['destination']} "
            f"(when unsure: {case['when_unsure']}): {case['why']}; {'allowed' if case['allowed'] else 'NOT ALLOWED'}"
            for case in found["cases"]
        ]
    kinds = Counter(done["what"] for done in report["done"])
    said.append("Done: " + ", ".join(f"{what} ({count})" for what, count in sorted(kinds.items())) + ".")
    ended = ", ".join(f"{how} ({count})" for how, count in report["deaths"].items())
    said.append(f"Processes that ended: {ended or 'none'}.")
    return said
