"""A post travels from its source to its destination, whichever way it is heard and sent."""

from __future__ import annotations

import asyncio

import pytest

from forwarder.message import Mode, Route
from forwarder.sandbox.faults import FaultRule
from forwarder.sandbox.world import Edit

from .conftest import Town, eventually

WAYS = [
    pytest.param(Mode.FORWARD, Route.USER, id="user-forward"),
    pytest.param(Mode.COPY, Route.USER, id="user-copy"),
    pytest.param(Mode.FORWARD, Route.BOT, id="bot-forward"),
    pytest.param(Mode.COPY, Route.BOT, id="bot-copy"),
]


async def test_posts_and_albums_arrive_once_whole_and_in_order_on_all_four_ways(town: Town) -> None:
    source = town.channel("News")
    targets = {way.id: town.channel(f"To {way.id}") for way in WAYS}
    await town.start("ingest", "worker", "user-worker", "beat")
    for way in WAYS:
        mode, route = way.values
        await town.map(source, targets[way.id], mode, route)

    for number in range(5):
        town.post(source, f"post {number}")
    town.album(source, ["a", "b", "c"])
    town.post(source, "the last one")

    expected = [*(f"post {n}" for n in range(5)), "a", "b", "c", "the last one"]
    await eventually(lambda: all(town.texts(chat) == expected for chat in targets.values()))
    for way, chat in targets.items():
        album = [m for m in town.world.history(chat) if m.grouped_id]
        assert len(album) == 3, way
        assert len({m.grouped_id for m in album}) == 1, way


async def test_copies_follow_edits_and_deletions(town: Town) -> None:
    source, by_user, by_bot = town.channel("News"), town.channel("By user"), town.channel("By bot")
    await town.start("ingest", "worker", "user-worker", "beat")
    await town.map(source, by_user, Mode.COPY, Route.USER)
    await town.map(source, by_bot, Mode.COPY, Route.BOT)
    text, gone = town.post(source, "a tpyo"), town.post(source, "said too much")
    album = town.album(source, ["one", "two"])
    copies = (by_user, by_bot)
    await eventually(lambda: all(len(town.texts(chat)) == 4 for chat in copies))

    town.world.edit(town.owner, source, text, Edit("a typo, corrected"))
    town.world.edit(town.owner, source, album[1], Edit("two, in other words"))
    town.world.delete(town.owner, source, [gone])

    wanted = ["a typo, corrected", "one", "two, in other words"]
    await eventually(lambda: all(town.texts(chat) == wanted for chat in copies))


@pytest.mark.parametrize("victim", ["worker", "user-worker", "ingest"])
async def test_a_process_killed_in_the_middle_loses_doubles_and_reorders_nothing(
    town: Town, victim: str
) -> None:
    source, by_user, by_bot = town.channel("News"), town.channel("By user"), town.channel("By bot")
    await town.start("ingest", "worker", "user-worker", "beat")
    await town.map(source, by_user, Mode.COPY, Route.USER)
    await town.map(source, by_bot, Mode.FORWARD, Route.BOT)
    posted: list[str] = []
    for number in range(60):
        posted.append(f"post {number}")
        town.post(source, posted[-1])
        if number == 30:
            await eventually(lambda: len(town.texts(by_bot)) > 5 and len(town.texts(by_user)) > 5)
            assert town.supervisor is not None
            town.supervisor.kill(victim)
        await asyncio.sleep(0.02)  # a stream, so that the kill falls into the middle of it

    await eventually(lambda: len(town.texts(by_user)) >= 60 and len(town.texts(by_bot)) >= 60)
    assert town.texts(by_user) == posted
    assert town.texts(by_bot) == posted


async def test_edits_and_deletions_while_nobody_listened_are_made_good(town: Town) -> None:
    source, target = town.channel("News"), town.channel("Copies")
    await town.start("ingest", "worker", "user-worker", "beat")
    await town.map(source, target, Mode.COPY, Route.BOT)
    _, edited, gone = (town.post(source, text) for text in ("kept", "a tpyo", "said too much"))
    await eventually(lambda: len(town.texts(target)) == 3)

    # Telegram has pushed them and believes that they were heard; nobody will push them again.
    town.sandbox.gate.faults.add(FaultRule("drop", "push", account=town.user, times=None))
    town.world.edit(town.owner, source, edited, Edit("a typo, corrected"))
    town.world.delete(town.owner, source, [gone])
    town.sandbox.gate.faults.clear()
    assert town.supervisor is not None
    town.supervisor.kill("ingest")

    await eventually(lambda: town.texts(target) == ["kept", "a typo, corrected"])
