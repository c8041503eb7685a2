"""What a wait teaches: how far below its setting Telegram's real limit lies. Pure.

A refusal says more than "slower": the messages that were taken in the window before it are the true limit,
where it is a limit over that window, and the seconds asked for say how long that window is at least. So one
wait usually is enough. What cannot be measured (a window of one message, or one that was full) is lowered in
steps.

A lowered window stays so for HOLD seconds and then recovers slowly, until Telegram objects again; each time
it does, the window is held for twice as long.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

HOLD = 1800.0
LONGEST_HOLD = 6 * 3600.0
RECOVERY = 3600.0
"""Seconds in which a window would recover from nothing to its setting."""

QUICK_RECOVERY = 600.0
"""The same after a lesson that teaches little: one of HOLD_UNEXPLAINED or less."""

LEAST = 0.02
"""The lowest share of its setting that a window is brought to."""

UNEXPLAINED = 0.3
"""Where every window would have to be brought below this part of its use, a wait probably has reasons of its own:
Telegram in a mood, or another program on the same account. Then the pace is lowered a little, and not below
LEAST_UNEXPLAINED. Telegram that still objects there is believed more: down to UNEXPLAINED_LOW."""

UNEXPLAINED_LOW = 0.12

LEAST_UNEXPLAINED, STEP_UNEXPLAINED, HOLD_UNEXPLAINED = 0.3, 0.5, 120.0

UNDER_WAY = 2.0
"""Seconds after a lesson in which refusals of calls that were made before it still come in."""

HOLD_BUNCHED = 60.0

LESS, LESS_OF_A_SECOND = 0.97, 0.8
"""A window with less than this part of what it has taken of late is not to blame for a wait. How much is in one of a
second at a time is known less exactly."""

SECONDS = 5.0
"""Windows shorter than this are such ones."""

SHORT = 3.0
"""Any window asks for a wait that is shorter than this."""

LOWEST_STEP, STEP, SMALL_STEP = 0.5, 0.88, 0.95


@dataclass(frozen=True, slots=True)
class Lesson:
    """A window is used to this ``share`` of its limit; it was learned at ``since`` and holds for ``hold`` seconds."""

    share: float
    since: float
    hold: float = HOLD

    @property
    def teaches_little(self) -> bool:
        return self.hold <= HOLD_UNEXPLAINED

    def share_at(self, now: float) -> float:
        recovery = QUICK_RECOVERY if self.teaches_little else RECOVERY
        return min(1.0, self.share + max(0.0, now - self.since - self.hold) / recovery)


@dataclass(frozen=True, slots=True)
class Seen:
    """A window when a wait was met. ``used``: messages in it before the refused call; ``gap``: seconds between that
    call and the message before, None where there was none; ``bunched``: calls that were long under way may have
    arrived together, and fill the window; ``proven``: so many were taken in one window of late; ``oldest``: seconds
    since the first message that is in it, None where there is none or it is not known."""

    limit: int
    seconds: float
    lesson: Lesson
    used: int
    gap: float | None
    bunched: bool = False
    proven: int = 0
    oldest: float | None = None


@dataclass(frozen=True, slots=True)
class Guess:
    """The window that most simply explains a wait: by its place, the share it is lowered to, and how much that is."""

    place: int
    share: float
    left: float


def guess(windows: Sequence[Seen], asked: float, now: float) -> Guess | None:
    """The window that has to be lowered least; None where there is no window."""
    guesses = []
    for place, window in enumerate(windows):
        before = window.lesson.share_at(now)
        share = _lowered(window, asked, before, now)
        guesses.append(Guess(place, share, share / before))
    return max(guesses, key=lambda g: (g.left, -windows[g.place].seconds), default=None)


def chat_alone(chat: Guess | None, account: Guess | None, asked: float) -> bool:
    """Whether a wait is that of one chat for sure, even where other chats wait too. A short one says nothing."""
    if asked < SHORT or chat is None:
        return False
    return account is None or chat.left > 1.5 * account.left


def lesson_of(window: Seen, found: Guess, now: float) -> Lesson:
    """What is learned of a window that was blamed."""
    before = window.lesson
    if is_unexplained(window, found, now):
        share = min(before.share_at(now), max(LEAST_UNEXPLAINED, before.share_at(now) * STEP_UNEXPLAINED))
        held = before.since + before.hold - now if before.share < 1.0 else 0.0
        return Lesson(share, now, max(held, HOLD_UNEXPLAINED))
    if window.bunched:
        return Lesson(max(LEAST, found.share), now, HOLD_BUNCHED)
    share = max(LEAST, found.share, before.share_at(now) * LOWEST_STEP)
    recovering = before.share < 1.0 and not before.teaches_little and now - before.since > before.hold
    hold = max(HOLD, before.hold)
    return Lesson(share, now, min(LONGEST_HOLD, hold * 2) if recovering else hold)


def is_unexplained(window: Seen, found: Guess, now: float) -> bool:
    """Whether the window that explains a wait best was used far less than it allows. A long one, in which a pace that
    was lowered a little soon looks full, after a lesson that teaches little: far less than it would allow without."""
    trusted = window.lesson.share_at(now) > LEAST_UNEXPLAINED + 0.01
    left = found.share if window.lesson.teaches_little and window.seconds >= SECONDS else found.left
    return left < (UNEXPLAINED if trusted else UNEXPLAINED_LOW)


def _lowered(window: Seen, asked: float, share: float, now: float) -> float:
    """The share at which this window would not have met the wait."""
    # Telegram rounds up to whole seconds.
    least = max(0.0, asked - 1.0)
    if window.limit * share < 2.0:
        # Of one message at a time the gap is learned.
        if window.gap is None:
            return 0.0
        gap = max(window.gap + least, 1e-3)
        return min(share * STEP, window.seconds / window.limit / gap)
    if window.used < (LESS_OF_A_SECOND if window.seconds < SECONDS else LESS) * window.proven:
        return 0.0
    measured = window.used / window.limit
    if measured > share - 1e-9:
        # As much as we thought was allowed: the network made it more, or another window is meant. Calls that were
        # under way when that was learned teach nothing more.
        known = window.lesson.share < 1.0 and now - window.lesson.since < UNDER_WAY
        measured = share if known else share * SMALL_STEP
    if measured < UNEXPLAINED * share and _asks_longer(window, asked):
        return 0.0
    return measured if least <= window.seconds else min(measured, share * window.seconds / least)


def _asks_longer(window: Seen, asked: float) -> bool:
    """Whether Telegram would have asked for a longer wait if this window were full: until its first message leaves."""
    return window.oldest is not None and asked + 1.0 < window.seconds - window.oldest
