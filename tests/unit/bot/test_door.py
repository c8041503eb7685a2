"""The door: one person's updates in order, one person's wait no other's."""

from __future__ import annotations

import asyncio
from typing import Any, cast

from telegram import Update, User

from forwarder.bot.application import BACKLOG, Door
from forwarder.bot.handlers import AnyApplication


class Recorder:
    """Stands for the application: notes what was handled; whoever is in ``slow`` waits for ``go``."""

    def __init__(self) -> None:
        self.handled: list[tuple[int, int]] = []
        self.slow: set[int] = set()
        self.go = asyncio.Event()

    async def process_update(self, update: Update) -> None:
        user = update.effective_user
        assert user is not None
        if user.id in self.slow:
            await self.go.wait()
        await asyncio.sleep(0)
        self.handled.append((user.id, update.update_id))


def update_of(person: int, number: int) -> Update:
    update = Update(number)
    # Any update of that person will do; a real message would need a dozen fields.
    update._effective_user = User(person, "Somebody", is_bot=False)
    return update


def door_to(recorder: Recorder) -> Door:
    return Door(cast(AnyApplication, cast(Any, recorder)))


async def test_the_updates_of_one_person_are_handled_in_order() -> None:
    recorder = Recorder()
    door = door_to(recorder)
    for number in range(10):
        await door.feed(update_of(1, number))
    await door.close()
    assert recorder.handled == [(1, number) for number in range(10)]


async def test_one_person_who_waits_holds_up_nobody_else() -> None:
    recorder = Recorder()
    recorder.slow.add(1)
    door = door_to(recorder)
    await door.feed(update_of(1, 1))
    await door.feed(update_of(2, 2))
    async with asyncio.timeout(5):
        while not recorder.handled:  # noqa: ASYNC110 - a few turns of the loop
            await asyncio.sleep(0)
    assert recorder.handled == [(2, 2)]
    recorder.go.set()
    await door.close()
    assert recorder.handled == [(2, 2), (1, 1)]


async def test_a_flood_of_one_person_is_bounded() -> None:
    recorder = Recorder()
    recorder.slow.add(1)
    door = door_to(recorder)
    for number in range(BACKLOG * 2):
        await door.feed(update_of(1, number))
    recorder.go.set()
    await door.close()
    assert len(recorder.handled) == BACKLOG


async def test_closing_does_not_wait_for_ever() -> None:
    recorder = Recorder()
    recorder.slow.add(1)
    door = door_to(recorder)
    await door.feed(update_of(1, 1))
    await door.close(seconds=0.05)
    assert recorder.handled == []


async def test_an_answer_is_expected_before_its_update_is_handled() -> None:
    recorder = Recorder()
    said: list[int] = []

    async def expect() -> None:
        said.append(len(recorder.handled))

    door = Door(cast(AnyApplication, cast(Any, recorder)), expect)
    await door.feed(update_of(1, 1))
    await door.close()
    assert said == [0]
    assert recorder.handled == [(1, 1)]
