"""The last look before a call: what Telegram may have had of this process, by its own clock. Pure.

Redis spaces slots, but calls go a little after theirs: a row is woken, what a call carries is stored; and Telegram has
a call somewhere between its going and its answer. Calls that such delays have pushed together would be more than it
takes in the window, though their slots were not.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

from forwarder.pace.limits import MARGIN

SPARE = MARGIN - 0.003
"""Seconds by which a window is shorter here than its slots are spaced for: that margin is for the way of a call, which
varies, and here each call counts for as long as it was under way."""

KEPT = 4
"""Windows for which calls are remembered, to judge a refusal by."""

RECENT = 100
"""Calls of which the quickest tells how long the way is at least."""

LONGEST = 3
"""Windows after which a call that is not answered counts no more: Telegram has had it, or never will."""

AGAIN = 0.01
"""Seconds after which to look again where only an answer makes room."""


@dataclass(slots=True, eq=False)
class Call:
    """When it was made, and when it was answered: None while it is under way. Telegram had it at some time between."""

    made: float
    messages: int
    answered: float | None = None


class Beat:
    """The shortest window of an account: at most ``limit`` messages in ``length`` seconds, as it was last told.

    All times are of one clock that only rises.
    """

    def __init__(self) -> None:
        self._limit, self._length = 0, 0.0
        self._calls: deque[Call] = deque()
        """One for each message that it carried, by when they were made."""
        self._under_way: dict[Call, None] = {}
        self._answers: deque[float] = deque()
        """When each message was answered that is not under way any more."""
        self._ways: deque[float] = deque(maxlen=RECENT)
        self._through: float | None = None

    def tell(self, limit: int, length: float) -> None:
        """What the window is now; a ``limit`` of 0 says nothing new."""
        if limit > 0:
            self._limit, self._length = limit, max(0.0, length - SPARE)

    def left(self, now: float, messages: int) -> float:
        """Seconds until a call may go, as far as that is known by then; 0 for at once.

        Telegram must not have more than the window holds, wherever on their ways it has had the calls before. More
        messages than the window holds go when it is empty.
        """
        if not self._limit:
            return 0.0
        self._give_up(now)
        room = self._limit - min(messages, self._limit)
        # What is under way may arrive together with this call.
        back = room - sum(call.messages for call in self._under_way) + 1
        if back <= 0:
            return AGAIN
        if len(self._answers) < back:
            return 0.0
        return max(0.0, self._answers[-back] - min(self._ways) + self._length - now)

    def went(self, now: float, messages: int) -> Call:
        """A call goes, whose end is to be told by ``answered``."""
        call = Call(now, messages)
        self._under_way[call] = None
        self._calls.extend([call] * messages)
        forgotten = now - KEPT * self._length
        while self._calls[0].made < forgotten:
            self._calls.popleft()
        while self._answers and self._answers[0] < forgotten:
            self._answers.popleft()
        return call

    def answered(self, call: Call, now: float, *, well: bool) -> None:
        """A call was answered, and ``well``: not with a wait."""
        call.answered = now
        if call in self._under_way:
            del self._under_way[call]
            self._ways.append(now - call.made)
            self._answers.extend([now] * call.messages)
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

    def _give_up(self, now: float) -> None:
        for call in [c for c in self._under_way if now - c.made > LONGEST * self._length]:
            del self._under_way[call]
