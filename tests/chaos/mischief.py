"""Does to the forwarder what a plan says, and remembers what was really done."""

from __future__ import annotations

import asyncio
import os
import random
import signal
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from forwarder.demo import stage
from forwarder.demo.house import House
from tests.chaos.plan import USER_CALLS, Kind, Trouble
from tests.chaos.servers import Servers

Say = Callable[[str], None]

PUSHES = {
    Kind.DOUBLED: "double", Kind.REORDERED: "swap", Kind.WITHHELD: "drop", Kind.DELAYED: "delay",
    Kind.UNDECODABLE: "odd",
}  # fmt: skip
CALLS: dict[Kind, dict[str, object]] = {
    Kind.CUT_BEFORE: {"action": "cut", "moment": "before"},
    Kind.CUT_AFTER: {"action": "cut", "moment": "after"},
    Kind.ANSWER_LOST: {"action": "drop", "moment": "after"},
    Kind.CALL_LOST: {"action": "drop", "moment": "before"},
    Kind.SLOW_CALL: {"action": "delay", "moment": "before"},
    Kind.SLOW_ANSWER: {"action": "delay", "moment": "after"},
    Kind.FLOOD_WAIT: {"action": "error", "error": "FLOOD_WAIT_X"},
    Kind.SLOW_MODE: {"action": "error", "error": "SLOWMODE_WAIT_X"},
    Kind.BOT_UNANSWERED: {"action": "cut", "moment": "after"},
}
SOON = 20.0
"""Seconds within which the bot polls again, or does not run."""


@dataclass(slots=True)
class Done:
    """A trouble that was made. ``note`` says what came of it where that is worth telling."""

    trouble: Trouble
    began: datetime
    note: str = ""
    ended: datetime | None = None


@dataclass
class Mischief:
    house: House
    servers: Servers
    seed: int
    say: Say
    done: list[Done] = field(default_factory=list)
    _frozen: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._chance = random.Random(f"where:{self.seed}")
        # A server can only be restarted once at a time.
        self._locks = {Kind.REDIS_KILLED: asyncio.Lock(), Kind.POSTGRES_RESTARTED: asyncio.Lock()}

    async def perform(self, plan: Sequence[Trouble]) -> None:
        """All troubles at their times; returns when the last is over."""
        began = asyncio.get_running_loop().time()
        try:
            async with asyncio.TaskGroup() as group:
                for trouble in plan:
                    group.create_task(self._at(began, trouble))
        finally:
            await self.make_peace()

    async def make_peace(self) -> None:
        """Nothing is wrong any more from here on."""
        for pid in self._frozen.values():
            _signal(pid, signal.SIGCONT)
        await self.house.telegram.control.call("clear_faults")

    async def _at(self, began: float, trouble: Trouble) -> None:
        await asyncio.sleep(max(0.0, began + trouble.at - asyncio.get_running_loop().time()))
        done = Done(trouble, datetime.now(UTC))
        self.done.append(done)
        done.note = await self._make(trouble)
        done.ended = datetime.now(UTC)
        self.say(f"{trouble}{f' ({done.note})' if done.note else ''}")

    async def _make(self, trouble: Trouble) -> str:
        match trouble.kind:
            case Kind.KILL:
                return self._kill(trouble)
            case Kind.FREEZE:
                return await self._freeze(trouble)
            case Kind.REDIS_EMPTIED:
                return await self._empty_redis()
            case Kind.REDIS_KILLED | Kind.POSTGRES_RESTARTED:
                return await self._restart(trouble)
            case Kind.CONNECTIONS_CUT:
                cut = await self.house.telegram.control.call("cut", account=self._account(trouble.target))
                return f"{cut} connections"
            case Kind.BOT_WITHHELD:
                return await self._withhold(trouble)
            case Kind.BOT_UNCONFIRMED:
                return await self._kill_unconfirmed(trouble)
            case Kind.BOT_DOUBLED:
                await self._fault(action="double", moment="push", door="bot_api", times=trouble.times)
                return ""
            case kind if kind in PUSHES:
                return await self._spoil_pushes(trouble)
        return await self._spoil_calls(trouble)

    def _kill(self, trouble: Trouble) -> str:
        try:
            return f"process {self.house.supervisor.kill(trouble.target)}"
        except ProcessLookupError:
            return "it did not run just then"

    async def _freeze(self, trouble: Trouble) -> str:
        if trouble.target in self._frozen:
            return "it stood still already"
        try:
            pid = self.house.supervisor.kill(trouble.target, signal.SIGSTOP)
        except ProcessLookupError:
            return "it did not run just then"
        self._frozen[trouble.target] = pid
        try:
            await asyncio.sleep(trouble.seconds)
        finally:
            del self._frozen[trouble.target]
            _signal(pid, signal.SIGCONT)
        return f"process {pid}"

    async def _empty_redis(self) -> str:
        async with self._locks[Kind.REDIS_KILLED]:
            await asyncio.to_thread(self.servers.empty_redis)
        return ""

    async def _restart(self, trouble: Trouble) -> str:
        server = self.servers.redis if trouble.kind is Kind.REDIS_KILLED else self.servers.postgres
        async with self._locks[trouble.kind]:
            await asyncio.to_thread(server.end)
            await asyncio.sleep(trouble.seconds)
            await asyncio.to_thread(server.start)
        return ""

    async def _spoil_pushes(self, trouble: Trouble) -> str:
        # What is pushed to the bot is kept until it is confirmed: it has troubles of its own.
        rule: dict[str, object] = {"action": PUSHES[trouble.kind], "moment": "push", "times": trouble.times}
        if trouble.kind is Kind.DELAYED:
            rule["seconds"] = trouble.seconds
        await self._fault(**rule, door="mtproto")
        return ""

    async def _withhold(self, trouble: Trouble) -> str:
        """The next update of each of these chats is late, and with it all that come after it in its chat."""
        telegram = self.house.telegram
        for key in trouble.target.split():
            await self._fault(
                action="delay", moment="push", door="bot_api", account=telegram.bot, chat=telegram.chats[key],
                seconds=trouble.seconds,
            )  # fmt: skip
        await asyncio.sleep(trouble.seconds)
        return ""

    async def _kill_unconfirmed(self, trouble: Trouble) -> str:
        """Swallow the poll that would confirm what the last one brought, then kill the process.

        Telegram serves a poll at once where updates wait: when the next begins, the last one's are stored.
        """
        number = await self._fault(
            action="drop", moment="before", account=self.house.telegram.bot, method="getUpdates"
        )
        deadline = asyncio.get_running_loop().time() + SOON
        while not await self._struck(number):
            if asyncio.get_running_loop().time() > deadline:
                await self.house.telegram.control.call("remove_fault", number=number)
                return "it did not poll just then"
            await asyncio.sleep(0.1)
        return self._kill(trouble)

    async def _fault(self, **rule: object) -> int:
        return await self.house.telegram.control.add_fault(**rule)

    async def _struck(self, number: int) -> int:
        faults = await self.house.telegram.control.call("faults")
        return int(faults[str(number)]["struck"])

    async def _spoil_calls(self, trouble: Trouble) -> str:
        rule = dict(CALLS.get(trouble.kind, {}))
        if not rule:
            moment = "after" if trouble.kind is Kind.SERVER_ERROR_AFTER else "before"
            rule = (
                {"action": "error", "error": "INTERNAL_SERVER_ERROR", "moment": moment}
                if trouble.target in USER_CALLS
                else {"action": "http", "status": self._chance.choice((500, 502, 504)), "moment": moment}
            )
        if trouble.seconds:
            rule["seconds"] = trouble.seconds
        door = "mtproto" if trouble.target in USER_CALLS else "bot_api"
        await self._fault(**rule, method=trouble.target, door=door, times=trouble.times)
        return ""

    def _account(self, target: str) -> int:
        telegram = self.house.telegram
        return telegram.bot if target == "bot" else telegram.users[stage.ACCOUNT]


def _signal(pid: int, number: int) -> None:
    try:
        os.kill(pid, number)
    except ProcessLookupError:  # it was killed while it stood still
        pass
