"""A bot that was away for more than a day: what Telegram did not keep for it is read over MTProto."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import text

from forwarder.message import Mode, Route

from .conftest import Town, eventually
from .test_shutdown import leave


@pytest.mark.parametrize("who", ["the user account", "the bot's second login"])
async def test_posts_that_telegram_no_longer_keeps_arrive_once_and_in_order(town: Town, who: str) -> None:
    source, target = town.channel("News", user=False), town.channel("Copies")
    await town.start("worker", "user-worker", "ingest", "beat")
    bot = town.launch("bot")
    try:
        mapping = await town.map(source, target, Mode.COPY, Route.BOT)
        town.post(source, "before")
        await eventually(lambda: town.texts(target) == ["before"])
        await leave(bot, 15)
        for number in range(3):
            town.post(source, f"while away {number}")
        a_day_passes(town)
        await the_bot_was_away_for_long(town, mapping)
        if who == "the user account":
            town.world.add_member(town.owner, source, town.user)
        bot = town.launch("bot")
        posted = ["before", *(f"while away {number}" for number in range(3))]
        await eventually(lambda: town.texts(target) == posted)
        town.post(source, "after")
        await eventually(lambda: town.texts(target) == [*posted, "after"])
    finally:
        bot.kill()
        bot.wait()


def a_day_passes(town: Town) -> None:
    """For the updates that wait for the bot: the sandbox drops them by its own rule."""
    later = town.world.clock.now() + timedelta(hours=25)
    town.sandbox.bot_api.updates.inbox(town.robot).expire(later)


async def the_bot_was_away_for_long(town: Town, mapping: int) -> None:
    async with town.db.begin() as session:
        await session.execute(text("update marks set checked_at = checked_at - interval '30 hours'"))
        await session.execute(
            text("update mappings set after_outage = 'send' where id = :id"), {"id": mapping}
        )
