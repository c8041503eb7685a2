"""Rules of time together with pauses, limits of age, backfills, reviewers and calls of unknown outcome."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from forwarder.backfill import rows as backfill_rows
from forwarder.deliver import posts as deliver_posts
from forwarder.errors import OutcomeUnknown
from forwarder.ingest.rows import stored_parts
from forwarder.message import AccountKind, SendOrder
from forwarder.rules.when import DAYS
from forwarder.services import audit, lag, reviewing
from forwarder.services.judging import Going
from forwarder.services.late import LateService
from forwarder.services.mappings import NO_ROUTE, MappingService, pause_by_program
from forwarder.services.reopening import TOPIC_CLOSED, Reopening
from forwarder.services.reviews import ReviewService
from forwarder.services.rules import Owner, RuleService
from forwarder.services.why import explain
from tests.builders import DIGEST, NEWS, OTHER, House, post
from tests.integration.carriers import Street, wait_for_lock

USER = AccountKind.USER
REVIEW = {"review": {"hours": 5, "then": "withdraw"}}


def quiet(hours_left: int = 9) -> dict[str, Any]:
    """Quiet hours that have begun and last for so many hours yet."""
    now = datetime.now(UTC)
    begins, ends = now - timedelta(hours=2), now + timedelta(hours=hours_left)
    return {"quiet": {"from": f"{begins:%H:%M}", "to": f"{ends:%H:%M}", "zone": "UTC"}}


async def ruled(core: House, *rules: dict[str, Any], **values: Any) -> int:
    mapping = await core.mapping(**values)
    for one in rules:
        await RuleService(core.db).add(Owner("mapping", mapping), one)
    return mapping


async def no_rules(core: House, mapping: int) -> None:
    await RuleService(core.db).replace(Owner("mapping", mapping), {"rules": []})


async def carry(street: Street, mapping: int) -> None:
    await street.carrier(street.sender(USER)).carry(mapping)


async def outcomes(core: House, mapping: int) -> list[tuple[int, str, str | None]]:
    return [(row["position"], row["state"], row["reason"]) for row in await core.deliveries(mapping)]


async def grow_old(core: House, hours: int = 7) -> None:
    await core.run("update messages set date = date - make_interval(hours => :hours)", hours=hours)


async def skip_old(core: House) -> int:
    async with core.db.begin() as session:
        return (await lag.skip_old(session))[0]


# --- limits of age


@pytest.mark.parametrize(("rule", "longer"), [(quiet(), 2), ({"delay": 600}, 10)])
async def test_the_time_in_which_a_rule_lets_nothing_go_makes_no_post_older(
    core: House, street: Street, rule: dict[str, Any], longer: int
) -> None:
    mapping = await ruled(core, rule, skip_hours=6)
    await core.hear(*(post(number) for number in range(1, 5)))
    await carry(street, mapping)
    await grow_old(core, hours=5 + longer)
    assert await skip_old(core) == 0
    await grow_old(core, hours=2)
    assert await skip_old(core) == 3
    assert (await outcomes(core, mapping))[0][1] == "queued", "it waits by the rule itself"


async def test_a_backlog_that_grows_in_spite_of_quiet_hours_every_night_is_withdrawn_at_its_age(
    core: House, street: Street
) -> None:
    mapping = await ruled(core, quiet(), skip_hours=24)
    await core.hear(post(1), post(2))
    await carry(street, mapping)
    await grow_old(core, hours=72)
    assert await skip_old(core) == 1


async def test_what_is_heard_late_while_a_rule_of_time_holds_is_no_older_than_what_waits_there(
    core: House, street: Street
) -> None:
    mapping = await ruled(core, quiet(), skip_hours=6, after_outage="send")
    await core.hear(post(1))
    await carry(street, mapping)
    await core.hear(post(2, date=datetime.now(UTC) - timedelta(hours=7)))
    assert await outcomes(core, mapping) == [(1, "queued", "quiet"), (2, "queued", None)]


async def test_a_backfills_own_wait_makes_nothing_too_old_behind_a_live_post_that_is_delayed(
    core: House, street: Street
) -> None:
    mapping = await ruled(core, {"delay": 24 * 60})
    await core.hear(post(1, date=datetime.now(UTC) - timedelta(hours=20)), post(2), post(3))
    await core.run("update deliveries set class = 2, state = 'held', reason = 'paused' where position = 1")
    await carry(street, mapping)
    await core.run("update deliveries set state = 'queued', reason = null where position = 1")
    await carry(street, mapping)
    assert await outcomes(core, mapping) == [
        (2, "queued", "delay"),
        (3, "queued", None),
        (1, "queued", "delay"),
    ]
    await core.run("update mappings set skip_hours = 6")
    await grow_old(core, hours=11)
    assert await skip_old(core) == 0


async def test_what_is_more_than_the_days_number_is_held_until_tomorrow_before_it_can_be_too_old(
    core: House, street: Street
) -> None:
    mapping = await ruled(core, {"at_most": {"a_day": 1, "zone": "UTC"}}, skip_hours=6)
    await core.hear(*(post(number) for number in range(1, 5)))
    await carry(street, mapping)
    await grow_old(core, hours=29)
    assert await skip_old(core) == 0
    await grow_old(core, hours=2)
    assert await skip_old(core) == 2
    assert await outcomes(core, mapping) == [
        (1, "sent", None), (2, "queued", "at_most"), (3, "withdrawn", "too_old"), (4, "withdrawn", "too_old")
    ]  # fmt: skip


async def test_tomorrow_is_the_next_day_on_which_posts_may_go(core: House, street: Street) -> None:
    mapping = await ruled(core, {"at_most": {"a_day": 1, "zone": "UTC"}}, skip_hours=6)
    await core.hear(post(1), post(2), post(3))
    await carry(street, mapping)
    tomorrow = DAYS[(datetime.now(UTC).weekday() + 1) % 7]
    await RuleService(core.db).add(Owner("mapping", mapping), {"days": {"days": [tomorrow], "zone": "UTC"}})
    await core.run("update lanes set not_before = null")
    await grow_old(core, hours=5 * 24)
    assert await skip_old(core) == 0
    # Now they have seen that day of the week once.
    await grow_old(core, hours=3 * 24)
    assert await skip_old(core) == 2


async def test_what_waited_by_a_rule_that_is_removed_has_its_time_to_go(core: House, street: Street) -> None:
    mapping = await ruled(core, quiet(), skip_hours=6)
    await core.hear(post(1), post(2), post(3))
    await carry(street, mapping)
    await grow_old(core)
    await no_rules(core, mapping)
    assert await skip_old(core) == 0
    await carry(street, mapping)
    assert street.chat.posts(DIGEST) == [1, 2, 3]


async def test_a_rule_that_is_written_anew_does_not_make_a_backlog_younger(
    core: House, street: Street
) -> None:
    mapping = await ruled(core, {"delay": 1}, skip_hours=6)
    await core.hear(post(1), post(2))
    await grow_old(core)
    await RuleService(core.db).replace(Owner("mapping", mapping), {"rules": [{"delay": 2}]})
    assert await skip_old(core) == 2


async def approve(core: House, street: Street, mapping: int) -> None:
    await ReviewService(core.db, stored_parts).decide_all(mapping, approve=True)


async def stop_reviewing(core: House, street: Street, mapping: int) -> None:
    await no_rules(core, mapping)


async def send_all(core: House, street: Street, mapping: int) -> None:
    await core.set_state(mapping, "held", reason="outage")
    await LateService(core.db).answer_outage(mapping, None)


async def resume(core: House, street: Street, mapping: int) -> None:
    await core.set_state(mapping, "queued")
    await MappingService(core.db).pause(mapping)
    await MappingService(core.db).resume(mapping, send=True)


async def heal(core: House, street: Street, mapping: int) -> None:
    await core.set_state(mapping, "queued")
    async with core.db.begin() as session:
        await pause_by_program(session, mapping, NO_ROUTE)
    await MappingService(core.db).refresh_routes(core.channels[NEWS])


async def open_topic(core: House, street: Street, mapping: int) -> None:
    await core.set_state(mapping, "queued")
    await core.run("update mappings set destination_topic = 5")
    async with core.db.begin() as session:
        await pause_by_program(session, mapping, TOPIC_CLOSED)
    await Reopening(core.db).opened(DIGEST, 5)


async def send_again(core: House, street: Street, mapping: int) -> None:
    await core.set_state(mapping, "failed", reason="no_right")
    for row in await core.deliveries(mapping):
        await street.queue.send_again(row["id"])


@pytest.mark.parametrize("word", [approve, stop_reviewing, send_all, resume, heal, open_topic, send_again])
async def test_what_somebody_has_let_go_is_not_withdrawn_for_its_age(
    core: House, street: Street, word: Callable[[House, Street, int], Awaitable[None]]
) -> None:
    mapping = await ruled(core, REVIEW, skip_hours=6)
    await core.hear(post(1), post(2))
    await grow_old(core)
    await word(core, street, mapping)
    assert [state for _, state in await core.states(mapping)] == ["queued", "queued"]
    assert await skip_old(core) == 0


async def test_posts_that_wait_for_a_person_do_not_hide_what_has_grown_too_old_behind_them(
    core: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    mapping = await ruled(core, REVIEW, skip_hours=6)
    await core.hear(post(1), post(2), post(3))
    await core.run(
        "update deliveries set state = 'queued', reason = null, not_before = null where position = 3"
    )
    await grow_old(core)
    monkeypatch.setattr(lag, "BATCH", 2)
    assert await skip_old(core) == 1
    assert (await outcomes(core, mapping))[2] == (3, "withdrawn", "too_old")


async def test_what_grows_too_old_is_withdrawn_in_the_order_in_which_all_others_take_rows(
    core: House,
) -> None:
    mapping = await core.mapping(skip_hours=6)
    await core.hear(post(1), post(2))
    # The older one was heard later.
    await core.run("update deliveries set position = 3 - position")
    second, first = await core.run("select id from deliveries order by id")
    await grow_old(core)
    lock = "select 1 from deliveries where id = :id for no key update"
    async with core.db.begin() as other:
        await other.execute(text(lock), {"id": second["id"]})
        skipping = asyncio.create_task(skip_old(core))
        await wait_for_lock(core)
        await other.execute(text(lock), {"id": first["id"]})
    assert await skipping == 2
    assert await outcomes(core, mapping) == [(1, "withdrawn", "too_old"), (2, "withdrawn", "too_old")]


# --- pauses


async def pause_the_mapping(core: House, mapping: int) -> Callable[[], Awaitable[object]]:
    await MappingService(core.db).pause(mapping)
    return lambda: MappingService(core.db).resume(mapping, send=True)


async def pause_the_backfill(core: House, mapping: int) -> Callable[[], Awaitable[object]]:
    async def in_one(statement: Any) -> None:
        async with core.db.begin() as session:
            await session.execute(statement, {"mapping": mapping})

    await core.run("update deliveries set class = 2")
    await in_one(backfill_rows.HOLD)
    return lambda: in_one(backfill_rows.LET_GO)


@pytest.mark.parametrize("pause", [pause_the_mapping, pause_the_backfill])
async def test_a_rule_that_is_removed_during_a_pause_holds_nothing_after_it(
    core: House,
    street: Street,
    pause: Callable[[House, int], Awaitable[Callable[[], Awaitable[object]]]],
) -> None:
    mapping = await ruled(core, quiet())
    await core.hear(post(1))
    await carry(street, mapping)
    go_on = await pause(core, mapping)
    await no_rules(core, mapping)
    await go_on()
    await carry(street, mapping)
    assert street.chat.posts(DIGEST) == [1]


async def test_after_a_pause_the_same_quiet_hours_hold_by_their_name(core: House, street: Street) -> None:
    mapping = await ruled(core, quiet())
    await core.hear(post(1))
    await carry(street, mapping)
    go_on = await pause_the_mapping(core, mapping)
    await go_on()
    await carry(street, mapping)
    assert await outcomes(core, mapping) == [(1, "queued", "quiet")]
    assert street.chat.arrived == []


async def test_what_may_have_arrived_is_not_skipped_with_a_pause_and_its_repeat_not_sent_beside_it(
    core: House, street: Street
) -> None:
    mapping, other = await core.mapping(), await core.mapping(OTHER)
    await core.hear(post(1, "hello"), post(2))
    await core.hear(post(1, "hello", chat=OTHER))
    sender = street.sender(USER)
    sender.after.append(OutcomeUnknown("TIMEOUT"))
    await street.carrier(sender).carry(mapping)
    await MappingService(core.db).pause(mapping)
    await MappingService(core.db).resume(mapping, send=False)
    await street.due_now()
    await carry(street, mapping)
    await carry(street, other)
    assert street.chat.arrived == [(DIGEST, 1, 500), (DIGEST, 2, 501)]
    assert await outcomes(core, other) == [(1, "duplicate", "same_content")]
    assert await outcomes(core, mapping) == [(1, "sent", None), (2, "sent", None)]


# --- the day's number


@pytest.mark.parametrize(("state", "reason"), [("held", "unsure"), ("failed", "unknown"), ("sent", None)])
async def test_a_post_that_may_have_arrived_today_counts_for_today(
    core: House, street: Street, state: str, reason: str | None
) -> None:
    mapping = await ruled(core, {"at_most": {"a_day": 2, "zone": "UTC"}})
    await core.hear(post(1))
    await core.set_state(mapping, state, reason=reason, unsettled=state != "sent")
    await core.hear(post(2), post(3))
    await carry(street, mapping)
    assert (await outcomes(core, mapping))[1:] == [(2, "sent", None), (3, "queued", "at_most")]


async def test_a_post_counts_on_the_day_of_its_call_and_not_when_it_was_found_in_its_destination(
    core: House, street: Street
) -> None:
    mapping = await ruled(core, {"at_most": {"a_day": 2, "zone": "UTC"}})
    await core.hear(post(1), post(2))
    await core.set_state(mapping, "sent")
    await core.run("update deliveries set claimed_at = claimed_at - interval '1 day' where position = 1")
    # Sent before an old backup was restored: of its call nothing is known any more.
    await core.run("update deliveries set claimed_at = null where position = 2")
    await core.hear(post(3), post(4), post(5))
    await carry(street, mapping)
    assert street.chat.posts(DIGEST) == [3, 4]


# --- delay


async def test_older_posts_of_a_backfill_go_on_while_live_ones_are_delayed(
    core: House, street: Street
) -> None:
    mapping = await ruled(core, {"delay": 10})
    ago = datetime.now(UTC) - timedelta(minutes=50)
    await core.hear(*(post(number, date=ago) for number in (1, 2, 3)), post(4), post(5, date=ago))
    await core.run("update deliveries set class = 2 where position <= 2")
    await core.run("update deliveries set class = 2, state = 'held', reason = 'paused' where position = 3")
    await carry(street, mapping)
    assert street.chat.posts(DIGEST) == [1, 2]
    assert (await outcomes(core, mapping))[:2] == [(4, "queued", "delay"), (5, "queued", None)]
    assert await street.queue.relay() == 0
    await core.run("update deliveries set state = 'queued', reason = null where position = 3")
    assert await street.queue.relay() == 1
    await carry(street, mapping)
    assert street.chat.posts(DIGEST) == [1, 2, 3]
    await grow_old(core, hours=1)
    await street.due_now()
    await carry(street, mapping)
    assert street.chat.posts(DIGEST) == [1, 2, 3, 4, 5]


async def test_a_live_post_goes_before_the_rest_of_a_backfill_as_soon_as_its_delay_is_over(
    core: House, street: Street
) -> None:
    mapping = await ruled(core, {"delay": 10}, by=AccountKind.BOT)
    ago = datetime.now(UTC) - timedelta(minutes=50)
    await core.hear(*(post(number, date=ago) for number in range(1, 5)), post(5), post(6))
    await core.run("update deliveries set class = 2 where position < 5")

    async def time_passes(order: SendOrder) -> None:
        await grow_old(core, hours=1)
        await street.due_now()

    sender = street.sender(AccountKind.BOT)
    sender.after.extend([None, time_passes])
    await street.carrier(sender).carry(mapping)
    assert street.chat.posts(DIGEST) == [1, 2, 5, 6, 3, 4]


async def test_a_date_in_the_future_delays_a_post_from_when_it_was_heard(core: House, street: Street) -> None:
    mapping = await ruled(core, {"delay": 10})
    await core.hear(post(1, date=datetime.now(UTC) + timedelta(days=1000)))
    await carry(street, mapping)
    [row] = await core.run(
        "select reason, extract(epoch from not_before - clock_timestamp())::int as left from deliveries"
    )
    assert row["reason"] == "delay"
    assert 590 <= row["left"] <= 600
    await core.run("update messages set heard_at = heard_at - interval '11 minutes'")
    await street.due_now()
    await carry(street, mapping)
    assert street.chat.posts(DIGEST) == [1]


# --- and why


async def behind(core: House, message: int) -> tuple[int, str | None] | None:
    await core.run("update channels set username = 'news' where telegram_id = :chat", chat=NEWS)
    [story] = (await explain(core.db, f"https://t.me/news/{message}")).deliveries
    return (story.behind.message_id, story.behind.reason) if story.behind is not None else None


async def test_why_names_the_post_in_front_that_holds_the_others_and_its_reason(
    core: House, street: Street
) -> None:
    mapping = await ruled(core, {"delay": 10})
    await core.hear(*(post(number) for number in range(1, 5)))
    await core.run("update deliveries set class = 2 where position >= 3")
    await core.run(
        "update deliveries set not_before = clock_timestamp() + interval '1 hour' where position = 3"
    )
    assert [await behind(core, number) for number in range(1, 5)] == [None] * 4, "nothing in front waits yet"
    await carry(street, mapping)
    assert await behind(core, 1) is None, "it has a reason of its own"
    assert await behind(core, 2) == (1, "delay")
    assert await behind(core, 4) == (3, None), "older posts do not wait for live ones that are delayed"


# --- at the same moment


async def test_rules_that_are_changed_while_a_post_is_being_put_off_by_the_old_ones_count(
    core: House, street: Street, monkeypatch: pytest.MonkeyPatch
) -> None:
    mapping = await ruled(core, quiet())
    await core.hear(post(1))
    judge = deliver_posts.going

    async def meanwhile(*values: Any) -> Going:
        answer = await judge(*values)
        await no_rules(core, mapping)
        return answer

    monkeypatch.setattr(deliver_posts, "going", meanwhile)
    await carry(street, mapping)
    monkeypatch.setattr(deliver_posts, "going", judge)
    await carry(street, mapping)
    assert street.chat.posts(DIGEST) == [1]


class Held:
    """Lets whoever changes rules wait before the end of the transaction, until told."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.begun, self.go = asyncio.Event(), asyncio.Event()
        self._record = audit.record
        monkeypatch.setattr(audit, "record", self._wait)

    async def _wait(self, session: AsyncSession, *values: Any, **more: Any) -> None:
        self.begun.set()
        await self.go.wait()
        await self._record(session, *values, **more)


async def test_a_change_of_rules_that_ends_after_a_post_was_put_off_by_the_old_ones_counts(
    core: House, street: Street, monkeypatch: pytest.MonkeyPatch
) -> None:
    mapping = await ruled(core, quiet())
    await core.hear(post(1))
    held, judge = Held(monkeypatch), deliver_posts.going
    changing: list[asyncio.Task[None]] = []

    async def meanwhile(*values: Any) -> Going:
        answer = await judge(*values)
        if not changing:
            changing.append(asyncio.create_task(no_rules(core, mapping)))
            await held.begun.wait()
        return answer

    monkeypatch.setattr(deliver_posts, "going", meanwhile)
    carrying = asyncio.create_task(carry(street, mapping))
    await wait_for_lock(core)
    held.go.set()
    await asyncio.gather(carrying, *changing)
    monkeypatch.setattr(deliver_posts, "going", judge)
    await carry(street, mapping)
    assert street.chat.posts(DIGEST) == [1]


async def test_hours_that_are_given_while_reviews_are_closed_count(
    core: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    mapping = await ruled(core, REVIEW)
    await core.hear(post(1))
    await core.run("update deliveries set not_before = not_before - interval '6 hours'")
    await core.run("update reviews set asked_at = asked_at - interval '6 hours'")
    held = Held(monkeypatch)
    more = {"rules": [{"review": {"hours": 48, "then": "withdraw"}}]}
    changing = asyncio.create_task(RuleService(core.db).replace(Owner("mapping", mapping), more))
    await held.begun.wait()

    async def close() -> int:
        async with core.db.begin() as session:
            return (await reviewing.expire(session))[0]

    closing = asyncio.create_task(close())
    await wait_for_lock(core)
    held.go.set()
    await changing
    assert await closing == 0
    assert await outcomes(core, mapping) == [(1, "held", "review")]
