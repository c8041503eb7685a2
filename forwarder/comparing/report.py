"""What an audit found, in counts and lists. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from forwarder.comparing.judgement import How, Judgement, Match, Post
from forwarder.comparing.rows import Fate, Terms
from forwarder.message import SourceMessage, State

WAITING = frozenset({State.QUEUED, State.SENDING, State.UNSURE, State.HELD})
DECIDED = frozenset({State.FILTERED, State.DUPLICATE, State.WITHDRAWN})

UNKNOWN = Fate()


@dataclass(frozen=True, slots=True)
class Lack:
    """A post without its copy, and why that is, as a code: ``copy_gone`` (it was sent, and is not there any more),
    ``never_queued``, ``forgotten`` (too old for our rows), or the reason of a failed delivery."""

    post: Post
    reason: str
    fate: Fate


@dataclass(frozen=True, slots=True)
class Unrecorded:
    """Copies that stand there, of which our rows do not know: (source message id, copy id)."""

    pairs: tuple[tuple[int, int], ...]
    mode: str
    fate: Fate


@dataclass(frozen=True, slots=True)
class Audit:
    """``posts`` are those that should have a copy, ``copies`` those that have. ``explained`` counts, by reason, posts
    that need none; ``waiting`` are on their way. ``partial`` are albums of which parts lack, and posts that have failed
    after the first message that rules have made of them."""

    terms: Terms
    posts: int
    copies: int
    waiting: int
    explained: Mapping[str, int]
    missing: tuple[Lack, ...]
    partial: tuple[Post, ...]
    doubles: tuple[Match, ...]
    strays: tuple[Match, ...]
    stale: tuple[Match, ...]
    unrecorded: tuple[Unrecorded, ...]
    edited: tuple[SourceMessage, ...] = ()

    @property
    def good(self) -> bool:
        return not (
            self.missing or self.partial or self.doubles or self.strays or self.stale or self.unrecorded
        )


def sum_up(
    terms: Terms,
    posts: tuple[Post, ...],
    judgement: Judgement,
    fates: Mapping[int, Fate],
    modes: Mapping[int, str],
    rests: Mapping[int, int] | None = None,
) -> Audit:
    """``fates`` are by source message, ``modes`` say by copy whether it is a forward or a copy. ``rests`` are second
    messages that stand there of texts that rules have split, and the source messages that they belong to."""
    explained: Counter[str] = Counter()
    waiting, missing = 0, []
    for post in judgement.absent:
        fate = fates.get(post[0].message_id, UNKNOWN)
        if (why := explanation(terms, post, fate)) is not None:
            explained[why] += 1
        elif is_waiting(terms, post, fate):
            waiting += 1
        else:
            missing.append(Lack(post, lack(fate), fate))
    stale = tuple(match for match in judgement.stale if not fates.get(match.source, UNKNOWN).editing)
    messages = {part.message_id: part for post in posts for part in post}
    partial = (*judgement.partial, *half_sent(posts, judgement, fates))
    found = len(posts) - len(judgement.absent) - len(partial)
    seconds = [Match(source, copy, How.RECORD, recorded=True) for copy, source in (rests or {}).items()]
    rests_of_gone = [match for match in seconds if match.source not in messages]
    # Sent again, a post brings its second message along.
    lost = {part.message_id for one in missing for part in one.post}
    rests_of_missing = tuple(match for match in seconds if match.source in lost)
    return Audit(
        terms=terms,
        posts=found + len(missing) + len(partial),
        copies=found,
        waiting=waiting,
        explained=dict(sorted(explained.items())),
        missing=tuple(missing),
        partial=partial,
        doubles=judgement.doubles,
        # A deletion that is on its way needs no help.
        strays=tuple(
            match
            for match in (*judgement.strays, *rests_of_gone)
            if terms.deletions and not fates.get(match.source, UNKNOWN).deleting
        )
        + rests_of_missing,
        stale=stale,
        unrecorded=unrecorded(posts, judgement, fates, modes),
        edited=tuple(messages[match.source] for match in stale),
    )  # fmt: skip


def explanation(terms: Terms, post: Post, fate: Fate) -> str | None:
    """Why a post needs no copy, as a code; None where it should have one."""
    if fate.deleting:
        return "taken_back"
    if fate.own_copy:
        return "own_copy"
    if fate.state in DECIDED:
        return fate.reason or str(fate.state)
    if fate.state is None and post[0].message_id <= terms.start_after:
        return "before_start"
    return None


def is_waiting(terms: Terms, post: Post, fate: Fate) -> bool:
    """On its way, or younger than what the listener has heard so far."""
    return fate.state in WAITING or (fate.state is None and post[0].message_id > terms.mark)


def lack(fate: Fate) -> str:
    if fate.forgotten:
        return "forgotten"
    if fate.state is State.FAILED:
        return fate.reason or "failed"
    return "copy_gone" if fate.state is State.SENT else "never_queued"


def half_sent(posts: tuple[Post, ...], judgement: Judgement, fates: Mapping[int, Fate]) -> tuple[Post, ...]:
    """Posts whose first message is there, and that have failed after it; an operator sends them again."""
    lacking = {*judgement.absent, *judgement.partial}
    told = ((post, fates.get(post[0].message_id, UNKNOWN)) for post in posts if post not in lacking)
    return tuple(post for post, fate in told if fate.begun and fate.state is State.FAILED)


def unrecorded(
    posts: tuple[Post, ...], judgement: Judgement, fates: Mapping[int, Fate], modes: Mapping[int, str]
) -> tuple[Unrecorded, ...]:
    found = []
    for post in posts:
        matches = [m for part in post if (m := judgement.matches.get(part.message_id)) is not None]
        fate = fates.get(post[0].message_id, UNKNOWN)
        if fate.begun:
            continue
        known = fate.state is State.SENT or fate.state is None
        if len(matches) == len(post) and not (known and all(match.recorded for match in matches)):
            pairs = tuple((match.source, match.copy) for match in matches)
            found.append(Unrecorded(pairs, modes[matches[0].copy], fate))
    return tuple(found)


def signs(how: How) -> str:
    return {How.HEADER: "by its header", How.RECORD: "by our record", How.CONTENT: "by what it says"}[how]
