"""A place in a destination: who has it, one by one as posts come, and to whom it goes when its owner ends unsent."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator

import pytest
from redis.asyncio import Redis
from sqlalchemy import text

from forwarder.ingest import Ingest
from forwarder.ingest.deliveries import mark_late_duplicates
from forwarder.ingest.rows import stored_parts
from forwarder.message import AccountKind, Empty, Origin, SourceMessage
from forwarder.outbox import ended_without_success
from forwarder.services.dedup import DeduplicationService
from forwarder.services.groups import GroupService
from forwarder.services.places import Places
from forwarder.services.working_set import WorkingSet
from tests.builders import ARCHIVE, DIGEST, NEWS, OTHER, House, post
from tests.integration.carriers import wait_for_lock

FOURTH = -1005


@pytest.fixture
async def busy(core: House, redis_db: str) -> AsyncIterator[House]:
    """Four sources of one destination."""
    async with Redis.from_url(redis_db) as redis:
        core.ingest = Ingest(DeduplicationService(WorkingSet(redis)))
        for source in (NEWS, OTHER, ARCHIVE, FOURTH):
            await core.mapping(source, DIGEST)
        yield core


async def of(
    house: House, chat: int, number: int = 1, destination: int = DIGEST
) -> tuple[int, str, int | None]:
    """Delivery, state and first copy of a post."""
    [row] = await house.run(
        "select d.id, d.state, d.duplicate_of from deliveries d join mappings m on m.id = d.mapping_id"
        " where m.source_id = :source and m.destination_id = :destination and d.position = :number",
        source=house.channels[chat],
        destination=house.channels[destination],
        number=number,
    )
    return row["id"], row["state"], row["duplicate_of"]


async def becomes(house: House, delivery: int, state: str) -> None:
    reason = None if state in ("sent", "queued") else "x"
    done = "null" if state == "queued" else "clock_timestamp()"
    async with house.db.begin() as session:
        await session.execute(
            text(f"update deliveries set state = :state, reason = :reason, done_at = {done} where id = :id"),
            {"id": delivery, "state": state, "reason": reason},
        )
        await ended_without_success(session, [delivery])


async def test_a_repeat_is_no_measure_for_a_post_of_the_first_ones_source(busy: House) -> None:
    """The second post of a source may say again what the first said, whoever has told it on between them."""
    await busy.hear(post(1, "ad"))
    first, *_ = await of(busy, NEWS, 1)
    await busy.hear(post(1, "ad", chat=OTHER, origin=Origin(NEWS, 2)), post(2, "ad"))
    assert (await of(busy, OTHER))[1:] == ("duplicate", first)
    assert (await of(busy, NEWS, 2))[1:] == ("queued", None)


async def test_what_a_repeat_gives_up_belongs_to_who_goes_with_it(busy: House) -> None:
    await busy.hear(
        post(1, "first"), post(1, "said", chat=OTHER, origin=Origin(NEWS, 1)), post(2, "said", chat=OTHER)
    )
    goes, state, _ = await of(busy, OTHER, 2)
    assert state == "queued"
    await busy.hear(post(1, "said", chat=ARCHIVE))
    assert (await of(busy, ARCHIVE))[1:] == ("duplicate", goes)


async def both_repeated(house: House) -> tuple[int, int, int]:
    """A post by its content, one by its origin, and the one that repeats both; nothing is sent yet."""
    await house.hear(post(1, "hello"))
    await house.hear(post(1, "something else", chat=OTHER))
    await house.hear(post(1, "hello", chat=ARCHIVE, origin=Origin(OTHER, 1)))
    return (await of(house, NEWS))[0], (await of(house, OTHER))[0], (await of(house, ARCHIVE))[0]


async def test_a_repeat_of_two_posts_does_not_go_when_one_fails_and_the_other_was_sent(busy: House) -> None:
    await busy.hear(post(1, "hello"))
    await becomes(busy, (await of(busy, NEWS))[0], "sent")
    by_content, by_origin, _ = await both_repeated(busy)
    await becomes(busy, by_origin, "failed")
    assert (await of(busy, ARCHIVE))[1:] == ("duplicate", by_content)


async def test_a_repeat_of_two_posts_goes_only_when_both_have_ended_unsent(busy: House) -> None:
    by_content, by_origin, _ = await both_repeated(busy)
    await becomes(busy, by_origin, "failed")
    assert (await of(busy, ARCHIVE))[1:] == ("duplicate", by_content)
    await becomes(busy, by_content, "failed")
    assert (await of(busy, ARCHIVE))[1:] == ("queued", None)


async def test_a_repeat_of_two_posts_goes_when_both_end_at_once(busy: House) -> None:
    by_content, by_origin, _ = await both_repeated(busy)
    ended = [by_content, by_origin]
    async with busy.db.begin() as session:
        await session.execute(
            text(
                "update deliveries set state = 'withdrawn', reason = 'x', done_at = clock_timestamp()"
                " where id = any(:ids)"
            ),
            {"ids": ended},
        )
        await ended_without_success(session, ended)
    heir, *state = await of(busy, ARCHIVE)
    assert state == ["queued", None]
    await busy.hear(post(1, "hello", chat=FOURTH))
    assert (await of(busy, FOURTH))[1:] == ("duplicate", heir)


async def test_a_repeat_of_two_posts_waits_for_the_heir_of_either(busy: House) -> None:
    by_content, by_origin, _ = await both_repeated(busy)
    await busy.hear(post(1, "hello", chat=FOURTH))
    await becomes(busy, by_content, "failed")
    heir, state, _ = await of(busy, FOURTH)
    assert state == "queued"
    await becomes(busy, by_origin, "failed")
    assert (await of(busy, ARCHIVE))[1:] == ("duplicate", heir)


async def test_the_repeats_of_what_ended_unsent_are_judged_by_what_they_say_themselves(busy: House) -> None:
    """One told it on with other words, one said the same: neither repeats the other."""
    await busy.hear(post(1, "hello"))
    await busy.hear(post(1, "told on", chat=OTHER, origin=Origin(NEWS, 1)))
    await busy.hear(post(1, "hello", chat=ARCHIVE))
    await busy.hear(post(1, "hello", chat=FOURTH))
    await becomes(busy, (await of(busy, NEWS))[0], "failed")
    assert (await of(busy, OTHER))[1:] == ("queued", None)
    says_the_same, *state = await of(busy, ARCHIVE)
    assert state == ["queued", None]
    assert (await of(busy, FOURTH))[1:] == ("duplicate", says_the_same)


async def test_duplicates_of_before_their_keys_were_kept_go_one_for_all(busy: House) -> None:
    for chat in (NEWS, OTHER, ARCHIVE, FOURTH):
        await busy.hear(post(1, "hello", chat=chat))
    await busy.run("update deliveries set keys = null")
    await becomes(busy, (await of(busy, NEWS))[0], "failed")
    heir, *state = await of(busy, OTHER)
    assert state == ["queued", None]
    for chat in (ARCHIVE, FOURTH):
        assert (await of(busy, chat))[1:] == ("duplicate", heir)


async def test_who_waited_for_a_post_that_has_become_a_repeat_waits_for_its_first_copy(busy: House) -> None:
    """An audit queues again what is missing; another has its place since."""
    await busy.hear(post(1, "hello"))
    missing, *_ = await of(busy, NEWS)
    await becomes(busy, missing, "sent")
    await busy.hear(post(1, "hello", chat=OTHER))
    await busy.run("update fingerprints set until = clock_timestamp() - interval '3 days'")
    await busy.hear(post(1, "hello", chat=ARCHIVE))
    goes, *_ = await of(busy, ARCHIVE)
    async with busy.db.begin() as session:
        await session.execute(
            text("update deliveries set state = 'queued', done_at = null where id = :id"), {"id": missing}
        )
        found = await Places(DeduplicationService(), stored_parts).take(session, [missing])
        await mark_late_duplicates(session, found)
    assert (await of(busy, NEWS))[1:] == ("duplicate", goes)
    assert (await of(busy, OTHER))[1:] == ("duplicate", goes)


async def test_a_mapping_that_asks_for_no_place_brings_the_post_that_another_of_its_source_could_not(
    busy: House,
) -> None:
    source = FOURTH + 100
    whole = await busy.mapping(source, DIGEST)
    topic = await busy.mapping(source, DIGEST, source_topic=5, dedup="off")
    await busy.hear(post(1, "hello", chat=source, topic_id=5))
    assert await busy.states(topic) == [(1, "duplicate")]
    [first] = await busy.deliveries(whole)
    await becomes(busy, first["id"], "failed")
    assert await busy.states(topic) == [(1, "queued")]


async def test_an_heir_whose_place_is_being_taken_at_that_moment_waits_for_who_takes_it(busy: House) -> None:
    await busy.hear(post(1, "hello"))
    await busy.hear(post(1, "hello", chat=OTHER))
    first, *_ = await of(busy, NEWS)
    async with busy.db.begin() as session:
        told_on = post(1, "other words", chat=ARCHIVE, origin=Origin(OTHER, 1))
        await busy.ingest.receive(session, busy.user, AccountKind.USER, [told_on])
        failing = asyncio.create_task(becomes(busy, first, "failed"))
        await wait_for_lock(busy)
    await failing
    goes, *state = await of(busy, ARCHIVE)
    assert state == ["queued", None]
    assert (await of(busy, OTHER))[1:] == ("duplicate", goes)


async def test_an_heir_whose_own_place_is_taken_meanwhile_waits_for_who_has_it(busy: House) -> None:
    """The group was one place when it became a duplicate; its destination has left since."""
    elsewhere = -1006
    await busy.mapping(OTHER, elsewhere)
    await busy.mapping(ARCHIVE, elsewhere)
    groups = GroupService(busy.db)
    for destination in (DIGEST, elsewhere):
        number = busy.channels[destination]
        await busy.run("update channels set is_destination = true where id = :id", id=number)
        await groups.join(number, "papers")
    await busy.hear(post(1, "hello"))
    await busy.hear(post(1, "hello", chat=OTHER))
    await groups.leave(busy.channels[elsewhere])
    await busy.hear(post(1, "hello", chat=ARCHIVE))
    goes, state, _ = await of(busy, ARCHIVE, 1, elsewhere)
    assert state == "queued"
    await becomes(busy, (await of(busy, NEWS))[0], "failed")
    assert (await of(busy, OTHER, 1, DIGEST))[1] == "queued"
    first = (await of(busy, OTHER, 1, DIGEST))[0]
    await becomes(busy, first, "failed")
    assert (await of(busy, OTHER, 1, elsewhere))[1:] == ("duplicate", goes)


async def test_a_place_that_is_handed_on_has_its_window_anew(busy: House) -> None:
    await busy.hear(post(1, "hello"))
    await busy.hear(post(1, "hello", chat=OTHER))
    await busy.run("update fingerprints set until = clock_timestamp() - interval '3 days'")
    await becomes(busy, (await of(busy, NEWS))[0], "failed")
    [left] = await busy.run(
        "select min(until) > clock_timestamp() + interval '23 hours' as long from fingerprints"
    )
    assert left["long"]


async def test_a_mapping_that_wants_all_repeats_gets_what_another_of_its_source_may_not_bring(
    busy: House,
) -> None:
    whole = await busy.mapping(FOURTH + 100, DIGEST)
    topic = await busy.mapping(FOURTH + 100, DIGEST, source_topic=5, dedup="off")
    await busy.hear(post(1, "hello"))
    await busy.hear(post(1, "hello", chat=FOURTH + 100, topic_id=5))
    assert await busy.states(whole) == [(1, "duplicate")]
    assert await busy.states(topic) == [(1, "queued")]


async def test_what_was_sent_and_must_go_again_does_not_end_without_its_new_repeat(busy: House) -> None:
    """An audit may find that a copy is gone. Who becomes its duplicate at that moment inherits its place."""
    await busy.hear(post(1, "hello"))
    first, *_ = await of(busy, NEWS)
    await becomes(busy, first, "sent")
    heard: SourceMessage = post(1, "hello", chat=OTHER)
    async with busy.db.begin() as session:
        await busy.ingest.receive(session, busy.user, AccountKind.USER, [heard, Empty(OTHER, ())])
        await becomes(busy, first, "queued")
        failing = asyncio.create_task(becomes(busy, first, "failed"))
        await wait_for_lock(busy)
    await failing
    assert (await of(busy, OTHER))[1:] == ("queued", None)


@pytest.mark.parametrize("seed", range(6))
async def test_posts_that_come_together_are_judged_as_if_they_came_one_by_one(
    core: House, redis_db: str, seed: int
) -> None:
    luck = random.Random(seed)
    modes = [luck.choice(["across", "across", "all", "off"]) for _ in range(3)]
    together, apart = (-3000, -3900), (-4000, -4900)
    for base, destination in (together, apart):
        for number, mode in enumerate(modes):
            await core.mapping(base - number, destination, dedup=mode)

    def said(base: int, number: int, at: int, words: str, origin: tuple[int, int] | None) -> SourceMessage:
        told_on = Origin(base - origin[0], origin[1]) if origin else None
        return post(at, words, chat=base - number, origin=told_on)

    async with Redis.from_url(redis_db) as redis:
        core.ingest = Ingest(DeduplicationService(WorkingSet(redis)))
        for turn in range(8):
            # In the order in which deliveries are made: by position, then by mapping.
            posts = [
                (
                    number,
                    turn * 3 + at,
                    f"{turn // 3} {luck.choice('abc')}",
                    (luck.randrange(3), luck.randrange(1, 25)) if luck.random() < 0.4 else None,
                )
                for at in (1, 2, 3)
                for number in range(3)
            ]
            await core.hear(*(said(together[0], *one) for one in posts))
            for one in posts:
                await core.hear(said(apart[0], *one))
            found = [
                await core.run(
                    "select d.position, s.telegram_id - :base as source, d.state, o.position as first,"
                    " os.telegram_id - :base as first_source, o.state as first_state"
                    " from deliveries d join mappings m on m.id = d.mapping_id join channels s on s.id = m.source_id"
                    " left join deliveries o on o.id = d.duplicate_of left join mappings om on om.id = o.mapping_id"
                    " left join channels os on os.id = om.source_id"
                    " where m.destination_id = :destination order by 1, 2",
                    base=base,
                    destination=core.channels[destination],
                )
                for base, destination in (together, apart)
            ]
            assert [dict(row) for row in found[0]] == [dict(row) for row in found[1]]
            assert all(row["first_state"] in (None, "queued") for row in found[0])
