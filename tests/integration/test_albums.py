"""Albums whose parts reach us badly are one post, with each part's own content."""

from __future__ import annotations

from dataclasses import replace

import pytest
from redis.asyncio import Redis

from forwarder.ingest import Ingest
from forwarder.ingest.rows import stored_parts
from forwarder.message import AccountKind, Heard, Kind, SourceMessage
from forwarder.services.dedup import DeduplicationService
from forwarder.upkeep import Upkeep
from tests.builders import House, album, post
from tests.integration.carriers import Street

BOT, USER = AccountKind.BOT, AccountKind.USER

KINDS = (Kind.PHOTO, Kind.VIDEO)


def mixed(size: int, first: int = 1) -> list[SourceMessage]:
    """Photos and videos by turns; every third part has a caption."""
    parts = album("a", *range(first, first + size))
    return [
        replace(part, kind=KINDS[number % 2], text=f"caption {number}" if number % 3 == 1 else "")
        for number, part in enumerate(parts)
    ]


async def stored(core: House) -> list[list[tuple[int, Kind, str]]]:
    """What each post holds, in the order of the posts."""
    posts = [row["id"] for row in await core.run("select id from posts order by position")]
    async with core.db.begin() as session:
        parts = await stored_parts(session, posts)
    return [[(one.message_id, one.kind, one.text) for one in parts[post_id]] for post_id in posts]


def told(parts: list[SourceMessage]) -> list[tuple[int, Kind, str]]:
    return [(part.message_id, part.kind, part.text) for part in parts]


@pytest.mark.parametrize("size", range(2, 11))
async def test_an_album_of_any_size_keeps_each_parts_kind_and_caption(core: House, size: int) -> None:
    mapping = await core.mapping()
    parts, after = mixed(size), post(size + 1)
    await core.hear(*parts, after)
    assert await core.states(mapping) == [(1, "queued"), (size + 1, "queued")]
    assert await stored(core) == [told(parts), told([after])]


async def test_half_an_album_before_a_restart_and_half_by_catching_up_are_one_post(core: House) -> None:
    mapping = await core.mapping()
    parts, after = mixed(4), post(5)
    await core.hear(*parts[:2])
    core.ingest = Ingest(DeduplicationService())  # a new process knows what the tables know
    await core.hear(*(replace(part, heard=Heard.CATCH_UP) for part in parts[2:]), after)
    assert await core.states(mapping) == [(1, "queued"), (5, "queued")]
    assert await stored(core) == [told(parts), told([after])]


async def test_parts_that_come_again_after_a_reconnect_are_not_taken_twice(core: House) -> None:
    mapping = await core.mapping()
    parts, after = mixed(3), post(4)
    await core.hear(*parts[:2])
    await core.hear(*(replace(part, heard=Heard.CATCH_UP) for part in parts), after)
    await core.hear(*parts, after)
    assert await core.states(mapping) == [(1, "queued"), (4, "queued")]
    assert await stored(core) == [told(parts), told([after])]


async def test_two_albums_side_by_side_stay_two(core: House) -> None:
    mapping = await core.mapping()
    first = mixed(2)
    second = [replace(part, album_id="b") for part in mixed(2, first=3)]
    await core.hear(second[1], first[1])
    await core.hear(first[0], second[0], post(5))
    assert await core.states(mapping) == [(1, "queued"), (3, "queued"), (5, "queued")]
    assert (await stored(core))[:2] == [told(first), told(second)]


@pytest.mark.parametrize(
    ("listener", "silence", "closed"),
    [(BOT, 4, True), (USER, 4, False), (USER, 3000, False), (USER, 4000, True)],
)
async def test_the_sweep_leaves_an_open_album_to_the_user_account_that_may_come_back(
    core: House, street: Street, redis_db: str, listener: AccountKind, silence: int, closed: bool
) -> None:
    mapping = await core.mapping(listener=listener)
    await core.hear(*album("a", 1, 2), by=listener)
    await core.run("update posts set last_part_at = clock_timestamp() - make_interval(secs => :s)", s=silence)
    async with Redis.from_url(redis_db) as redis:
        await Upkeep(core.db, redis, core.ingest, street.queue, street.pace, 30).sweep()
    assert await core.states(mapping) == ([(1, "queued")] if closed else [])
