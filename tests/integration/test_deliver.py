"""A lane's work, end to end behind the seam: nothing lost, nothing doubled, in order, at the asked pace."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from forwarder.db import Ask
from forwarder.deliver import carrier as carrying
from forwarder.deliver import leases
from forwarder.errors import AccountNotReady, NobodyAnswers, OutcomeUnknown, TelegramError, Unavailable
from forwarder.message import AccountKind, Deleted, Edited, Kind, Mode, SendOrder, SourceMessage
from forwarder.outcome import Outcome
from forwarder.pace import Limits, Window
from forwarder.services.pace_memory import recall
from tests.builders import ARCHIVE, DIGEST, NEWS, OTHER, House, album, post
from tests.integration.carriers import (
    WIDE,
    ScriptedFinder,
    Street,
    killed_in_the_middle,
    migrate,
)

BOT, USER = AccountKind.BOT, AccountKind.USER
LOST = OutcomeUnknown("DISCONNECTED")


async def test_a_post_is_sent_and_recorded(core: House, street: Street) -> None:
    mapping = await core.mapping()
    await core.hear(post(1))
    sender = street.sender(USER)
    outcome = await street.carrier(sender).carry(mapping)
    assert str(outcome) == f"lane {mapping}: sent 500 to {DIGEST} by user"
    [order] = sender.orders
    assert (order.source, order.message_ids, order.destination, order.mode) == (NEWS, (1,), DIGEST, Mode.COPY)
    [row] = await core.deliveries(mapping)
    assert (row["state"], row["sent_ids"], row["random_ids"]) == ("sent", [500], list(order.random_ids))
    assert await core.run("select 1 from lanes where holder is not null") == []


async def test_an_album_goes_in_one_call_and_posts_in_source_order(core: House, street: Street) -> None:
    mapping = await core.mapping(by=BOT)
    await core.hear(post(1), *album("a", 2, 3, 4), post(5))
    sender = street.sender(BOT)
    await street.carrier(sender).carry(mapping)
    assert [order.message_ids for order in sender.orders] == [(1,), (2, 3, 4), (5,)]
    assert [order.album for order in sender.orders] == [False, True, False]


async def test_two_workers_on_one_lane_never_double_or_reorder(core: House, street: Street) -> None:
    mapping = await core.mapping(by=BOT)
    await core.hear(*(post(number) for number in range(1, 31)))
    carriers = [street.carrier(street.sender(BOT), holder=f"w{n}") for n in range(3)]
    while any(state != "sent" for _, state in await core.states(mapping)):
        await asyncio.gather(*(carrier.carry(mapping) for carrier in carriers))
    assert street.chat.posts(DIGEST) == list(range(1, 31))


async def test_a_lane_goes_on_with_what_comes_while_it_is_carried(core: House, street: Street) -> None:
    mapping = await core.mapping()
    await core.hear(post(1))
    sender = street.sender(USER)

    async def another(_: SendOrder) -> None:
        await core.hear(post(2))

    sender.after.append(another)
    await street.carrier(sender).carry(mapping)
    assert street.chat.posts(DIGEST) == [1, 2]


async def test_after_its_slice_a_lane_lets_others_go_and_rings_itself(
    core: House, street: Street, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(carrying, "SLICE", 0.0)
    mapping = await core.mapping(by=BOT)
    await core.hear(post(1), post(2))
    await street.carrier(street.sender(BOT)).carry(mapping)
    assert await core.states(mapping) == [(1, "sent"), (2, "queued")]
    assert [bell.lanes[0][0] for bell in street.bells] == [mapping]


# --- bells


async def test_a_bell_for_a_lane_held_elsewhere_leaves_a_mark_and_rings_nobody(
    core: House, street: Street
) -> None:
    mapping = await core.mapping()
    await core.hear(post(1))
    sender = street.sender(USER)
    other = street.carrier(street.sender(USER), holder="w2")

    async def knock(_: SendOrder) -> None:
        outcome = await other.carry(mapping)
        assert "held elsewhere" in str(outcome)
        assert street.bells == []

    sender.after.append(knock)
    await street.carrier(sender).carry(mapping)
    assert [bell.lanes[0][0] for bell in street.bells] == [mapping]


async def test_a_bell_for_a_paused_mapping_does_not_ring_for_ever(core: House, street: Street) -> None:
    mapping = await core.mapping(state="paused")
    for _ in range(3):
        await street.carrier(street.sender(USER)).carry(mapping)
    assert street.bells == []


async def test_a_second_bell_in_one_process_is_seen_when_the_lane_is_let_go(
    core: House, street: Street
) -> None:
    mapping = await core.mapping()
    received = await core.hear(post(1))
    sender = street.sender(USER)
    carrier = street.carrier(sender)

    async def ring_again(_: SendOrder) -> None:
        await street.queue.ring(received.due)
        assert "already under way" in str(await carrier.carry(mapping))

    sender.after.append(ring_again)
    await carrier.carry(mapping)
    assert len(street.bells) == 2


async def test_the_relay_rings_for_lanes_whose_bell_was_lost(core: House, street: Street) -> None:
    mapping = await core.mapping()
    received = await core.hear(post(1))
    await street.queue.ring(received.due)
    await street.queue.ring(received.due)
    assert len(street.bells) == 1, "a lane with a bell outstanding is not rung again"
    street.bells.clear()
    assert await street.queue.relay() == 1
    assert await street.queue.relay() == 0
    assert [bell.lanes[0][0] for bell in street.bells] == [mapping]


# --- crashes


@pytest.mark.parametrize("executed", [False, True])
async def test_after_a_kill_the_user_route_repeats_the_call_with_its_random_ids(
    core: House, street: Street, executed: bool
) -> None:
    mapping = await core.mapping()
    await core.hear(*album("a", 1, 2), post(3))
    first = street.sender(USER)
    async with killed_in_the_middle(street, street.carrier(first), first, mapping, executed=executed):
        pass
    second = street.sender(USER)
    await street.carrier(second, holder="w2").carry(mapping)
    assert second.orders[0] == first.orders[0]
    assert street.chat.posts(DIGEST) == [1, 2, 3]


async def test_a_batch_of_unknown_outcome_keeps_its_parts_when_one_is_deleted(
    core: House, street: Street
) -> None:
    mapping = await core.mapping()
    await core.hear(*album("a", 1, 2), post(3))
    first = street.sender(USER)
    async with killed_in_the_middle(street, street.carrier(first), first, mapping, executed=True):
        await core.hear(Deleted(NEWS, (2,)))
    second = street.sender(USER)
    await street.carrier(second, holder="w2").carry(mapping)
    assert second.orders[0] == first.orders[0]
    assert street.chat.posts(DIGEST) == [1, 2, 3]
    assert [order.message_ids for order in second.deletions] == [(501,)]


async def test_after_a_kill_the_bot_route_finds_the_copy_and_sends_nothing(
    core: House, street: Street
) -> None:
    mapping = await core.mapping(by=BOT)
    await core.hear(post(1), post(2))
    first = street.sender(BOT)
    async with killed_in_the_middle(street, street.carrier(first), first, mapping, executed=True):
        pass
    second = street.sender(BOT)
    finder = ScriptedFinder(street.chat)
    await street.carrier(second, holder="w2", finder=finder).carry(mapping)
    assert street.chat.posts(DIGEST) == [1, 2]
    assert [state for _, state in await core.states(mapping)] == ["sent", "sent"]
    assert (await core.deliveries(mapping))[0]["sent_ids"] == [500]


async def test_a_copy_that_is_not_there_is_sent_again_only_when_its_absence_proves_something(
    core: House, street: Street
) -> None:
    mapping = await core.mapping(by=BOT)
    await core.hear(post(1), post(2))
    first = street.sender(BOT)
    async with killed_in_the_middle(street, street.carrier(first), first, mapping, executed=False):
        pass
    finder = ScriptedFinder(street.chat)
    carrier = street.carrier(street.sender(BOT), holder="w2", finder=finder)
    await carrier.carry(mapping)
    assert await core.states(mapping) == [(1, "unsure"), (2, "queued")]
    assert street.chat.arrived == []
    await street.called_long_ago()
    await street.due_now()
    await carrier.carry(mapping)
    assert street.chat.posts(DIGEST) == [1, 2]


@pytest.mark.parametrize(
    ("when_unsure", "ends", "arrived"), [("hold", "held", [2]), ("again", "sent", [1, 2])]
)
async def test_where_nobody_can_look_the_mapping_decides(
    core: House, street: Street, when_unsure: str, ends: str, arrived: list[int]
) -> None:
    mapping = await core.mapping(by=BOT, when_unsure=when_unsure)
    await core.hear(post(1), post(2))
    sender = street.sender(BOT)
    sender.before.append(LOST)
    finder = ScriptedFinder(street.chat, error=AccountNotReady("nobody can read the destination"))
    carrier = street.carrier(sender, finder=finder)
    await carrier.carry(mapping)
    assert await core.states(mapping) == [(1, "unsure"), (2, "queued")]
    await street.due_now()
    await carrier.carry(mapping)
    assert await core.states(mapping) == [(1, "unsure"), (2, "queued")], "too early to decide"
    await street.called_long_ago()
    await street.due_now()
    await carrier.carry(mapping)
    assert await core.states(mapping) == [(1, ends), (2, "sent")]
    assert street.chat.posts(DIGEST) == arrived


@pytest.mark.parametrize("error", [NobodyAnswers("away"), TelegramError("FLOOD_WAIT", seconds=5)])
async def test_a_look_up_waits_for_a_login_that_is_away_for_now(
    core: House, street: Street, error: Exception
) -> None:
    mapping = await core.mapping(by=BOT, when_unsure="hold")
    await core.hear(post(1), post(2))
    sender = street.sender(BOT)
    sender.after.append(LOST)
    finder = ScriptedFinder(street.chat, error=error)
    carrier = street.carrier(sender, finder=finder)
    await carrier.carry(mapping)
    await street.called_long_ago()
    await street.due_now()
    await carrier.carry(mapping)
    assert await core.states(mapping) == [(1, "unsure"), (2, "queued")]
    finder.error = None
    await street.due_now()
    await carrier.carry(mapping)
    assert await core.states(mapping) == [(1, "sent"), (2, "sent")]
    assert street.chat.posts(DIGEST) == [1, 2]


async def test_a_copy_is_looked_for_by_all_that_its_post_has_said_since_the_call(
    core: House, street: Street
) -> None:
    mapping = await core.mapping(by=BOT)
    written = post(1, "before the call")
    await core.hear(written)
    await core.hear(Edited(replace(written, text="as it was sent", edit_date=written.date)))
    sender, finder = street.sender(BOT), ScriptedFinder(street.chat)
    sender.after.append(LOST)
    carrier = street.carrier(sender, finder=finder)
    await carrier.carry(mapping)
    for minute, words in ((1, "newer"), (2, "newest")):
        edited = replace(written, text=words, edit_date=written.date + timedelta(minutes=minute))
        await core.hear(Edited(edited))
    await core.hear(Deleted(NEWS, (1,)))
    await street.due_now()
    await carrier.carry(mapping)
    [remembered] = finder.asked[-1].remembered
    assert remembered.message_id == 1
    assert set(remembered.texts) == {"as it was sent", "newer", "newest"}


@pytest.mark.parametrize("when_unsure", ["hold", "again"])
async def test_a_look_up_that_telegram_does_not_answer_is_repeated(
    core: House, street: Street, when_unsure: str
) -> None:
    mapping = await core.mapping(by=BOT, when_unsure=when_unsure)
    await core.hear(post(1))
    sender = street.sender(BOT)
    sender.after.append(LOST)
    finder = ScriptedFinder(street.chat, error=OutcomeUnknown("TIMED_OUT"))
    carrier = street.carrier(sender, finder=finder)
    await carrier.carry(mapping)
    await core.run("update deliveries set claimed_at = clock_timestamp() - interval '40 s'")
    await street.due_now()
    await carrier.carry(mapping)
    assert await core.states(mapping) == [(1, "unsure")]
    finder.error = None
    await street.due_now()
    await carrier.carry(mapping)
    assert await core.states(mapping) == [(1, "sent")]
    assert street.chat.posts(DIGEST) == [1]


async def test_an_album_that_is_partly_there_is_never_sent_again(core: House, street: Street) -> None:
    mapping = await core.mapping(by=BOT, when_unsure="again")
    await core.hear(*album("a", 1, 2), post(3))
    sender = street.sender(BOT)
    sender.after.append(LOST)
    carrier = street.carrier(sender, finder=ScriptedFinder(street.chat, OutcomeUnknown("PARTIAL_ALBUM")))
    await carrier.carry(mapping)
    await street.called_long_ago()
    await street.due_now()
    await carrier.carry(mapping)
    [row, _] = await core.deliveries(mapping)
    assert (row["state"], row["reason"]) == ("held", "unsure")
    assert street.chat.doubled == []


async def test_a_users_call_of_unknown_outcome_is_not_repeated_by_the_bot(
    core: House, street: Street
) -> None:
    mapping = await core.mapping()
    await core.hear(post(1))
    user = street.sender(USER)
    user.after.append(LOST)
    await street.carrier(user).carry(mapping)
    await core.run("update lanes set route = 'bot'")
    await street.due_now()
    bot = street.sender(BOT)
    await street.carrier(bot, finder=ScriptedFinder(street.chat)).carry(mapping)
    assert bot.orders == []
    assert await core.states(mapping) == [(1, "sent")]


async def test_a_waiting_repeat_stays_a_repeat(core: House, street: Street) -> None:
    mapping = await core.mapping()
    await core.hear(*album("a", 1, 2), post(3))
    sender = street.sender(USER)
    sender.after.append(LOST)
    sender.before.extend([None, TelegramError("FLOOD_WAIT", code=420, seconds=20)])
    carrier = street.carrier(sender)
    await carrier.carry(mapping)
    for _ in range(2):
        await street.due_now()
        await street.redis.flushdb()
        await carrier.carry(mapping)
        await core.hear(Deleted(NEWS, (1,)))
    assert sender.orders[0] == sender.orders[1] == sender.orders[2]
    assert street.chat.posts(DIGEST) == [1, 2, 3]
    await carrier.carry(mapping)
    assert [order.message_ids for order in sender.deletions] == [(500,)]


async def test_a_lease_that_does_not_last_means_no_call(
    core: House, street: Street, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(leases, "LEAST_LEASE", 11.0)
    mapping = await core.mapping()
    await core.hear(post(1))
    sender = street.sender(USER)
    await street.carrier(sender).carry(mapping)
    assert sender.orders == []
    assert await core.states(mapping) == [(1, "queued")]


async def test_leases_are_renewed_while_a_call_takes_long(
    core: House, street: Street, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(leases, "RENEW_EVERY", 0.05)
    mapping = await core.mapping()
    await core.hear(post(1))
    sender = street.sender(USER)

    async def slow(_: SendOrder) -> None:
        await core.run("update lanes set lease_until = clock_timestamp() + interval '1 second'")
        async with asyncio.timeout(5):
            while not await core.run(  # noqa: ASYNC110 - the condition is in the database
                "select 1 from lanes where lease_until > clock_timestamp() + interval '5 seconds'"
            ):
                await asyncio.sleep(0.02)

    sender.after.append(slow)
    carrier = street.carrier(sender)
    renewing = asyncio.create_task(carrier.renew_forever())
    await carrier.carry(mapping)
    renewing.cancel()
    assert await core.states(mapping) == [(1, "sent")]


async def test_stopping_lets_the_call_under_way_end_and_takes_nothing_more(
    core: House, street: Street
) -> None:
    mapping = await core.mapping(by=BOT)
    await core.hear(post(1), post(2))
    sender = street.sender(BOT)
    carrier = street.carrier(sender)
    stops: list[asyncio.Task[None]] = []

    async def stop(_: SendOrder) -> None:
        stops.append(asyncio.create_task(carrier.stop()))
        await asyncio.sleep(0)

    sender.before.append(stop)
    await carrier.carry(mapping)
    await asyncio.gather(*stops)
    assert await core.states(mapping) == [(1, "sent"), (2, "queued")]
    assert "stopping" in str(await carrier.carry(mapping))
    assert await core.run("select 1 from lanes where holder is not null") == []


async def test_a_result_is_recorded_through_an_outage_of_postgresql(
    core: House, street: Street, monkeypatch: pytest.MonkeyPatch
) -> None:
    mapping = await core.mapping(by=BOT)
    await core.hear(post(1))
    sender = street.sender(BOT)
    trip = core.db.in_one_trip
    outages = 2

    async def failing(*asks: Ask) -> list[Sequence[object]]:
        nonlocal outages
        if sender.orders and outages:
            outages -= 1
            raise Unavailable("PostgreSQL does not answer")
        return await trip(*asks)

    monkeypatch.setattr(core.db, "in_one_trip", failing)
    await street.carrier(sender).carry(mapping)
    assert outages == 0
    assert await core.states(mapping) == [(1, "sent")]


# --- waits


@pytest.mark.parametrize(("seconds", "retry"), [(20, True), (300, False)])
async def test_a_flood_wait_puts_the_row_off_and_is_no_attempt(
    core: House, street: Street, seconds: float, retry: bool
) -> None:
    mapping = await core.mapping()
    await core.hear(post(1), post(2))
    sender = street.sender(USER)
    sender.before.append(TelegramError("FLOOD_WAIT", code=420, seconds=seconds))
    outcome = await street.carrier(sender).carry(mapping)
    assert len(sender.orders) == 1, "nobody runs into a wait that is known"
    assert (outcome.retry_in is not None) is retry
    assert outcome.wait == pytest.approx(seconds, abs=2)
    [row, _] = await core.deliveries(mapping)
    assert (row["state"], row["reason"], row["attempts"]) == ("queued", "flood_wait", 0)
    [wait] = await core.run(
        "select *, extract(epoch from until - clock_timestamp()) as rest from flood_waits"
    )
    assert (wait["chat_id"], float(wait["rest"])) == (DIGEST, pytest.approx(seconds, abs=2))


@pytest.mark.parametrize(
    ("name", "lessons"), [("FLOOD_WAIT", 1), ("SLOWMODE_WAIT", 0), ("FLOOD_PREMIUM_WAIT", 0)]
)
async def test_a_flood_wait_teaches_what_postgresql_remembers(
    core: House, street: Street, name: str, lessons: int
) -> None:
    mapping = await core.mapping()
    await core.hear(post(1))
    sender = street.sender(USER)
    sender.before.append(TelegramError(name, code=420, seconds=5))
    await street.carrier(sender).carry(mapping)
    learned = await core.run("select account_id, field, share from pace_lessons")
    assert [row["account_id"] for row in learned] == [core.user] * lessons
    assert all(row["share"] < 1 for row in learned)
    assert [lesson.field for lesson in (await recall(core.db)).learned] == [row["field"] for row in learned]


async def test_a_wait_is_shared_with_all_lanes_into_that_chat(core: House, street: Street) -> None:
    first, second = await core.mapping(NEWS, DIGEST), await core.mapping(OTHER, DIGEST)
    elsewhere = await core.mapping(NEWS, ARCHIVE)
    await core.hear(post(1), post(1, chat=OTHER))
    sender = street.sender(USER)
    sender.before.append(TelegramError("FLOOD_WAIT", code=420, seconds=20))
    await street.carrier(sender).carry(first)
    other = street.sender(USER)
    await street.carrier(other, holder="w2").carry(second)
    assert other.orders == []
    await street.carrier(other, holder="w2").carry(elsewhere)
    assert street.chat.posts(ARCHIVE) == [1]


async def test_a_wait_in_a_second_chat_holds_the_account(core: House, street: Street) -> None:
    mappings = [await core.mapping(NEWS, chat) for chat in (DIGEST, ARCHIVE, OTHER)]
    await core.hear(post(1))
    sender = street.sender(USER)
    sender.before.extend(TelegramError("FLOOD_WAIT", code=420, seconds=20) for _ in range(2))
    carrier = street.carrier(sender)
    for mapping in mappings:
        await carrier.carry(mapping)
    assert len(sender.orders) == 2
    assert await street.pace.waiting(core.user, -99) > 15


@pytest.mark.parametrize("same_chat", [True, False])
async def test_no_further_call_begins_while_it_is_being_recorded_whom_a_wait_concerns(
    core: House, street: Street, monkeypatch: pytest.MonkeyPatch, same_chat: bool
) -> None:
    refused = await core.mapping(NEWS, DIGEST)
    other = await core.mapping(OTHER, DIGEST if same_chat else ARCHIVE)
    await core.hear(post(1), post(1, chat=OTHER))
    sender = street.sender(USER)
    sender.before.append(TelegramError("FLOOD_WAIT", code=420, seconds=20))
    carrier, judging, go = street.carrier(sender), asyncio.Event(), asyncio.Event()
    learn = street.pace.refused

    async def slowly(*arguments: Any, **named: Any) -> Any:
        judging.set()
        await go.wait()
        return await learn(*arguments, **named)

    monkeypatch.setattr(street.pace, "refused", slowly)
    first = asyncio.create_task(carrier.carry(refused))
    async with asyncio.timeout(20):
        await judging.wait()
        second = asyncio.create_task(carrier.carry(other))
        while await core.states(other) != [(1, "sending")]:  # noqa: ASYNC110 - there is a deadline
            await asyncio.sleep(0.01)
        for _ in range(20):
            await asyncio.sleep(0)
        assert len(sender.orders) == 1
        go.set()
        await asyncio.gather(first, second)
    assert await core.states(other) == [(1, "queued" if same_chat else "sent")]
    assert len(sender.orders) == (1 if same_chat else 2)


async def test_a_wait_is_judged_when_the_calls_before_it_are_answered(
    core: House, street: Street, monkeypatch: pytest.MonkeyPatch
) -> None:
    slow, refused = await core.mapping(NEWS, DIGEST), await core.mapping(OTHER, ARCHIVE)
    await core.hear(post(1), post(1, chat=OTHER))
    sender, go = street.sender(USER), asyncio.Event()

    async def slowly(_: SendOrder) -> None:
        await go.wait()

    sender.before.extend([slowly, TelegramError("FLOOD_WAIT", code=420, seconds=20)])
    carrier, learn, delivered = street.carrier(sender), street.pace.refused, list[list[int]]()

    async def judged(*arguments: Any, **named: Any) -> Any:
        delivered.append(street.chat.posts(DIGEST))
        return await learn(*arguments, **named)

    monkeypatch.setattr(street.pace, "refused", judged)
    async with asyncio.timeout(20):
        first = asyncio.create_task(carrier.carry(slow))
        while len(sender.orders) != 1:  # noqa: ASYNC110 - there is a deadline
            await asyncio.sleep(0.01)
        second = asyncio.create_task(carrier.carry(refused))
        while sender.before:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        await asyncio.sleep(0.1)
        go.set()
        await asyncio.gather(first, second)
    assert delivered == [[1]]


async def test_chats_that_wait_for_an_hour_hold_up_nobody_else(core: House, street: Street) -> None:
    waiting = [await core.mapping(NEWS, chat) for chat in (DIGEST, ARCHIVE, OTHER)]
    free = await core.mapping(OTHER, NEWS)
    await core.hear(post(1), post(1, chat=OTHER))
    sender = street.sender(USER)
    carrier = street.carrier(sender)
    await carrier.carry(free)
    assert street.chat.posts(NEWS) == [1]
    for mapping in waiting[:2]:
        sender.before.append(TelegramError("FLOOD_WAIT", code=420, seconds=3600))
        await carrier.carry(mapping)
    await core.hear(post(2, chat=OTHER))
    assert "the pace puts it off" in str(await carrier.carry(free)), "the account may be meant"
    async with asyncio.timeout(30):
        while street.chat.posts(NEWS) != [1, 2]:
            await asyncio.sleep(0.1)
            await carrier.carry(free)
    assert await street.pace.waiting(core.user, NEWS) == 0
    assert await street.pace.waiting(core.user, DIGEST) > 3500
    sender.before.append(TelegramError("FLOOD_WAIT", code=420, seconds=3600))
    await carrier.carry(waiting[2])
    await core.hear(post(3, chat=OTHER))
    await carrier.carry(free)
    assert street.chat.posts(NEWS) == [1, 2, 3], "what went through between shows that it is the chat's own"
    held = await core.run("select chat_id from flood_waits where until > clock_timestamp()")
    assert {row["chat_id"] for row in held} == {DIGEST, ARCHIVE, OTHER}


async def test_edits_go_on_while_the_head_of_their_lane_waits(core: House, street: Street) -> None:
    mapping = await core.mapping()
    await core.hear(post(1))
    sender = street.sender(USER)
    carrier = street.carrier(sender)
    await carrier.carry(mapping)
    await core.hear(post(2))
    sender.before.append(TelegramError("FLOOD_WAIT", code=420, seconds=300))
    await carrier.carry(mapping)
    await core.hear(Edited(post(1, "better")))
    await carrier.carry(mapping)
    assert [(edit.message_id, edit.text) for edit in sender.edits] == [(500, "better")]


async def test_the_pace_puts_a_row_off_and_its_slot_stays_valid(core: House, street: Street) -> None:
    street = Street(core, street.redis, limits=Limits(WIDE.account, (Window(1, 5.0),), WIDE.edits))
    mapping = await core.mapping()
    await core.hear(post(1), post(2))
    carrier = street.carrier(street.sender(USER))
    outcome = await carrier.carry(mapping)
    assert "the pace puts it off" in str(outcome)
    row = (await core.deliveries(mapping))[1]
    assert (row["state"], row["reserved"], row["attempts"]) == ("queued", 1, 0)
    await street.due_now()
    await carrier.stop()


async def test_a_slow_mode_is_foreseen_where_it_holds_for_the_account(core: House, street: Street) -> None:
    mapping = await core.mapping()
    await core.run("update channels set slow_mode = 30 where telegram_id = :chat", chat=DIGEST)
    await core.run("update channel_access set slowed = true")
    await core.hear(post(1), post(2))
    sender = street.sender(USER)
    await street.carrier(sender).carry(mapping)
    assert [order.message_ids for order in sender.orders] == [(1,)]
    row = (await core.deliveries(mapping))[1]
    assert (row["state"], row["reserved"]) == ("queued", 1)


async def test_a_slow_mode_holds_no_administrator(core: House, street: Street) -> None:
    mapping = await core.mapping()
    await core.run("update channels set slow_mode = 30 where telegram_id = :chat", chat=DIGEST)
    await core.hear(post(1), post(2))
    sender = street.sender(USER)
    await street.carrier(sender).carry(mapping)
    assert [number for order in sender.orders for number in order.message_ids] == [1, 2]


# --- refusals


async def test_a_permanent_refusal_pauses_the_mapping_with_its_reason(core: House, street: Street) -> None:
    mapping = await core.mapping()
    await core.hear(post(1), post(2))
    sender = street.sender(USER)
    sender.before.append(TelegramError("CHAT_WRITE_FORBIDDEN", code=403))
    await street.carrier(sender).carry(mapping)
    assert len(sender.orders) == 1
    assert await core.states(mapping) == [(1, "held"), (2, "held")]
    [row] = await core.run("select state, reason from mappings")
    assert (row["state"], row["reason"]) == ("paused", "no_right_to_post")
    assert await core.run("select 1 from lanes where holder is not null") == []


async def test_an_account_that_is_stopped_sends_nothing_more(core: House, street: Street) -> None:
    mapping = await core.mapping()
    await core.hear(post(1), post(2))
    sender = street.sender(USER)
    sender.before.append(TelegramError("PEER_FLOOD", code=400))
    carrier = street.carrier(sender)
    await carrier.carry(mapping)
    await carrier.carry(mapping)
    assert len(sender.orders) == 1
    assert await core.states(mapping) == [(1, "queued"), (2, "queued")]
    [row] = await core.run("select state, reason from accounts where id = :id", id=core.user)
    assert (row["state"], row["reason"]) == ("stopped", "spam_limited")


async def test_an_auto_lane_moves_to_the_user_account_on_a_definite_refusal(
    core: House, street: Street
) -> None:
    mapping = await core.mapping(by=BOT, route="auto")
    await core.hear(post(1), post(2))
    bot = street.sender(BOT)
    bot.before.append(TelegramError("Forbidden: bot was kicked from the channel chat", code=403))
    await street.carrier(bot).carry(mapping)
    assert len(bot.orders) == 1
    assert [bell.queue for bell in street.bells] == ["user.live"]
    await street.carrier(street.sender(USER)).carry(mapping)
    assert street.chat.posts(DIGEST) == [1, 2]


async def test_a_group_that_migrated_is_followed(core: House, street: Street) -> None:
    mapping = await core.mapping(by=BOT)
    await core.hear(post(1))
    bot = street.sender(BOT)
    bot.before.append(TelegramError("group chat was upgraded", code=400, migrate_to=-1009))
    carrier = street.carrier(bot)
    await carrier.carry(mapping)
    assert [bell.lanes[0][0] for bell in street.bells] == [mapping]
    await carrier.carry(mapping)
    assert [order.destination for order in bot.orders] == [DIGEST, -1009]


@pytest.mark.parametrize("flag", ["chat", "message"])
async def test_protected_content_is_not_sent_and_pauses_the_mapping(
    core: House, street: Street, flag: str
) -> None:
    mapping = await core.mapping(by=BOT, route="auto")
    await core.hear(post(1, protected=flag == "message"), post(2))
    if flag == "chat":
        await core.run("update channels set protected = true where telegram_id = :chat", chat=NEWS)
    sender = street.sender(BOT)
    await street.carrier(sender).carry(mapping)
    assert sender.orders == []
    [row] = await core.run("select state, reason from mappings")
    assert (row["state"], row["reason"]) == ("paused", "protected_content")
    assert await core.states(mapping) == [(1, "held"), (2, "held")]


async def test_the_copy_that_stands_in_for_a_forward_shares_its_random_ids(
    core: House, street: Street
) -> None:
    mapping = await core.mapping(mode="forward")
    await core.hear(post(1))
    sender = street.sender(USER)
    sender.before.append(TelegramError("MEDIA_EMPTY", code=400))
    await street.carrier(sender).carry(mapping)
    forward, copy = sender.orders
    assert (forward.mode, copy.mode) == (Mode.FORWARD, Mode.COPY)
    assert forward.random_ids == copy.random_ids
    [row] = await core.deliveries(mapping)
    assert (row["state"], row["mode"]) == ("sent", "copy")


async def test_a_copy_in_place_of_a_forward_is_looked_for_as_a_copy(core: House, street: Street) -> None:
    mapping = await core.mapping(by=BOT, mode="forward")
    await core.hear(post(1))
    sender = street.sender(BOT)
    sender.before.append(TelegramError("MEDIA_EMPTY", code=400))
    carrier = street.carrier(sender)
    async with killed_in_the_middle(street, carrier, sender, mapping, executed=True):
        pass
    finder = ScriptedFinder(street.chat)
    await street.carrier(street.sender(BOT), holder="w2", finder=finder).carry(mapping)
    assert [order.mode for order in finder.asked] == [Mode.COPY]
    assert await core.states(mapping) == [(1, "sent")]


async def test_retries_back_off_and_end_when_the_attempts_are_used_up(core: House, street: Street) -> None:
    first, second = await core.mapping(NEWS, DIGEST), await core.mapping(OTHER, DIGEST)
    await core.hear(post(1, "same"))
    await core.hear(post(1, "same", chat=OTHER))
    sender = street.sender(USER)
    sender.before.extend(OutcomeUnknown("RPC_CALL_FAIL", code=500) for _ in range(8))
    carrier = street.carrier(sender)
    waits = []
    for _ in range(8):
        await carrier.carry(first)
        [row] = await core.run(
            "select attempts, extract(epoch from not_before - clock_timestamp())::float8 as wait"
            " from deliveries where mapping_id = :id",
            id=first,
        )
        waits.append(row["wait"])
        await street.due_now()
    assert all(1 <= wait + 0.5 <= 61 for wait in waits[:-1])
    assert waits[6] > waits[0]
    assert len({order.random_ids for order in sender.orders}) == 1
    assert await core.states(first) == [(1, "failed")]
    assert await core.states(second) == [(1, "queued")]
    await carrier.carry(second)
    assert await core.states(second) == [(1, "sent")]
    await carrier.stop()


async def test_an_unreachable_telegram_uses_up_no_attempts(core: House, street: Street) -> None:
    mapping = await core.mapping()
    await core.hear(post(1))
    sender = street.sender(USER)
    sender.before.append(TelegramError("CONNECT_FAILED"))
    carrier = street.carrier(sender)
    await carrier.carry(mapping)
    [row] = await core.deliveries(mapping)
    assert (row["state"], row["reason"], row["attempts"]) == ("queued", "connect_failed", 0)
    await carrier.stop()


@pytest.mark.parametrize(("kind", "state"), [(USER, "queued"), (BOT, "unsure")])
async def test_a_bug_of_ours_in_a_call_is_an_unknown_outcome_and_an_attempt(
    core: House, street: Street, kind: AccountKind, state: str
) -> None:
    mapping = await core.mapping(by=kind)
    await core.hear(post(1))
    sender = street.sender(kind)
    sender.after.append(KeyError("a surprise"))
    carrier = street.carrier(sender, finder=ScriptedFinder(street.chat))
    await carrier.carry(mapping)
    [row] = await core.deliveries(mapping)
    assert (row["state"], row["reason"], row["unsettled"]) == (state, "outcome_unknown", True)
    assert await core.run("select 1 from lanes where holder is not null") == []
    await street.due_now()
    await carrier.carry(mapping)
    assert await core.states(mapping) == [(1, "sent")]
    assert street.chat.doubled == []
    await carrier.stop()


async def test_a_lane_that_waited_for_a_place_while_the_worker_stops_is_left(
    core: House, street: Street
) -> None:
    first, second = await core.mapping(NEWS, DIGEST), await core.mapping(NEWS, ARCHIVE)
    await core.hear(post(1))
    sender = street.sender(USER)
    carrier = street.carrier(sender, concurrency=1)
    waiting: list[asyncio.Task[Outcome]] = []
    stops: list[asyncio.Task[None]] = []

    async def stop(_: SendOrder) -> None:
        waiting.append(asyncio.create_task(carrier.carry(second)))
        await asyncio.sleep(0)
        stops.append(asyncio.create_task(carrier.stop()))
        await asyncio.sleep(0)

    sender.before.append(stop)
    await carrier.carry(first)
    [outcome] = await asyncio.gather(*waiting)
    await asyncio.gather(*stops)
    assert "stopping" in str(outcome)
    assert await core.states(second) == [(1, "queued")]


async def test_without_redis_nothing_is_sent_and_the_lane_is_let_go(
    core: House, street: Street, monkeypatch: pytest.MonkeyPatch
) -> None:
    mapping = await core.mapping()
    await core.hear(post(1))

    async def away(*_: object, **__: object) -> None:
        raise ConnectionError("refused")

    monkeypatch.setattr(street.pace, "reserve_run", away)
    sender = street.sender(USER)
    with pytest.raises(Unavailable, match="Redis does not answer"):
        await street.carrier(sender).carry(mapping)
    assert sender.orders == []
    assert await core.states(mapping) == [(1, "queued")]
    assert await core.run("select 1 from lanes where holder is not null") == []


# --- edits and deletions


async def test_edits_and_deletions_are_applied_to_the_copies(core: House, street: Street) -> None:
    mapping = await core.mapping()
    await core.hear(post(1), post(2))
    sender = street.sender(USER)
    carrier = street.carrier(sender)
    await carrier.carry(mapping)
    await core.hear(Edited(post(1, "better")), Deleted(NEWS, (2,)))
    outcome = await carrier.carry(mapping)
    assert [(edit.destination, edit.message_id, edit.text) for edit in sender.edits] == [
        (DIGEST, 500, "better")
    ]
    assert [order.message_ids for order in sender.deletions] == [(501,)]
    assert "edited 1" in str(outcome)
    assert "deleted 1" in str(outcome)


async def test_a_forwards_edit_is_filtered_with_its_reason(core: House, street: Street) -> None:
    mapping = await core.mapping(mode="forward")
    await core.hear(post(1))
    sender = street.sender(USER)
    carrier = street.carrier(sender)
    await carrier.carry(mapping)
    await core.hear(Edited(post(1, "better")))
    await carrier.carry(mapping)
    [row] = await core.deliveries(mapping, "edit")
    assert (row["state"], row["reason"]) == ("filtered", "forward_cannot_be_edited")


async def test_the_newest_text_wins_when_edits_come_while_one_is_applied(core: House, street: Street) -> None:
    mapping = await core.mapping()
    await core.hear(post(1))
    sender = street.sender(USER)
    carrier = street.carrier(sender)
    await carrier.carry(mapping)
    await core.hear(Edited(post(1, "second")))

    async def edited_again() -> None:
        await core.hear(Edited(post(1, "third")))

    sender.fix_answers.append(edited_again)
    await carrier.carry(mapping)
    assert [edit.text for edit in sender.edits] == ["second", "third"]
    assert await core.states(mapping, "edit") == [(1, "sent")]


async def test_an_edit_that_comes_while_its_slot_is_waited_for_is_not_lost(
    core: House, street: Street, monkeypatch: pytest.MonkeyPatch
) -> None:
    mapping = await core.mapping()
    await core.hear(post(1))
    sender = street.sender(USER)
    carrier = street.carrier(sender)
    await carrier.carry(mapping)
    await core.hear(Edited(post(1, "second")))
    reserve = street.pace.reserve

    async def edited_meanwhile(*args: object, **kwargs: object) -> object:
        await core.hear(Edited(post(1, "third")))
        return await reserve(*args, **kwargs)  # type: ignore[arg-type]

    monkeypatch.setattr(street.pace, "reserve", edited_meanwhile)
    await carrier.carry(mapping)
    assert sender.edits[-1].text == "third"
    assert await core.run("select 1 from deliveries where done_at is null") == []


async def test_an_edit_of_unknown_outcome_is_applied_again(core: House, street: Street) -> None:
    mapping = await core.mapping(by=BOT)
    await core.hear(post(1))
    sender = street.sender(BOT)
    carrier = street.carrier(sender)
    await carrier.carry(mapping)
    await core.hear(Edited(post(1, "better")))
    sender.fix_answers.append(LOST)
    await carrier.carry(mapping)
    await street.due_now()
    await carrier.carry(mapping)
    assert [edit.text for edit in sender.edits] == ["better", "better"]
    await carrier.stop()


async def test_copies_in_a_chat_that_is_a_source_too_travel_on(core: House, street: Street) -> None:
    mapping = await core.mapping(NEWS, DIGEST, by=BOT)
    await core.channel(ARCHIVE)
    onward = await core.mapping(DIGEST, ARCHIVE, by=BOT)
    await core.run(
        "update channels set listener_id = :bot where telegram_id = :chat", bot=core.bot, chat=DIGEST
    )
    await core.run("delete from marks where account_id = :user and channel_id = :channel",
                   user=core.user, channel=core.channels[DIGEST])  # fmt: skip
    await core.hear(post(1))
    carrier = street.carrier(street.sender(BOT))
    await carrier.carry(mapping)
    assert onward in {bell.lanes[0][0] for bell in street.bells}
    await carrier.carry(onward)
    assert street.chat.posts(ARCHIVE) == [500]


# --- a group that became a supergroup

GROUP, SUPERGROUP, CHANNEL = -77, -1000000000088, -1000000000099


def moved(message_id: int, chat: int = GROUP, to: int = SUPERGROUP) -> SourceMessage:
    return post(message_id, "", chat=chat, kind=Kind.SERVICE, migrated_to=to)


async def test_posts_from_before_the_move_leave_from_the_old_chat_and_go_first(
    core: House, street: Street
) -> None:
    mapping = await core.mapping(GROUP, CHANNEL, start_after=3000)
    await core.hear(post(3001, chat=GROUP), *album("a", 3002, 3003, chat=GROUP), moved(3004))
    await core.hear(post(1, chat=SUPERGROUP), post(2, chat=SUPERGROUP))
    sender = street.sender(USER)
    await street.carrier(sender).carry(mapping)
    assert [(order.source, order.message_ids) for order in sender.orders] == [
        (GROUP, (3001, 3002, 3003)),
        (SUPERGROUP, (1, 2)),
    ]


async def test_an_album_that_was_still_collecting_at_the_move_is_not_lost(
    core: House, street: Street
) -> None:
    mapping = await core.mapping(GROUP, CHANNEL, start_after=3000)
    await core.hear(*album("a", 3001, 3002, chat=GROUP))
    assert await core.states(mapping) == []
    async with core.db.begin() as session:
        await migrate(session, GROUP, SUPERGROUP)
    await core.hear(post(1, chat=SUPERGROUP))
    assert await core.states(mapping) == [], "what comes after the album waits for it"
    await core.run("update posts set last_part_at = last_part_at - interval '5 seconds'")
    await core.settle(GROUP)
    await core.settle(SUPERGROUP)
    sender = street.sender(USER)
    await street.carrier(sender).carry(mapping)
    assert [(order.source, order.message_ids) for order in sender.orders] == [
        (GROUP, (3001, 3002)),
        (SUPERGROUP, (1,)),
    ]


async def test_a_call_of_unknown_outcome_is_repeated_with_its_ids_after_the_move(
    core: House, street: Street
) -> None:
    mapping = await core.mapping(GROUP, CHANNEL, start_after=3000)
    await core.hear(post(3001, chat=GROUP))
    first = street.sender(USER)
    async with killed_in_the_middle(street, street.carrier(first), first, mapping, executed=True):
        await core.hear(moved(3002))
    second = street.sender(USER)
    await street.carrier(second, holder="w2").carry(mapping)
    assert second.orders == first.orders
    assert street.chat.posts(CHANNEL) == [3001]


async def test_an_edit_after_the_move_does_not_touch_the_copy_of_the_old_chats_message(
    core: House, street: Street
) -> None:
    mapping = await core.mapping(GROUP, CHANNEL)
    await core.hear(post(1, chat=GROUP), moved(2))
    sender = street.sender(USER)
    carrier = street.carrier(sender)
    await carrier.carry(mapping)
    await core.hear(post(1, chat=SUPERGROUP))
    await carrier.carry(mapping)
    await core.hear(Edited(post(1, "newer", chat=SUPERGROUP)))
    await carrier.carry(mapping)
    assert [(edit.message_id, edit.text) for edit in sender.edits] == [(501, "newer")]


async def test_what_was_sent_before_its_destination_moved_is_neither_edited_nor_deleted_nor_answered_there(
    core: House, street: Street
) -> None:
    mapping = await core.mapping(CHANNEL, GROUP)
    heard = post(1, chat=CHANNEL)
    await core.hear(heard)
    sender = street.sender(USER)
    await street.carrier(sender).carry(mapping)
    async with core.db.begin() as session:
        await migrate(session, GROUP, SUPERGROUP)
    await core.hear(Edited(replace(heard, text="newer")), post(2, chat=CHANNEL, reply_to=1))
    await street.carrier(sender).carry(mapping)
    await core.hear(Deleted(CHANNEL, (1,)))
    await street.carrier(sender).carry(mapping)
    assert (sender.edits, sender.deletions) == ([], []), (
        "ids of the old group are other messages in the new one"
    )
    assert [(order.destination, order.reply_to) for order in sender.orders] == [
        (GROUP, None),
        (SUPERGROUP, None),
    ]
    ends = await core.run("select kind, state, reason from deliveries where kind <> 'post' order by kind")
    assert [tuple(row.values()) for row in ends] == [
        ("delete", "failed", "copy_in_old_group"),
        ("edit", "failed", "copy_in_old_group"),
    ]


async def test_a_source_that_moved_is_not_taken_for_the_destination(core: House, street: Street) -> None:
    mapping = await core.mapping(GROUP, CHANNEL, by=BOT, listener=BOT)
    await core.hear(post(1, chat=GROUP), by=BOT)
    bot = street.sender(BOT)
    bot.before.append(TelegramError("group chat was upgraded", code=400, migrate_to=SUPERGROUP))
    await street.carrier(bot).carry(mapping)
    [row] = await core.deliveries(mapping)
    assert (row["state"], row["reason"]) == ("failed", "source_migrated")
    chats = await core.run(
        "select s.telegram_id as source, d.telegram_id as destination from mappings m"
        " join channels s on s.id = m.source_id join channels d on d.id = m.destination_id"
    )
    assert [(chat["source"], chat["destination"]) for chat in chats] == [(SUPERGROUP, CHANNEL)]
    await core.hear(post(1, chat=SUPERGROUP), by=BOT)
    await street.carrier(bot).carry(mapping)
    assert street.chat.posts(CHANNEL) == [1]


# --- answers


async def test_a_copy_answers_the_copy_of_what_its_post_answers(core: House, street: Street) -> None:
    mapping = await core.mapping()
    sender = street.sender(USER)
    await core.hear(*album("a", 1, 2), post(3, reply_to=2), post(4, reply_to=3))
    await street.carrier(sender).carry(mapping)
    assert [order.reply_to for order in sender.orders] == [None, 501, 502]


async def test_an_answer_to_what_was_not_sent_answers_nothing(core: House, street: Street) -> None:
    mapping = await core.mapping(start_after=5)
    sender = street.sender(USER)
    await core.hear(post(6, reply_to=2))
    await street.carrier(sender).carry(mapping)
    assert [order.reply_to for order in sender.orders] == [None]


@pytest.mark.parametrize(
    ("mode", "kind"), [("forward", Kind.TEXT), ("copy", Kind.DICE), ("copy", Kind.UNKNOWN)]
)
async def test_what_cannot_answer_is_sent_alone(core: House, street: Street, mode: str, kind: Kind) -> None:
    mapping = await core.mapping(mode=mode)
    sender = street.sender(USER)
    await core.hear(post(1), post(2, kind=kind, reply_to=1))
    await street.carrier(sender).carry(mapping)
    assert {order.reply_to for order in sender.orders} == {None}
    assert sender.orders[-1].mode is (Mode.COPY if kind is Kind.DICE else Mode.FORWARD)


async def test_the_window_of_deduplication_begins_when_the_post_is_sent(core: House, street: Street) -> None:
    mapping = await core.mapping(dedup_hours=24)
    await core.hear(post(1))
    await core.run("update fingerprints set until = until - interval '20 hours'")
    await street.carrier(street.sender(USER)).carry(mapping)
    left = await core.run(
        "select extract(epoch from until - clock_timestamp()) / 3600 as hours from fingerprints"
    )
    assert len(left) == 2, "its origin and its content"
    assert all(23.9 < row["hours"] <= 24 for row in left)
