"""Older posts arrive once each, in order and whole, though their reader is killed and live posts race them."""

from __future__ import annotations

import pytest

from forwarder.account_desk import AccountDesk
from forwarder.backfill import BackfillService
from forwarder.message import Mode, Route, Wish
from forwarder.models import BackfillState
from forwarder.sandbox.faults import FaultRule

from .conftest import Town, eventually

SENDS = {Route.USER: "messages.forwardMessages", Route.BOT: "copyMessage"}


@pytest.mark.parametrize("route", [Route.USER, Route.BOT])
async def test_a_killed_reader_goes_on_and_nothing_is_doubled(town: Town, route: Route) -> None:
    source, target = town.channel("News"), town.channel("Copies")
    old = [f"old {number}" for number in range(230)]
    for text in old:
        town.post(source, text)
    town.album(source, ["one", "two", "three"])
    await town.start("ingest", "worker", "user-worker", "beat")
    mapping = await town.map(source, target, Mode.COPY, route)
    service = BackfillService(town.db, AccountDesk(town.db))
    plan = await service.plan(mapping, Wish())
    # Slow enough that the worker dies with calls under way and pages unread.
    town.sandbox.gate.faults.add(FaultRule("delay", method=SENDS[route], seconds=0.05, times=None))
    begun = await service.start(mapping, plan.span)

    await eventually(lambda: len(town.texts(target)) >= 5)
    assert town.supervisor is not None
    town.supervisor.kill("user-worker")
    live = [f"live {number}" for number in range(5)]
    for text in live:
        town.post(source, text)

    await eventually(lambda: len(town.texts(target)) >= len(old) + 3 + len(live), 90)
    arrived = town.texts(target)
    assert [text for text in arrived if text.startswith("old")] == old
    assert [text for text in arrived if text.startswith("live")] == live
    assert arrived.index("live 4") < arrived.index("old 229"), "live posts do not wait for older ones"
    assert len(arrived) == len(set(arrived)) == len(old) + 3 + len(live)
    parts = [m for m in town.world.history(target) if m.text in ("one", "two", "three")]
    assert len({m.grouped_id for m in parts}) == 1
    assert parts[0].grouped_id is not None

    async def done() -> bool:
        return (await service.get(begun.id)).state is BackfillState.DONE

    await eventually(done)
    again = await service.start(mapping, plan.span)

    async def done_again() -> bool:
        return (await service.get(again.id)).state is BackfillState.DONE

    await eventually(done_again)
    assert town.texts(target) == arrived, "the same range again brings nothing"


async def test_the_command_line_brings_the_last_posts_and_says_what_it_cannot_bring(town: Town) -> None:
    source, target = town.channel("News"), town.channel("Copies")
    for number in range(8):
        town.post(source, f"old {number}")
    await town.start("ingest", "worker", "user-worker", "beat")
    number = str(await town.map(source, target, Mode.FORWARD, Route.USER))
    planned = await town.did("backfill", number, "--last", "3", "--dry-run")
    assert "at most 3 messages" in planned
    assert "Nothing was queued." in planned
    assert "is done: 3 of 3 posts" in await town.did("backfill", number, "--last", "3")
    assert town.texts(target) == ["old 5", "old 6", "old 7"]
    for arguments, told in (
        ((number, "--from-id", "5000"), "There are no older posts"),
        (("99", "--last", "3"), "There is no mapping #99"),
        ((number,), "No backfill of mapping"),
    ):
        refused = await town.manage("backfill", *arguments)
        assert (refused.returncode, told in refused.stderr, "Traceback" in refused.stderr) == (1, True, False)
