"""The call record: what clients asked of the sandbox, and what came of it."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import datetime

from .gate import Call, Door

WAITS = frozenset({"FLOOD_WAIT_X", "SLOWMODE_WAIT_X", "FLOOD_PREMIUM_WAIT_X"})


@dataclass(frozen=True, slots=True)
class CallRecord:
    """One call. ``outcome`` is ``ok``, the name of the error, or what a fault did (``ok, answer dropped``).

    ``seconds`` is the wait that the client was asked for, if any; ``messages`` how many it meant to send.
    """

    at: datetime
    door: Door
    account: int | None
    method: str
    chat: int | None
    messages: int
    outcome: str
    seconds: int | None = None

    def to_json(self) -> dict[str, object]:
        return {**asdict(self), "at": self.at.isoformat()}


@dataclass(frozen=True, slots=True)
class UnknownMethod:
    """A method that the sandbox has not got: a gap in the sandbox, on which tests should fail."""

    at: datetime
    door: Door
    account: int | None
    method: str


class Record:
    """The latest calls (bounded) and counters since the start (not bounded)."""

    def __init__(self, size: int = 100_000) -> None:
        self._calls: deque[CallRecord] = deque(maxlen=size)
        self.unknown: list[UnknownMethod] = []
        self.by_method: Counter[str] = Counter()
        self.by_outcome: Counter[str] = Counter()
        self.waits: Counter[int | None] = Counter()

    @property
    def flood_waits_met(self) -> int:
        """How many calls, of all accounts, were answered with a wait."""
        return self.waits.total()

    def add(self, at: datetime, call: Call, outcome: str, seconds: int | None = None) -> None:
        self._calls.append(
            CallRecord(at, call.door, call.account, call.method, call.chat, call.messages, outcome, seconds)
        )
        self.by_method[call.method] += 1
        self.by_outcome[outcome] += 1
        if outcome in WAITS:
            self.waits[call.account] += 1

    def calls(
        self,
        *,
        door: Door | None = None,
        account: int | None = None,
        method: str | None = None,
        chat: int | None = None,
    ) -> Iterator[CallRecord]:
        """The remembered calls, oldest first, that have the given values."""
        for call in tuple(self._calls):
            if (
                (door is None or call.door == door)
                and (account is None or call.account == account)
                and (method is None or call.method == method)
                and (chat is None or call.chat == chat)
            ):
                yield call

    def clear(self) -> None:
        """Forget everything, as at the start."""
        self._calls.clear()
        self.unknown.clear()
        for counter in (self.by_method, self.by_outcome):
            counter.clear()
        self.waits.clear()
