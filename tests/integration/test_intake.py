"""What cannot be stored is kept raw and holds up nobody; what waits for PostgreSQL is stored when it is back."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence

import pytest

from forwarder.errors import Unavailable
from forwarder.intake import Intake
from forwarder.message import AccountKind, Entity
from forwarder.outbox import Due
from forwarder.services import notices
from tests.builders import NEWS, House, post


class Listener:
    """An intake that runs, and what it rang for and asked to fill."""

    def __init__(self, core: House) -> None:
        self.rung: list[int] = []
        self.holes: list[tuple[int, tuple[int, ...]]] = []
        self.intake = Intake(core.db, core.ingest, core.user, AccountKind.USER, self.ring)
        self.intake.on_holes = lambda chat, ids: self.holes.append((chat, tuple(ids)))

    async def ring(self, dues: Sequence[Due]) -> None:
        self.rung.extend(due.mapping_id for due in dues)


@pytest.fixture
async def listener(core: House) -> AsyncIterator[Listener]:
    listener = Listener(core)
    running = asyncio.create_task(listener.intake.run())
    yield listener
    await listener.intake.drain(5)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


async def test_what_is_stored_is_rung_for_and_holes_are_named(core: House, listener: Listener) -> None:
    mapping = await core.mapping()
    await listener.intake.store([post(1), post(3)])
    assert await core.states(mapping) == [(1, "queued")]
    await listener.intake.drain(5)
    assert listener.rung == [mapping]
    assert listener.holes == [(NEWS, (2,))]


@pytest.mark.parametrize(
    "refused",
    [
        {"topic_id": 2**40},
        {"reply_to": 2**70},
        {"entities": (Entity("text_link", 0, 4, url="https://example.org/\x00"),)},
        {"entities": (Entity("text_link", 0, 4, url="https://example.org/\ud83d"),)},
    ],
    ids=["a number beyond its column", "a number beyond all", "NUL in a link", "half a character in a link"],
)
async def test_one_bad_message_goes_to_quarantine_and_the_others_travel(
    core: House, listener: Listener, refused: dict[str, object]
) -> None:
    mapping = await core.mapping()
    bad = post(2, **refused)
    await listener.intake.store([post(1), bad, post(3), post(4)])
    assert await core.states(mapping) == [(1, "queued"), (3, "queued"), (4, "queued")]
    [kept] = await core.run("select raw, error from quarantine")
    assert b"post 2" in kept["raw"]
    [told] = await core.run("select kind from notices")
    assert told["kind"] == "quarantined"
    assert listener.holes == [], "a message in quarantine is no hole to be filled again and again"
    await core.run("delete from quarantine")


async def test_news_wait_for_postgresql(
    core: House, listener: Listener, monkeypatch: pytest.MonkeyPatch
) -> None:
    mapping = await core.mapping()
    receive = core.ingest.receive
    outages = 2

    async def failing(*args: object) -> object:
        nonlocal outages
        if outages:
            outages -= 1
            raise Unavailable("PostgreSQL does not answer")
        return await receive(*args)  # type: ignore[arg-type]

    monkeypatch.setattr(core.ingest, "receive", failing)
    await listener.intake.store([post(1)])
    assert await core.states(mapping) == [(1, "queued")]


async def test_what_cannot_be_stored_is_kept_raw_when_postgresql_is_back(
    core: House, listener: Listener, monkeypatch: pytest.MonkeyPatch
) -> None:
    mapping = await core.mapping()
    monkeypatch.setattr("forwarder.intake.LONGEST_PAUSE", 0.05)
    leave = notices.leave
    outages = 2

    async def failing(*args: object) -> None:
        nonlocal outages
        if outages:
            outages -= 1
            raise Unavailable("PostgreSQL does not answer")
        await leave(*args)  # type: ignore[arg-type]

    monkeypatch.setattr(notices, "leave", failing)
    await listener.intake.store([post(1, topic_id=2**40), post(2)])
    assert await core.states(mapping) == [(2, "queued")]
    assert len(await core.run("delete from quarantine returning id")) == 1


async def test_news_are_stored_while_the_bells_of_the_last_are_being_rung(core: House) -> None:
    mapping = await core.mapping()
    slow = asyncio.Event()

    async def ring(_: Sequence[Due]) -> None:
        await slow.wait()

    intake = Intake(core.db, core.ingest, core.user, AccountKind.USER, ring)
    running = asyncio.create_task(intake.run())
    async with asyncio.timeout(10):
        await intake.store([post(1)])
        await intake.store([post(2)])
    assert await core.states(mapping) == [(1, "queued"), (2, "queued")]
    slow.set()
    await intake.drain(5)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
