"""What news of one source lead to: a pure decision from what the rows said and what was heard."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from forwarder.collect import Collecting, Progress, ready
from forwarder.ingest.sources import Source, Standing
from forwarder.message import AccountKind, Deleted, Empty, Kind, News, SourceMessage

BOT_RETENTION = timedelta(hours=24)
"""Telegram keeps a bot's updates for 24 hours: nothing older can be news to anyone."""

LOOK_AGAIN = 0.5
"""Seconds until a supergroup asks again whether the basic group that it was has delivered its last posts."""


@dataclass(slots=True)
class PlannedPost:
    """A post that was collecting, or one that is new (no ``id`` yet), with what this batch adds to it.

    ``ids`` are all its messages, ``added`` those to insert. ``done`` says that it is complete now.
    """

    position: int
    album_id: str | None
    silent_for: float
    ids: list[int]
    id: int | None = None
    added: list[SourceMessage] = field(default_factory=list)
    done: bool = False


@dataclass(slots=True)
class Plan:
    """What to write for one source. ``known`` are messages heard again; ``progress`` is None where it did not move."""

    source: Source
    posts: list[PlannedPost] = field(default_factory=list)
    known: list[SourceMessage] = field(default_factory=list)
    progress: Progress | None = None
    holes: tuple[int, ...] = ()
    look_again: float | None = None

    @property
    def stored(self) -> int:
        return sum(len(post.added) for post in self.posts)


@dataclass(frozen=True, slots=True)
class Listening:
    """Whose news these are."""

    account_id: int
    kind: AccountKind


def plan(source: Source, standing: Standing, by: Listening | None = None, news: Sequence[News] = ()) -> Plan:
    """Without news: what silence has completed meanwhile.

    News close no album by silence, and a hole above the mark forbids it: the album's next part may be missing.
    """
    planned = Plan(source, posts_of(standing))
    marks = dict(standing.marks)
    if by is not None:
        before = standing.progress or first_progress(standing, by.kind, news)
        take_in(planned, standing, news, before.mark)
        after = move(before, by.kind, news)
        if after != before:
            planned.progress = after
            marks[by.account_id] = after.mark
        if by.kind is AccountKind.USER:
            planned.holes = after.holes()
    if planned.posts and standing.follows:
        planned.look_again = LOOK_AGAIN
    elif planned.posts:
        # The listener's own mark decides, or where it has none the highest of any account.
        gate = marks.get(source.gate_account or 0, max(marks.values(), default=0))
        holed = standing.progress is not None and bool(standing.progress.known)
        finish(planned, gate, silence_counts=by is None and not holed)
    return planned


def posts_of(standing: Standing) -> list[PlannedPost]:
    return [
        PlannedPost(post.position, post.album_id, post.silent_for, list(post.ids), post.id)
        for post in standing.open_posts
    ]


def first_progress(standing: Standing, kind: AccountKind, news: Sequence[News]) -> Progress:
    """Where a listener begins that has no mark yet: where the source's first mapping does."""
    if kind is AccountKind.USER and standing.start:
        return Progress(standing.start)
    ids = [item.message_id for item in news if isinstance(item, SourceMessage)]
    return Progress(min(ids) - 1 if ids else standing.start)


def take_in(planned: Plan, standing: Standing, news: Sequence[News], mark: int) -> None:
    """Give each new message its post: an open album's, or one of its own. Service messages are known ids only.

    At or below the mark everything was stored or proven empty, and may have been forgotten since; only what
    is young enough to have slipped past an empty answer is taken from there.
    """
    young = datetime.now(UTC) - BOT_RETENTION
    wanted = {
        item.message_id: item
        for item in news
        if isinstance(item, SourceMessage)
        and item.kind is not Kind.SERVICE
        and (item.message_id > mark or item.date > young)
    }
    albums = {post.album_id: post for post in planned.posts if post.album_id is not None}
    for message_id, message in sorted(wanted.items()):
        if message_id in standing.stored:
            planned.known.append(message)
            continue
        post = albums.get(message.album_id) if message.album_id is not None else None
        if post is None:
            post = PlannedPost(message_id, message.album_id, 0.0, [])
            planned.posts.append(post)
            if message.album_id is not None:
                albums[message.album_id] = post
        post.ids.append(message_id)
        post.added.append(message)
        post.silent_for = 0.0
        post.position = min(post.position, message_id)
    planned.posts.sort(key=lambda post: post.position)


def finish(planned: Plan, gate: int, *, silence_counts: bool) -> None:
    """Mark the posts that are complete now."""
    posts = [
        Collecting(number, tuple(post.ids), post.album_id is not None, post.silent_for)
        for number, post in enumerate(planned.posts)
    ]
    complete, planned.look_again = ready(posts, gate, silence_counts=silence_counts)
    for number in complete:
        planned.posts[number].done = True


def move(progress: Progress, kind: AccountKind, news: Sequence[News]) -> Progress:
    """A user account sees every id of a channel, so a missing one is a hole. A bot does not see its own posts
    nor other bots', and Telegram gives it updates in order: what it has heard is all it can hear."""
    ids: list[int] = []
    for item in news:
        if isinstance(item, SourceMessage):
            ids.append(item.message_id)
        elif isinstance(item, Deleted | Empty):
            ids.extend(item.message_ids)
    if kind is AccountKind.BOT:
        heard = [item.message_id for item in news if isinstance(item, SourceMessage)]
        return Progress(max([progress.mark, *heard]))
    return progress.add(ids)
