"""Finished posts are forgotten by age; what somebody still needs stays, and what was handled is remembered."""

from __future__ import annotations

from sqlalchemy.dialects.postgresql import Range

from forwarder.message import Empty
from forwarder.services import retention
from forwarder.upkeep import Upkeep
from tests.builders import ARCHIVE, DIGEST, NEWS, OTHER, House, album, post
from tests.integration.carriers import Street

DAYS = 30


async def grow_old(core: House, days: int = DAYS + 1) -> None:
    await core.run(f"update posts set created_at = created_at - interval '{days} days'")
    await core.run(
        f"update deliveries set done_at = done_at - interval '{days} days' where done_at is not null"
    )
    await core.run(f"update fingerprints set until = until - interval '{days} days'")


async def forget(core: House) -> int:
    return await retention.forget_posts(core.db, DAYS)


async def handled(core: House, mapping: int) -> list[tuple[int, int]]:
    rows = await core.run("select ids from handled where mapping_id = :mapping", mapping=mapping)
    spans: list[Range[int]] = list(rows[0]["ids"]) if rows else []
    return [(span.lower, span.upper - 1) for span in spans if span.lower and span.upper]


async def test_old_finished_posts_go_and_their_ids_are_remembered_in_spans(core: House) -> None:
    mapping = await core.mapping()
    await core.hear(post(1), *album("a", 2, 3), post(4), Empty(NEWS, (5, 6, 7, 8)), post(9))
    await core.settle()
    await core.set_state(mapping, "sent")
    await grow_old(core)
    assert await forget(core) == 4
    assert await core.run("select 1 from messages union all select 1 from posts") == []
    assert await core.deliveries(mapping) == []
    assert await handled(core, mapping) == [(1, 4), (9, 9)]


async def test_what_is_forgotten_later_joins_what_was_remembered(core: House) -> None:
    mapping = await core.mapping()
    for number in (1, 2):
        await core.hear(post(number))
        await core.set_state(mapping, "sent")
        await grow_old(core)
        assert await forget(core) == 1
    assert await handled(core, mapping) == [(1, 2)]


async def test_young_posts_and_posts_that_one_mapping_has_not_finished_stay(core: House) -> None:
    first, second = await core.mapping(), await core.mapping(destination=ARCHIVE)
    await core.hear(post(1))
    await core.set_state(first, "sent")
    await grow_old(core)
    assert await forget(core) == 0
    await core.set_state(second, "sent")
    assert await forget(core) == 0, "its last delivery has only just been finished"
    assert len(await core.deliveries(first)) == 1


async def test_a_post_that_no_mapping_wanted_is_forgotten_too(core: House) -> None:
    await core.mapping()
    later = await core.mapping(destination=ARCHIVE, start_after=5)
    await core.run("update mappings set start_after = 5")
    await core.hear(post(1))
    await grow_old(core)
    assert await forget(core) == 1
    assert await handled(core, later) == []


async def test_a_first_copy_stays_while_a_duplicate_refers_to_it(core: House) -> None:
    first = await core.mapping(NEWS, DIGEST)
    second = await core.mapping(OTHER, DIGEST)
    await core.hear(post(1, "the same"))
    await core.set_state(first, "sent")
    await core.hear(post(1, "the same", chat=OTHER))
    assert await core.states(second) == [(1, "duplicate")]
    await grow_old(core)
    await core.run("update deliveries set done_at = clock_timestamp() where state = 'duplicate'")
    assert await forget(core) == 0
    await grow_old(core)
    assert await forget(core) == 1, "the duplicate goes first"
    assert await forget(core) == 1


async def test_a_post_stays_while_a_window_still_compares_with_it(core: House) -> None:
    mapping = await core.mapping()
    await core.hear(post(1))
    await core.set_state(mapping, "sent")
    await grow_old(core)
    await core.run("update fingerprints set until = clock_timestamp() + interval '1 hour'")
    assert await forget(core) == 0
    await core.run("update fingerprints set until = clock_timestamp() - interval '1 hour'")
    assert await forget(core) == 1


async def test_what_was_never_sent_may_still_be_brought_by_a_backfill(core: House) -> None:
    mapping = await core.mapping()
    await core.hear(post(1), post(2))
    await core.set_state(mapping, "withdrawn", reason="mapping_disabled")
    await core.run("update deliveries set unsettled = true where position = 2")
    await grow_old(core)
    assert await forget(core) == 2
    assert await handled(core, mapping) == [(2, 2)], "only what may have been sent counts as handled"


async def test_many_batches_pass_over_what_must_stay(core: House) -> None:
    mapping = await core.mapping()
    await core.run(
        "insert into posts (channel_id, position, state)"
        " select channel_id, n, 'ready' from marks, generate_series(1, :many) n",
        many=2 * retention.BATCH + 5,
    )
    await core.run(
        "insert into deliveries (mapping_id, post_id, kind, class, position, state, reason)"
        " select :mapping, id, 'post', 1, position, 'held', 'paused' from posts where position <= :many",
        mapping=mapping,
        many=retention.BATCH,
    )
    await grow_old(core)
    assert await forget(core) == retention.BATCH + 5


async def test_keys_are_forgotten_when_their_window_has_ended_and_their_post_waits_no_more(
    core: House, street: Street
) -> None:
    mapping = await core.mapping()
    await core.hear(post(1), post(2), post(3))
    await core.run("update fingerprints set until = clock_timestamp() - interval '1 minute'")
    await core.run(
        "update deliveries set state = 'sent', done_at = now() where mapping_id = :m and position = 1",
        m=mapping,
    )
    upkeep = Upkeep(core.db, street.redis, core.ingest, street.queue, street.pace, 30)
    assert "2 fingerprints" in await upkeep.retention()
    left = await core.run("select distinct delivery_id from fingerprints")
    assert len(left) == 2, "two posts still wait for longer than the window"
    assert "0 fingerprints" in await upkeep.retention()
