"""Nobody listened for hours: what becomes of the posts of that time is asked in the bot, and done as answered."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta

from forwarder.message import Mode, Route
from forwarder.sandbox.person import Person
from forwarder.sandbox.world.clock import SystemClock

from .conftest import Town, eventually, shown
from .test_shutdown import leave

AWAY = [f"while away {number}" for number in range(3)]
ANSWERS = {"⏭ None": [], "The last 1": AWAY[2:], "📨 Send all (3)": AWAY}
"""Each button, and the posts that it brings."""


class HoursAgo(SystemClock):
    """A clock that is behind."""

    def now(self) -> datetime:
        return super().now() - timedelta(hours=2)


@contextmanager
def hours_ago(town: Town) -> Iterator[None]:
    """What happens in the world inside the ``with`` happened two hours ago."""
    usual, town.world.clock = town.world.clock, HoursAgo()
    try:
        yield
    finally:
        town.world.clock = usual


async def test_after_an_outage_the_owner_is_asked_and_each_answer_does_what_it_says(
    town: Town, olga: Person
) -> None:
    source = town.channel("News", bot=False)
    targets = {answer: town.channel(f"Target {number}") for number, answer in enumerate(ANSWERS)}
    await town.start("bot", "worker", "user-worker", "beat")
    ingest = town.launch("ingest")
    try:
        mappings = {
            answer: await town.map(source, chat, Mode.COPY, Route.USER) for answer, chat in targets.items()
        }
        town.post(source, "before")
        await eventually(lambda: all(town.texts(chat) == ["before"] for chat in targets.values()))
        await leave(ingest, signal.SIGTERM)
        with hours_ago(town):
            for words in AWAY:
                town.post(source, words)
        ingest = town.launch("ingest")
        town.post(source, "after")
        await eventually(lambda: all(town.texts(chat) == ["before", "after"] for chat in targets.values()))

        for answer, mapping in mappings.items():
            card = await shown(town, olga, f"Mapping #{mapping}: 3 posts from the time when nobody listened")
            assert town.texts(targets[answer]) == ["before", "after"], "they wait for the answer"
            await olga.press(town.robot, answer, card.id)
            brought = ["before", "after", *ANSWERS[answer]]
            await eventually(lambda answer=answer, brought=brought: town.texts(targets[answer]) == brought)
        await eventually(town.settled)
        town.post(source, "later")
        wanted = {answer: ["before", "after", *brought, "later"] for answer, brought in ANSWERS.items()}
        await eventually(lambda: {answer: town.texts(chat) for answer, chat in targets.items()} == wanted)
    finally:
        ingest.kill()
        ingest.wait()
