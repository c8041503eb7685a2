"""The shared clock of all workers: sliding windows and waits, kept in Redis, decided by one script.

A window of ``limit`` messages in ``seconds`` is the log of its last ``limit`` slots: the next slot is free
when the slot ``limit`` places back has left the window. That is exact where a token bucket would let a
burst and a refill share one window. Slots may lie in the future; a reservation holds whatever happens to
the process that made it. Times are Redis's own clock; one that jumps back only makes us slower, because
slots never decrease.

The published limits are in telegram-facts (the Bots FAQ): about 30 messages a second overall, 1 a second
and 20 a minute in one group or channel. They count messages: an album of ten takes ten places.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from itertools import accumulate

from redis.asyncio import Redis

from forwarder.message import AccountKind, DeliveryKind

MARGIN = 0.02
"""Share by which our windows are longer than Telegram's, for the network between our clock and its."""


HORIZON = 0.25
"""Seconds: a slot up to this far away is slept for, a later one is written into the row."""


@dataclass(frozen=True, slots=True)
class Window:
    """At most ``limit`` messages in any ``seconds``."""

    limit: int
    seconds: float


@dataclass(frozen=True, slots=True)
class Limits:
    """The windows of one kind of account: over all chats, in one chat, and for edits in one chat."""

    account: tuple[Window, ...]
    chat: tuple[Window, ...]
    edits: tuple[Window, ...]

    def scaled(self, factor: float) -> Limits:
        """Limits ``factor`` times as high, for a sandbox whose own limits are scaled so."""

        def stretch(windows: tuple[Window, ...]) -> tuple[Window, ...]:
            return tuple(Window(max(1, round(w.limit * factor)), w.seconds) for w in windows)

        return Limits(stretch(self.account), stretch(self.chat), stretch(self.edits))


BOT_LIMITS = Limits(
    account=(Window(30, 1.0),),
    chat=(Window(1, 1.0), Window(20, 60.0)),
    edits=(Window(20, 60.0),),
)
# Telegram publishes nothing for user accounts; people report waits above 200 forwards a minute.
USER_LIMITS = Limits(
    account=(Window(20, 1.0), Window(180, 60.0)),
    chat=(Window(1, 1.0), Window(20, 60.0)),
    edits=(Window(20, 60.0),),
)

# KEYS: logs of the chat's windows, logs of the account's, then waits. ARGV: how many of the first, of the
# second, messages, horizon, whether the chat's place is still to be taken, how
# late a held one is completed; then limit and length per window.
# The account's place is taken only when the chat's slot is near: taken far ahead it would hold up every other
# chat behind it. Answers the slot in seconds from now, and whether the account's place was taken with it.
# Redis replicates effects, so TIME is allowed before writes.
RESERVE = """
local chats, accounts, messages = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local horizon, take_chat = tonumber(ARGV[4]), ARGV[5] == '1'
local time = redis.call('TIME')
local now = tonumber(time[1]) + tonumber(time[2]) / 1e6

local late = tonumber(ARGV[6])
if not take_chat and late > horizon then
  for i = 1, chats do
    local newest = tonumber(redis.call('LINDEX', KEYS[i], 0) or '0')
    if newest > now - late + horizon then take_chat = true end
  end
end

local function window(i) return tonumber(ARGV[5 + 2 * i]), tonumber(ARGV[6 + 2 * i]) end
local function next_slot(i, slot)
  local limit, seconds = window(i)
  local newest = tonumber(redis.call('LINDEX', KEYS[i], 0) or '0')
  if newest > slot then slot = newest end
  local places = math.min(messages, limit)
  local back = tonumber(redis.call('LINDEX', KEYS[i], limit - places) or '0')
  return math.max(slot, back + seconds)
end
local function take(i, slot)
  local limit, seconds = window(i)
  for _ = 1, messages do redis.call('LPUSH', KEYS[i], string.format('%.6f', slot)) end
  redis.call('LTRIM', KEYS[i], 0, limit - 1)
  redis.call('PEXPIRE', KEYS[i], math.ceil((slot - now + seconds) * 1000) + 1000)
end

local slot = now
for i = chats + accounts + 1, #KEYS do
  slot = math.max(slot, tonumber(redis.call('GET', KEYS[i]) or '0'))
end
if take_chat then for i = 1, chats do slot = next_slot(i, slot) end end
local near = slot - now <= horizon
if near then for i = chats + 1, chats + accounts do slot = next_slot(i, slot) end end
if take_chat then
  for i = 1, chats do take(i, slot) end
else
  for i = 1, chats do
    if redis.call('EXISTS', KEYS[i]) == 1 and tonumber(redis.call('LINDEX', KEYS[i], 0)) < slot then
      redis.call('LSET', KEYS[i], 0, string.format('%.6f', slot))
    end
  end
end
if near then for i = chats + 1, chats + accounts do take(i, slot) end end
return {string.format('%.6f', slot - now), near and 1 or 0}
"""

# Takes what RESERVE takes, for the longest run of posts that may go in one call. KEYS: the same. ARGV: how many
# windows of the chat, of the account, horizon; limit and length per window; then the messages up to and with
# each post. More posts never have an earlier slot, so the longest run is found by halving.
# Answers the slot in seconds from now, whether the account's place was taken with it, and how many posts go.
RESERVE_RUN = """
local chats, accounts, horizon = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local windows = chats + accounts
local posts = #ARGV - 3 - 2 * windows
local time = redis.call('TIME')
local now = tonumber(time[1]) + tonumber(time[2]) / 1e6

local free = now
for i = windows + 1, #KEYS do free = math.max(free, tonumber(redis.call('GET', KEYS[i]) or '0')) end

local function window(i) return tonumber(ARGV[2 + 2 * i]), tonumber(ARGV[3 + 2 * i]) end
local function up_to(post) return tonumber(ARGV[3 + 2 * windows + post]) end
local function slot_of(first, last, slot, messages, alone)
  for i = first, last do
    local limit, seconds = window(i)
    if messages > limit and not alone then return math.huge end
    slot = math.max(slot, tonumber(redis.call('LINDEX', KEYS[i], 0) or '0'))
    local back = tonumber(redis.call('LINDEX', KEYS[i], limit - math.min(messages, limit)) or '0')
    slot = math.max(slot, back + seconds)
  end
  return slot
end
local function take(first, last, slot, messages)
  for i = first, last do
    local limit, seconds = window(i)
    for _ = 1, math.min(messages, limit) do redis.call('LPUSH', KEYS[i], string.format('%.6f', slot)) end
    redis.call('LTRIM', KEYS[i], 0, limit - 1)
    redis.call('PEXPIRE', KEYS[i], math.ceil((slot - now + seconds) * 1000) + 1000)
  end
end

local run, beyond = 1, posts + 1
while beyond - run > 1 do
  local half = math.floor((run + beyond) / 2)
  if slot_of(1, windows, free, up_to(half), false) - now <= horizon then run = half else beyond = half end
end
local slot = slot_of(1, chats, free, up_to(run), true)
local near = slot - now <= horizon
if near then slot = slot_of(chats + 1, windows, slot, up_to(run), true) end
take(1, near and windows or chats, slot, up_to(run))
return {string.format('%.6f', slot - now), near and 1 or 0, run}
"""

# A wait only ever grows: two workers that met one each agree on the later end.
WAIT = """
local time = redis.call('TIME')
local now = tonumber(time[1]) + tonumber(time[2]) / 1e6
local ends = now + tonumber(ARGV[1])
if ends > tonumber(redis.call('GET', KEYS[1]) or '0') then
  redis.call('SET', KEYS[1], string.format('%.6f', ends), 'PX', math.ceil(tonumber(ARGV[1]) * 1000) + 1000)
end
return 1
"""


class Place(IntEnum):
    """How much of a slot is taken; kept in ``deliveries.reserved`` while the row waits for it."""

    NONE = 0
    CHAT = 1
    ALL = 2


@dataclass(frozen=True, slots=True)
class Slot:
    """``seconds`` from now, 0 or less for at once."""

    seconds: float
    taken: Place


@dataclass(frozen=True, slots=True)
class Run:
    """The first ``count`` posts go in one call, ``seconds`` from now (0 or less for at once)."""

    seconds: float
    taken: Place
    count: int


@dataclass(frozen=True, slots=True)
class Wait:
    """A wait that is running: ``chat_id`` and ``family`` are None where it holds the whole account."""

    account_id: int
    chat_id: int | None
    family: str | None
    seconds: float


class Pace:
    """Reserves slots and shares waits. Raises redis's own errors; the caller turns them into Unavailable."""

    def __init__(self, redis: Redis, *, bot: Limits = BOT_LIMITS, user: Limits = USER_LIMITS) -> None:
        self._redis = redis
        self._limits = {AccountKind.BOT: bot, AccountKind.USER: user}
        self._reserve = redis.register_script(RESERVE)
        self._reserve_run = redis.register_script(RESERVE_RUN)
        self._wait = redis.register_script(WAIT)

    async def reserve(
        self,
        kind: AccountKind,
        account_id: int,
        chat_id: int,
        delivery: DeliveryKind,
        *,
        messages: int = 1,
        held: Place = Place.NONE,
        late: float = 0.0,
    ) -> Slot:
        """Take the next slot for ``messages`` messages in this chat, or complete one that was ``held``.

        A held one that is completed more than HORIZON after its time (``late`` seconds) might meet a later slot
        of another lane in the same window: it counts only if nobody reserved after it, else a new one is taken.
        """
        limits = self._limits[kind]
        family = family_of(delivery)
        chat = limits.chat if delivery is DeliveryKind.POST else limits.edits
        keys = window_keys(account_id, chat_id, family, chat, limits.account)
        arguments: list[float] = [len(chat), len(limits.account), messages, HORIZON]
        arguments += [int(held is Place.NONE), late]
        for window in (*chat, *limits.account):
            arguments += [window.limit, window.seconds * (1 + MARGIN)]
        seconds, near = await self._reserve(keys=keys, args=arguments)
        return Slot(float(seconds), Place.ALL if near else Place.CHAT)

    async def reserve_run(
        self, kind: AccountKind, account_id: int, chat_id: int, sizes: Sequence[int], *, bulk: bool = False
    ) -> Run:
        """Take the next slot for the longest run of these posts that may go in one call.

        ``sizes`` are the messages of consecutive posts, which are never split. A run of more than one post
        goes within HORIZON and fits into every window. The first post alone is taken as by ``reserve``.
        """
        limits = self._limits[kind]
        family = family_of(DeliveryKind.POST)
        if not limits.chat and not limits.account:
            return Run(await self.waiting(account_id, chat_id), Place.ALL, len(sizes))
        windows = (*limits.chat, *limits.account)
        keys = window_keys(account_id, chat_id, family, limits.chat, limits.account)
        arguments: list[float] = [len(limits.chat), len(limits.account), HORIZON]
        for window in windows:
            arguments += [window.limit, window.seconds * (1 + MARGIN)]
        arguments += accumulate(sizes)
        seconds, near, count = await self._reserve_run(keys=keys, args=arguments)
        return Run(float(seconds), Place.ALL if near else Place.CHAT, int(count))

    async def wait(
        self, account_id: int, seconds: float, *, chat_id: int | None, delivery: DeliveryKind
    ) -> None:
        """Hold this chat (for this family of methods) or, with no chat, the whole account for ``seconds``."""
        family = family_of(delivery)
        key = f"wait:{account_id}" if chat_id is None else f"wait:{account_id}:{chat_id}:{family}"
        await self._wait(keys=[key], args=[seconds])

    async def waiting(
        self, account_id: int, chat_id: int, delivery: DeliveryKind = DeliveryKind.POST
    ) -> float:
        """Seconds until no wait holds this chat any more; 0 when none does."""
        now_seconds, now_micro = await self._redis.time()
        ends = await self._redis.mget(wait_keys(account_id, chat_id, family_of(delivery)))
        latest = max((float(end) for end in ends if end), default=0.0)
        return max(0.0, latest - now_seconds - now_micro / 1e6)

    async def restore(self, waits: Sequence[Wait]) -> None:
        """Reload running waits after Redis was emptied."""
        for wait in waits:
            key = f"wait:{wait.account_id}"
            if wait.chat_id is not None:
                key += f":{wait.chat_id}:{wait.family}"
            await self._wait(keys=[key], args=[wait.seconds])


def family_of(delivery: DeliveryKind) -> str:
    """Edits and deletions have windows of their own: they must not eat the pace of posts."""
    return "send" if delivery is DeliveryKind.POST else delivery.value


def window_keys(
    account_id: int, chat_id: int, family: str, chat: Sequence[Window], account: Sequence[Window]
) -> list[str]:
    """The keys of a reservation: the chat's windows, the account's, then the waits."""
    prefix = f"pace:{account_id}"
    keys = [f"{prefix}:{chat_id}:{family}:{i}" for i in range(len(chat))]
    keys += [f"{prefix}:all:{i}" for i in range(len(account))]
    return keys + wait_keys(account_id, chat_id, family)


def wait_keys(account_id: int, chat_id: int, family: str) -> list[str]:
    return [f"wait:{account_id}", f"wait:{account_id}:{chat_id}:{family}"]
