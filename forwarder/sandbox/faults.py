"""Fault rules: when, where and how the sandbox misbehaves, in one list.

A rule matches calls (or pushes) by door, account, method, chat, parameters and, from Python, a predicate. It
says at which moment it strikes: ``before`` execution, ``after`` it (the world has changed, the client is told
otherwise), or on ``push``. *Before* and *after* are the difference that exposes doubled posts.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Literal, get_args

from .gate import GO, Call, Order
from .world.errors import TelegramError

Moment = Literal["before", "after", "push"]
Action = Literal["error", "drop", "cut", "delay", "double", "swap", "http", "odd"]
Predicate = Callable[[Call], bool]

# The codes that go with a name when a rule does not say one. Source: https://core.telegram.org/api/errors
_CODES = {
    "FLOOD_WAIT_X": 420,
    "FLOOD_PREMIUM_WAIT_X": 420,
    "SLOWMODE_WAIT_X": 420,
    "FROZEN_METHOD_INVALID": 420,
    "CHAT_WRITE_FORBIDDEN": 403,
    "CHAT_SEND_MEDIA_FORBIDDEN": 403,
    "CHAT_GUEST_SEND_FORBIDDEN": 403,
    "MESSAGE_AUTHOR_REQUIRED": 403,
    "MESSAGE_DELETE_FORBIDDEN": 403,
    "USER_IS_BLOCKED": 403,
    "AUTH_KEY_UNREGISTERED": 401,
    "SESSION_REVOKED": 401,
    "SESSION_EXPIRED": 401,
    "USER_DEACTIVATED": 401,
    "USER_DEACTIVATED_BAN": 401,
    "AUTH_KEY_DUPLICATED": 406,
    "TOPIC_CLOSED": 406,
    "PAYMENT_UNSUPPORTED": 406,
    "RANDOM_ID_DUPLICATE": 500,
    "RPC_CALL_FAIL": 500,
    "RPC_MCGET_FAIL": 500,
    "WORKER_BUSY_TOO_LONG_RETRY": 500,
    "PERSISTENT_TIMESTAMP_OUTDATED": 500,
    "INTERNAL_SERVER_ERROR": 500,
    "TIMEOUT": -503,
}


class BadRule(ValueError):
    """A fault rule that makes no sense; the text says what to write instead."""


@dataclass(frozen=True, slots=True)
class FaultRule:
    """One way to misbehave.

    ``method`` is a name or a pattern (``messages.*``); for pushes the kind of update (``new_message``).
    ``params`` must equal the call's parameters of these names. Of the matching calls the first ``skip`` pass,
    then ``times`` are struck (None: all), each with ``probability``. ``seconds`` is the wait of an error or
    the length of a delay; ``code`` goes with ``error`` (the usual one by default), ``status`` with ``http``.
    """

    action: Action
    moment: Moment = "before"
    door: str | None = None
    account: int | None = None
    method: str | None = None
    chat: int | None = None
    params: Mapping[str, object] = field(default_factory=dict)
    predicate: Predicate | None = None
    skip: int = 0
    times: int | None = 1
    probability: float = 1.0
    error: str = ""
    code: int | None = None
    seconds: float | None = None
    status: int | None = None

    def __post_init__(self) -> None:
        if self.action not in get_args(Action):
            raise BadRule(f"Unknown action {self.action!r}; use one of {', '.join(get_args(Action))}.")
        if self.moment not in get_args(Moment):
            raise BadRule(f"Unknown moment {self.moment!r}; use one of {', '.join(get_args(Moment))}.")
        if self.action == "error" and not self.error:
            raise BadRule('An "error" rule needs the name of the error, for example FLOOD_WAIT_X.')
        if self.action == "http" and not self.status:
            raise BadRule('An "http" rule needs a status, for example 502.')
        if self.action == "delay" and not self.seconds:
            raise BadRule('A "delay" rule needs seconds.')
        if self.action in ("double", "swap") and self.moment != "push":
            raise BadRule(f'"{self.action}" is for pushes; set the moment to "push".')
        if self.action in ("error", "http") and self.moment == "push":
            raise BadRule(f'"{self.action}" is for calls; set the moment to "before" or "after".')
        if self.action == "odd" and self.moment == "before":
            raise BadRule('"odd" concerns an answer or a push; set the moment to "after" or "push".')
        if not 0 <= self.probability <= 1:
            raise BadRule("A probability lies between 0 and 1.")

    def matches(self, call: Call) -> bool:
        """Whether the rule is about this call; chance and counts are not looked at."""
        return (
            (self.door is None or self.door == call.door)
            and (self.account is None or self.account == call.account)
            and (self.method is None or fnmatchcase(call.method, self.method))
            and (self.chat is None or self.chat == call.chat)
            and all(call.params.get(name) == value for name, value in self.params.items())
            and (self.predicate is None or self.predicate(call))
        )

    def order(self) -> Order:
        """What the door is told to do when this rule strikes."""
        if self.action == "error":
            return Order(error=error_named(self.error, code=self.code, seconds=self.seconds))
        if self.action == "http":
            wait = None if self.seconds is None else error_named("FLOOD_WAIT_X", seconds=self.seconds)
            return Order(http_status=self.status, error=wait)
        if self.action == "delay":
            return Order(delay=self.seconds or 0.0)
        return Order(
            drop=self.action == "drop",
            cut=self.action == "cut",
            double=self.action == "double",
            swap=self.action == "swap",
            odd=self.action == "odd",
        )


def error_named(name: str, *, code: int | None = None, seconds: float | None = None) -> TelegramError:
    """The error with this name; ``FLOOD_WAIT_30`` and ``FLOOD_WAIT_X`` with seconds mean the same."""
    head, _, tail = name.rpartition("_")
    if head and tail.isdigit() and f"{head}_X" in _CODES:
        name, seconds = f"{head}_X", int(tail) if seconds is None else seconds
    if name in ("FLOOD_WAIT", "SLOWMODE_WAIT", "FLOOD_PREMIUM_WAIT"):
        name = f"{name}_X"
    if name.endswith("_WAIT_X") and seconds is None:
        seconds = 1
    return TelegramError(
        code or _CODES.get(name, 400), name, None if seconds is None else max(0, round(seconds))
    )


_JSON_FIELDS = (
    "action", "moment", "door", "account", "method", "chat", "params",
    "skip", "times", "probability", "error", "code", "seconds", "status",
)  # fmt: skip


def rule_to_json(rule: FaultRule) -> dict[str, object]:
    """The rule as plain values; a predicate can't travel and is left out."""
    values = {name: getattr(rule, name) for name in _JSON_FIELDS}
    return {**values, "params": dict(rule.params)}


def rule_from_json(values: Mapping[str, object]) -> FaultRule:
    """The inverse of `rule_to_json`. Raises `BadRule` for unknown names and impossible values."""
    unknown = sorted(set(values) - set(_JSON_FIELDS))
    if unknown:
        raise BadRule(
            f"Unknown words in a fault rule: {', '.join(unknown)}. Known: {', '.join(_JSON_FIELDS)}."
        )
    if "action" not in values:
        raise BadRule(f"A fault rule needs an action: one of {', '.join(get_args(Action))}.")
    try:
        return FaultRule(**dict(values))  # type: ignore[arg-type]
    except TypeError as error:
        raise BadRule(f"A value of the fault rule has the wrong type: {error}.") from error


@dataclass(slots=True)
class _Standing:
    rule: FaultRule
    seen: int = 0
    struck: int = 0

    @property
    def spent(self) -> bool:
        return self.rule.times is not None and self.struck >= self.rule.times


class Faults:
    """The list of rules in force. The first one that strikes decides; chance is drawn from a seeded
    source.
    """

    def __init__(self, seed: int = 0) -> None:
        self._random = random.Random(seed)
        self._standing: dict[int, _Standing] = {}
        self._next = 1

    def add(self, rule: FaultRule) -> int:
        """Put a rule into force; returns the number by which to remove it."""
        number, self._next = self._next, self._next + 1
        self._standing[number] = _Standing(rule)
        return number

    def remove(self, number: int) -> bool:
        """Take a rule out; False when there was none of that number."""
        return self._standing.pop(number, None) is not None

    def clear(self) -> None:
        self._standing.clear()

    def rules(self) -> dict[int, FaultRule]:
        """All rules, spent ones included, by number."""
        return {number: standing.rule for number, standing in self._standing.items()}

    def struck(self, number: int) -> int:
        """How often a rule has struck; 0 for an unknown one."""
        standing = self._standing.get(number)
        return standing.struck if standing else 0

    def order(self, moment: Moment, call: Call) -> Order:
        """What to do with this call at this moment."""
        for standing in self._standing.values():
            rule = standing.rule
            if rule.moment != moment or standing.spent or not rule.matches(call):
                continue
            standing.seen += 1
            if standing.seen <= rule.skip:
                continue
            if rule.probability < 1 and self._random.random() >= rule.probability:
                continue
            standing.struck += 1
            return rule.order()
        return GO
