"""Posts that are late: after an outage their owner is asked, and behind a fast source a mapping may skip them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest
from redis.asyncio import Redis

from forwarder.bot.cb import EVERY, AnswerOutage
from forwarder.bot.keyboards import outage_answers
from forwarder.bot.texts import Texts
from forwarder.errors import InvalidRequest
from forwarder.ingest import Ingest
from forwarder.ingest.rows import stored_parts
from forwarder.message import AccountKind, Deleted, SourceMessage
from forwarder.models import Language
from forwarder.services import lag
from forwarder.services.dedup import DeduplicationService
from forwarder.services.late import LateService
from forwarder.services.mappings import MappingService
from forwarder.services.telling import HeldByOutage, NoticeService
from forwarder.upkeep import Upkeep
from tests.builders import DIGEST, NEWS, OTHER, House, post
from tests.integration.carriers import Street

USER = AccountKind.USER


def old(message_id: int, hours: float = 2.0, words: str | None = None) -> SourceMessage:
    return post(message_id, words, date=datetime.now(UTC) - timedelta(hours=hours))


async def outcomes(core: House, mapping: int) -> list[tuple[int, str, str | None]]:
    return [(row["position"], row["state"], row["reason"]) for row in await core.deliveries(mapping)]


async def test_posts_from_an_outage_are_held_and_later_ones_travel_on(core: House, street: Street) -> None:
    mapping = await core.mapping()
    received = await core.hear(old(1), old(2), post(3))
    assert [due.mapping_id for due in received.due] == [mapping]
    assert await outcomes(core, mapping) == [
        (1, "held", "outage"), (2, "held", "outage"), (3, "queued", None)
    ]  # fmt: skip
    sender = street.sender(USER)
    await street.carrier(sender).carry(mapping)
    assert street.chat.posts(DIGEST) == [3]


async def test_a_pause_of_less_than_an_hour_asks_nobody(core: House) -> None:
    mapping = await core.mapping()
    await core.hear(old(1, hours=0.9))
    assert await core.states(mapping) == [(1, "queued")]


async def test_how_long_an_outage_is_can_be_set(core: House) -> None:
    mapping = await core.mapping()
    core.ingest = Ingest(DeduplicationService(), timedelta(minutes=10))
    await core.hear(old(1, hours=0.5))
    core.ingest = Ingest(DeduplicationService(), timedelta(hours=3))
    await core.hear(old(2, hours=2.5), old(3, hours=3.5))
    assert await core.states(mapping) == [(1, "held"), (2, "queued"), (3, "held")]


async def test_an_answer_of_all_sends_the_old_posts_in_their_order(core: House, street: Street) -> None:
    mapping = await core.mapping()
    await core.hear(old(1), old(2), old(3), post(4))
    carrier = street.carrier(street.sender(USER))
    await carrier.carry(mapping)
    answered = await LateService(core.db).answer_outage(mapping, None)
    assert (answered.sent, answered.skipped) == (3, 0)
    await carrier.carry(mapping)
    assert street.chat.posts(DIGEST) == [4, 1, 2, 3]


async def test_an_answer_of_the_last_few_leaves_out_the_others(core: House) -> None:
    mapping = await core.mapping()
    await core.hear(old(1), old(2), old(3))
    answered = await LateService(core.db).answer_outage(mapping, 1)
    assert (answered.sent, answered.skipped) == (1, 2)
    assert await outcomes(core, mapping) == [
        (1, "withdrawn", "outage_skipped"), (2, "withdrawn", "outage_skipped"), (3, "queued", None)
    ]  # fmt: skip


async def test_an_answer_of_none_lets_a_duplicate_of_a_left_out_post_go(core: House) -> None:
    first, second = await core.mapping(), await core.mapping(OTHER)
    await core.hear(old(1, words="the same"))
    await core.hear(post(1, "the same", chat=OTHER))
    assert await core.states(second) == [(1, "duplicate")]
    rung: list[int] = []

    async def ring(lanes: Sequence[int]) -> None:
        rung.extend(lanes)

    await LateService(core.db, ring).answer_outage(first, 0)
    assert await core.states(first) == [(1, "withdrawn")]
    assert await core.states(second) == [(1, "queued")]
    assert second in rung


async def test_the_owner_is_asked_once_with_the_whole_count(core: House) -> None:
    mapping = await core.mapping(created_by=51)
    await core.hear(old(1), old(2))
    await core.hear(old(3))
    notices = NoticeService(core.db, [51], stored_parts)
    assert await notices.due() == (), "the question waits for the rest of what is caught up"
    await core.run("update notices set not_before = clock_timestamp()")
    [notice] = await notices.due()
    assert isinstance(notice.matter, HeldByOutage)
    assert (notice.matter.number, [person.telegram_id for person in notice.people]) == (3, [51])
    await LateService(core.db).answer_outage(mapping, None)
    assert await notices.due() == ()


async def test_no_answer_leaves_the_posts_held_and_shown_to_administrators(core: House) -> None:
    mapping = await core.mapping()
    await core.hear(old(1), old(2))
    [(view, posts)] = await LateService(core.db).unanswered()
    assert (view.id, posts) == (mapping, 2)
    assert await MappingService(core.db).troubles() == ()
    counts = await MappingService(core.db).counts(mapping)
    assert (counts.held, counts.outage, counts.paused) == (2, 2, 0)


@pytest.mark.parametrize(
    ("policy", "outcome"),
    [("send", (1, "queued", None)), ("skip", (1, "withdrawn", "outage_skipped"))],
)
async def test_a_mapping_may_have_its_answer_ready(
    core: House, policy: str, outcome: tuple[int, str, str | None]
) -> None:
    mapping = await core.mapping(after_outage=policy)
    await core.hear(old(1))
    assert await outcomes(core, mapping) == [outcome]
    assert await core.run("select 1 from notices") == []


async def test_what_is_deleted_while_its_owner_is_asked_is_withdrawn(core: House) -> None:
    mapping = await core.mapping()
    await core.hear(old(1), old(2))
    await core.hear(Deleted(NEWS, (1,)))
    assert await core.states(mapping) == [(1, "withdrawn"), (2, "held")]


async def test_an_answer_in_a_paused_mapping_waits_for_the_mapping(core: House) -> None:
    mapping = await core.mapping()
    await core.hear(old(1))
    await MappingService(core.db).pause(mapping)
    await LateService(core.db).answer_outage(mapping, None)
    assert await outcomes(core, mapping) == [(1, "held", "paused")]
    await MappingService(core.db).resume(mapping, send=True)
    assert await outcomes(core, mapping) == [(1, "queued", None)]


async def test_a_paused_mapping_asks_when_it_is_resumed_and_not_twice(core: House) -> None:
    mapping = await core.mapping(state="paused", reason="paused")
    await core.hear(old(1))
    assert await outcomes(core, mapping) == [(1, "held", "paused")]


async def test_a_disabled_mapping_has_no_question_open(core: House) -> None:
    mapping = await core.mapping()
    await core.hear(old(1))
    await MappingService(core.db).disable(mapping)
    assert await outcomes(core, mapping) == [(1, "withdrawn", "mapping_disabled")]
    with pytest.raises(InvalidRequest, match="disabled"):
        await LateService(core.db).answer_outage(mapping, None)


def test_the_buttons_offer_all_the_last_few_and_none() -> None:
    offered = [[press for _, press in row] for row in outage_answers(Texts(Language.EN), 7, 6)]
    assert offered == [
        [AnswerOutage(7, EVERY)], [AnswerOutage(7, 1), AnswerOutage(7, 5)], [AnswerOutage(7, 0)]
    ]  # fmt: skip


async def test_posts_that_waited_beyond_the_limit_are_withdrawn_by_the_sweep(
    core: House, street: Street, redis_db: str
) -> None:
    mapping, patient = await core.mapping(skip_hours=6), await core.mapping(NEWS, OTHER)
    await core.hear(post(1), post(2), post(3))
    await core.run("update messages set date = date - interval '7 hours' where message_id <= 2")
    async with Redis.from_url(redis_db) as redis:
        said = await Upkeep(core.db, redis, core.ingest, street.queue, street.pace, 30).sweep()
    assert "skipped 2 old posts" in said
    assert await outcomes(core, mapping) == [
        (1, "withdrawn", "too_old"), (2, "withdrawn", "too_old"), (3, "queued", None)
    ]  # fmt: skip
    assert await core.states(patient) == [(1, "queued"), (2, "queued"), (3, "queued")]


@pytest.mark.parametrize("left", ["queued", "sending", "unsure"])
async def test_what_a_worker_leaves_behind_in_a_disabled_mapping_is_withdrawn_by_the_sweep(
    core: House, street: Street, left: str
) -> None:
    mapping, heir = await core.mapping(), await core.mapping(OTHER)
    for chat in (NEWS, OTHER):
        await core.hear(post(1, "hello", chat=chat))
    await core.set_state(mapping, "sending")
    await core.run("update lanes set holder = 'w1', lease_until = clock_timestamp() + interval '9 seconds'")
    await MappingService(core.db).disable(mapping)
    await core.set_state(mapping, left, reason="outcome_unknown")
    upkeep = Upkeep(core.db, street.redis, core.ingest, street.queue, street.pace, 30)
    await upkeep.sweep()
    assert await core.states(mapping) == [(1, left)], "whoever holds the lane sees to it"
    await street.lease_runs_out()
    await upkeep.sweep()
    assert await outcomes(core, mapping) == [(1, "withdrawn", "mapping_disabled")]
    [row] = await core.deliveries(mapping)
    assert row["unsettled"] == (left != "queued"), "that it may have arrived is not forgotten"
    assert [lane for bell in street.bells for lane, _ in bell.lanes] == [heir]


@pytest.mark.parametrize(
    "change",
    ["state = 'sending', account_id = :user", "unsettled = true", "class = 2", "reason = 'quiet'"],
)
async def test_what_may_have_been_sent_or_waits_on_purpose_or_is_old_by_nature_is_not_skipped(
    core: House, change: str
) -> None:
    mapping = await core.mapping(skip_hours=6)
    await core.hear(post(1))
    await core.run("update messages set date = date - interval '7 hours'")
    await core.run(f"update deliveries set {change}", **({"user": core.user} if ":user" in change else {}))
    async with core.db.begin() as session:
        assert await lag.skip_old(session) == (0, [])
    [(_, state)] = await core.states(mapping)
    assert state in ("sending", "queued")


async def test_what_is_beyond_the_limit_when_it_is_first_heard_is_no_question(core: House) -> None:
    mapping = await core.mapping(skip_hours=6)
    await core.hear(old(1, hours=7), old(2, hours=3))
    assert await outcomes(core, mapping) == [(1, "withdrawn", "too_old"), (2, "held", "outage")]


async def test_a_backlog_is_counted_now_and_an_hour_ago(core: House) -> None:
    mapping, idle = await core.mapping(), await core.mapping(NEWS, OTHER)
    await core.hear(*(post(n) for n in range(1, 7)))
    await core.set_state(idle, "sent")
    # 1 was waiting an hour ago and is sent since; 2 and 3 wait all the time; 4 to 6 are new.
    await core.run(
        "update deliveries set created_at = created_at - interval '2 hours' where mapping_id = :m and position <= 3",
        m=mapping,
    )
    await core.run(
        "update deliveries set state = 'sent', done_at = clock_timestamp() where mapping_id = :m and position = 1",
        m=mapping,
    )
    behind = await LateService(core.db).backlogs([mapping, idle])
    assert behind == {mapping: lag.Backlog(now=5, hour_ago=3), idle: lag.Backlog()}
    assert behind[mapping].growth == 2


async def test_a_change_of_what_becomes_of_late_posts_is_a_new_revision(core: House) -> None:
    mapping = await core.mapping()
    late = LateService(core.db)
    assert (await late.skip_after(mapping, 6)).settings.skip_hours == 6
    changed = await late.skip_after(mapping, None)
    assert (changed.settings.skip_hours, changed.revision) == (None, 3)
