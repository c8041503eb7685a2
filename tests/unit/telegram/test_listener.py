"""What the listener cannot read is kept raw, and holds up nobody."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import pytest
from telethon.tl import types

from forwarder.message import News, SourceMessage
from forwarder.telegram import listener as room
from forwarder.telegram.listener import Listener


class Client:
    """As much of a login as hearing needs."""


def update(number: int, words: str) -> Any:
    message = types.Message(
        id=number, peer_id=types.PeerChannel(77), date=datetime(2026, 1, 1, tzinfo=UTC), message=words
    )
    return types.UpdateNewChannelMessage(message, pts=number, pts_count=1)


async def nothing() -> None:
    """Nobody waits for a connection here."""


async def test_an_update_that_cannot_be_read_is_kept_raw_and_the_next_is_heard(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    heard: list[News] = []
    broken: list[tuple[bytes, Exception]] = []

    async def on_news(news: Sequence[News]) -> None:
        heard.extend(news)

    async def on_broken(raw: bytes, error: Exception) -> None:
        broken.append((raw, error))

    news_of = room.news_of

    def unreadable(item: Any) -> News | None:
        if item.message.message == "odd":
            raise AttributeError("a shape that we do not know")
        return news_of(item)

    monkeypatch.setattr(room, "news_of", unreadable)
    listener = Listener(Client(), on_news, nothing, on_broken)  # type: ignore[arg-type]
    handing_on = asyncio.create_task(listener._hand_on())
    for number, words in enumerate(("one", "odd", "two"), 1):
        await listener._hear(update(number, words))
    async with asyncio.timeout(5):
        while len(heard) < 2:  # noqa: ASYNC110 - there is a deadline
            await asyncio.sleep(0)
    handing_on.cancel()
    await asyncio.gather(handing_on, return_exceptions=True)
    assert [item.text for item in heard if isinstance(item, SourceMessage)] == ["one", "two"]
    [(raw, error)] = broken
    assert b"odd" in raw
    assert isinstance(error, AttributeError)
