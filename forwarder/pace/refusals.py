"""What a refused call met, and what it teaches. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from forwarder.pace.learning import (
    SHORT,
    Guess,
    Lesson,
    Seen,
    chat_alone,
    guess,
    is_unexplained,
    lesson_of,
)
from forwarder.pace.limits import Window

LOOK_FROM = 60.0
"""Seconds from which on a wait that two chats met is looked at before it is over, whether it is the account's."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """The windows of the chat and of the account as a refused call met them, in the order of ``fields``. ``made``: when
    the call was made, by the process's own clock."""

    now: float
    made: float
    asked: float
    fields: tuple[str, ...]
    chat: tuple[Seen, ...]
    account: tuple[Seen, ...]

    @property
    def chat_alone(self) -> bool:
        """Whether the wait is this chat's for sure, even where another chat waits too."""
        return chat_alone(self._guess(self.chat), self._guess(self.account), self.asked)

    @property
    def account_alone(self) -> bool:
        """Whether the wait is the account's for sure: it is short, the chat has had nothing in its windows, and what
        the account has had explains it."""
        if self.asked >= SHORT or any(window.used for window in self.chat):
            return False
        found = self._guess(self.account)
        return found is not None and not is_unexplained(self.account[found.place], found, self.now)

    @property
    def chat_takes(self) -> bool:
        """Whether the chat has had slots of the account before the refused call's."""
        return any(window.gap is not None for window in self.chat)

    def lesson(self, *, whole: bool) -> tuple[str, Lesson] | None:
        """The field of the window that was too fast, and what is learned of it."""
        windows = self.account if whole else (*self.chat, *self.account)
        found = self._guess(windows)
        if found is None:
            return None
        if (
            not whole
            and self.chat
            and self.asked >= LOOK_FROM
            and is_unexplained(windows[found.place], found, self.now)
        ):
            # A mood of Telegram about one chat: the others need not go slower for it.
            windows = self.chat
            found = self._guess(windows) or found
        field = self.fields[found.place + (len(self.chat) if whole else 0)]
        return field, lesson_of(windows[found.place], found, self.now)

    def _guess(self, windows: Sequence[Seen]) -> Guess | None:
        return guess(windows, self.asked, self.now)


@dataclass(frozen=True, slots=True)
class Taught:
    """A wait that taught something of an account's windows: when it was met, when it ends, and how much ``used`` they
    were then. Calls that meet it again have sent less before, and say nothing else."""

    met: float
    ends: float
    used: tuple[int, ...]


def seen_window(window: Window, told: Sequence[bytes], now: float) -> Seen:
    lesson, used, gap, most, oldest = told
    known = Lesson(*map(float, lesson.split())) if lesson else Lesson(1.0, now)
    since = [float(one) if float(one) >= 0 else None for one in (gap, oldest)]
    return Seen(window.limit, window.seconds, known, int(used), since[0], proven=int(most), oldest=since[1])
