"""What Telethon loses on its way to us is found again by the marks, and what it cannot read holds up nobody."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager

import pytest

from forwarder import collect, reconcile
from forwarder.db import Database
from forwarder.intake import Intake
from forwarder.message import AccountKind
from forwarder.outbox import Due
from forwarder.reconcile import Reconciler
from forwarder.sandbox.faults import FaultRule
from forwarder.telegram import listener as listener_room
from forwarder.telegram.listener import Listener
from forwarder.telegram.reader import MtprotoReader
from tests.builders import House

from .conftest import Town

Wait = Callable[[Callable[[], bool]], Awaitable[None]]


@pytest.fixture
async def core(town: Town, emptied_database_url: str) -> AsyncIterator[House]:
    database = Database(emptied_database_url)
    yield await House(database).open()
    await database.close()


async def no_bell(_: Sequence[Due]) -> None:
    """Nobody sends here."""


@asynccontextmanager
async def ingest(town: Town, core: House) -> AsyncIterator[None]:
    """What ``manage.py ingest`` joins, without a process of its own."""
    async with town.client("listener", town.user, listens=True) as client:
        intake = Intake(core.db, core.ingest, core.user, AccountKind.USER, no_bell)
        reader = MtprotoReader(client, core.user)
        reconciler = Reconciler(core.db, reader, core.user, intake.store, intake.quarantine)
        intake.on_holes, intake.look = reconciler.fill, reconciler.compare
        reconciler.on_caught_up = intake.close_albums

        async def was_away() -> None:
            reconciler.was_away()

        listener = Listener(client, intake.store, was_away, intake.quarantine)
        tasks = [asyncio.create_task(life) for life in (intake.run(), reconciler.run(), listener.run())]
        try:
            yield
        finally:
            listener.stop()
            await asyncio.wait(tasks[2:], timeout=10)
            await intake.drain(5)
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)


async def arrived(core: House, mapping: int, ids: list[int]) -> None:
    async with asyncio.timeout(30):
        while await core.states(mapping) != [(number, "queued") for number in ids]:  # noqa: ASYNC110 - there is a deadline
            await asyncio.sleep(0.05)


async def test_posts_of_a_difference_that_is_too_long_are_found_in_order(town: Town, core: House) -> None:
    first = town.post("heard")
    mapping = await core.mapping(town.source, town.target, start_after=first - 1)
    async with ingest(town, core):
        await arrived(core, mapping, [first])
    town.world.memory.boxes[town.source].log_size = 2
    missed = [town.post(f"missed {number}") for number in range(8)]
    async with ingest(town, core):
        await arrived(core, mapping, [first, *missed])
    assert town.guard.record.by_method["updates.getChannelDifference"] > 0


async def test_an_update_that_cannot_be_read_is_kept_raw_and_its_post_is_read_again(
    town: Town, core: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = town.post("first")
    mapping = await core.mapping(town.source, town.target, start_after=first - 1)
    news_of = listener_room.news_of

    def unreadable(update: object) -> object:
        if getattr(getattr(update, "message", None), "message", "") == "odd":
            raise AttributeError("a shape we do not know")
        return news_of(update)

    monkeypatch.setattr(listener_room, "news_of", unreadable)
    async with ingest(town, core):
        await arrived(core, mapping, [first])
        odd, last = town.post("odd"), town.post("last")
        await arrived(core, mapping, [first, odd, last])
    [kept] = await core.run("select raw from quarantine")
    assert b"odd" in kept["raw"]


async def test_a_post_whose_push_telethon_cannot_decode_is_found_and_holds_up_nobody(
    town: Town, core: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What travels in one packet with it is lost with it: the look at each source's top finds both."""
    monkeypatch.setattr(reconcile, "EVERY", 2.0)
    first = town.post("first")
    mapping = await core.mapping(town.source, town.target, start_after=first - 1)
    async with ingest(town, core):
        await arrived(core, mapping, [first])
        town.fault(FaultRule("odd", "push", account=town.user, chat=town.source, method="new_message"))
        odd, last = town.post("of a newer layer"), town.post("last")
        await arrived(core, mapping, [first, odd, last])


async def parts(core: House) -> list[list[int]]:
    """The ids of each post's messages, in source order."""
    rows = await core.run(
        "select array_agg(m.message_id order by m.message_id) as ids"
        " from posts p join messages m on m.post_id = p.id group by p.position order by p.position"
    )
    return [row["ids"] for row in rows]


def lost_push(town: Town, skip: int, times: int = 1) -> FaultRule:
    return FaultRule(
        "drop", "push", account=town.user, chat=town.source, method="new_message", skip=skip, times=times
    )


async def test_an_album_whose_last_part_was_not_pushed_is_one_post(town: Town, core: House) -> None:
    first = town.post("first")
    mapping = await core.mapping(town.source, town.target, start_after=first - 1)
    async with ingest(town, core):
        await arrived(core, mapping, [first])
        town.fault(lost_push(town, skip=2))
        album = town.album(["a", "b", "c"])
        await arrived(core, mapping, [first, album[0]])
    assert await parts(core) == [[first], album]


@pytest.mark.parametrize("unheard", [0, 2])
async def test_an_album_whose_listener_died_over_it_is_one_post(
    town: Town, core: House, monkeypatch: pytest.MonkeyPatch, unheard: int
) -> None:
    first = town.post("first")
    mapping = await core.mapping(town.source, town.target, start_after=first - 1)
    monkeypatch.setattr(collect, "ALBUM_SILENCE", 60.0)
    async with ingest(town, core):
        await arrived(core, mapping, [first])
        town.fault(lost_push(town, skip=1, times=unheard))
        album = town.album(["a", "b", "c"])
        async with asyncio.timeout(10):
            while await parts(core) != [[first], album[: 3 - unheard]]:  # noqa: ASYNC110 - there is a deadline
                await asyncio.sleep(0.02)
    monkeypatch.undo()
    await core.run("update posts set last_part_at = clock_timestamp() - interval '50 seconds'")
    async with ingest(town, core):
        await arrived(core, mapping, [first, album[0]])
    assert await parts(core) == [[first], album]


async def test_a_post_that_no_answer_can_show_is_kept_raw_and_holds_up_nobody(
    town: Town, core: House
) -> None:
    first = town.post("first")
    mapping = await core.mapping(town.source, town.target, start_after=first - 1)
    async with ingest(town, core):
        await arrived(core, mapping, [first])
        town.fault(lost_push(town, skip=0))
        town.fault(FaultRule("odd", "after", method="updates.getChannelDifference", times=None))
        town.fault(
            FaultRule(
                "odd", "after", method="channels.getMessages", times=None,
                predicate=lambda call: first + 1 in call.params["id"],  # type: ignore[operator]
            )
        )  # fmt: skip
        odd, last = town.post("odd"), town.post("last")
        await arrived(core, mapping, [first, last])
    [kept] = await core.run("select raw, error from quarantine")
    assert b"odd" in kept["raw"]
    assert f"Message {odd} of chat {town.source}" in kept["error"]
