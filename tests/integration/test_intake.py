"""What cannot be stored is kept raw and holds up nobody; what waits for PostgreSQL is stored when it is back."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence

import pytest

from forwarder import intake as intake_room
from forwarder.errors import TelegramError, Unavailable
from forwarder.ingest import hearing
from forwarder.intake import Intake
from forwarder.message import AccountKind, Entity, SourceMessage
from forwarder.outbox import Due
from forwarder.services import notices
from forwarder.services.repeats import keys_of
from tests.builders import NEWS, House, album, post


class Listener:
    """An intake that runs, and what it rang for and asked to fill."""

    def __init__(self, core: House) -> None:
        self.rung: list[int] = []
        self.holes: list[tuple[int, tuple[int, ...]]] = []
        self.intake = Intake(core.db, core.ingest, core.user, AccountKind.USER, self.ring)
        self.intake.on_holes = lambda chat, ids: self.holes.append((chat, tuple(ids)))

    async def ring(self, dues: Sequence[Due]) -> None:
        self.rung.extend(due.mapping_id for due in dues)

    async def rings(self, times: int) -> None:
        async with asyncio.timeout(15):
            while len(self.rung) < times:  # noqa: ASYNC110 - there is a deadline
                await asyncio.sleep(0.02)


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


async def test_a_post_that_our_own_code_breaks_over_goes_to_quarantine_whatever_breaks(
    core: House, listener: Listener, monkeypatch: pytest.MonkeyPatch
) -> None:
    mapping = await core.mapping()

    def broken(parts: Sequence[SourceMessage]) -> tuple[bytes, ...]:
        if any(part.message_id == 2 for part in parts):
            raise IndexError("a bug")
        return keys_of(tuple(parts))

    monkeypatch.setattr(hearing, "keys_of", broken)
    async with asyncio.timeout(20):
        await listener.intake.store([post(1), post(2), post(3)])
    assert await core.states(mapping) == [(1, "queued"), (3, "queued")]
    assert len(await core.run("delete from quarantine returning id")) == 1


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


async def test_silence_closes_an_album_only_after_a_look_for_a_part_that_was_missed(
    core: House, listener: Listener
) -> None:
    mapping = await core.mapping()
    first, second, missed = album("a", 1, 2, 3)
    looked: list[list[int]] = []

    async def look(chats: Sequence[int]) -> None:
        looked.append(list(chats))
        await listener.intake.store([missed])

    listener.intake.look = look
    await listener.intake.store([first, second])
    await listener.rings(1)
    assert looked[0] == [NEWS]
    assert await core.states(mapping) == [(1, "queued")]
    assert [row["message_id"] for row in await core.run("select message_id from messages order by 1")] == [
        1,
        2,
        3,
    ]


async def test_an_album_stays_open_while_nobody_can_look(
    core: House, listener: Listener, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(intake_room, "LONGEST_PAUSE", 0.1)
    mapping = await core.mapping()
    refusals = [TelegramError("CONNECT_FAILED")] * 2

    async def look(chats: Sequence[int]) -> None:
        if refusals:
            assert await core.states(mapping) == []
            raise refusals.pop()

    listener.intake.look = look
    await listener.intake.store(album("a", 1, 2))
    await listener.rings(1)
    assert refusals == []
    assert await core.states(mapping) == [(1, "queued")]


async def test_a_missing_id_behind_an_album_keeps_it_open_until_it_is_known(
    core: House, listener: Listener
) -> None:
    mapping = await core.mapping()
    first, second, late = album("a", 1, 2, 3)
    await listener.intake.store([first, second, post(4)])
    await listener.intake.close_albums()
    await core.run("update posts set last_part_at = clock_timestamp() - interval '20 seconds'")
    await listener.intake.store([post(5)])
    assert await core.states(mapping) == []
    await listener.intake.store([late])
    assert await core.states(mapping) == [(1, "queued"), (4, "queued"), (5, "queued")]


async def test_an_album_whose_listener_died_is_closed_by_the_next_one(
    core: House, listener: Listener
) -> None:
    mapping = await core.mapping()
    await core.hear(*album("a", 1, 2))
    await core.run("update posts set last_part_at = clock_timestamp() - interval '20 seconds'")
    await listener.intake.close_albums()
    await listener.rings(1)
    assert await core.states(mapping) == [(1, "queued")]
