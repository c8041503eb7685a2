"""The last look before a call: what this process has really called, by its own clock. Pure.

Redis spaces slots, but calls go a little after theirs: a row is woken, what a call carries is stored. Calls that
such delays have pushed together would be more than Telegram takes in the window, though their slots were not.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

SPARE = 0.005
"""Seconds by which a window is shorter here than its slots are spaced for: what was late catches up. The rest of what
a slot's window is longer than Telegram's is for the way of a call, which varies."""


KEPT = 4
"""Windows whose calls are remembered, to judge a refusal by."""


@dataclass(slots=True, eq=False)
class Call:
    """When it was made, and when it was answered: None while it is under way. Telegram had it at some time between."""

    made: float
    answered: float | None = None


class Beat:
    """The shortest window of an account: at most ``limit`` messages in ``length`` seconds, as it was last told.

    All times are of one clock that only rises.
    """

    def __init__(self) -> None:
        self._limit, self._length = 0, 0.0
        self._calls: deque[Call] = deque()
        """One for each message that it carried."""
        self._through: float | None = None

    def tell(self, limit: int, length: float) -> None:
        """What the window is now; a ``limit`` of 0 says nothing new."""
        if limit > 0:
            self._limit, self._length = limit, max(0.0, length - SPARE)

    def left(self, now: float, messages: int) -> float:
        """Seconds until a call may go; 0 for at once. More messages than the window holds go when it is empty."""
        back = self._limit - min(messages, self._limit) + 1
        if not self._limit or len(self._calls) < back:
            return 0.0
        return max(0.0, self._calls[-back].made + self._length - now)

    def went(self, now: float, messages: int) -> Call:
        """A call goes."""
        call = Call(now)
        self._calls.extend([call] * messages)
        while len(self._calls) > KEPT * self._limit:
            self._calls.popleft()
        return call

    def answered(self, call: Call, now: float, *, well: bool) -> None:
        """A call was answered, and ``well``: not with a wait."""
        call.answered = now
        if well:
            self._through = call.made if self._through is None else max(self._through, call.made)

    def since_through(self, now: float) -> float | None:
        """Seconds since the last call was made that was not answered with a wait; None where none was."""
        return None if self._through is None else now - self._through

    def went_in(self, begin: float, end: float) -> int:
        """How many messages this process's calls carried after ``begin`` and until ``end``."""
        return sum(begin < call.made <= end for call in self._calls)

    def full(self, begin: float, messages: int) -> bool:
        """Whether what Telegram may have had of this process since then, without a refused call of ``messages``, fills
        the window: it may have had a call as late as it answered."""
        had = sum(call.answered is None or call.answered > begin for call in self._calls)
        return 0 < self._limit <= had - messages
