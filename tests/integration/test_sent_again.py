"""What is queued again asks for its place in deduplication again, and does not go beside what others bring."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

import pytest

from forwarder.bot.texts import Texts
from forwarder.errors import InvalidRequest
from forwarder.message import Edited
from forwarder.models import Language
from forwarder.outbox import ended_without_success
from forwarder.services import groups
from forwarder.services.groups import GroupService
from tests.builders import ARCHIVE, DIGEST, NEWS, OTHER, House, post
from tests.integration.carriers import Street, wait_for_lock

WORDS = "the same words"


async def fails(core: House, mapping: int) -> int:
    """The one post of a mapping ends unsent; answers its delivery."""
    [row] = await core.deliveries(mapping)
    await core.set_state(mapping, "failed", reason="content_limit")
    async with core.db.begin() as session:
        await ended_without_success(session, [row["id"]])
    return int(row["id"])


async def failed_first(core: House, **values: str) -> tuple[int, int, int]:
    """A post that failed and nobody had brought besides: its mapping, that of another source, and its delivery."""
    first, second = await core.mapping(NEWS, DIGEST, **values), await core.mapping(OTHER, DIGEST)
    await core.hear(post(1, WORDS))
    return first, second, await fails(core, first)


async def inherited(core: House) -> tuple[int, int, int]:
    """The same, where the other source's repeat has come before, and taken the place."""
    first, second = await core.mapping(NEWS, DIGEST), await core.mapping(OTHER, DIGEST)
    await core.hear(post(1, WORDS))
    await core.hear(post(1, WORDS, chat=OTHER))
    number = await fails(core, first)
    assert await core.states(second) == [(1, "queued")]
    return first, second, number


async def test_a_repeat_of_what_was_sent_again_is_a_duplicate_of_it(core: House, street: Street) -> None:
    first, second, number = await failed_first(core)
    await street.queue.send_again(number)
    await core.hear(post(1, WORDS, chat=OTHER))
    [copy] = await core.deliveries(second)
    assert await core.states(first) == [(1, "queued")]
    assert (copy["state"], copy["duplicate_of"]) == ("duplicate", number)


@pytest.mark.parametrize(
    ("state", "code"),
    [
        ("queued", "repeat_waits"),
        ("sending", "repeat_waits"),
        ("held", "repeat_held"),
        ("sent", "repeat_sent"),
    ],
)
async def test_what_another_delivery_brings_is_not_sent_again_beside_it(
    core: House, street: Street, state: str, code: str
) -> None:
    first, second, number = await inherited(core)
    await core.set_state(second, state, reason="paused" if state == "held" else None)
    before, [other] = await core.deliveries(first), await core.deliveries(second)
    places = await core.run("select * from fingerprints order by key")
    with pytest.raises(InvalidRequest) as refused:
        await street.queue.send_again(number)
    assert refused.value.code == code
    assert f"(delivery {other['id']}" in str(refused.value)
    told = [Texts(language).error(refused.value) for language in Language]
    assert len({str(refused.value), *told}) == 3
    for said in (str(refused.value), *told):
        assert all(name in said for name in (f"{second}", f"Chat {OTHER}"))
    assert await core.deliveries(first) == before
    assert await core.run("select * from fingerprints order by key") == places
    assert street.bells == []


async def test_what_could_not_be_sent_again_can_when_the_other_ends_unsent(
    core: House, street: Street
) -> None:
    first, second, number = await inherited(core)
    with pytest.raises(InvalidRequest):
        await street.queue.send_again(number)
    await fails(core, second)
    await street.queue.send_again(number)
    assert await core.states(first) == [(1, "queued")]


async def test_what_another_destination_of_the_group_gets_is_not_sent_again(
    core: House, street: Street
) -> None:
    first, second = await core.mapping(NEWS, DIGEST), await core.mapping(OTHER, ARCHIVE)
    await core.run("update channels set is_destination = true")
    for chat in (DIGEST, ARCHIVE):
        await GroupService(core.db).join(core.channels[chat], "papers")
    await core.hear(post(1, WORDS))
    number = await fails(core, first)
    await core.hear(post(1, WORDS, chat=OTHER))
    assert await core.states(second) == [(1, "queued")]
    with pytest.raises(InvalidRequest, match=f"mapping {second}"):
        await street.queue.send_again(number)


async def test_a_place_that_is_given_up_at_this_moment_is_waited_for(core: House, street: Street) -> None:
    first, second, number = await inherited(core)
    [other] = await core.deliveries(second)
    await core.set_state(second, "failed", reason="content_limit")
    async with core.db.begin() as session:
        await ended_without_success(session, [other["id"]])
        again = asyncio.create_task(street.queue.send_again(number))
        await wait_for_lock(core)
    await again
    assert await core.states(first) == [(1, "queued")]
    await core.hear(post(2, WORDS, chat=OTHER))
    assert (await core.states(second))[-1] == (2, "duplicate")


async def test_no_place_is_taken_while_a_destination_goes_into_a_group_or_out_of_one(
    core: House, street: Street
) -> None:
    first, _, number = await failed_first(core)
    async with core.db.begin() as session:
        await session.execute(groups.HOLD, {"channel": core.channels[DIGEST]})
        again = asyncio.create_task(street.queue.send_again(number))
        await wait_for_lock(core)
        assert await core.states(first) == [(1, "failed")]
    await again
    assert await core.states(first) == [(1, "queued")]


async def test_a_mapping_without_deduplication_sends_again_whatever_others_bring(
    core: House, street: Street
) -> None:
    first, second, number = await failed_first(core, dedup="off")
    await core.hear(post(1, WORDS, chat=OTHER))
    assert await core.states(second) == [(1, "queued")]
    await street.queue.send_again(number)
    assert await core.states(first) == [(1, "queued")]


async def test_a_post_whose_parts_are_gone_is_queued_again_as_ever(core: House, street: Street) -> None:
    first, _, number = await inherited(core)
    await core.run("update messages set deleted_at = clock_timestamp()")
    await street.queue.send_again(number)
    assert await core.states(first) == [(1, "queued")]


async def test_what_is_held_goes_on_in_the_place_that_it_has(core: House, street: Street) -> None:
    first, second = await core.mapping(NEWS, DIGEST), await core.mapping(OTHER, DIGEST)
    await core.hear(post(1, WORDS))
    await core.hear(post(1, WORDS, chat=OTHER))
    await core.set_state(first, "held", reason="unsure")
    [row] = await core.deliveries(first)
    await street.queue.send_again(row["id"])
    assert (await core.states(first), await core.states(second)) == ([(1, "queued")], [(1, "duplicate")])
    assert len(await core.run("select 1 from fingerprints where delivery_id = :id", id=row["id"])) == 2


async def test_what_was_edited_while_it_was_held_asks_for_the_place_of_what_it_says_now(
    core: House, street: Street
) -> None:
    first, second = await core.mapping(NEWS, DIGEST), await core.mapping(OTHER, DIGEST)
    await core.hear(post(1, "other words"))
    await core.set_state(first, "held", reason="paused")
    await core.hear(Edited(post(1, WORDS, edit_date=datetime.now(UTC))))
    [row] = await core.deliveries(first)
    await street.queue.send_again(row["id"])
    await core.hear(post(1, WORDS, chat=OTHER), post(2, "other words", chat=OTHER))
    assert await core.states(second) == [(1, "duplicate"), (2, "queued")]


async def test_an_edit_that_failed_asks_for_no_place_when_it_is_sent_again(
    core: House, street: Street
) -> None:
    first, _, _ = await inherited(core)
    await core.set_state(first, "sent")
    await core.hear(Edited(post(1, WORDS + "!", edit_date=datetime.now(UTC))))
    await core.set_state(first, "failed", kind="edit", reason="cannot_edit")
    [edit] = await core.deliveries(first, "edit")
    await street.queue.send_again(edit["id"])
    assert await core.states(first, "edit") == [(1, "queued")]
