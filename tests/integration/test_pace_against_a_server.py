"""The pace against a server with sliding windows, in simulated time: how fast it is, and what it learns.

The clock of the scripts is a pair of keys that the test sets; a second of it costs what the calls cost.
"""

from __future__ import annotations

import heapq
import math
import random
from collections import Counter, deque
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field

import pytest
from redis.asyncio import Redis

from forwarder.message import AccountKind, DeliveryKind
from forwarder.pace import HORIZON, Call, Limits, Pace, Place, Window

BOT, POST = AccountKind.BOT, DeliveryKind.POST
ACCOUNT = 1
SIMULATED = "redis.call('MGET', 'test:seconds', 'test:micro')"
JITTER = 0.03
"""Seconds by which a call's way to the server varies, on top of 20 ms."""


class Clock:
    def __init__(self, redis: Redis) -> None:
        self._redis, self.now = redis, 1_000_000.0

    async def go_to(self, now: float) -> None:
        self.now = max(self.now, now)
        seconds = math.floor(self.now)
        await self._redis.mset({"test:seconds": seconds, "test:micro": int((self.now - seconds) * 1e6)})


@dataclass
class Server:
    """Counts messages when they arrive, over exact sliding windows of the account and of each chat."""

    account: Sequence[Window]
    chat: Sequence[Window]
    taken: dict[tuple[int | None, Window], deque[float]] = field(default_factory=dict)
    accepted: list[tuple[float, int]] = field(default_factory=list)
    refused: list[tuple[float, int]] = field(default_factory=list)

    def call(self, now: float, chat: int) -> tuple[int, bool] | None:
        """None when the message is taken, else the seconds to wait and whether it is the account that must."""
        logs = [(None, w) for w in self.account] + [(chat, w) for w in self.chat]
        short: list[tuple[float, bool]] = []
        for scope, window in logs:
            log = self.taken.setdefault((scope, window), deque())
            while log and log[0] <= now - window.seconds:
                log.popleft()
            if len(log) >= window.limit:
                short.append((log[0] + window.seconds - now, scope is None))
        if short:
            self.refused.append((now, chat))
            wait, whole = max(short)
            return max(1, math.ceil(wait)), whole
        for key in logs:
            self.taken[key].append(now)
        self.accepted.append((now, chat))
        return None


@dataclass
class Lane:
    chat: int
    bulk: bool = False
    held: Place = Place.NONE
    due: float = 0.0
    posts: float = math.inf
    call: Call | None = None


class Street:
    """Lanes with posts without end, one call at a time each, on one account.

    ``late``: up to so many seconds after its time a row that was put off is woken.
    """

    def __init__(
        self,
        redis: Redis,
        clock: Clock,
        pace: Pace,
        server: Server,
        lanes: Sequence[Lane],
        late: float = 0.0,
    ) -> None:
        self._late = late
        self.redis, self.clock, self.pace, self.server = redis, clock, pace, server
        self._events: list[tuple[float, int, Callable[[], object], Lane]] = []
        self._count = 0
        self._waits: dict[int | None, float] = {}
        self._went = 0.0
        self._rng = random.Random(7)
        for lane in lanes:
            self._at(clock.now, self._ask, lane)

    def _at(self, when: float, what: Callable[..., object], lane: Lane) -> None:
        self._count += 1
        heapq.heappush(self._events, (when, self._count, what, lane))

    async def run(self, seconds: float) -> None:
        ends = self.clock.now + seconds
        while self._events and self._events[0][0] < ends:
            when, _, what, lane = heapq.heappop(self._events)
            await self.clock.go_to(when)
            await what(lane)  # type: ignore[call-arg, misc]  # the three below
        await self.clock.go_to(ends)

    async def _ask(self, lane: Lane) -> None:
        late = self.clock.now - lane.due if lane.held is not Place.NONE else 0.0
        slot = await self.pace.reserve(
            BOT, ACCOUNT, lane.chat, POST, held=lane.held, late=late, bulk=lane.bulk
        )
        if slot.seconds > HORIZON:
            lane.held, lane.due = slot.taken, self.clock.now + slot.seconds
            self._at(lane.due + self._late * self._rng.random(), self._ask, lane)
        else:
            lane.held = Place.NONE
            self._at(self.clock.now + max(0.0, slot.seconds), self._send, lane)

    async def _send(self, lane: Lane) -> None:
        if (wait := await self.pace.waiting(ACCOUNT, lane.chat)) > 0:
            self._at(self.clock.now + wait, self._ask, lane)
        else:
            beat = self.pace.beat(ACCOUNT)
            # Whoever asked before goes before.
            came = max(self._went, self.clock.now)
            self._went = came + beat.left(came, 1)
            lane.call = beat.went(self._went, 1)
            self._at(self._went + 0.02 + self._rng.random() * JITTER, self._arrive, lane)

    async def _arrive(self, lane: Lane) -> None:
        assert lane.call is not None
        refused = self.server.call(self.clock.now, lane.chat)
        self.pace.beat(ACCOUNT).answered(lane.call, self.clock.now, well=refused is None)
        if refused is not None:
            asked, _ = refused
            refusal = await self.pace.refused(BOT, ACCOUNT, lane.chat, POST, asked, made=lane.call.made)
            # The server does not say whose wait it is.
            others = any(until > self.clock.now for chat, until in self._waits.items() if chat != lane.chat)
            whole = refusal.account_alone or (others and not refusal.chat_alone)
            self._waits[None if whole else lane.chat] = self.clock.now + asked
            await self.pace.wait(
                ACCOUNT, asked, chat_id=None if whole else lane.chat, delivery=POST, refusal=refusal
            )
        else:
            lane.posts -= 1
        if lane.posts > 0:
            self._at(self.clock.now + 0.02, self._ask, lane)


@pytest.fixture
async def redis(redis_db: str) -> AsyncIterator[Redis]:
    async with Redis.from_url(redis_db) as client:
        yield client


async def street_of(
    redis: Redis,
    *,
    ours: tuple[Sequence[Window], Sequence[Window]],
    true: tuple[Sequence[Window], Sequence[Window]],
    lanes: Sequence[Lane],
    late: float = 0.0,
) -> Street:
    clock = Clock(redis)
    await clock.go_to(clock.now)
    limits = Limits(tuple(ours[0]), tuple(ours[1]))
    pace = Pace(redis, bot=limits, user=limits, time=SIMULATED, monotonic=lambda: clock.now)
    return Street(redis, clock, pace, Server(*true), lanes, late)


def in_time(events: Sequence[tuple[float, int]], begin: float, end: float) -> int:
    return sum(begin <= at < end for at, _ in events)


ACCOUNT_WINDOWS = [Window(30, 1.0)]
CHAT_WINDOWS = [Window(1, 1.0), Window(20, 60.0)]


async def test_a_backlog_over_many_chats_runs_at_95_percent_and_meets_no_wait(redis: Redis) -> None:
    street = await street_of(
        redis,
        ours=(ACCOUNT_WINDOWS, [Window(2, 1.0)]),
        true=(ACCOUNT_WINDOWS, [Window(2, 1.0)]),
        lanes=[Lane(-chat) for chat in range(1, 31)],
    )
    begin = street.clock.now
    await street.run(30)
    assert street.server.refused == []
    assert in_time(street.server.accepted, begin + 10, begin + 30) >= 0.95 * 30 * 20


async def test_the_limits_of_few_chats_are_used_to_95_percent(redis: Redis) -> None:
    street = await street_of(
        redis,
        ours=(ACCOUNT_WINDOWS, CHAT_WINDOWS),
        true=(ACCOUNT_WINDOWS, CHAT_WINDOWS),
        lanes=[Lane(-chat) for chat in range(1, 6)],
    )
    begin = street.clock.now
    await street.run(660)
    assert street.server.refused == []
    assert in_time(street.server.accepted, begin + 60, begin + 660) >= 0.95 * 5 * 200


async def test_a_post_to_many_chats_takes_what_the_limit_takes_though_its_rows_are_woken_late(
    redis: Redis,
) -> None:
    street = await street_of(
        redis,
        ours=(ACCOUNT_WINDOWS, CHAT_WINDOWS),
        true=(ACCOUNT_WINDOWS, CHAT_WINDOWS),
        lanes=[Lane(-chat, posts=1) for chat in range(1, 601)],
        late=1.0,
    )
    begin = street.clock.now
    await street.run(40)
    assert len(street.server.accepted) == 600
    assert street.server.refused == []
    # The limit's own 19 s and a twentieth, and what the last ones are late.
    assert max(at for at, _ in street.server.accepted) - begin <= 19 * 1.05 + 1.5


async def test_live_posts_stay_quick_while_bulk_fills_four_fifths_of_the_pace(redis: Redis) -> None:
    lanes = [Lane(-chat, bulk=True) for chat in range(1, 41)]
    wide = [Window(100, 1.0)]
    street = await street_of(redis, ours=(FEW, wide), true=(FEW, wide), lanes=lanes)
    await street.run(30)
    begin = street.clock.now
    delays = []
    for _ in range(20):
        await street.run(1.5)
        slot = await street.pace.reserve(BOT, ACCOUNT, -1000, POST)
        delays.append(slot.seconds)
    assert max(delays) <= HORIZON
    assert street.server.refused == []
    share = in_time(street.server.accepted, begin, begin + 30) / 30 / 6
    assert 0.5 <= share <= 0.85


async def test_bulk_is_not_starved_by_live_posts_without_end(redis: Redis) -> None:
    live = [Lane(-chat) for chat in range(1, 21)]
    bulk = [Lane(-chat, bulk=True) for chat in range(101, 121)]
    wide = [Window(100, 1.0)]
    street = await street_of(redis, ours=(FEW, wide), true=(FEW, wide), lanes=[*live, *bulk])
    await street.run(120)
    done = [chat for _, chat in street.server.accepted]
    shares = sum(chat <= -101 for chat in done) / len(done)
    assert 0.03 <= shares <= 0.1
    assert street.server.refused == []
    assert len(done) >= 0.93 * 6 * 120


FEW = [Window(6, 1.0)]
USER = [Window(5, 1.0), Window(45, 60.0)]

BOT_SETTING = (ACCOUNT_WINDOWS, CHAT_WINDOWS)

LOWER = {
    "account, a second": ((FEW, CHAT_WINDOWS), [Window(4, 1.0)], CHAT_WINDOWS, 4.0, 20),
    "account, much lower": ((FEW, CHAT_WINDOWS), [Window(1, 1.0)], CHAT_WINDOWS, 1.0, 20),
    "account, a minute": ((USER, CHAT_WINDOWS), [Window(25, 60.0)], CHAT_WINDOWS, 25 / 60, 8),
    "account, bursts": ((USER, CHAT_WINDOWS), [Window(3, 1.0), Window(45, 60.0)], CHAT_WINDOWS, 45 / 60, 8),
    "chat, a minute": ((FEW, CHAT_WINDOWS), FEW, [Window(1, 1.0), Window(12, 60.0)], 12 / 60, 1),
    "chat, much lower": ((FEW, CHAT_WINDOWS), FEW, [Window(3, 60.0)], 3 / 60, 1),
    "every chat, a minute": (
        BOT_SETTING,
        ACCOUNT_WINDOWS,
        [Window(1, 1.0), Window(12, 60.0)],
        5 * 12 / 60,
        5,
    ),
    "chat, seconds": ((FEW, CHAT_WINDOWS), FEW, [Window(1, 4.0)], 1 / 4, 1),
}


@pytest.mark.parametrize("name", LOWER)
async def test_a_lower_limit_is_learned_within_six_waits_and_then_kept(redis: Redis, name: str) -> None:
    ours, account, chat, rate, lanes = LOWER[name]
    street = await street_of(
        redis,
        ours=ours,
        true=(account, chat),
        lanes=[Lane(-number) for number in range(1, lanes + 1)],
    )
    await street.run(200)
    waits = len(street.server.refused)
    learned = street.clock.now
    await street.run(600)
    most = (
        max(Counter(chat for _, chat in street.server.refused).values())
        if chat is not CHAT_WINDOWS
        else waits
    )
    assert most <= 6
    assert in_time(street.server.accepted, learned, learned + 600) >= 0.85 * rate * 600
    assert len(street.server.refused) - waits <= 1
