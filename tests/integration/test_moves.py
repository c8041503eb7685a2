"""A chat becomes another while others are at work on its mappings: they take turns, and no post is passed over."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from forwarder.backfill.rows import open_runs
from forwarder.backfill.storing import store_page
from forwarder.message import ChatKind, Heard, HistoryPage, Mode
from forwarder.services.groups import GroupService
from forwarder.services.mappings import MappingService
from forwarder.services.migration import move
from tests.builders import ARCHIVE, DIGEST, NEWS, OTHER, House, post
from tests.integration.carriers import wait_for_lock

HOUSE, SUPER_HOUSE = -77, -1000000000077
BASIC, SUPER = -78, -1000000000078
WORDS = "the same words"

T = TypeVar("T")


@pytest.fixture
async def house_id(core: House) -> int:
    return await core.channel(HOUSE, kind=ChatKind.GROUP)


@asynccontextmanager
async def moving(core: House, old: int = HOUSE, new: int = SUPER_HOUSE) -> AsyncIterator[AsyncSession]:
    """The move is written and not committed before the block's end."""
    async with core.db.begin() as session:
        await move(session, old, new)
        yield session


async def waits(core: House, work: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
    """The same as a task, once it waits for a lock."""
    task = asyncio.create_task(work)
    await wait_for_lock(core)
    return task


async def moved(core: House) -> None:
    async with moving(core):
        pass


async def test_a_post_heard_while_its_destination_becomes_another_chat_is_queued(
    core: House, house_id: int
) -> None:
    first, second = await core.mapping(NEWS, HOUSE), await core.mapping(NEWS, ARCHIVE)
    async with moving(core):
        hearing = await waits(core, core.hear(post(1)))
    await hearing
    assert (await core.states(first), await core.states(second)) == ([(1, "queued")], [(1, "queued")])


async def test_a_post_heard_during_the_move_is_known_in_the_group_of_its_destination(
    core: House, house_id: int
) -> None:
    first, second = await core.mapping(NEWS, HOUSE), await core.mapping(OTHER, ARCHIVE)
    await core.run("update channels set is_destination = true")
    for number in (house_id, core.channels[ARCHIVE]):
        await GroupService(core.db).join(number, "papers")
    async with moving(core):
        hearing = await waits(core, core.hear(post(1, WORDS)))
    await hearing
    await core.hear(post(1, WORDS, chat=OTHER))
    assert (await core.states(first), await core.states(second)) == ([(1, "queued")], [(1, "duplicate")])


async def test_a_post_of_a_group_that_was_waits_too_while_its_supergroups_destination_moves(
    core: House, house_id: int
) -> None:
    await core.channel(BASIC, kind=ChatKind.GROUP)
    mapping = await core.mapping(BASIC, HOUSE)
    async with moving(core, BASIC, SUPER):
        pass
    async with moving(core):
        hearing = await waits(core, core.hear(post(1, chat=BASIC)))
    await hearing
    [row] = await core.deliveries(mapping)
    assert row["state"] == "queued"


async def test_a_page_of_older_posts_stored_while_the_destination_becomes_another_chat_is_queued(
    core: House, house_id: int
) -> None:
    mapping = await core.mapping(NEWS, HOUSE, start_after=2)
    await core.run(
        "insert into backfills (mapping_id, channel_id, first_id, last_id, cursor, total)"
        " values (:mapping, :source, 1, 2, 0, 2)",
        mapping=mapping,
        source=core.channels[NEWS],
    )
    date = datetime.now(UTC) - timedelta(days=90)
    page = HistoryPage(tuple(post(n, f"old {n}", date=date, heard=Heard.CATCH_UP) for n in (1, 2)), 2)

    async def stored() -> None:
        async with core.db.begin() as session:
            [run] = await open_runs(session)
            await store_page(session, core.ingest._dedup, run, page)

    async with moving(core):
        storing = await waits(core, stored())
    await storing
    assert await core.states(mapping) == [(1, "queued"), (2, "queued")]
    assert await core.run("select cursor, queued from backfills") == [{"cursor": 2, "queued": 2}]


async def test_the_move_waits_for_a_list_that_is_being_changed_before_it_holds_its_mappings(
    core: House, house_id: int
) -> None:
    mapping = await core.mapping(NEWS, HOUSE)
    [made] = await core.run("insert into lists (name) values ('papers') returning id")
    await core.run(
        "insert into list_channels (list_id, channel_id, side) values (:list, :house, 'destination')",
        list=made["id"],
        house=house_id,
    )

    async with core.db.begin() as session:
        await session.execute(text("select id from lists for update"))
        task = await waits(core, moved(core))
        # As RAISE_REVISIONS does after it: who holds the list gets the mappings.
        await session.execute(
            text("update mappings set revision = revision + 1 where id = :id"), {"id": mapping}
        )
    await task
    [kept] = await core.run(
        "select c.telegram_id from list_channels l join channels c on c.id = l.channel_id"
    )
    assert kept["telegram_id"] == SUPER_HOUSE


async def test_the_move_takes_sources_and_destination_in_the_order_in_which_ingest_takes_sources(
    core: House,
) -> None:
    low, high = await core.channel(NEWS), await core.channel(HOUSE, kind=ChatKind.GROUP)
    await core.mapping(NEWS, HOUSE)

    async with core.db.begin() as session:
        hold = text("select id from channels where id = :id for no key update")
        await session.execute(hold, {"id": low})
        task = await waits(core, moved(core))
        await session.execute(hold, {"id": high})
    await task


async def test_a_mapping_made_at_the_moment_of_the_move_moves_too(core: House, house_id: int) -> None:
    await core.mapping(NEWS, HOUSE)
    await core.mapping(OTHER, ARCHIVE)
    await core.run("update channels set is_destination = true")
    making = MappingService(core.db)
    async with core.db.begin() as session:
        # The one who makes it waits for its source, long enough for the move to come between.
        await session.execute(
            text("select id from channels where id = :id for no key update"), {"id": core.channels[OTHER]}
        )
        made = await waits(
            core, making.create(core.channels[OTHER], house_id, mode=Mode.FORWARD, start_after=0)
        )
        moved_task = asyncio.create_task(moved(core))
        await wait_for_lock(core, 2)
    view = await made
    await moved_task
    assert (await making.get(view.id)).destination.telegram_id == SUPER_HOUSE


async def test_nobody_who_refers_to_a_chat_waits_for_its_move(core: House, house_id: int) -> None:
    """A copy's row refers to its chat's, and who records it holds what a move may need."""
    await core.mapping(NEWS, HOUSE)
    async with moving(core):
        await core.run("select id from channels for key share nowait")


async def test_who_records_what_a_moving_source_has_sent_may_refer_to_its_mappings(
    core: House, house_id: int
) -> None:
    """A worker holds the deliveries that it records, then its copies' rows refer to their mappings."""
    await core.mapping(HOUSE, DIGEST)
    second = await core.mapping(HOUSE, ARCHIVE)
    await core.hear(post(1, chat=HOUSE))
    async with core.db.begin() as session:
        await session.execute(
            text("select id from deliveries where mapping_id = :second for no key update"), {"second": second}
        )
        task = await waits(core, moved(core))
        await session.execute(text("select id from mappings for key share"))
    await task
    [row] = await core.deliveries(second)
    assert row["position"] < 0


async def test_a_chat_of_nobodys_interest_is_moved_without_a_lock(core: House) -> None:
    await core.mapping(NEWS, DIGEST)
    async with core.db.begin() as session:
        await session.execute(text("select id from channels for update"))
        async with core.db.begin() as other:
            assert await move(other, -99, -1000000000099) == ()


@pytest.mark.parametrize("known", [False, True], ids=["new", "known before"])
async def test_a_post_heard_while_its_source_becomes_another_chat_is_queued(
    core: House, house_id: int, known: bool
) -> None:
    mapping = await core.mapping(HOUSE, DIGEST)
    if known:
        await core.channel(SUPER_HOUSE, kind=ChatKind.SUPERGROUP)
    async with moving(core):
        hearing = await waits(core, core.hear(post(1, chat=HOUSE)))
    await hearing
    [row] = await core.deliveries(mapping)
    assert (row["state"], row["position"] < 0) == ("queued", True)


async def test_a_mapping_that_is_made_while_its_destination_becomes_another_chat_is_the_new_ones(
    core: House, house_id: int
) -> None:
    await core.channel(NEWS)
    await core.run("update channels set is_source = telegram_id = :news, is_destination = telegram_id = :house",
                   news=NEWS, house=HOUSE)  # fmt: skip
    async with moving(core):
        making = await waits(
            core, MappingService(core.db).create(core.channels[NEWS], house_id, mode=Mode.COPY, start_after=0)
        )
    made = await making
    [row] = await core.run(
        "select c.telegram_id from mappings m join channels c on c.id = m.destination_id where m.id = :id",
        id=made.id,
    )
    assert row["telegram_id"] == SUPER_HOUSE


async def test_a_group_of_destinations_takes_in_what_a_chat_became_meanwhile(
    core: House, house_id: int
) -> None:
    await core.run("update channels set is_destination = true where id = :id", id=house_id)
    async with moving(core):
        joining = await waits(core, GroupService(core.db).join(house_id, "papers"))
    await joining
    rows = await core.run("select telegram_id from channels where dedup_group is not null")
    assert [row["telegram_id"] for row in rows] == [SUPER_HOUSE]
    assert await GroupService(core.db).leave(house_id)
    assert await core.run("select 1 from channels where dedup_group is not null") == []
