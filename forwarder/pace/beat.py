"""The last look before a call: what this process has really called, by its own clock. Pure.

Redis spaces slots, but calls go a little after theirs: a row is woken, what a call carries is stored. Calls that
such delays have pushed together would be more than Telegram takes in the window, though their slots were not.
"""

from __future__ import annotations

from collections import deque

SPARE = 0.005
"""Seconds by which a window is shorter here than its slots are spaced for: what was late catches up. The rest of what
a slot's window is longer than Telegram's is for the way of a call, which varies."""


KEPT = 4
"""Windows whose calls are remembered, to judge a refusal by."""


class Beat:
    """The shortest window of an account: at most ``limit`` messages in ``length`` seconds, as it was last told."""

    def __init__(self) -> None:
        self._limit, self._length = 0, 0.0
        self._calls: deque[float] = deque()

    def tell(self, limit: int, length: float) -> None:
        """What the window is now; a ``limit`` of 0 says nothing new."""
        if limit > 0:
            self._limit, self._length = limit, max(0.0, length - SPARE)

    def left(self, now: float, messages: int) -> float:
        """Seconds until a call may go; 0 for at once. More messages than the window holds go when it is empty."""
        back = self._limit - min(messages, self._limit) + 1
        if not self._limit or len(self._calls) < back:
            return 0.0
        return max(0.0, self._calls[-back] + self._length - now)

    def went(self, now: float, messages: int) -> None:
        """A call went; ``now`` is of a clock that only rises."""
        self._calls.extend([now] * messages)
        while len(self._calls) > KEPT * self._limit:
            self._calls.popleft()

    def went_in(self, begin: float, end: float) -> int:
        """How many messages this process's calls carried after ``begin`` and until ``end``."""
        return sum(begin < at <= end for at in self._calls)

    def full(self, begin: float, messages: int) -> bool:
        """Whether this process's calls since then, without a refused one of ``messages``, fill the window."""
        return 0 < self._limit <= sum(at > begin for at in self._calls) - messages
