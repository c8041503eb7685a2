"""Posts that share a call: once each, in order, settled each by its own answer, whatever happens to the call."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from sqlalchemy import text

from forwarder.db import Ask
from forwarder.errors import OutcomeUnknown, TelegramError
from forwarder.message import AccountKind, Deleted, Edited, Facts, SendOrder, SourceMessage
from forwarder.pace import Window
from forwarder.services.mapping_work import hold, let_go
from forwarder.services.mappings import MappingService
from tests.builders import ARCHIVE, DIGEST, NEWS, OTHER, House, album, photo, post
from tests.integration.carriers import WIDE, ScriptedFinder, Street, killed_in_the_middle, wait_for_lock

BOT, USER = AccountKind.BOT, AccountKind.USER
LOST = OutcomeUnknown("DISCONNECTED")


async def test_a_backlog_goes_in_calls_of_up_to_a_hundred_in_order(core: House, street: Street) -> None:
    mapping = await core.mapping()
    await core.hear(*(post(n) for n in range(1, 251)))
    sender = street.sender(USER)
    await street.carrier(sender).carry(mapping)
    assert street.chat.posts(DIGEST) == list(range(1, 251))
    sizes = [len(order.message_ids) for order in sender.orders]
    assert max(sizes) == 100
    assert len(sizes) <= 6
    assert {state for _, state in await core.states(mapping)} == {"sent"}


def hushed(number: int) -> SourceMessage:
    return post(number, facts=Facts(silent=True))


@pytest.mark.parametrize("by", [BOT, USER])
async def test_only_posts_of_the_same_silence_share_a_call(
    core: House, street: Street, by: AccountKind
) -> None:
    mapping = await core.mapping(by=by)
    quiet_album = [replace(part, facts=Facts(silent=True)) for part in album("a", 5, 6)]
    await core.hear(post(1), post(2), hushed(3), hushed(4), *quiet_album, post(7))
    sender = street.sender(by)
    await street.carrier(sender).carry(mapping)
    carried = [(order.message_ids, order.silent) for order in sender.orders]
    together = [((1, 2), False), ((3, 4, 5, 6), True), ((7,), False)]
    one_by_one = [((1,), False), ((2,), False), ((3,), True), ((4,), True), ((5, 6), True), ((7,), False)]
    assert carried == (together if by is USER else one_by_one)


async def test_in_a_silent_mapping_all_share_a_silent_call(core: House, street: Street) -> None:
    mapping = await core.mapping(silent=True)
    await core.hear(post(1), hushed(2), post(3))
    sender = street.sender(USER)
    await street.carrier(sender).carry(mapping)
    assert [(order.message_ids, order.silent) for order in sender.orders] == [((1, 2, 3), True)]


async def test_a_silent_call_is_silent_again_also_when_its_posts_were_deleted(
    core: House, street: Street
) -> None:
    mapping = await core.mapping()
    await core.hear(hushed(1), hushed(2))
    sender = street.sender(USER)
    async with killed_in_the_middle(street, street.carrier(sender), sender, mapping, executed=False):
        await core.hear(Deleted(NEWS, (1,)))
    second = street.sender(USER)
    await street.carrier(second, holder="w2").carry(mapping)
    assert sender.orders[0].silent
    assert second.orders[0] == sender.orders[0]


async def test_our_own_silent_copy_is_heard_as_silent_where_only_the_bot_listens(
    core: House, street: Street
) -> None:
    first = await core.mapping(NEWS, DIGEST, by=BOT, silent=True)
    onward = await core.mapping(DIGEST, ARCHIVE, by=BOT, listener=BOT)
    await core.run(
        "update channels set listener_id = :bot where telegram_id = :chat", bot=core.bot, chat=DIGEST
    )
    await core.hear(post(1))
    sender = street.sender(BOT)
    await street.carrier(sender).carry(first)
    await street.carrier(sender).carry(onward)
    assert [(order.destination, order.silent) for order in sender.orders] == [(DIGEST, True), (ARCHIVE, True)]


async def test_a_killed_call_is_repeated_with_the_same_posts_whatever_came_or_went_since(
    core: House, street: Street
) -> None:
    mapping = await core.mapping()
    await core.hear(post(1), post(2), post(3))
    sender = street.sender(USER)
    async with killed_in_the_middle(street, street.carrier(sender), sender, mapping, executed=True):
        await core.hear(post(4), Deleted(NEWS, (2,)))
    second = street.sender(USER)
    await street.carrier(second, holder="w2").carry(mapping)
    first, again = sender.orders[0], second.orders[0]
    assert again == first
    assert street.chat.posts(DIGEST) == [1, 2, 3, 4]
    assert street.chat.doubled == []
    assert [order.message_ids for order in second.deletions] == [(501,)], "the deletion is not lost"


@pytest.mark.parametrize("executed", [True, False])
async def test_a_lost_answer_repeats_the_call_whole(core: House, street: Street, executed: bool) -> None:
    mapping = await core.mapping()
    await core.hear(post(1), *album("a", 2, 3), post(4))
    sender = street.sender(USER)
    (sender.after if executed else sender.before).append(LOST)
    carrier = street.carrier(sender)
    await carrier.carry(mapping)
    assert [s for _, s in await core.states(mapping)] == ["queued"] * 3
    await street.due_now()
    await carrier.carry(mapping)
    assert sender.orders[1] == sender.orders[0]
    assert street.chat.posts(DIGEST) == [1, 2, 3, 4]
    assert street.chat.doubled == []


async def test_a_repeated_call_outlives_a_pause(core: House, street: Street) -> None:
    mapping = await core.mapping()
    await core.hear(post(1), post(2))
    sender = street.sender(USER)
    sender.after.append(LOST)
    carrier = street.carrier(sender)
    await carrier.carry(mapping)
    async with core.db.begin() as session:
        await hold(session, mapping)
    async with core.db.begin() as session:
        await let_go(session, mapping, send=True)
    await core.hear(post(3))
    await street.due_now()
    await carrier.carry(mapping)
    assert sender.orders[1] == sender.orders[0]
    assert street.chat.posts(DIGEST) == [1, 2, 3]


@pytest.mark.parametrize("by", [BOT, USER])
@pytest.mark.parametrize("executed", [True, False])
async def test_another_account_looks_for_each_post_of_a_killed_call(
    core: House, street: Street, by: AccountKind, executed: bool
) -> None:
    mapping = await core.mapping(route="auto")
    await core.hear(post(1), post(2), post(3))
    sender = street.sender(USER)
    async with killed_in_the_middle(street, street.carrier(sender), sender, mapping, executed=executed):
        pass
    await street.called_long_ago()
    await core.run("update lanes set route = :route", route=by.value)
    if by is USER:
        await core.run("insert into accounts (kind, telegram_id) values ('user', 801)")
        [other] = await core.run("select id from accounts where telegram_id = 801")
        core.user = other["id"]
    second = street.sender(by)
    await street.carrier(second, holder="w2", finder=ScriptedFinder(street.chat)).carry(mapping)
    assert street.chat.posts(DIGEST) == [1, 2, 3]
    assert {state for _, state in await core.states(mapping)} == {"sent"}
    assert len(second.orders) == (0 if executed else 3)


@pytest.mark.parametrize(
    "name", ["MESSAGE_ID_INVALID", "SLOWMODE_MULTI_MSGS_DISABLED", "FILE_REFERENCE_EXPIRED"]
)
async def test_after_a_definite_refusal_the_posts_go_one_by_one_and_only_the_bad_one_fails(
    core: House, street: Street, name: str
) -> None:
    mapping = await core.mapping(copy_fallback=False)
    await core.hear(post(1), post(2), post(3))
    sender = street.sender(USER)

    async def refuse(order: SendOrder) -> None:
        if len(order.message_ids) > 1 or order.message_ids == (2,):
            raise TelegramError("MESSAGE_ID_INVALID" if len(order.message_ids) == 1 else name, code=400)

    sender.before.extend([refuse] * 6)
    await street.carrier(sender).carry(mapping)
    assert [order.message_ids for order in sender.orders] == [(1, 2, 3), (1,), (2,), (3,)]
    assert await core.states(mapping) == [(1, "sent"), (2, "failed"), (3, "sent")]


async def test_a_repeated_call_that_is_refused_sends_nothing_twice_when_its_posts_go_one_by_one(
    core: House, street: Street
) -> None:
    mapping = await core.mapping()
    await core.hear(post(1), post(2))
    sender = street.sender(USER)
    sender.after.append(LOST)
    carrier = street.carrier(sender)
    await carrier.carry(mapping)
    sender.before.append(TelegramError("MESSAGE_ID_INVALID", code=400))
    await street.due_now()
    await carrier.carry(mapping)
    assert [order.message_ids for order in sender.orders] == [(1, 2), (1, 2), (1,), (2,)]
    assert street.chat.posts(DIGEST) == [1, 2]
    assert [row["sent_ids"] for row in await core.deliveries(mapping)] == [[500], [501]]


async def test_a_post_that_telegram_passes_over_is_withdrawn_and_the_others_are_sent(
    core: House, street: Street, monkeypatch: pytest.MonkeyPatch
) -> None:
    mapping = await core.mapping()
    await core.hear(post(1), post(2), post(3))
    sender = street.sender(USER)
    send = sender.send

    async def passes_over(order: SendOrder) -> tuple[int | None, ...]:
        ids = await send(order)
        return tuple(None if m == 2 else copy for m, copy in zip(order.message_ids, ids, strict=True))

    monkeypatch.setattr(sender, "send", passes_over)
    await street.carrier(sender).carry(mapping)
    assert await core.states(mapping) == [(1, "sent"), (2, "withdrawn"), (3, "sent")]
    assert [row["sent_ids"] for row in await core.deliveries(mapping)] == [[500], None, [502]]


async def test_a_flood_wait_frees_the_call_and_counts_for_none_of_its_posts(
    core: House, street: Street
) -> None:
    mapping = await core.mapping()
    await core.hear(post(1), post(2))
    sender = street.sender(USER)
    sender.before.append(TelegramError("FLOOD_WAIT_X", code=420, seconds=7))
    carrier = street.carrier(sender)
    outcome = await carrier.carry(mapping)
    rows = await core.deliveries(mapping)
    assert [(row["state"], row["attempts"], row["unsettled"]) for row in rows] == [("queued", 0, False)] * 2
    assert outcome.wait is not None
    await core.run("delete from flood_waits")
    await street.redis.flushdb()
    await street.due_now()
    await core.hear(Deleted(NEWS, (1,)))
    await carrier.carry(mapping)
    assert street.chat.posts(DIGEST) == [2]


async def test_a_permanent_refusal_holds_every_post_of_the_call(core: House, street: Street) -> None:
    mapping = await core.mapping()
    await core.hear(post(1), post(2))
    sender = street.sender(USER)
    sender.before.append(TelegramError("CHAT_WRITE_FORBIDDEN", code=403))
    await street.carrier(sender).carry(mapping)
    assert await core.states(mapping) == [(1, "held"), (2, "held")]
    assert len(await core.run("select 1 from notices")) == 1


async def test_the_pace_decides_how_many_posts_share_a_call(core: House, street: Street) -> None:
    narrow = Street(
        core, street.redis, limits=replace(WIDE, chat=(Window(3, 60.0),), account=(Window(1000, 1.0),))
    )
    mapping = await core.mapping()
    await core.hear(*(post(n) for n in range(1, 9)))
    sender = narrow.sender(USER)
    await narrow.carrier(sender).carry(mapping)
    assert [order.message_ids for order in sender.orders] == [(1, 2, 3)]
    states = await core.deliveries(mapping)
    assert [row["state"] for row in states] == ["sent"] * 3 + ["queued"] * 5
    assert states[3]["not_before"] is not None
    assert states[4]["not_before"] is None, "only the head has a place"


async def test_neighbouring_photos_are_sent_apart(core: House, street: Street) -> None:
    mapping = await core.mapping()
    await core.hear(photo(1), photo(2), post(3), photo(4))
    sender = street.sender(USER)
    await street.carrier(sender).carry(mapping)
    assert [order.message_ids for order in sender.orders] == [(1,), (2, 3, 4)]


async def test_many_lanes_are_taken_started_and_recorded_together(
    core: House, street: Street, monkeypatch: pytest.MonkeyPatch
) -> None:
    mappings = [await core.mapping(NEWS, -2000 - n) for n in range(20)]
    await core.hear(post(1))
    trips = 0
    trip = core.db.in_one_trip

    async def counted(*asks: Ask) -> list[Sequence[object]]:
        nonlocal trips
        trips += 1
        return await trip(*asks)

    monkeypatch.setattr(core.db, "in_one_trip", counted)
    carrier = street.carrier(street.sender(USER), concurrency=20)
    await asyncio.gather(*(carrier.carry(mapping) for mapping in mappings))
    assert len(street.chat.arrived) == 20
    assert trips < 20, "far fewer than the sixty of twenty lanes alone"


@pytest.mark.parametrize("kind", [BOT, USER])
async def test_a_row_that_cannot_be_read_fails_alone_and_holds_up_nobody(
    core: House, street: Street, kind: AccountKind
) -> None:
    mapping = await core.mapping(by=kind)
    await core.hear(post(1), post(2), post(3))
    await core.run("update deliveries set reserved = 77 where mapping_id = :m and position = 2", m=mapping)
    sender = street.sender(kind)
    await street.carrier(sender, finder=ScriptedFinder(street.chat)).carry(mapping)
    assert await core.states(mapping) == [(1, "sent"), (2, "failed"), (3, "sent")]
    [row] = await core.run("select reason from deliveries where state = 'failed'")
    assert row["reason"] == "bad_data"


async def test_the_first_duplicate_of_a_row_that_cannot_be_read_takes_its_place(
    core: House, street: Street
) -> None:
    first, second = await core.mapping(NEWS), await core.mapping(OTHER)
    await core.hear(post(1, "the same words"))
    await core.hear(post(1, "the same words", chat=OTHER))
    assert await core.states(second) == [(1, "duplicate")]
    await core.run("update deliveries set reserved = 77 where mapping_id = :m", m=first)
    carrier = street.carrier(street.sender(USER))
    await carrier.carry(first)
    await carrier.carry(second)
    assert await core.states(first) == [(1, "failed")]
    assert await core.states(second) == [(1, "sent")]


async def test_a_poisoned_edit_fails_alone_and_holds_up_nobody(core: House, street: Street) -> None:
    mapping = await core.mapping()
    await core.hear(post(1), post(2))
    sender = street.sender(USER)
    carrier = street.carrier(sender)
    await carrier.carry(mapping)
    await core.hear(Edited(post(1, "x")), Edited(post(2, "y")))
    await core.run("update messages set entities = '[{\"nonsense\": 1}]' where message_id = 1")
    await core.hear(post(3))
    await carrier.carry(mapping)
    await carrier.carry(mapping)
    assert [edit.text for edit in sender.edits] == ["y"]
    assert dict(await core.states(mapping, "edit")) == {1: "failed", 2: "sent"}
    assert street.chat.posts(DIGEST) == [1, 2, 3]


async def test_a_poisoned_call_fails_alone_and_holds_up_nobody(core: House, street: Street) -> None:
    mapping = await core.mapping()
    await core.hear(post(1), post(2))
    await core.set_state(mapping, "sending")
    await core.run(
        "update deliveries set route = 'user', message_ids = case when position = 1 then '{null}'::bigint[]"
        " else '{2}' end, random_ids = '{5}'"
    )
    carrier = street.carrier(street.sender(USER))
    await carrier.carry(mapping)
    # A slow machine's slice may be over when the first has failed; the lane rings for itself then.
    await carrier.carry(mapping)
    assert await core.states(mapping) == [(1, "failed"), (2, "sent")]


async def test_a_pause_never_waits_in_a_circle_with_a_call_of_many_posts(core: House, street: Street) -> None:
    mapping = await core.mapping()
    await core.hear(post(1), post(2), post(3))
    for number in (3, 2, 1):
        # Whoever takes the rows as they lie on the disk takes them backwards.
        await core.run("update deliveries set revision = 1 where position = :number", number=number)
    sender = street.sender(USER)

    async with asyncio.timeout(10):
        async with core.db.begin() as session:
            await session.execute(text("select 1 from deliveries where position = 2 for update"))
            carrying = asyncio.create_task(street.carrier(sender).carry(mapping))
            await wait_for_lock(core)
            pausing = asyncio.create_task(MappingService(core.db).pause(mapping))
            await wait_for_lock(core, 2)
        await asyncio.gather(carrying, pausing)
    assert {state for _, state in await core.states(mapping)} == {"sent"}


async def test_quick_edits_do_not_overtake_the_pace(core: House, street: Street) -> None:
    narrow = Street(core, street.redis, limits=replace(WIDE, edits=(Window(1, 60.0),)))
    mapping = await core.mapping()
    await core.hear(post(1))
    sender = narrow.sender(USER)
    carrier = narrow.carrier(sender)
    for words in ("once", "twice", "three times", "four times"):
        await carrier.carry(mapping)
        await core.hear(Edited(post(1, words, edit_date=datetime.now(UTC))))
    await carrier.carry(mapping)
    assert [order.text for order in sender.edits] == ["once"]
    [row] = await core.run(
        "select not_before > clock_timestamp() as waits from deliveries where kind = 'edit'"
    )
    assert row["waits"]
    await carrier.stop()
