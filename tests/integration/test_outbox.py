"""Lanes: one holder at a time, the right job next, and results that only the holder may write."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from forwarder import outbox
from forwarder.db import in_session
from forwarder.message import AccountKind, Deleted, DeliveryKind, Edited, Mode, State
from forwarder.outbox import Done, Job, LaneHeld, Nothing, Result, Run, Start, Worker
from forwarder.services.mapping_work import hold, withdraw
from tests.builders import ARCHIVE, DIGEST, NEWS, OTHER, House, album, photo, post
from tests.integration.carriers import wait_for_lock

BOT, USER = AccountKind.BOT, AccountKind.USER


async def take(core: House, mapping: int, worker: Worker | None = None) -> LaneHeld | None:
    [rows] = await core.db.in_one_trip(outbox.take([mapping], worker or core.worker()))
    return outbox.taken(rows).get(mapping)


async def taken(core: House, mapping: int, worker: Worker | None = None) -> LaneHeld:
    lane = await take(core, mapping, worker)
    assert lane is not None
    return lane


async def next_job(core: House, lane: LaneHeld) -> Job | Nothing:
    [rows] = await core.db.in_one_trip(outbox.open_jobs([lane.mapping_id], [1], core.worker()))
    jobs, bad = outbox.jobs_of(rows)
    assert not bad
    run = outbox.first_run(jobs[lane.mapping_id], lane, USER)
    return run.head if isinstance(run, Run) else run


async def job_of(core: House, lane: LaneHeld) -> Job:
    job = await next_job(core, lane)
    assert isinstance(job, Job)
    return job


async def start(core: House, job: Job, lane: LaneHeld, worker: Worker | None = None) -> Job | None:
    call = Start(lane, (job,), lane.mode, ((job.position,),), ((1,),))
    [rows] = await core.db.in_one_trip(outbox.start([call], worker or core.worker()))
    [started], torn = outbox.started([call], rows)
    assert not torn
    return started[0] if started else None


async def record(
    core: House, job: Job, lane: LaneHeld, result: Result, worker: Worker | None = None
) -> list[outbox.Due]:
    async with core.db.begin() as session:
        return await record_in(session, job, lane, result, worker or core.worker())


async def record_in(
    session: AsyncSession, job: Job, lane: LaneHeld, result: Result, worker: Worker
) -> list[outbox.Due]:
    done = [Done(lane, job, result)]
    ours, *_ = await in_session(session, outbox.still_ours([lane], worker), *outbox.record(done, worker))
    return await outbox.ended_without_success(session, outbox.ends_posts(done) if ours else [])


async def let_go(core: House, lane: LaneHeld) -> None:
    await core.db.in_one_trip(outbox.release([lane], core.worker()))


async def let_lease_run_out(core: House) -> None:
    await core.run(
        "update lanes set lease_until = clock_timestamp() - interval '1 second' where holder is not null"
    )


def sent(job: Job, copy: int = 500) -> Result:
    return Result(State.SENT, message_ids=(job.position,), sent_ids=(copy,), mode=Mode.COPY)


# --- leases


async def test_of_many_workers_at_once_one_gets_the_lane(core: House) -> None:
    mapping = await core.mapping()
    tries = await asyncio.gather(*(take(core, mapping, core.worker(holder=f"w{n}")) for n in range(6)))
    assert sum(lane is not None for lane in tries) == 1


async def test_a_lane_is_free_again_when_it_is_released_or_its_lease_has_run_out(core: House) -> None:
    mapping = await core.mapping()
    lane = await taken(core, mapping)
    assert await take(core, mapping, core.worker(holder="w2")) is None
    await let_go(core, lane)
    second = await taken(core, mapping, core.worker(holder="w2"))
    assert second.fence > lane.fence
    await let_lease_run_out(core)
    assert (await taken(core, mapping)).fence > second.fence


async def test_a_released_lane_is_not_taken_back_by_renewing(core: House) -> None:
    mapping = await core.mapping()
    lane = await taken(core, mapping)
    await let_go(core, lane)
    async with core.db.begin() as session:
        assert await outbox.renew(session, [mapping], "w1") == set()


async def test_renewing_prolongs_what_is_held_and_tells_what_was_lost(core: House) -> None:
    kept, lost = await core.mapping(), await core.mapping(destination=ARCHIVE)
    await taken(core, kept)
    await taken(core, lost)
    await core.run(
        "update lanes set lease_until = clock_timestamp() + interval '1 second' where mapping_id = :id",
        id=kept,
    )
    await core.run("update lanes set holder = 'w2' where mapping_id = :id", id=lost)
    async with core.db.begin() as session:
        assert await outbox.renew(session, [kept, lost], "w1") == {kept}
    [row] = await core.run(
        "select lease_until > clock_timestamp() + interval '8 seconds' as long from lanes where mapping_id = :id",
        id=kept,
    )
    assert row["long"]


@pytest.mark.parametrize(
    "change",
    [
        "update mappings set state = 'paused'",
        "update mappings set state = 'disabled'",
        "update accounts set state = 'stopped'",
        "update lanes set route = 'bot'",
    ],
)
async def test_a_lane_that_is_not_ours_to_carry_is_not_taken(core: House, change: str) -> None:
    mapping = await core.mapping()
    await core.run(change)
    assert await take(core, mapping) is None


# --- which job is next


async def test_live_goes_before_bulk_and_each_in_source_order(core: House) -> None:
    mapping = await core.mapping()
    await core.hear(*(post(number) for number in range(1, 5)))
    await core.run("update deliveries set class = 2 where position in (1, 2)")
    lane = await taken(core, mapping)
    order = []
    while isinstance(job := await next_job(core, lane), Job):
        order.append(job.position)
        assert await start(core, job, lane)
        await record(core, job, lane, sent(job, 500 + job.position))
    assert order == [3, 4, 1, 2]


async def test_a_waiting_head_holds_its_lane_and_says_how_long(core: House) -> None:
    mapping = await core.mapping()
    await core.hear(post(1), post(2))
    lane = await taken(core, mapping)
    await record(core, await job_of(core, lane), lane, Result(State.QUEUED, "flood_wait", wait=30))
    nothing = await next_job(core, lane)
    assert isinstance(nothing, Nothing)
    assert nothing.due_in == pytest.approx(30, abs=2)


async def test_a_head_that_failed_or_waits_for_a_person_lets_go(core: House) -> None:
    mapping = await core.mapping()
    await core.hear(post(1), post(2), post(3))
    lane = await taken(core, mapping)
    await record(core, await job_of(core, lane), lane, Result(State.FAILED, "unknown_error"))
    await record(core, await job_of(core, lane), lane, Result(State.HELD, "unsure"))
    assert (await job_of(core, lane)).position == 3


async def test_an_edit_overtakes_posts_but_not_its_own_post(core: House) -> None:
    mapping = await core.mapping()
    await core.hear(post(1), post(2))
    lane = await taken(core, mapping)
    job = await job_of(core, lane)
    assert await start(core, job, lane)
    await core.hear(Edited(post(1, "x")))
    assert (await job_of(core, lane)).kind is DeliveryKind.POST
    await record(core, job, lane, sent(job))
    edit = await job_of(core, lane)
    assert (edit.kind, edit.parts) == (DeliveryKind.EDIT, (1,))


async def test_an_edit_that_waits_holds_up_neither_posts_nor_other_edits(core: House) -> None:
    mapping = await core.mapping()
    await core.hear(post(1), post(2), post(3))
    await core.run("update deliveries set state = 'sent', done_at = now() where position < 3")
    await core.hear(Edited(post(1, "x")), Edited(post(2, "y")))
    lane = await taken(core, mapping)
    first = await job_of(core, lane)
    await record(core, first, lane, Result(State.QUEUED, "flood_wait", wait=30))
    second = await job_of(core, lane)
    assert (first.position, second.position, second.kind) == (1, 2, DeliveryKind.EDIT)
    await record(core, second, lane, Result(State.QUEUED, "flood_wait", wait=20))
    assert (await job_of(core, lane)).kind is DeliveryKind.POST


# --- recording


async def test_what_was_sent_is_known_with_its_copies(core: House) -> None:
    mapping = await core.mapping()
    await core.hear(*album("a", 1, 2, 3), post(4))
    lane = await taken(core, mapping)
    job = await job_of(core, lane)
    assert await start(core, job, lane)
    result = Result(State.SENT, message_ids=(1, 2, 3), sent_ids=(501, None, 503), mode=Mode.COPY)
    await record(core, job, lane, result)
    row = (await core.deliveries(mapping))[0]
    assert (row["state"], row["sent_ids"], row["account_id"]) == ("sent", [501, 0, 503], core.user)
    async with core.db.begin() as session:
        copies = await outbox.copies_of(session, lane, job, [1, 2, 3])
        assert [(c.source_message_id, c.message_id) for c in copies] == [(1, 501), (3, 503)]
        assert await outbox.known_copies(session, lane, 501) == {503}


async def test_sending_begins_the_window_of_deduplication(core: House) -> None:
    mapping = await core.mapping()
    await core.hear(post(1))
    await core.run("update fingerprints set until = clock_timestamp() - interval '1 hour'")
    lane = await taken(core, mapping)
    job = await job_of(core, lane)
    await start(core, job, lane)
    await record(core, job, lane, sent(job))
    rows = await core.run("select until > clock_timestamp() + interval '23 hours' as fresh from fingerprints")
    assert rows
    assert all(row["fresh"] for row in rows)


async def test_a_stale_holder_cannot_begin_a_call(core: House) -> None:
    mapping = await core.mapping()
    await core.hear(post(1))
    lane = await taken(core, mapping)
    job = await job_of(core, lane)
    await let_lease_run_out(core)
    await taken(core, mapping, core.worker(holder="w2"))
    assert await start(core, job, lane) is None


async def test_a_stale_holders_failure_is_dropped_and_its_success_accepted(core: House) -> None:
    mapping = await core.mapping()
    await core.hear(post(1))
    lane = await taken(core, mapping)
    job = await job_of(core, lane)
    assert await start(core, job, lane)
    await let_lease_run_out(core)
    await taken(core, mapping, core.worker(holder="w2"))
    await record(core, job, lane, Result(State.FAILED, "unknown_error"))
    assert await core.states(mapping) == [(1, "sending")]
    await record(core, job, lane, sent(job))
    assert await core.states(mapping) == [(1, "sent")]


async def test_a_success_that_comes_late_corrects_a_failure(core: House) -> None:
    mapping = await core.mapping()
    await core.hear(post(1))
    lane = await taken(core, mapping)
    job = await job_of(core, lane)
    assert await start(core, job, lane)
    await record(core, job, lane, Result(State.FAILED, "server_trouble"))
    await record(core, job, lane, sent(job))
    assert await core.states(mapping) == [(1, "sent")]
    assert len(await core.run("select 1 from copies where mapping_id = :id", id=mapping)) == 1


async def test_a_stale_holders_edit_does_not_end_the_new_holders(core: House) -> None:
    mapping = await core.mapping()
    await core.hear(post(1))
    await core.set_state(mapping, "sent")
    await core.hear(Edited(post(1, "x")))
    lane = await taken(core, mapping)
    edit = await job_of(core, lane)
    assert await start(core, edit, lane)
    await let_lease_run_out(core)
    await taken(core, mapping, core.worker(holder="w2"))
    await record(core, edit, lane, Result(State.SENT))
    assert await core.states(mapping, "edit") == [(1, "sending")]


async def test_of_a_success_of_another_epoch_nothing_is_taken_over(core: House) -> None:
    mapping = await core.mapping()
    await core.hear(post(1))
    lane = await taken(core, mapping)
    job = await job_of(core, lane)
    assert await start(core, job, lane)
    await core.run("update deliveries set epoch = 1, state = 'queued'")
    await record(core, job, lane, sent(job))
    assert await core.states(mapping) == [(1, "queued")]


@pytest.mark.parametrize("ends", ["withdraw", "hold", "delete"])
async def test_putting_off_does_not_undo_what_was_decided_meanwhile(core: House, ends: str) -> None:
    mapping = await core.mapping()
    await core.hear(post(1))
    lane = await taken(core, mapping)
    job = await job_of(core, lane)
    async with core.db.begin() as session:
        if ends == "withdraw":
            await withdraw(session, mapping)
        elif ends == "hold":
            await hold(session, mapping)
    if ends == "delete":
        await core.hear(Deleted(NEWS, (1,)))
    before = await core.states(mapping)
    await record(core, job, lane, Result(State.QUEUED, wait=5))
    assert await core.states(mapping) == before
    assert before in ([(1, "withdrawn")], [(1, "held")])


async def test_a_newer_edit_is_applied_even_when_the_older_was_refused(core: House) -> None:
    mapping = await core.mapping()
    await core.hear(post(1))
    await core.set_state(mapping, "sent")
    await core.hear(Edited(post(1, "too long")))
    lane = await taken(core, mapping)
    edit = await job_of(core, lane)
    assert await start(core, edit, lane)
    await core.hear(Edited(post(1, "short")))
    await record(core, edit, lane, Result(State.FAILED, "content_limit"))
    again = await job_of(core, lane)
    assert (again.delivery_id, again.state) == (edit.delivery_id, State.QUEUED)
    assert await start(core, again, lane)
    await record(core, again, lane, Result(State.SENT))
    assert await core.states(mapping, "edit") == [(1, "sent")]


async def test_parts_that_join_an_edit_before_it_starts_are_part_of_it(core: House) -> None:
    mapping = await core.mapping()
    await core.hear(*album("a", 1, 2), post(3))
    await core.set_state(mapping, "sent")
    await core.hear(Edited(photo(1, words="x", album_id="a")))
    lane = await taken(core, mapping)
    edit = await job_of(core, lane)
    await core.hear(Edited(photo(2, words="y", album_id="a")))
    started = await start(core, edit, lane)
    assert started is not None
    assert started.parts == (1, 2)


async def test_a_post_that_fails_takes_its_waiting_edits_along(core: House) -> None:
    mapping = await core.mapping()
    await core.hear(post(1))
    lane = await taken(core, mapping)
    job = await job_of(core, lane)
    assert await start(core, job, lane)
    await core.hear(Edited(post(1, "x")))
    await record(core, job, lane, Result(State.FAILED, "unknown_error"))
    assert await core.states(mapping, "edit") == [(1, "withdrawn")]


async def test_an_edit_that_meets_a_failing_post_is_not_left_behind(core: House) -> None:
    mapping = await core.mapping()
    await core.hear(post(1))
    lane = await taken(core, mapping)
    job = await job_of(core, lane)
    assert await start(core, job, lane)
    async with core.db.begin() as session:
        await record_in(session, job, lane, Result(State.FAILED, "unknown_error"), core.worker())
        editing = asyncio.create_task(core.hear(Edited(post(1, "x"))))
        await wait_for_lock(core)
    await editing
    open_rows = await core.run("select 1 from deliveries where done_at is null")
    assert open_rows == []


async def test_a_failure_that_comes_after_a_success_hands_no_place_on(core: House) -> None:
    first, second = await core.mapping(), await core.mapping(OTHER)
    for chat in (NEWS, OTHER):
        await core.hear(post(1, "hello", chat=chat))
    lane = await taken(core, first)
    job = await start(core, await job_of(core, lane), lane)
    assert job is not None
    await let_lease_run_out(core)
    other = core.worker(holder="w2")
    now = await taken(core, first, other)
    await record(core, job, lane, sent(job))
    assert await record(core, job, now, Result(State.FAILED, "unknown_error"), other) == []
    assert await core.states(first) == [(1, "sent")]
    assert await core.states(second) == [(1, "duplicate")]


async def test_unknown_outcomes_outlive_waits_and_pauses(core: House) -> None:
    mapping = await core.mapping()
    await core.hear(post(1))
    lane = await taken(core, mapping)
    job = await job_of(core, lane)
    assert await start(core, job, lane)
    await record(core, job, lane, Result(State.QUEUED, "outcome_unknown", unsettled=True))
    job = await job_of(core, lane)
    await record(core, job, lane, Result(State.QUEUED, wait=0))
    await core.run("update deliveries set state = 'held', reason = 'paused'")
    await core.run("update deliveries set state = 'queued', reason = null")
    assert (await job_of(core, lane)).maybe_sent


async def test_a_definite_refusal_settles_a_first_call(core: House) -> None:
    mapping = await core.mapping()
    await core.hear(post(1))
    lane = await taken(core, mapping)
    job = await job_of(core, lane)
    assert await start(core, job, lane)
    await record(core, job, lane, Result(State.QUEUED, "flood_wait", wait=0, unsettled=False))
    assert not (await job_of(core, lane)).maybe_sent


async def test_where_copies_are_looked_for_does_not_move_while_the_outcome_is_unknown(core: House) -> None:
    mapping = await core.mapping()
    await core.hear(post(1))
    lane = await taken(core, mapping)
    job = await job_of(core, lane)
    assert await start(core, job, lane)
    await core.run(
        "insert into copies (channel_id, message_id, mapping_id, source_id, source_message_id, mode, route)"
        " values (:channel, 900, :mapping, 1, 5, 'copy', 'user')",
        channel=core.channels[DIGEST],
        mapping=mapping,
    )
    again = await start(core, replace(job, state=State.SENDING), lane)
    assert again is not None
    assert again.seen_id == 0


# --- waits of the account


async def test_a_flood_wait_holds_one_chat_and_then_the_account(core: House) -> None:
    first, second = await core.mapping(), await core.mapping(destination=ARCHIVE)
    for name in ("FLOOD_WAIT", "Too Many Requests"):
        await core.run("delete from flood_waits")
        whole = []
        for mapping in (first, first, second):
            await let_lease_run_out(core)
            lane = await taken(core, mapping)
            async with core.db.begin() as session:
                whole.append(
                    await outbox.note_wait(session, core.worker(), lane, name, "send", 30, whole=False)
                )
        assert whole == [False, False, True], name


async def test_a_wait_of_before_a_call_that_went_through_was_its_chats_own(core: House) -> None:
    first, second = await core.mapping(), await core.mapping(destination=ARCHIVE)
    lane = await taken(core, first)
    async with core.db.begin() as session:
        await outbox.note_wait(session, core.worker(), lane, "FLOOD_WAIT", "send", 30, whole=False)
    await core.run("update flood_waits set seen_at = seen_at - interval '5 seconds'")
    lane = await taken(core, second)
    whole = []
    for through in (10.0, 2.0):
        async with core.db.begin() as session:
            whole.append(
                await outbox.note_wait(
                    session, core.worker(), lane, "FLOOD_WAIT", "send", 30, whole=False, through=through
                )
            )
            await session.rollback()
    assert whole == [True, False]


async def test_the_end_of_an_accounts_wait_leaves_those_of_its_chats(core: House) -> None:
    first, second = await core.mapping(), await core.mapping(destination=ARCHIVE)
    for mapping in (first, second):
        lane = await taken(core, mapping)
        async with core.db.begin() as session:
            await outbox.note_wait(session, core.worker(), lane, "FLOOD_WAIT", "send", 30, whole=False)
    async with core.db.begin() as session:
        await outbox.end_waits(session, core.worker(), 0.0)
    held = await core.run("select chat_id from flood_waits where until > clock_timestamp()")
    assert {row["chat_id"] for row in held} == {DIGEST, ARCHIVE}


async def test_slow_mode_never_holds_the_account(core: House) -> None:
    first, second = await core.mapping(), await core.mapping(destination=ARCHIVE)
    for mapping in (first, second):
        lane = await taken(core, mapping)
        async with core.db.begin() as session:
            assert not await outbox.note_wait(
                session, core.worker(), lane, "SLOWMODE_WAIT", "send", 30, whole=False
            )


async def test_a_lane_moves_only_to_an_account_that_may_do_both(core: House) -> None:
    mapping = await core.mapping(by=BOT, route="auto")
    lane = await taken(core, mapping, core.worker(BOT))
    await core.run("update channel_access set may_post = false where account_id = :id", id=core.user)
    async with core.db.begin() as session:
        assert await outbox.switch_route(session, lane, USER) is None
    await core.run("update channel_access set may_post = true where account_id = :id", id=core.user)
    async with core.db.begin() as session:
        due = await outbox.switch_route(session, lane, USER)
        assert due is not None
        assert due.route is USER
        assert await outbox.switch_route(session, lane, USER) == due, "the first answer may have been lost"


# --- due lanes


async def due(core: House) -> list[tuple[int, int]]:
    async with core.db.begin() as session:
        return [(d.mapping_id, d.klass) for d in await outbox.due_lanes(session)]


async def test_lanes_with_due_work_that_nobody_holds_are_due_most_urgent_first(core: House) -> None:
    bulk, live = await core.mapping(), await core.mapping(destination=ARCHIVE)
    held, waiting = await core.mapping(OTHER, DIGEST), await core.mapping(OTHER, ARCHIVE)
    await core.hear(post(1), post(1, chat=OTHER))
    await core.run("update deliveries set class = 2 where mapping_id = :id", id=bulk)
    await core.run(
        "update deliveries set not_before = clock_timestamp() + interval '1 hour' where mapping_id = :id",
        id=waiting,
    )
    await taken(core, held)
    assert await due(core) == [(live, 1), (bulk, 2)]
    await core.run("update deliveries set not_before = null")
    await let_lease_run_out(core)
    assert {lane for lane, _ in await due(core)} == {bulk, live, held, waiting}


async def test_many_lanes_of_one_route_do_not_hide_those_of_the_other(core: House) -> None:
    for destination in (DIGEST, ARCHIVE):
        await core.mapping(destination=destination)
    other = await core.mapping(OTHER, DIGEST, by=BOT)
    await core.hear(post(1), post(1, chat=OTHER))
    async with core.db.begin() as session:
        found = await outbox.due_lanes(session, limit=1)
    assert [(due.mapping_id == other, due.route) for due in found] == [(False, USER), (True, BOT)]


async def test_a_lane_is_not_due_when_paused_or_its_account_is_stopped_or_all_is_held(core: House) -> None:
    await core.mapping()
    await core.hear(post(1))
    assert len(await due(core)) == 1
    for change, undo in (
        ("update mappings set state = 'paused'", "update mappings set state = 'active'"),
        ("update accounts set state = 'stopped'", "update accounts set state = 'active'"),
        (
            "update deliveries set state = 'held', reason = 'x'",
            "update deliveries set state = 'queued', reason = null",
        ),
    ):
        await core.run(change)
        assert await due(core) == [], change
        await core.run(undo)


async def test_the_working_set_is_found_by_its_index_however_long_the_history(core: House) -> None:
    mapping = await core.mapping()
    await core.hear(post(1))
    await core.run(
        """
        with p as (
            insert into posts (channel_id, position, state)
            select :channel, n, 'ready' from generate_series(1000, 9000) n returning id, position)
        insert into deliveries (mapping_id, post_id, kind, class, position, state, done_at)
        select :mapping, id, 'post', 1, position, 'sent', clock_timestamp() from p
        """,
        channel=core.channels[NEWS],
        mapping=mapping,
    )
    await core.run("analyze deliveries")
    await taken(core, mapping)
    for statement, values in (
        (outbox.DUE_LANES, {"limit": 1000}),
        (outbox.OPEN_JOBS, {"lanes": [mapping], "counts": [10], "holder": "w1"}),
    ):
        plan = await explain(core, str(statement), values)
        scans = [node for node in nodes_of(plan) if node.get("Relation Name") == "deliveries"]
        assert {"ix_deliveries_open"} <= {node.get("Index Name") for node in scans}
        assert all("Seq Scan" not in node["Node Type"] for node in scans)
        assert sum(node["Actual Rows"] * node["Actual Loops"] for node in scans) < 20


async def explain(core: House, statement: str, values: dict[str, Any]) -> dict[str, Any]:
    async with core.db.begin() as session:
        answer = await session.scalar(text(f"explain (analyze, format json) {statement}"), values)
    found = json.loads(answer) if isinstance(answer, str) else answer
    plan: dict[str, Any] = found[0]["Plan"]
    return plan


def nodes_of(plan: dict[str, Any]) -> list[dict[str, Any]]:
    return [plan, *(node for child in plan.get("Plans", []) for node in nodes_of(child))]
