"""Where Telegram asks for a wait, a person's answer waits too, but not for ever."""

from __future__ import annotations

from datetime import timedelta

import pytest
from telegram.error import RetryAfter

from forwarder.bot.visit import politely


async def test_a_short_wait_is_sat_through_and_a_long_one_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    # Its own text asks for the wait in the old type, and warns.
    monkeypatch.setenv("PTB_TIMEDELTA", "true")
    waits = [timedelta(seconds=0), timedelta(seconds=0)]

    async def call() -> str:
        if waits:
            raise RetryAfter(waits.pop())
        return "shown"

    assert await politely(call) == "shown"
    waits.append(timedelta(minutes=5))
    with pytest.raises(RetryAfter):
        await politely(call)
