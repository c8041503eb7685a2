"""The pace is exact over every window, whoever reserves, and waits are shared."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import AsyncIterator, Sequence

import pytest
from redis.asyncio import Redis

from forwarder.message import AccountKind, DeliveryKind
from forwarder.pace import HORIZON, Learned, Limits, Memory, Pace, Place, Refusal, Run, Sent, Wait, Window

BOT, POST = AccountKind.BOT, DeliveryKind.POST
ACCOUNT, CHAT, OTHER = 1, -1001, -1002


@pytest.fixture
async def redis(redis_db: str) -> AsyncIterator[Redis]:
    async with Redis.from_url(redis_db) as client:
        yield client


def pace_of(
    redis: Redis,
    *,
    account: Sequence[Window] = (Window(1000, 1.0),),
    chat: Sequence[Window] = (Window(1000, 1.0),),
    edits: Sequence[Window] = (Window(1000, 1.0),),
) -> Pace:
    limits = Limits(tuple(account), tuple(chat), tuple(edits))
    return Pace(redis, bot=limits, user=limits)


class Clock:
    """Redis's clock, for slots that are told in seconds from now."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis

    async def now(self) -> float:
        seconds, micro = await self._redis.time()
        return float(seconds) + micro / 1e6


async def slots(pace: Pace, redis: Redis, count: int, chat: int = CHAT, messages: int = 1) -> list[float]:
    clock = Clock(redis)
    return [
        await clock.now() + (await pace.reserve(BOT, ACCOUNT, chat, POST, messages=messages)).seconds
        for _ in range(count)
    ]


def most_in(window: float, times: Sequence[float], messages: int = 1) -> int:
    return messages * max(sum(start <= t < start + window for t in times) for start in times)


async def test_no_window_of_a_chat_holds_more_than_its_limit(redis: Redis) -> None:
    pace = pace_of(redis, chat=[Window(3, 1.0), Window(20, 60.0)])
    times = await slots(pace, redis, 80)
    # A slot is told from the script's now, a part of a round trip after the test's.
    assert all(b - a > -0.05 for a, b in itertools.pairwise(times))
    assert most_in(0.95, times) == 3
    assert most_in(59.9, times) == 20
    assert times[-1] - times[0] == pytest.approx(
        3 * Window(20, 60.0).length + 6 * Window(3, 1.0).length, abs=3
    )


async def test_workers_that_reserve_at_once_share_the_window(redis: Redis) -> None:
    paces = [pace_of(redis, chat=[Window(2, 1.0)]) for _ in range(4)]
    both = await asyncio.gather(*(slots(pace, redis, 5) for pace in paces))
    times = sorted(t for some in both for t in some)
    assert most_in(0.95, times) <= 2


async def test_an_album_takes_a_place_for_each_part(redis: Redis) -> None:
    pace = pace_of(redis, chat=[Window(20, 60.0)])
    times = await slots(pace, redis, 5, messages=10)
    assert most_in(60.0, times, messages=10) == 20


async def test_an_album_larger_than_the_limit_goes_alone_and_fills_a_window_for_each_part(
    redis: Redis,
) -> None:
    pace = pace_of(redis, chat=[Window(2, 1.0)])
    times = await slots(pace, redis, 3, messages=10)
    every = 5 * Window(2, 1.0).length
    assert [b - a for a, b in itertools.pairwise(times)] == pytest.approx([every, every], abs=0.1)


async def test_one_chats_far_slots_do_not_hold_up_the_account(redis: Redis) -> None:
    pace = pace_of(redis, account=[Window(5, 1.0)], chat=[Window(1, 10.0)])
    for _ in range(10):
        await pace.reserve(BOT, ACCOUNT, CHAT, POST)
    slot = await pace.reserve(BOT, ACCOUNT, OTHER, POST)
    assert slot.seconds < HORIZON
    assert slot.taken is Place.ALL


async def test_the_account_is_held_to_its_window_over_all_chats(redis: Redis) -> None:
    pace = pace_of(redis, account=[Window(5, 1.0)])
    clock = Clock(redis)
    times = []
    for chat in range(20):
        slot = await pace.reserve(BOT, ACCOUNT, -chat, POST)
        if slot.taken is Place.ALL:
            times.append(await clock.now() + slot.seconds)
    assert len(times) >= 10
    assert most_in(0.95, times) <= 5


async def test_a_held_slot_is_completed_without_a_second_place_in_the_chat(redis: Redis) -> None:
    pace = pace_of(redis, chat=[Window(1, 0.6)])
    await pace.reserve(BOT, ACCOUNT, CHAT, POST)
    far = await pace.reserve(BOT, ACCOUNT, CHAT, POST)
    assert far.taken is Place.CHAT
    await asyncio.sleep(far.seconds)
    done = await pace.reserve(BOT, ACCOUNT, CHAT, POST, held=Place.CHAT)
    assert done.taken is Place.ALL
    assert done.seconds <= 0.01
    after = await pace.reserve(BOT, ACCOUNT, CHAT, POST)
    assert after.seconds == pytest.approx(0.6, abs=0.1)


async def test_a_slot_completed_late_does_not_meet_the_one_behind_it(redis: Redis) -> None:
    pace = pace_of(redis, chat=[Window(1, 0.6)])
    clock = Clock(redis)
    await pace.reserve(BOT, ACCOUNT, CHAT, POST)
    mine = await pace.reserve(BOT, ACCOUNT, CHAT, POST)
    theirs = await clock.now() + (await pace.reserve(BOT, ACCOUNT, CHAT, POST)).seconds
    late = 0.5
    await asyncio.sleep(mine.seconds + late)
    done = (
        await clock.now() + (await pace.reserve(BOT, ACCOUNT, CHAT, POST, held=Place.CHAT, late=late)).seconds
    )
    assert done - theirs >= 0.6


async def test_a_slot_completed_late_with_nobody_behind_it_is_good(redis: Redis) -> None:
    pace = pace_of(redis, chat=[Window(1, 0.3)])
    await pace.reserve(BOT, ACCOUNT, CHAT, POST)
    mine = await pace.reserve(BOT, ACCOUNT, CHAT, POST)
    await asyncio.sleep(mine.seconds + 0.3)
    done = await pace.reserve(BOT, ACCOUNT, CHAT, POST, held=Place.CHAT, late=0.3)
    assert done.seconds <= 0.01


async def test_edits_do_not_eat_the_pace_of_posts(redis: Redis) -> None:
    pace = pace_of(redis, chat=[Window(1, 60.0)], edits=[Window(2, 60.0)])
    for _ in range(2):
        assert (await pace.reserve(BOT, ACCOUNT, CHAT, DeliveryKind.EDIT)).seconds < HORIZON
    assert (await pace.reserve(BOT, ACCOUNT, CHAT, DeliveryKind.EDIT)).seconds > 50
    assert (await pace.reserve(BOT, ACCOUNT, CHAT, POST)).seconds < HORIZON


async def test_a_wait_holds_its_chat_and_family_and_nobody_else(redis: Redis) -> None:
    ours, theirs = pace_of(redis), pace_of(redis)
    await ours.wait(ACCOUNT, 30, chat_id=CHAT, delivery=POST)
    assert await theirs.waiting(ACCOUNT, CHAT) == pytest.approx(30, abs=1)
    assert (await theirs.reserve(BOT, ACCOUNT, CHAT, POST)).seconds == pytest.approx(30, abs=1)
    assert await theirs.waiting(ACCOUNT, OTHER) == 0
    assert await theirs.waiting(ACCOUNT, CHAT, DeliveryKind.EDIT) == 0
    assert await theirs.waiting(2, CHAT) == 0


async def test_a_wait_of_the_account_holds_every_chat_and_only_grows(redis: Redis) -> None:
    pace = pace_of(redis)
    await pace.wait(ACCOUNT, 30, chat_id=None, delivery=POST)
    await pace.wait(ACCOUNT, 5, chat_id=None, delivery=POST)
    for chat in (CHAT, OTHER):
        assert await pace.waiting(ACCOUNT, chat, DeliveryKind.EDIT) == pytest.approx(30, abs=1)


async def test_running_waits_are_restored_into_an_emptied_redis(redis: Redis) -> None:
    pace = pace_of(redis)
    await pace.restore(Memory(waits=(Wait(ACCOUNT, CHAT, "send", 30), Wait(2, None, None, 20))))
    assert await pace.waiting(ACCOUNT, CHAT) == pytest.approx(30, abs=1)
    assert await pace.waiting(2, OTHER) == pytest.approx(20, abs=1)


async def test_nothing_of_the_pace_stays_in_redis_for_ever(redis: Redis) -> None:
    pace = pace_of(redis)
    await pace.reserve(BOT, ACCOUNT, CHAT, POST)
    await pace.wait(ACCOUNT, 30, chat_id=CHAT, delivery=POST)
    keys = [key async for key in redis.scan_iter()]
    assert keys
    assert all([await redis.pttl(key) > 0 for key in keys])


async def test_a_reservation_costs_one_round_trip(redis: Redis) -> None:
    pace = pace_of(redis)
    await pace.reserve(BOT, ACCOUNT, CHAT, POST)
    before = (await redis.info("commandstats")).get("cmdstat_evalsha", {}).get("calls", 0)
    began = time.monotonic()
    for _ in range(20):
        await pace.reserve(BOT, ACCOUNT, CHAT, POST)
    after = (await redis.info("commandstats"))["cmdstat_evalsha"]["calls"]
    assert after - before == 20
    assert time.monotonic() - began < 5


async def test_a_run_is_as_long_as_the_windows_allow(redis: Redis) -> None:
    pace = pace_of(redis, account=[Window(50, 1.0)], chat=[Window(20, 60.0)])
    first = await pace.reserve_run(BOT, ACCOUNT, CHAT, [1, 10, 4, 4, 10, 1])
    assert (first.count, first.taken) == (4, Place.ALL)
    assert first.seconds <= 0
    last = await pace.reserve_run(BOT, ACCOUNT, CHAT, [1, 1, 1])
    assert (last.count, last.seconds) == (1, pytest.approx(0, abs=0.05))
    far = await pace.reserve_run(BOT, ACCOUNT, CHAT, [1, 1, 1])
    assert (far.count, far.taken) == (1, Place.CHAT)
    assert far.seconds == pytest.approx(60, abs=1)


async def test_the_messages_of_runs_never_overfill_a_window(redis: Redis) -> None:
    pace = pace_of(redis, account=[Window(15, 0.3)], chat=[Window(7, 0.2)])
    clock = Clock(redis)
    times: list[float] = []
    for number in range(60):
        run = await pace.reserve_run(BOT, ACCOUNT, -(number % 3), [1, 2, 1, 3, 1])
        if run.taken is Place.ALL:
            times += [await clock.now() + run.seconds] * sum([1, 2, 1, 3, 1][: run.count])
    assert max(sum(start - 0.001 <= t < start + 0.29 for t in times) for start in times) <= 15


async def test_a_run_waits_for_a_wait_that_is_running(redis: Redis) -> None:
    pace = pace_of(redis)
    await pace.wait(ACCOUNT, 30, chat_id=CHAT, delivery=POST)
    run = await pace.reserve_run(BOT, ACCOUNT, CHAT, [1, 1])
    assert (run.count, run.taken) == (1, Place.CHAT)
    assert run.seconds == pytest.approx(30, abs=1)


async def test_without_windows_only_the_waits_hold_a_run(redis: Redis) -> None:
    pace = pace_of(redis, account=(), chat=())
    assert await pace.reserve_run(BOT, ACCOUNT, CHAT, [10] * 10) == Run(0.0, Place.ALL, 10)
    await pace.wait(ACCOUNT, 30, chat_id=None, delivery=POST)
    assert (await pace.reserve_run(BOT, ACCOUNT, CHAT, [1])).seconds == pytest.approx(30, abs=1)


async def test_bulk_takes_nothing_ahead_of_time(redis: Redis) -> None:
    pace = pace_of(redis, chat=[Window(5, 60.0)])
    for _ in range(4):
        assert (await pace.reserve(BOT, ACCOUNT, CHAT, POST, bulk=True)).taken is Place.ALL
    put_off = await pace.reserve(BOT, ACCOUNT, CHAT, POST, bulk=True)
    assert put_off.taken is Place.NONE
    assert put_off.seconds == pytest.approx(60, abs=1)
    assert (await pace.reserve(BOT, ACCOUNT, CHAT, POST)).seconds <= HORIZON


async def test_a_tenth_of_the_bots_pace_is_kept_while_people_are_answered(redis: Redis) -> None:
    pace = pace_of(redis, account=[Window(10, 60.0)])
    await pace.people(ACCOUNT)
    taken = [(await pace.reserve(BOT, ACCOUNT, -chat, POST)).seconds <= HORIZON for chat in range(10)]
    assert taken == [True] * 9 + [False]


async def test_an_emptied_redis_is_told_what_was_sent_and_learned_before_anything_goes(redis: Redis) -> None:
    limits = Limits((Window(100, 1.0),), (Window(20, 60.0),))
    learned = Learned(ACCOUNT, f"{CHAT}:send:60", 0.5, 600.0, 10.0)
    sent = tuple(Sent(BOT, ACCOUNT, CHAT, 3, ago) for ago in (50.0, 40.0, 30.0))

    async def recall() -> Memory:
        return Memory((Wait(2, None, None, 20),), (learned,), sent)

    pace = Pace(redis, bot=limits, user=limits, recall=recall)
    # Half of twenty a minute are allowed, and nine of them went.
    assert (await pace.reserve(BOT, ACCOUNT, CHAT, POST)).seconds <= HORIZON
    assert (await pace.reserve(BOT, ACCOUNT, CHAT, POST)).seconds == pytest.approx(10, abs=1)
    assert await pace.waiting(2, OTHER) == pytest.approx(20, abs=1)


@pytest.mark.parametrize("jump", [-3600, 3600])
async def test_a_clock_that_jumps_changes_neither_waits_nor_windows(redis: Redis, jump: float) -> None:
    async def at(now: float) -> None:
        await redis.mset({"test:seconds": int(now), "test:micro": 0})

    limits = Limits((Window(100, 1.0),), (Window(2, 60.0),))
    own = 0.0
    simulated = "redis.call('MGET', 'test:seconds', 'test:micro')"
    paces = [Pace(redis, bot=limits, user=limits, time=simulated, monotonic=lambda: own) for _ in range(2)]
    await at(1_000_000)
    for pace in paces:
        assert (await pace.reserve(BOT, ACCOUNT, CHAT, POST)).seconds <= HORIZON
    await paces[0].wait(ACCOUNT, 40, chat_id=OTHER, delivery=POST)
    own = 5.0
    await at(1_000_005 + jump)
    told = [await pace.reserve(BOT, ACCOUNT, -77, POST) for pace in paces]
    assert [slot.seconds <= HORIZON for slot in told] == [True, True]
    for pace in paces:
        assert await pace.waiting(ACCOUNT, OTHER) == pytest.approx(35, abs=0.1)
    assert (await paces[1].reserve(BOT, ACCOUNT, CHAT, POST)).seconds == pytest.approx(55, abs=1)


async def test_a_slot_that_is_long_past_counts_where_each_process_keeps_its_calls_apart(redis: Redis) -> None:
    pace = pace_of(redis, account=[Window(2, 1.0)])
    for chat in range(10):
        await pace.reserve(BOT, ACCOUNT, chat, POST)
    late = await pace.reserve(BOT, ACCOUNT, OTHER, POST, held=Place.ALL, late=5.0)
    assert late.seconds <= 0
    assert (await pace.reserve(BOT, ACCOUNT, OTHER, POST, held=Place.ALL, late=20.0)).seconds > 1


async def test_a_slot_that_is_long_past_is_lost_where_a_window_of_a_minute_counts(redis: Redis) -> None:
    pace = pace_of(redis, account=[Window(100, 1.0), Window(2, 60.0)])
    for chat in range(4):
        await pace.reserve(BOT, ACCOUNT, chat, POST)
    assert (await pace.reserve(BOT, ACCOUNT, OTHER, POST, held=Place.ALL, late=5.0)).seconds > 1


async def test_a_slot_that_is_long_past_is_lost_where_its_chat_has_gone_on(redis: Redis) -> None:
    pace = pace_of(redis, chat=[Window(1, 3.0)])
    await pace.reserve(BOT, ACCOUNT, CHAT, POST)
    assert (await pace.reserve(BOT, ACCOUNT, CHAT, POST, held=Place.ALL, late=5.0)).seconds > 1
    assert (await pace.reserve(BOT, ACCOUNT, OTHER, POST, held=Place.ALL, late=5.0)).seconds <= 0


async def test_the_account_is_told_its_shortest_window_for_its_beat(redis: Redis) -> None:
    pace = pace_of(redis, account=[Window(2, 1.0)])
    await pace.reserve(BOT, ACCOUNT, CHAT, POST)
    beat = pace.beat(ACCOUNT)
    beat.answered(beat.went(0.0, 2), 0.0, well=True)
    assert 0.9 < beat.left(0.0, 1) < 1.1


async def test_a_slow_mode_is_a_window_of_its_chat_for_posts(redis: Redis) -> None:
    pace = pace_of(redis)
    await pace.reserve(BOT, ACCOUNT, CHAT, POST, slow_mode=30)
    assert (await pace.reserve(BOT, ACCOUNT, CHAT, POST, slow_mode=30)).seconds > 29
    assert (await pace.reserve(BOT, ACCOUNT, CHAT, DeliveryKind.EDIT, slow_mode=30)).seconds <= HORIZON
    assert (await pace.reserve(BOT, ACCOUNT, OTHER, POST, slow_mode=30)).seconds < HORIZON


# --- a wait that two chats met: is it the account's?


class Simulated:
    """Redis's clock and the process's own, for waits of an hour."""

    def __init__(self, redis: Redis) -> None:
        self._redis, self.now = redis, 1_000_000.0

    async def after(self, seconds: float) -> None:
        self.now += seconds
        whole = int(self.now)
        await self._redis.mset({"test:seconds": whole, "test:micro": round((self.now - whole) * 1e6)})


@pytest.fixture
async def clock(redis: Redis) -> Simulated:
    clock = Simulated(redis)
    await clock.after(0)
    return clock


@pytest.fixture
async def suspicious(redis: Redis, clock: Simulated) -> Pace:
    """The pace of an account that has sent into CHAT, and whose wait of an hour in OTHER may be the account's."""
    limits = Limits((Window(100, 1.0),), (Window(20, 60.0),), (Window(20, 60.0),))
    simulated = "redis.call('MGET', 'test:seconds', 'test:micro')"
    pace = Pace(redis, bot=limits, user=limits, time=simulated, monotonic=lambda: clock.now)
    await pace.reserve(BOT, ACCOUNT, CHAT, POST)
    await clock.after(5)
    await pace.wait(ACCOUNT, 3600, chat_id=OTHER, delivery=POST, suspected=True)
    return pace


async def test_a_suspected_wait_holds_every_chat_until_one_call_looks(
    suspicious: Pace, clock: Simulated
) -> None:
    assert (await suspicious.reserve(BOT, ACCOUNT, CHAT, POST)).seconds == pytest.approx(1, abs=0.01)
    await clock.after(1.1)
    one, another = [await suspicious.reserve(BOT, ACCOUNT, CHAT, POST) for _ in range(2)]
    assert (one.seconds <= HORIZON, one.looks) == (True, True)
    assert (another.seconds > 1, another.looks) == (True, False)


async def test_the_look_is_left_to_a_chat_that_has_taken_posts_before(
    suspicious: Pace, clock: Simulated
) -> None:
    await clock.after(1.1)
    stranger = await suspicious.reserve(BOT, ACCOUNT, -77, POST)
    assert (stranger.seconds, stranger.looks) == (pytest.approx(2, abs=0.01), False)
    assert (await suspicious.reserve(BOT, ACCOUNT, CHAT, POST)).looks
    await clock.after(3.2)
    assert (await suspicious.reserve(BOT, ACCOUNT, -78, POST)).looks, "nobody else came"


async def test_a_call_that_went_through_ends_the_accounts_wait_and_not_the_chats(
    suspicious: Pace, clock: Simulated
) -> None:
    await clock.after(1.1)
    assert (await suspicious.reserve(BOT, ACCOUNT, CHAT, POST)).looks
    assert await suspicious.clear(ACCOUNT, 0.05)
    free = await suspicious.reserve(BOT, ACCOUNT, -77, POST)
    assert (free.seconds <= HORIZON, free.looks) == (True, False)
    assert await suspicious.waiting(ACCOUNT, OTHER) == pytest.approx(3600, abs=2)


async def met_again(pace: Pace, chat: int, seconds: float) -> None:
    refusal = await pace.refused(BOT, ACCOUNT, chat, POST, seconds)
    await pace.wait(ACCOUNT, seconds, chat_id=chat, delivery=POST, refusal=refusal, suspected=True)


async def test_what_a_chat_finds_that_may_never_have_taken_a_post_says_little(
    suspicious: Pace, clock: Simulated
) -> None:
    await clock.after(10)
    assert (await suspicious.reserve(BOT, ACCOUNT, -77, POST)).looks
    await met_again(suspicious, -77, 3590)
    await clock.after(5.1)
    assert not (await suspicious.reserve(BOT, ACCOUNT, -79, POST)).looks
    assert (await suspicious.reserve(BOT, ACCOUNT, CHAT, POST)).looks


async def test_an_edit_shows_nothing_of_the_accounts_wait(suspicious: Pace, clock: Simulated) -> None:
    await clock.after(10)
    edit = await suspicious.reserve(BOT, ACCOUNT, CHAT, DeliveryKind.EDIT)
    assert (edit.seconds > 1, edit.looks) == (True, False)
    assert (await suspicious.reserve(BOT, ACCOUNT, CHAT, POST)).looks


async def test_nobody_is_put_off_beyond_the_end_of_a_suspected_wait(
    suspicious: Pace, clock: Simulated
) -> None:
    await clock.after(1500)
    assert (await suspicious.reserve(BOT, ACCOUNT, -77, POST)).looks
    await met_again(suspicious, -77, 2100)
    await clock.after(2090)
    assert (await suspicious.reserve(BOT, ACCOUNT, -78, POST)).seconds <= 10 + HORIZON
    await clock.after(15)
    assert (await suspicious.reserve(BOT, ACCOUNT, -79, POST)).seconds <= HORIZON


async def test_a_wait_that_was_met_after_the_look_was_made_stands(suspicious: Pace, clock: Simulated) -> None:
    await clock.after(1.1)
    assert (await suspicious.reserve(BOT, ACCOUNT, CHAT, POST)).looks
    await clock.after(0.5)
    await suspicious.wait(ACCOUNT, 30, chat_id=None, delivery=POST)
    assert not await suspicious.clear(ACCOUNT, 0.6)
    assert await suspicious.waiting(ACCOUNT, -77) > 25


async def test_a_look_that_finds_no_slot_is_left_to_another(redis: Redis, clock: Simulated) -> None:
    limits = Limits((Window(100, 1.0),), (Window(1, 60.0),))
    simulated = "redis.call('MGET', 'test:seconds', 'test:micro')"
    pace = Pace(redis, bot=limits, user=limits, time=simulated, monotonic=lambda: clock.now)
    await pace.reserve(BOT, ACCOUNT, OTHER, POST)
    await clock.after(58)
    await pace.reserve(BOT, ACCOUNT, CHAT, POST)
    await clock.after(1)
    await pace.wait(ACCOUNT, 3600, chat_id=-99, delivery=POST, suspected=True)
    await clock.after(4)
    full = await pace.reserve(BOT, ACCOUNT, CHAT, POST)
    assert (full.seconds > 1, full.looks) == (True, False)
    assert (await pace.reserve(BOT, ACCOUNT, OTHER, POST)).looks


async def test_a_wait_that_is_the_accounts_is_looked_at_ever_more_rarely(
    suspicious: Pace, clock: Simulated
) -> None:
    began, looks, held = clock.now, [], Place.NONE
    while clock.now < began + 3590:
        slot = await suspicious.reserve(BOT, ACCOUNT, CHAT, POST, held=held)
        if slot.seconds > HORIZON:
            held = slot.taken
            await clock.after(slot.seconds + 0.1)
            continue
        assert slot.looks
        looks.append(clock.now - began)
        await met_again(suspicious, CHAT, 3600 - (clock.now - began))
        await suspicious._redis.hdel(f"pace:{ACCOUNT}:waits", f"{CHAT}:send")
        held = Place.NONE
    assert 4 <= len(looks) <= 7
    assert looks == sorted(looks)
    await clock.after(60)
    assert not (await suspicious.reserve(BOT, ACCOUNT, -77, POST)).looks, "it is over"


async def test_a_long_wait_of_an_account_is_looked_at_after_redis_was_emptied(
    redis: Redis, clock: Simulated
) -> None:
    limits = Limits((Window(100, 1.0),), (Window(20, 60.0),))
    simulated = "redis.call('MGET', 'test:seconds', 'test:micro')"
    pace = Pace(redis, bot=limits, user=limits, time=simulated, monotonic=lambda: clock.now)
    await pace.restore(Memory((Wait(ACCOUNT, None, None, 3000),)))
    assert (await pace.reserve(BOT, ACCOUNT, CHAT, POST)).seconds == pytest.approx(1, abs=0.01)
    await clock.after(2.1)
    assert (await pace.reserve(BOT, ACCOUNT, CHAT, POST)).looks


# --- what a refusal teaches


STRANGER = -77


@pytest.fixture
def limits() -> Limits:
    return Limits((Window(30, 1.0),), (Window(20, 60.0),), (Window(20, 60.0),))


def simulated(redis: Redis, clock: Simulated, limits: Limits) -> Pace:
    at = "redis.call('MGET', 'test:seconds', 'test:micro')"
    return Pace(redis, bot=limits, user=limits, time=at, monotonic=lambda: clock.now)


async def spend(pace: Pace, clock: Simulated, slots: int, calls: int) -> None:
    """Take so many slots of a chat each, and use the first ones for calls that bring their posts."""
    for number in range(slots):
        slot = await pace.reserve(BOT, ACCOUNT, -1000 - number, POST)
        await clock.after(max(0.0, slot.seconds))
        if number < calls:
            call = pace.beat(ACCOUNT).went(clock.now, 1)
            pace.beat(ACCOUNT).answered(call, clock.now, well=True)


async def refused(pace: Pace, clock: Simulated, asked: float = 1) -> Refusal:
    slot = await pace.reserve(BOT, ACCOUNT, STRANGER, POST)
    await clock.after(max(0.0, slot.seconds))
    call = pace.beat(ACCOUNT).went(clock.now, 1)
    pace.beat(ACCOUNT).answered(call, clock.now, well=False)
    return await pace.refused(BOT, ACCOUNT, STRANGER, POST, asked, made=call.made)


async def test_a_slot_that_passed_without_a_call_is_nothing_that_telegram_has_taken(
    redis: Redis, clock: Simulated, limits: Limits
) -> None:
    pace = simulated(redis, clock, limits)
    await spend(pace, clock, slots=13, calls=10)
    met = await refused(pace, clock)
    assert met.account[0].used == 10
    learned = await pace.wait(ACCOUNT, 1, chat_id=None, delivery=POST, refusal=met)
    assert learned is not None
    assert learned.share == pytest.approx(0.5), "no wait more than halves"


async def test_what_another_process_sends_counts_by_its_slots(
    redis: Redis, clock: Simulated, limits: Limits
) -> None:
    pace, another = simulated(redis, clock, limits), simulated(redis, clock, limits)
    await spend(another, clock, slots=4, calls=4)
    await spend(pace, clock, slots=13, calls=10)
    assert (await refused(pace, clock)).account[0].used == 14


async def test_a_short_wait_in_a_chat_that_has_had_nothing_is_the_accounts(
    redis: Redis, clock: Simulated, limits: Limits
) -> None:
    pace = simulated(redis, clock, limits)
    await spend(pace, clock, slots=15, calls=15)
    assert (await refused(pace, clock)).account_alone
    assert not (await refused(pace, clock, asked=10)).account_alone, "that may be a mood about the chat"
    slot = await pace.reserve(BOT, ACCOUNT, STRANGER, POST)
    await clock.after(slot.seconds + 0.1)
    assert not (await refused(pace, clock)).account_alone, "the chat has had a slot"


async def test_edits_that_were_carried_out_count_by_their_calls(
    redis: Redis, clock: Simulated, limits: Limits
) -> None:
    pace = simulated(redis, clock, limits)
    await spend(pace, clock, slots=10, calls=10)
    for number in range(5):
        await pace.reserve(BOT, ACCOUNT, -1000 - number, DeliveryKind.EDIT)
        call = pace.beat(ACCOUNT).went(clock.now, 1)
        pace.beat(ACCOUNT).answered(call, clock.now, well=False, taken=True)
    assert (await refused(pace, clock)).account[0].used == 15


async def test_a_wait_that_is_met_when_the_last_is_over_teaches_anew(
    redis: Redis, clock: Simulated, limits: Limits
) -> None:
    pace = simulated(redis, clock, limits)
    await spend(pace, clock, slots=15, calls=15)
    met = await refused(pace, clock, asked=1)
    await clock.after(0.9)
    await pace.wait(ACCOUNT, 1, chat_id=CHAT, delivery=POST, refusal=met)
    await clock.after(0.3)
    assert (await refused(pace, clock)).account[0].used == 0, "it was judged late, and was over by then"


async def test_a_refusal_says_how_old_the_oldest_message_is_in_each_window(
    redis: Redis, clock: Simulated, limits: Limits
) -> None:
    pace = simulated(redis, clock, limits)
    await pace.reserve(BOT, ACCOUNT, STRANGER, POST)
    await clock.after(20)
    await pace.reserve(BOT, ACCOUNT, STRANGER, POST)
    await clock.after(5)
    met = await refused(pace, clock, asked=4)
    assert met.chat[0].oldest == pytest.approx(25, abs=0.01)
    assert met.account[0].oldest is None


@pytest.mark.parametrize("one_went_through", [False, True])
async def test_calls_that_meet_the_accounts_wait_again_say_nothing_else(
    redis: Redis, clock: Simulated, limits: Limits, one_went_through: bool
) -> None:
    pace = simulated(redis, clock, limits)
    await spend(pace, clock, slots=15, calls=15)
    await pace.wait(ACCOUNT, 2, chat_id=CHAT, delivery=POST, refusal=await refused(pace, clock, asked=2))
    await clock.after(1.2)
    if one_went_through:
        call = pace.beat(ACCOUNT).went(clock.now, 1)
        pace.beat(ACCOUNT).answered(call, clock.now, well=True)
    again = await refused(pace, clock)
    assert again.account[0].used == (1 if one_went_through else 15)
