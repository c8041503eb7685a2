"""Flood limits: sliding windows that count messages, and waits that grow when they are ignored.

Published figures (https://core.telegram.org/bots/faq#my-bot-is-hitting-limits-how-do-i-avoid-this): a bot
about
1 message a second in one chat with short bursts tolerated, 20 a minute in one group, about 30 a second
overall.
Telegram does not say how it counts; here the harsher reading is the default: a batch counts its messages and
not its calls, channels are limited like groups, and a call that comes during a wait extends that wait. User
accounts have no published figures; the defaults stand in the middle of what people report.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass, field, replace

from .gate import Call
from .world.clock import Clock
from .world.errors import TelegramError

EDITS = frozenset(
    {
        "messages.editMessage",
        "editMessageText",
        "editMessageCaption",
        "editMessageMedia",
        "editMessageReplyMarkup",
    }
)


@dataclass(frozen=True, slots=True)
class Limit:
    """At most ``messages`` in any ``seconds``."""

    messages: int
    seconds: float


@dataclass(frozen=True, slots=True)
class Quotas:
    """The figures in force; an empty tuple means "no limit". ``methods`` counts calls per (user account,
    method).

    ``bot_chat`` of 4 in 3 s is "about one a second": a bot that keeps to one a second never meets it, one
    that sends a burst of five does. ``penalty`` is by how many seconds each call during a wait extends it
    (times
    the number of such calls so far); calls within ``grace`` seconds of a refusal were under way already
    and extend nothing. ``memory`` is how long after a wait a new violation still counts as a repeated one.
    """

    bot: tuple[Limit, ...] = (Limit(30, 1.0),)
    bot_chat: tuple[Limit, ...] = (Limit(4, 3.0),)
    bot_group: tuple[Limit, ...] = (Limit(20, 60.0),)
    user: tuple[Limit, ...] = (Limit(30, 1.0), Limit(200, 60.0))
    user_chat: tuple[Limit, ...] = (Limit(60, 60.0),)
    edits: tuple[Limit, ...] = (Limit(20, 60.0),)
    methods: Mapping[str, tuple[Limit, ...]] = field(
        default_factory=lambda: {
            "contacts.resolveUsername": (Limit(30, 60.0),),
            "channels.joinChannel": (Limit(10, 300.0),),
            "messages.importChatInvite": (Limit(10, 300.0),),
        }
    )
    penalty: float = 1.0
    grace: float = 1.0
    memory: float = 60.0
    longest_wait: float = 86_400.0


NO_QUOTAS = Quotas(bot=(), bot_chat=(), bot_group=(), user=(), user_chat=(), edits=(), methods={})


@dataclass(slots=True)
class _Window:
    """One limit of one key. Entries may lie in the future: a call larger than the limit fills several
    windows.
    """

    limit: Limit
    entries: deque[tuple[float, int]] = field(default_factory=deque)
    used: int = 0

    def wait(self, now: float, count: int) -> float:
        """Seconds until ``count`` messages fit; 0 when they fit now. More than the limit fits when it is
        empty.
        """
        while self.entries and self.entries[0][0] <= now - self.limit.seconds:
            self.used -= self.entries.popleft()[1]
        room = max(0, self.limit.messages - count)
        if self.used <= room:
            return 0.0
        left = self.used
        for at, number in self.entries:
            left -= number
            if left <= room:
                return at + self.limit.seconds - now
        return 0.0

    def add(self, now: float, count: int) -> None:
        self.used += count
        at = now
        while count > 0:
            part = min(count, self.limit.messages)
            self.entries.append((at, part))
            count -= part
            at += self.limit.seconds


@dataclass(slots=True)
class _Wait:
    """A wait that was asked for. ``strikes`` counts how often it, or one shortly before it, was ignored."""

    until: float
    asked: float
    strikes: int = 0


class Limits:
    """All windows and waits of the sandbox, for both doors together: limits are the server's, not a
    door's.
    """

    def __init__(
        self,
        clock: Clock,
        is_bot: Callable[[int], bool],
        *,
        quotas: Quotas | None = None,
        scale: float = 1.0,
    ) -> None:
        self._clock = clock
        self._is_bot = is_bot
        self._windows: dict[Hashable, tuple[_Window, ...]] = {}
        self._waits: dict[Hashable, _Wait] = {}
        self._sticky: set[int] = set()
        self.quotas = quotas or Quotas()
        self.scale = 1.0
        self.configure(scale=scale)

    def configure(self, *, quotas: Quotas | None = None, scale: float | None = None) -> None:
        """Put other figures in force at once; the windows begin empty. ``scale`` multiplies every number."""
        if scale is not None and not scale > 0:
            raise ValueError("The scale of the limits must be above 0.")
        self.quotas = quotas or self.quotas
        self.scale = self.scale if scale is None else scale
        self._windows.clear()
        self._waits.clear()

    def set_peer_flood(self, account: int, on: bool = True) -> None:
        """Mark an account as a spammer (PEER_FLOOD on every send until switched off), as a moderator
        would.
        """
        (self._sticky.add if on else self._sticky.discard)(account)

    @property
    def peer_flooded(self) -> frozenset[int]:
        return frozenset(self._sticky)

    def hold(self, account: int, chat: int | None, seconds: float) -> None:
        """Make an account wait as if it had met a limit: everywhere, or in one chat."""
        key = ("account", account) if chat is None else ("chat", account, chat)
        now = self._clock.monotonic()
        self._waits[key] = _Wait(now + seconds, now)

    def check(self, call: Call) -> None:
        """Count the call. Raises FLOOD_WAIT_X with the seconds to wait, or PEER_FLOOD; then nothing is
        counted.
        """
        if call.account is None:
            return
        if call.messages and call.account in self._sticky:
            raise TelegramError(400, "PEER_FLOOD")
        keys = self._keys(call, call.account)
        if not keys:
            return
        now = self._clock.monotonic()
        count = max(1, call.messages)
        running = [wait for key in keys if (wait := self._running(key, now))]
        if running:
            raise self._refusal(max(running))
        short = [
            (key, wait) for key, limits in keys.items() if (wait := self._shortage(key, limits, now, count))
        ]
        if short:
            raise self._refusal(max(self._begin(key, wait, now) for key, wait in short))
        for key in keys:
            for window in self._windows.get(key, ()):
                window.add(now, count)

    def _keys(self, call: Call, account: int) -> dict[Hashable, tuple[Limit, ...]]:
        quotas = self.quotas
        bot = self._is_bot(account)
        keys: dict[Hashable, tuple[Limit, ...]] = {}
        if call.method in EDITS:
            if call.chat is not None and call.chat < 0:
                keys["edits", account, call.chat] = quotas.edits
        elif call.messages:
            keys["account", account] = quotas.bot if bot else quotas.user
            if call.chat is not None:
                keys["chat", account, call.chat] = quotas.bot_chat if bot else quotas.user_chat
                if bot and call.chat < 0:
                    keys["group", account, call.chat] = quotas.bot_group
        if not bot and call.method in quotas.methods:
            keys["method", account, call.method] = quotas.methods[call.method]
        return keys

    def _shortage(self, key: Hashable, limits: tuple[Limit, ...], now: float, count: int) -> float:
        windows = self._windows.get(key)
        if windows is None:
            windows = self._windows[key] = tuple(_Window(self._scaled(limit)) for limit in limits)
        return max((window.wait(now, count) for window in windows), default=0.0)

    def _scaled(self, limit: Limit) -> Limit:
        return replace(limit, messages=max(1, round(limit.messages * self.scale)))

    def _running(self, key: Hashable, now: float) -> float:
        """What is left of a wait on this key; a call that ignores it makes it longer."""
        wait = self._waits.get(key)
        if wait is None or wait.until <= now:
            return 0.0
        if now - wait.asked > self.quotas.grace:
            wait.strikes += 1
            longer = wait.until + self.quotas.penalty * wait.strikes
            wait.until = min(longer, now + self.quotas.longest_wait)
        return wait.until - now

    def _begin(self, key: Hashable, seconds: float, now: float) -> float:
        """Start a wait; one that follows closely on another is longer than the windows alone would ask."""
        before = self._waits.get(key)
        strikes = 0
        if before is not None and now - before.until < self.quotas.memory:
            strikes = before.strikes + 1
            seconds += self.quotas.penalty * strikes
        seconds = min(seconds, self.quotas.longest_wait)
        self._waits[key] = _Wait(now + seconds, now, strikes)
        return seconds

    @staticmethod
    def _refusal(seconds: float) -> TelegramError:
        return TelegramError(420, "FLOOD_WAIT_X", max(1, math.ceil(seconds - 1e-6)))
