"""Cases that have gone wrong elsewhere, each by its name (docs/cases.md lists them all with their tests)."""

from __future__ import annotations

import asyncio
import time
from datetime import timedelta
from typing import Any

import pytest

from forwarder.errors import TelegramError
from forwarder.message import AccountKind, Deleted, Edited, Heard, SendOrder
from forwarder.pace import Pace
from forwarder.services import lag
from forwarder.services.accounts import AccountService
from forwarder.services.late import LateService
from forwarder.services.mappings import MappingService
from forwarder.services.why import explain
from tests.builders import ARCHIVE, DIGEST, NEWS, OTHER, House, album, photo, post
from tests.integration.carriers import Street

BOT, USER = AccountKind.BOT, AccountKind.USER


class Turnstile(Pace):
    """A pace that lets nobody through until ``open``: between the claim of a post and its call."""

    def __init__(self, street: Street) -> None:
        super().__init__(street.redis, bot=street.limits, user=street.limits)
        self.reached, self.open = asyncio.Event(), asyncio.Event()

    async def reserve(self, *args: Any, **kwargs: Any) -> Any:
        await self._through()
        return await super().reserve(*args, **kwargs)

    async def reserve_run(self, *args: Any, **kwargs: Any) -> Any:
        await self._through()
        return await super().reserve_run(*args, **kwargs)

    async def _through(self) -> None:
        self.reached.set()
        await self.open.wait()


@pytest.mark.parametrize("by", [USER, BOT])
async def test_a_worker_stopped_between_claim_and_call_sends_nothing_when_it_wakes_after_its_lease(
    core: House, street: Street, by: AccountKind
) -> None:
    mapping = await core.mapping(by=by)
    await core.hear(post(1), post(2))
    usual, street.pace = street.pace, Turnstile(street)
    stopped, sender = street.sender(by), street.sender(by)
    sleeper = asyncio.create_task(street.carrier(stopped, holder="stopped").carry(mapping))
    async with asyncio.timeout(10):
        await street.pace.reached.wait()
    await street.lease_runs_out()
    turnstile, street.pace = street.pace, usual
    sender.before.append(TelegramError("RPC_CALL_FAIL", code=500))
    awake = street.carrier(sender, holder="awake")
    await awake.carry(mapping)
    assert await core.states(mapping) == [(1, "queued"), (2, "queued")], "put off, as it was for the sleeper"
    turnstile.open.set()
    await sleeper
    assert stopped.orders == []
    await street.due_now()
    await awake.carry(mapping)
    assert street.chat.posts(DIGEST) == [1, 2]
    assert await core.states(mapping) == [(1, "sent"), (2, "sent")]


@pytest.mark.parametrize("by", [USER, BOT])
async def test_an_edit_that_arrives_while_its_post_is_being_sent_reaches_the_copy(
    core: House, street: Street, by: AccountKind
) -> None:
    mapping = await core.mapping(by=by)
    await core.hear(post(1))
    sender = street.sender(by)

    async def edited(_: SendOrder) -> None:
        await core.hear(Edited(post(1, "better")))

    sender.before.append(edited)
    carrier = street.carrier(sender)
    await carrier.carry(mapping)
    await carrier.carry(mapping)
    assert [(edit.message_id, edit.text) for edit in sender.edits] == [(500, "better")]
    assert await core.states(mapping, "edit") == [(1, "sent")]


async def test_an_album_edited_while_it_is_collected_is_carried_whole_as_it_reads_then(
    core: House, street: Street
) -> None:
    mapping = await core.mapping()
    first, second = album("a", 1, 2)
    await core.hear(first, second)
    await core.hear(Edited(photo(2, words="caption", album_id="a")))
    assert await core.states(mapping) == []
    await core.hear(post(3))
    sender = street.sender(USER)
    await street.carrier(sender).carry(mapping)
    assert street.chat.posts(DIGEST) == [1, 2, 3]
    assert next(order for order in sender.orders if 1 in order.message_ids).message_ids[:2] == (1, 2)
    assert [row["text"] for row in await core.run("select text from messages order by message_id")][:2] == [
        "", "caption"
    ]  # fmt: skip
    assert await core.deliveries(mapping, "edit") == [], "what was not sent yet needs no edit"


async def test_a_part_deleted_while_its_album_is_collected_is_left_out(core: House, street: Street) -> None:
    mapping = await core.mapping()
    await core.hear(*album("a", 1, 2, 3))
    await core.hear(Deleted(NEWS, (2,)))
    await core.hear(post(4))
    await street.carrier(street.sender(USER)).carry(mapping)
    assert street.chat.posts(DIGEST) == [1, 3, 4]


@pytest.mark.parametrize("first", [USER, BOT])
async def test_the_same_post_heard_by_bot_and_account_is_sent_once(
    core: House, street: Street, first: AccountKind
) -> None:
    mapping = await core.mapping()
    second = BOT if first is USER else USER
    for who in (first, second):
        heard = Heard.BOT if who is BOT else Heard.PUSH
        name = "bot:AQAD" if who is BOT else "mt:photo:1"
        await core.hear(photo(1, name, "look", heard=heard), post(2, heard=heard), by=who)
    await street.carrier(street.sender(USER)).carry(mapping)
    assert street.chat.posts(DIGEST) == [1, 2]
    assert await core.states(mapping) == [(1, "sent"), (2, "sent")]


@pytest.mark.parametrize("dedup", ["off", "across", "all"])
async def test_a_post_that_two_mappings_of_its_source_bring_to_one_place_arrives_once(
    core: House, street: Street, dedup: str
) -> None:
    whole = await core.mapping(dedup=dedup)
    topic = await core.mapping(source_topic=7, dedup=dedup)
    await core.hear(post(1, topic_id=7), post(2, topic_id=3))
    carrier = street.carrier(street.sender(USER))
    for mapping in (whole, topic):
        await carrier.carry(mapping)
    assert street.chat.posts(DIGEST) == [1, 2]
    assert await core.states(topic) == [(1, "duplicate")]


async def test_two_mappings_into_two_topics_of_one_chat_both_bring_their_post(
    core: House, street: Street
) -> None:
    one, two = await core.mapping(destination_topic=5), await core.mapping(destination_topic=6)
    await core.hear(post(1))
    sender = street.sender(USER)
    for mapping in (one, two):
        await street.carrier(sender).carry(mapping)
    assert [(order.topic, order.message_ids) for order in sender.orders] == [(5, (1,)), (6, (1,))]


async def test_a_chain_of_two_mappings_on_the_bot_route_carries_albums_and_texts_on(
    core: House, street: Street
) -> None:
    first = await core.mapping(NEWS, DIGEST, by=BOT, listener=BOT)
    await core.channel(DIGEST, listener=BOT)
    await core.run("update channels set listener_id = :bot", bot=core.bot)
    second = await core.mapping(DIGEST, ARCHIVE, by=BOT, listener=BOT)
    await core.run("delete from marks where account_id = :user", user=core.user)
    await core.hear(*album("a", 1, 2, heard=Heard.BOT), post(3, heard=Heard.BOT), by=BOT)
    carrier = street.carrier(street.sender(BOT))
    await carrier.carry(first)
    await carrier.carry(second)
    assert street.chat.posts(DIGEST) == [1, 2, 3]
    assert street.chat.posts(ARCHIVE) == [500, 501, 502]


async def test_what_a_discussion_group_repeats_is_not_sent_back_where_it_came_from(
    core: House, street: Street
) -> None:
    """A channel's post shows up in its linked group, which somebody maps into the channel's own source."""
    there = await core.mapping(NEWS, DIGEST)
    back = await core.mapping(DIGEST, NEWS, start_after=499)
    await core.hear(post(1))
    carrier = street.carrier(street.sender(USER))
    await carrier.carry(there)
    await core.hear(post(500, chat=DIGEST), post(501, "a comment", chat=DIGEST))
    await carrier.carry(back)
    assert street.chat.posts(NEWS) == [501]


async def named_revision(house: House, message: int) -> int | None:
    """What the bot and the command line say that the post's one delivery was decided by."""
    await house.run("update channels set username = 'news' where telegram_id = :chat", chat=NEWS)
    [story] = (await explain(house.db, f"https://t.me/news/{message}")).deliveries
    return story.revision


async def test_a_post_that_was_queued_before_a_change_names_the_revision_it_was_sent_by(
    core: House, street: Street
) -> None:
    mapping = await core.mapping()
    await core.hear(post(1))
    changed = await LateService(core.db).skip_after(mapping, 6)
    await street.carrier(street.sender(USER)).carry(mapping)
    [row] = await core.deliveries(mapping)
    assert (row["state"], row["revision"], changed.revision) == ("sent", 2, 2)
    assert await named_revision(core, 1) == 2


async def test_nothing_is_named_where_no_rule_and_no_change_has_decided(core: House, street: Street) -> None:
    mapping = await core.mapping()
    await core.hear(post(1), post(2))
    await core.hear(Deleted(NEWS, (2,)))
    await street.carrier(street.sender(USER)).carry(mapping)
    assert await core.states(mapping) == [(1, "sent"), (2, "withdrawn")]
    assert [await named_revision(core, number) for number in (1, 2)] == [None, None]


async def test_a_pause_holds_what_is_queued_and_resuming_sends_it_by_the_new_revision(
    core: House, street: Street
) -> None:
    mapping = await core.mapping()
    await core.hear(post(1), post(2))
    service = MappingService(core.db)
    await service.pause(mapping)
    carrier = street.carrier(street.sender(USER))
    await carrier.carry(mapping)
    assert street.chat.arrived == []
    resumed = await service.resume(mapping, send=True)
    await carrier.carry(mapping)
    assert street.chat.posts(DIGEST) == [1, 2]
    assert {row["revision"] for row in await core.deliveries(mapping)} == {resumed.revision}


@pytest.mark.parametrize("how", ["disabled", "skipped", "too old", "after an outage"])
async def test_what_is_withdrawn_names_the_revision_that_withdrew_it(core: House, how: str) -> None:
    mapping = await core.mapping()
    service, late = MappingService(core.db), LateService(core.db)
    if how == "after an outage":
        await core.hear(post(1, date=post(1).date - timedelta(hours=2)))
    else:
        await core.hear(post(1))
    if how == "disabled":
        decided = await service.disable(mapping)
    elif how == "skipped":
        await service.pause(mapping)
        decided = await service.resume(mapping, send=False)
    else:
        decided = await late.skip_after(mapping, 1)
        await late.answer_outage(mapping, 0)
        await core.run("update messages set date = date - interval '3 hours'")
        async with core.db.begin() as session:
            await lag.skip_old(session)
    [row] = await core.deliveries(mapping)
    assert (row["state"], row["revision"]) == ("withdrawn", decided.revision)
    assert await named_revision(core, 1) == decided.revision


@pytest.mark.parametrize("by", [USER, BOT])
async def test_an_account_that_loses_its_login_in_the_middle_of_a_send_loses_and_doubles_nothing(
    core: House, street: Street, by: AccountKind
) -> None:
    mapping = await core.mapping(by=by)
    await core.hear(post(1), post(2))
    sender = street.sender(by)
    sender.before.append(TelegramError("AUTH_KEY_UNREGISTERED" if by is USER else "UNAUTHORIZED", code=401))
    carrier = street.carrier(sender)
    await carrier.carry(mapping)
    assert street.chat.arrived == []
    assert [state for _, state in await core.states(mapping)] == ["queued", "queued"]
    service = AccountService(core.db)
    [account] = [view for view in await service.list() if view.kind is by]
    assert account.state == "signed_out"
    await carrier.carry(mapping)
    assert len(sender.orders) == 1, "an account without a login is not asked to send"
    await service.register(by, account.telegram_id, None)
    await street.due_now()
    await carrier.carry(mapping)
    assert street.chat.posts(DIGEST) == [1, 2]
    assert street.chat.doubled == []


@pytest.mark.parametrize("state", ["signed_out", "stopped", "deleted"])
async def test_an_account_removed_while_its_call_is_under_way_has_its_success_recorded_and_sends_no_more(
    core: House, street: Street, state: str
) -> None:
    mapping = await core.mapping(by=BOT)
    await core.hear(post(1), post(2))
    sender = street.sender(BOT)

    async def removed(_: SendOrder) -> None:
        await core.run(
            "update accounts set state = :state, reason = 'x' where id = :bot", state=state, bot=core.bot
        )

    sender.after.append(removed)
    carrier = street.carrier(sender)
    await carrier.carry(mapping)
    [first, second] = await core.deliveries(mapping)
    assert (first["state"], first["sent_ids"]) == ("sent", [500])
    await carrier.carry(mapping)
    assert street.chat.posts(DIGEST)[0] == 1
    assert second["state"] in ("queued", "sent")
    assert street.chat.doubled == []
    await core.hear(post(3))
    before = len(sender.orders)
    await carrier.carry(mapping)
    assert len(sender.orders) == before, "what comes later waits for an account that may send"
    assert (await core.states(mapping))[-1] == (3, "queued")


@pytest.mark.parametrize("hours", [-24, 24])
async def test_a_workers_clock_that_jumps_neither_hurries_nor_stops_its_posts(
    core: House, street: Street, monkeypatch: pytest.MonkeyPatch, hours: int
) -> None:
    mapping = await core.mapping(by=BOT)
    await core.hear(post(1), post(2), post(3))
    sender, true = street.sender(BOT), time.time

    async def jump(_: SendOrder) -> None:
        monkeypatch.setattr(time, "time", lambda: true() + hours * 3600)

    sender.before.extend([jump, None, TelegramError("FLOOD_WAIT", code=420, seconds=30)])
    carrier = street.carrier(sender)
    await carrier.carry(mapping)
    assert street.chat.posts(DIGEST) == [1, 2], "the lease does not go by the clock that jumped"
    [row] = await core.run(
        "select extract(epoch from not_before - clock_timestamp())::float8 as left"
        " from deliveries where position = 3"
    )
    assert 25 < row["left"] <= 31
    await carrier.carry(mapping)
    assert len(sender.orders) == 3, "a clock that runs ahead does not end the wait"
    await street.due_now()
    await street.redis.flushdb()
    await carrier.carry(mapping)
    assert street.chat.posts(DIGEST) == [1, 2, 3]


async def test_a_source_whose_dates_lie_in_the_future_is_delivered_as_any_other(
    core: House, street: Street
) -> None:
    mapping = await core.mapping(skip_hours=1)
    await core.hear(post(1, date=post(1).date + timedelta(days=400)))
    await street.carrier(street.sender(USER)).carry(mapping)
    assert street.chat.posts(DIGEST) == [1]


@pytest.mark.parametrize("by", [USER, BOT])
async def test_a_poisoned_delivery_fails_alone_and_holds_up_nobody(
    core: House, street: Street, by: AccountKind
) -> None:
    mapping, other = await core.mapping(by=by), await core.mapping(NEWS, OTHER, by=by)
    await core.hear(post(1), post(2), post(3))
    await core.run(
        "update deliveries set reserved = 77 where position = 2 and mapping_id = :mapping", mapping=mapping
    )
    carrier = street.carrier(street.sender(by))
    for lane in (mapping, other):
        await carrier.carry(lane)
    assert await core.states(mapping) == [(1, "sent"), (2, "failed"), (3, "sent")]
    assert street.chat.posts(DIGEST) == [1, 3]
    assert street.chat.posts(OTHER) == [1, 2, 3]
