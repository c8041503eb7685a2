"""A clock that does not jump when Redis's does.

Each process compares the time that Redis tells with its own monotonic clock. Where the two part by more than a
second between two calls, Redis's clock was set: the first process to see it corrects the shift that every
script adds, for all of them. Waits and logs then stand where they stood.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence

import structlog

log = structlog.get_logger(__name__)

TOLERANCE = 1.0
"""Seconds by which the clocks may part from one call to the next, besides what the calls took."""


class SteadyClock:
    def __init__(self, correct: Callable[..., Awaitable[object]], monotonic: Callable[[], float]) -> None:
        self._correct, self._monotonic = correct, monotonic
        self._offset: tuple[float, float] | None = None

    def read(self) -> float:
        return self._monotonic()

    async def jumped(self, asked: float, told: bytes, shift: bytes, keys: Sequence[str]) -> bool:
        """Compare the time ``told`` by a call that was ``asked`` for then; correct the shift after a jump."""
        now = float(told)
        # The script ran between asking and now, so the offset lies between these two.
        least, most = now - self._monotonic(), now - asked
        if self._offset is None or (
            least <= self._offset[1] + TOLERANCE and most >= self._offset[0] - TOLERANCE
        ):
            self._offset = least, most
            return False
        jump = (least + most) / 2 - sum(self._offset) / 2
        log.warning("redis_clock_jumped", seconds=round(jump, 1))
        await self._correct(keys=[keys[0]], args=[shift, f"{float(shift) - jump:.6f}"])
        return True
