"""What is done to the forwarder, and when: the same for the same seed. Pure."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

PROCESSES = ("worker", "user-worker", "ingest", "bot", "beat")

USER_SENDS = ("messages.forwardMessages", "messages.send*")
USER_CALLS = (
    *USER_SENDS, "messages.editMessage", "channels.deleteMessages", "channels.getMessages",
    "updates.getChannelDifference", "messages.getPeerDialogs", "messages.getHistory",
)  # fmt: skip
BOT_SENDS = ("copyMessage*", "forwardMessage*", "sendM*")
BOT_SOURCES = ("both0", "both1", "both2", "both3", "bots")
"""Keys of the chats that the bot hears; ``bots`` nobody else does."""
BOT_CALLS = (*BOT_SENDS, "editMessage*", "deleteMessage*", "getUpdates")


class Kind(StrEnum):
    """The kinds of trouble."""

    KILL = "kill -9"
    FREEZE = "SIGSTOP, later SIGCONT"
    REDIS_KILLED = "Redis killed, started again empty"
    REDIS_EMPTIED = "Redis emptied"
    POSTGRES_RESTARTED = "PostgreSQL restarted"
    CONNECTIONS_CUT = "every connection of an account cut"
    CUT_BEFORE = "connection cut before execution"
    CUT_AFTER = "connection cut after execution"
    ANSWER_LOST = "executed, the answer lost"
    CALL_LOST = "not executed and not answered"
    SERVER_ERROR = "server error before execution"
    SERVER_ERROR_AFTER = "server error after execution"
    SLOW_CALL = "executed late"
    SLOW_ANSWER = "answered late"
    FLOOD_WAIT = "flood wait"
    SLOW_MODE = "slow mode"
    DOUBLED = "updates doubled"
    REORDERED = "updates reordered"
    WITHHELD = "updates withheld"
    DELAYED = "updates late"
    UNDECODABLE = "updates of a layer that the client has not got"
    BOT_WITHHELD = "the bot's updates withheld"
    BOT_UNANSWERED = "answers of getUpdates lost, so the bot's updates come again"
    BOT_UNCONFIRMED = "the bot killed with its updates stored and not confirmed, so they come again"
    BOT_DOUBLED = "the bot's updates doubled"


WEIGHTS = {
    Kind.KILL: 14, Kind.FREEZE: 8, Kind.REDIS_KILLED: 3, Kind.REDIS_EMPTIED: 3, Kind.POSTGRES_RESTARTED: 3,
    Kind.CONNECTIONS_CUT: 4, Kind.CUT_BEFORE: 4, Kind.CUT_AFTER: 8, Kind.ANSWER_LOST: 6, Kind.CALL_LOST: 4,
    Kind.SERVER_ERROR: 4, Kind.SERVER_ERROR_AFTER: 4, Kind.SLOW_CALL: 4, Kind.SLOW_ANSWER: 4,
    Kind.FLOOD_WAIT: 4, Kind.SLOW_MODE: 3, Kind.DOUBLED: 4, Kind.REORDERED: 4, Kind.WITHHELD: 5, Kind.DELAYED: 3,
    Kind.UNDECODABLE: 3, Kind.BOT_WITHHELD: 4, Kind.BOT_UNANSWERED: 4, Kind.BOT_UNCONFIRMED: 3, Kind.BOT_DOUBLED: 4,
}  # fmt: skip
EVERY = 2.4
"""Seconds between two troubles, on average."""


@dataclass(frozen=True, slots=True)
class Trouble:
    """One misfortune ``at`` so many seconds after the beginning.

    ``target``: a process, a method (or a pattern of them), an account (``bot``, ``user``), or the keys of sources;
    ``seconds`` is how long it lasts, or the wait that is asked for; ``times`` how many calls or updates it strikes.
    """

    at: float
    kind: Kind
    target: str = ""
    seconds: float = 0.0
    times: int = 1

    def __str__(self) -> str:
        told = f"{self.at:7.1f} s  {self.kind.value}"
        if self.target:
            told += f": {self.target}"
        if self.seconds:
            told += f", {self.seconds:.1f} s"
        return told + (f", {self.times} times" if self.times > 1 else "")


def make_plan(seed: int, seconds: float, every: float = EVERY) -> list[Trouble]:
    """Troubles for so many seconds, each kind at least once where there is room."""
    chance = random.Random(f"chaos:{seed}")
    times: list[float] = []
    at = chance.uniform(every / 3, every * 5 / 3)
    while at < seconds:
        times.append(at)
        at += chance.uniform(every / 3, every * 5 / 3)
    kinds = chance.sample(list(Kind), min(len(Kind), len(times)))
    kinds += chance.choices(list(WEIGHTS), list(WEIGHTS.values()), k=len(times) - len(kinds))
    chance.shuffle(kinds)
    return [_trouble(at, kind, chance) for at, kind in zip(times, kinds, strict=True)]


def last_over(plan: Sequence[Trouble]) -> float:
    """Seconds after the beginning when the last trouble of the plan is over."""
    return max((trouble.at + trouble.seconds for trouble in plan), default=0.0)


def _trouble(at: float, kind: Kind, chance: random.Random) -> Trouble:
    match kind:
        case Kind.KILL:
            return Trouble(at, kind, chance.choice(PROCESSES))
        case Kind.FREEZE:
            return Trouble(at, kind, chance.choice(PROCESSES), _length(chance))
        case Kind.REDIS_KILLED | Kind.POSTGRES_RESTARTED:
            return Trouble(at, kind, seconds=chance.uniform(0.2, 5.0))
        case Kind.REDIS_EMPTIED:
            return Trouble(at, kind)
        case Kind.CONNECTIONS_CUT:
            return Trouble(at, kind, chance.choice(("bot", "user")))
        case Kind.FLOOD_WAIT | Kind.SLOW_MODE:
            method = chance.choice((*USER_SENDS, *BOT_SENDS))
            return Trouble(at, kind, method, float(chance.randint(1, 12)))
        case Kind.DOUBLED | Kind.REORDERED | Kind.WITHHELD | Kind.UNDECODABLE:
            return Trouble(at, kind, times=chance.randint(1, 8))
        case Kind.SLOW_CALL | Kind.SLOW_ANSWER:
            # Longer than a lease, and than a client waits; but what begins is over before absence proves anything.
            return Trouble(at, kind, chance.choice((*USER_SENDS, *BOT_SENDS)), chance.uniform(2, 20))
        case Kind.BOT_WITHHELD:
            # Of one chat, and then another's come first; or of several. What nobody else hears is chosen most often.
            some = chance.sample(BOT_SOURCES, chance.randint(1, 2))
            chats = chance.choice((["bots"], some, list(BOT_SOURCES)))
            return Trouble(at, kind, " ".join(sorted(chats)), chance.uniform(2, 20))
        case Kind.BOT_UNANSWERED:
            return Trouble(at, kind, "getUpdates", times=chance.randint(1, 5))
        case Kind.BOT_UNCONFIRMED:
            return Trouble(at, kind, "bot")
        case Kind.BOT_DOUBLED:
            return Trouble(at, kind, times=chance.randint(1, 8))
        case Kind.DELAYED:
            return Trouble(at, kind, seconds=chance.uniform(0.5, 4.0), times=chance.randint(1, 5))
    calls = (*USER_CALLS, *BOT_CALLS, *(USER_SENDS + BOT_SENDS) * 3)
    return Trouble(at, kind, chance.choice(calls), times=chance.randint(1, 3))


def _length(chance: random.Random) -> float:
    """Seconds to stand still: shorter than a lease, about as long, much longer, or for longer than it takes until what
    is not found counts as not sent."""
    lengths = (chance.uniform(1, 6), chance.uniform(8, 14), chance.uniform(18, 28), chance.uniform(45, 60))
    return chance.choices(lengths, (3, 3, 3, 1))[0]
