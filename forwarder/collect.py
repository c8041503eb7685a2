"""Pure decisions of listening: how far a mark may move, and which posts are complete.

A mark is the highest id below which every id is stored or proven empty. A post is ready when the mark has
passed all of its messages and, if it is an album, when no further part can come: ten parts (Telegram's
limit), a later message that is not a part, or silence.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

ALBUM_PARTS = 10
"""The most an album can hold (a server-side limit, telegram-facts section 1.2)."""

ALBUM_SILENCE = 2.0
"""Seconds after its last part when an album counts as complete; parts usually come within one."""

LOOK_AGAIN = 0.5
"""Seconds, at least, until an album that is held only because its silence proves nothing is looked at again."""

Span = tuple[int, int]
"""Ids from the first up to but not including the second."""


@dataclass(frozen=True, slots=True)
class Progress:
    """A mark, and the spans of ids above it that are known."""

    mark: int
    known: tuple[Span, ...] = ()

    def add(self, ids: Iterable[int]) -> Progress:
        """The progress when these ids are stored or proven empty too."""
        spans = sorted({*self.known, *((i, i + 1) for i in ids if i > self.mark)})
        mark = self.mark
        merged: list[Span] = []
        for low, high in spans:
            if high <= mark + 1:
                continue
            if low <= mark + 1:
                mark = high - 1
            elif merged and low <= merged[-1][1]:
                merged[-1] = (merged[-1][0], max(merged[-1][1], high))
            else:
                merged.append((low, high))
        return Progress(mark, tuple(merged))

    def holes(self, limit: int = 1000) -> tuple[int, ...]:
        """Ids between the mark and the highest known id of which nothing is known, lowest first."""
        missing: list[int] = []
        below = self.mark + 1
        for low, high in self.known:
            missing.extend(range(below, min(low, below + limit - len(missing))))
            if len(missing) >= limit:
                break
            below = high
        return tuple(missing)

    @property
    def top(self) -> int:
        return self.known[-1][1] - 1 if self.known else self.mark


@dataclass(frozen=True, slots=True)
class Collecting:
    """A post that is not ready yet. ``ids`` are its messages, ``silent_for`` seconds since its last part came."""

    post_id: int
    ids: tuple[int, ...]
    album: bool
    silent_for: float


def ready(
    posts: Sequence[Collecting], gate: int, *, silence_counts: bool = True
) -> tuple[list[int], float | None]:
    """The ids of the posts to deliver now, in source order, and in how many seconds to look again.

    ``posts`` are one source's, in source order; ``gate`` is its mark. The first post that is not ready
    holds those behind it. The time is None when only a message can change anything. Where nobody has looked
    whether something was missed, silence does not count: the next part may be what was missed.
    """
    complete: list[int] = []
    for index, post in enumerate(posts):
        last = max(post.ids, default=0)
        if last > gate:
            return complete, None
        followed = index + 1 < len(posts) and min(posts[index + 1].ids, default=0) <= gate
        open_album = (
            post.album and bool(post.ids) and len(post.ids) < ALBUM_PARTS and not followed and last >= gate
        )
        if open_album and (post.silent_for < ALBUM_SILENCE or not silence_counts):
            return complete, max(ALBUM_SILENCE - post.silent_for, LOOK_AGAIN)
        complete.append(post.post_id)
    return complete, None
