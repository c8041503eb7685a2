"""A post that is edited while it is on its way ends as it reads last."""

from __future__ import annotations

import pytest

from forwarder.message import Mode, Route
from forwarder.sandbox.faults import FaultRule
from forwarder.sandbox.world import Edit, Message
from forwarder.services.rules import Owner, RuleService

from .conftest import Town, eventually

ROUTES = (Route.USER, Route.BOT)
SENDS = {Route.USER: "messages.forwardMessages", Route.BOT: "copyMessage"}
SLOW = 3.0
"""Seconds that a call takes: long enough for an edit to be heard meanwhile."""
FOOTER = "\n\nbelow"


@pytest.mark.parametrize("moment", ["before", "after"])
async def test_a_post_edited_while_it_is_sent_ends_with_its_newest_text(town: Town, moment: str) -> None:
    source = town.channel("News")
    targets = {route: town.channel(f"By {route}") for route in ROUTES}
    await town.start("ingest", "worker", "user-worker", "beat")
    for route, chat in targets.items():
        await town.map(source, chat, Mode.COPY, route)
    faults = town.sandbox.gate.faults
    slow = [
        faults.add(FaultRule("delay", moment, method=SENDS[route], seconds=SLOW))  # type: ignore[arg-type]
        for route in ROUTES
    ]

    number = town.post(source, "a tpyo")
    await eventually(lambda: all(faults.struck(rule) for rule in slow))
    if moment == "after":
        assert [town.texts(chat) for chat in targets.values()] == [["a tpyo"]] * 2, (
            "it is there, unknown to us"
        )
    town.world.edit(town.owner, source, number, Edit("a typo"))
    await eventually(lambda: town.counted("deliveries where kind = 'edit'"))
    town.world.edit(town.owner, source, number, Edit("a typo, corrected"))
    town.post(source, "the next")

    wanted = ["a typo, corrected", "the next"]
    await eventually(lambda: all(town.texts(chat) == wanted for chat in targets.values()))
    await eventually(town.settled)
    assert [town.texts(chat) for chat in targets.values()] == [wanted] * 2


async def test_an_album_edited_while_it_is_collected_arrives_as_it_reads_then(town: Town) -> None:
    source = town.channel("News")
    targets = {route: town.channel(f"By {route}") for route in ROUTES}
    plain = town.channel("Unchanged")
    await town.start("ingest", "worker", "user-worker", "beat")
    await town.map(source, plain, Mode.COPY, Route.BOT)
    for route, chat in targets.items():
        # Rules make the words from what we have heard; without them Telegram copies what stands there.
        mapping = await town.map(source, chat, Mode.COPY, route)
        await RuleService(town.db).add(Owner("mapping", mapping), {"footer": "below"})

    town.sandbox.gate.faults.add(
        FaultRule("delay", "push", account=town.user, chat=source, method="new_message", skip=2, seconds=1.0)
    )
    numbers = town.album(source, ["one", "two", "three"])
    await eventually(lambda: town.counted("messages"))
    assert await town.counted("deliveries") == 0, "it is collected"
    town.world.edit(town.owner, source, numbers[0], Edit("one, corrected"))
    town.world.edit(town.owner, source, numbers[2], Edit("three, corrected"))

    wanted = ["one, corrected", "two", "three, corrected"]
    changed = [f"one, corrected{FOOTER}", "two", "three, corrected"]
    await eventually(lambda: town.texts(plain) == wanted)
    await eventually(lambda: all(town.texts(chat) == changed for chat in targets.values()))
    await eventually(town.settled)
    assert town.texts(plain) == wanted
    for chat in (plain, *targets.values()):
        assert len({message.grouped_id for message in shown(town, chat)} - {None}) == 1
    assert [message.edit_date for message in shown(town, targets[Route.USER])] == [None] * 3, "at once"


def shown(town: Town, chat: int) -> list[Message]:
    return [message for message in town.world.history(chat) if message.service is None]
