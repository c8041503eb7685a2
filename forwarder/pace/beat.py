"""The last look before a call: what Telegram may have had of this process, by its own clock. Pure.

Redis spaces slots, but calls go a little after theirs: a row is woken, what a call carries is stored; and Telegram has
a call somewhere between its going and its answer. Calls that such delays have pushed together would be more than it
takes in the window, though their slots were not.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass

from forwarder.pace.limits import MARGIN

KEPT_APART = 0.01
"""Seconds by which the slots of such a window need less of their margin, for calls are kept apart here."""

SPARE = MARGIN - KEPT_APART - 0.003
"""Seconds by which a window is shorter here than its slots are spaced for: that margin is for the way of a call, which
varies, and here each call counts for as long as it was under way."""

KEPT = 4
"""Windows for which calls are remembered, to judge a refusal by."""

ENOUGH = 20
"""Calls of which the quickest tells how long the way is at least."""

LONGEST = 30.0
"""Seconds after which a call that is not answered counts no more: nobody waits for an answer for longer."""

PROVEN_FOR = 120.0
"""Seconds for which what Telegram has taken shows that its limit is not below that."""

SURE_PART = 0.99
"""The part of our window that lies within Telegram's."""

MOST_PROVEN = 1000
"""Above such a limit nobody needs to know."""

AGAIN = 0.01
"""Seconds after which to look again where only an answer makes room."""


@dataclass(slots=True, eq=False)
class Call:
    """When it was made, and when it was answered: None while it is under way. Telegram had it at some time between.
    ``well``: it brought a post; ``taken``: it was carried out, whatever it was."""

    made: float
    messages: int
    answered: float | None = None
    well: bool = False
    taken: bool = False


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
        self._way, self._ways = math.inf, 0
        """The quickest way there and back so far, of so many."""
        self._good: deque[Call] = deque()
        """Calls that were answered well within the window, as they were answered."""
        self._proof, self._proven_at = 0, 0.0
        self._through: float | None = None
        self._slots: deque[float] = deque()
        """The time of each message's slot, as they were taken."""

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
        # Telegram had it before its answer's way back, and will have this one after its own way there.
        way = self._way if self._ways >= ENOUGH else 0.0
        return max(0.0, self._answers[-back] - way + self._length - now)

    def took_slot(self, now: float, at: float, messages: int) -> None:
        """This process has taken a slot, for a call at that time."""
        self._slots.extend([at] * messages)
        while self._slots[0] < now - KEPT * self._length:
            self._slots.popleft()

    def slots_in(self, begin: float, end: float) -> int:
        """How many messages this process had slots for after ``begin`` and until ``end``, whether calls used them or
        not."""
        return sum(begin < at <= end for at in self._slots)

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

    def answered(self, call: Call, now: float, *, well: bool, taken: bool = False) -> None:
        """A call was answered, or not made after all; ``well``: it brought a post; ``taken``: an edit or a deletion was
        carried out."""
        call.answered, call.well, call.taken = now, well, well or taken
        self._under_way.pop(call, None)
        self._answers.extend([now] * call.messages)
        if well:
            self._way, self._ways = min(self._way, now - call.made), self._ways + 1
            self._through = call.made if self._through is None else max(self._through, call.made)
            self._prove(call, now)

    @property
    def through(self) -> float | None:
        """When the last call was made that brought a post; None where none did."""
        return self._through

    def since_through(self, now: float) -> float | None:
        """Seconds since then."""
        return None if self._through is None else now - self._through

    def proven(self, now: float) -> int:
        """How many messages Telegram has surely taken within one window of late; 0 where nothing is known."""
        return self._proof if now - self._proven_at < PROVEN_FOR else 0

    def _prove(self, call: Call, now: float) -> None:
        if self._limit > MOST_PROVEN:
            return
        begin = now - SURE_PART * self._length
        self._good.append(call)
        while self._good[0].made <= begin and self._good[0] is not call:
            self._good.popleft()
        took = sum(one.messages for one in self._good if one.made > begin)
        if took >= self._proof or now - self._proven_at >= PROVEN_FOR:
            self._proof, self._proven_at = took, now

    def awaits(self, made: float) -> bool:
        """Whether a call is under way that was made no later than that: its answer will say what Telegram had taken."""
        return any(call.made <= made for call in self._under_way)

    def took(self, begin: float, end: float) -> int:
        """How many messages of this process's calls that were made after ``begin`` and until ``end`` were taken."""
        return sum(call.taken and begin < call.made <= end for call in self._calls)

    def full(self, begin: float, messages: int) -> bool:
        """Whether what Telegram may have had of this process since then, without a refused call of ``messages``, fills
        the window: it may have had a call as late as it answered."""
        had = sum(call.answered is None or call.answered > begin for call in self._calls)
        return 0 < self._limit <= had - messages

    def _give_up(self, now: float) -> None:
        for call in [c for c in self._under_way if now - c.made > LONGEST]:
            del self._under_way[call]
