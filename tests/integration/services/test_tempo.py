"""A source that posts faster than its destination may receive is noticed when it is mapped."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import text

from forwarder.errors import NobodyAnswers, TelegramError
from forwarder.message import DeleteOrder, Fetched
from forwarder.services import tempo
from forwarder.services.tempo import TempoService, TooFast, posts_an_hour
from tests.builders import post
from tests.integration.services.house import House, chat

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)


@dataclass
class Feed:
    """A source with posts ``seconds`` apart, the newest of them now."""

    seconds: float
    top: int = 500
    error: Exception | None = None
    hangs: bool = False
    asked: list[int] = field(default_factory=list)

    async def tops(self, chat_ids: Sequence[int]) -> dict[int, int]:
        if self.error is not None:
            raise self.error
        if self.hangs:
            await asyncio.Event().wait()
        return dict.fromkeys(chat_ids, self.top)

    async def fetch(self, chat_id: int, message_ids: Sequence[int]) -> Fetched:
        self.asked = list(message_ids)
        now = datetime.now(UTC)
        return Fetched(
            tuple(
                post(i, chat=chat_id, date=now - timedelta(seconds=(self.top - i) * self.seconds))
                for i in message_ids
            )
        )

    async def delete(self, order: DeleteOrder) -> None:
        raise AssertionError(order)


async def warned(house: House, feed: Feed | None, *, slow_mode: int = 0) -> TooFast | None:
    source, destination = await house.source(-1001, "News"), await house.destination(-1002, "Copies")
    if slow_mode:
        async with house.db.begin() as session:
            await session.execute(
                text("update channels set slow_mode = :s where id = :id"), {"s": slow_mode, "id": destination}
            )
    return await TempoService(house.db, feed).too_fast(source, destination)


async def test_a_source_of_a_post_a_second_is_too_fast_for_a_chat(house: House) -> None:
    feed = Feed(seconds=1)
    found = await warned(house, feed)
    assert found is not None
    assert (found.source, found.destination, found.limit) == ("News", "Copies", 1200)
    assert 3300 < found.hour < 3800
    assert (len(feed.asked), feed.asked[-1]) == (100, 500)


async def test_a_source_of_a_post_in_five_seconds_is_not(house: House) -> None:
    assert await warned(house, Feed(seconds=5)) is None


async def test_the_slow_mode_of_the_destination_counts(house: House) -> None:
    found = await warned(house, Feed(seconds=5), slow_mode=60)
    assert found is not None
    assert found.limit == 60


@pytest.mark.parametrize("feed", [
    None, Feed(1, top=0), Feed(1, error=NobodyAnswers("away")), Feed(1, error=TelegramError("FLOOD_WAIT", seconds=9)),
    Feed(1, hangs=True),
])  # fmt: skip
async def test_where_nobody_can_tell_nothing_is_said(
    house: House, monkeypatch: pytest.MonkeyPatch, feed: Feed | None
) -> None:
    monkeypatch.setattr(tempo, "PATIENCE", 0.05)
    assert await warned(house, feed) is None


async def test_a_source_that_only_the_bot_reads_is_not_asked_for(house: House) -> None:
    house.bot.sees(chat(-1001, "News", posts=False))
    source = (await house.channels.add("-1001", as_source=True)).id
    destination = await house.destination(-1002)
    assert await TempoService(house.db, Feed(1)).too_fast(source, destination) is None


def test_a_handful_of_posts_says_nothing_about_a_pace() -> None:
    assert posts_an_hour([NOW] * 19, NOW) is None
    assert posts_an_hour([NOW] * 30, NOW) == 1800
    assert posts_an_hour([NOW - timedelta(hours=2), *[NOW] * 99], NOW) == 50
