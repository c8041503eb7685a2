"""A killed listener finds its place again: edits and deletions it missed, or had not stored, are heard."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager

from forwarder.message import Deleted, Edited, News, SourceMessage
from forwarder.references import CHANNEL_OFFSET
from forwarder.sandbox.world import Edit
from forwarder.telegram.listener import Listener
from forwarder.telegram.sessions import SessionFile

from .conftest import Town

Wait = Callable[..., Awaitable[None]]


class Store:
    """Where news end up; ``down`` is a database that is away."""

    def __init__(self) -> None:
        self.news: list[News] = []
        self.down = False
        self.refused = 0

    async def __call__(self, news: Sequence[News]) -> None:
        if self.down:
            self.refused += 1
            raise RuntimeError("the database is away")
        self.news.extend(news)


@asynccontextmanager
async def listening(town: Town, name: str, store: Store) -> AsyncIterator[None]:
    connected = asyncio.Event()

    async def on_reconnect() -> None:
        connected.set()

    async def on_broken(raw: bytes, error: Exception) -> None:
        raise AssertionError(error)

    account = town.user if name == "first" else None  # the second has the first one's login
    async with town.client(name, account, listens=True) as client:
        listener = Listener(client, store, on_reconnect, on_broken)
        task = asyncio.create_task(listener.run())
        await asyncio.wait_for(connected.wait(), 10)
        try:
            yield
        finally:
            listener.stop()
            await asyncio.wait_for(asyncio.gather(task, return_exceptions=True), 10)


def saved_pts(town: Town, name: str) -> int:
    state = SessionFile(town.folder / f"{name}.session", town.fernet).load()
    assert state is not None
    return state.updates.get(-town.source - CHANNEL_OFFSET, (0, 0, 0.0, 0))[0]


def as_killed(town: Town, name: str, new: str) -> None:
    """What a process that is killed now leaves behind."""
    shutil.copyfile(town.folder / f"{name}.session", town.folder / f"{new}.session")


async def test_edits_and_deletions_during_a_crash_are_heard_afterwards(town: Town, wait_until: Wait) -> None:
    store = Store()
    async with listening(town, "first", store):
        one, two = town.post("one"), town.post("two")
        await wait_until(lambda: len(store.news) == 2)
        pts = town.world.box(town.user, town.source).pts
        await wait_until(lambda: saved_pts(town, "first") == pts)
        as_killed(town, "first", "second")
    town.world.edit(town.owner, town.source, one, Edit("one, corrected"))
    town.world.delete(town.owner, town.source, [two])
    again = Store()
    async with listening(town, "second", again):
        await wait_until(lambda: len(again.news) >= 2)
    assert [item.message.text for item in again.news if isinstance(item, Edited)] == ["one, corrected"]
    assert [item for item in again.news if isinstance(item, Deleted)] == [Deleted(town.source, (two,))]


async def test_what_was_not_stored_is_not_passed_in_the_saved_place(town: Town, wait_until: Wait) -> None:
    store = Store()
    async with listening(town, "first", store):
        one = town.post("one")
        await wait_until(lambda: len(store.news) == 1)
        pts = town.world.box(town.user, town.source).pts
        await wait_until(lambda: saved_pts(town, "first") == pts)
        store.down = True
        town.world.edit(town.owner, town.source, one, Edit("one, corrected"))
        await wait_until(lambda: store.refused >= 4)
        assert saved_pts(town, "first") == pts
    assert saved_pts(town, "first") == pts
    as_killed(town, "first", "second")
    again = Store()
    async with listening(town, "second", again):
        town.post("two")  # shows Telethon the gap, for the server believes the edit delivered
        await wait_until(lambda: len(again.news) >= 2)
    assert [item.message.text for item in again.news if isinstance(item, Edited)] == ["one, corrected"]
    assert [item.text for item in again.news if isinstance(item, SourceMessage)][-1:] == ["two"]
