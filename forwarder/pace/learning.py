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

HOLD = 600.0
LONGEST_HOLD = 6 * 3600.0
RECOVERY = 3600.0
"""Seconds in which a window would recover from nothing to its setting."""

LEAST = 0.02
"""The lowest share of its setting that a window is brought to."""

LOWEST_STEP, STEP, SMALL_STEP = 0.5, 0.88, 0.95


@dataclass(frozen=True, slots=True)
class Lesson:
    """A window is used to this ``share`` of its limit; it was learned at ``since`` and holds for ``hold`` seconds."""

    share: float
    since: float
    hold: float = HOLD

    def share_at(self, now: float) -> float:
        return min(1.0, self.share + max(0.0, now - self.since - self.hold) / RECOVERY)


@dataclass(frozen=True, slots=True)
class Seen:
    """A window when a wait was met. ``used``: messages in it before the refused call; ``gap``: seconds between that
    call and the message before, None where there was none."""

    limit: int
    seconds: float
    lesson: Lesson
    used: int
    gap: float | None


def learn(windows: Sequence[Seen], asked: float, now: float) -> tuple[int, Lesson] | None:
    """Which window was too fast, by its place, and what it is lowered to; None where there is no window."""
    if not windows:
        return None
    shares = [window.lesson.share_at(now) for window in windows]
    lowered = [_lowered(window, asked, share) for window, share in zip(windows, shares, strict=True)]
    # The simplest explanation: the window that has to be lowered least.
    blamed = max(range(len(windows)), key=lambda i: (lowered[i] / shares[i], -windows[i].seconds))
    window = windows[blamed]
    before = window.lesson
    share = max(LEAST, lowered[blamed], shares[blamed] * LOWEST_STEP)
    recovering = now - before.since > before.hold
    hold = min(LONGEST_HOLD, before.hold * 2) if recovering and before.share < 1.0 else before.hold
    return blamed, Lesson(share, now, hold)


def _lowered(window: Seen, asked: float, share: float) -> float:
    """The share at which this window would not have met the wait."""
    # Telegram rounds up to whole seconds.
    least = max(0.0, asked - 1.0)
    if window.limit * share < 2.0:
        # Of one message at a time the gap is learned.
        gap = (window.gap or 0.0) + least
        return min(share * STEP, window.seconds / window.limit / gap) if gap > 0 else share * STEP
    measured = window.used / window.limit
    if measured > share - 1e-9:
        # As much as we thought was allowed: the network made it more, or another window is meant.
        measured = share * SMALL_STEP
    return measured if least <= window.seconds else min(measured, share * window.seconds / least)
