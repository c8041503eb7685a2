"""Which deliveries of a lane go in one call. Pure decisions.

Over MTProto one call carries up to 100 messages. Only posts that need nothing of their own may share one, and
neighbouring single media never do: Telegram would show them as an album (telegram-facts section 5).
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from forwarder.message import AccountKind, DeliveryKind, Kind, Mode
from forwarder.outbox.values import Job, LaneHeld, Nothing, Part, Run
from forwarder.pace import Place

MOST_MESSAGES = 100
"""Ids in one ``messages.forwardMessages`` (``forwarded_count_max``, telegram-facts section 1.2)."""

ANSWERS = frozenset(Kind) - {Kind.DICE, Kind.SERVICE, Kind.UNKNOWN}
"""Kinds whose copy may answer another message: as an answer a dice would be rolled anew."""

GROUPABLE = frozenset({Kind.PHOTO, Kind.VIDEO, Kind.ANIMATION, Kind.AUDIO, Kind.DOCUMENT})
"""Kinds of which neighbours could be shown as one album."""


def mode_for(mode: Mode, parts: Sequence[Part]) -> Mode:
    """How to send these: what is of no kind that we know is forwarded whole, whatever the mapping says."""
    return Mode.FORWARD if any(part.kind is Kind.UNKNOWN for part in parts) else mode


def is_silent(lane: LaneHeld, job: Job) -> bool:
    """Whether the copy is to make no sound: the mapping wants none, or the post made none itself."""
    return lane.silent or job.silent


def may_answer(mode: Mode, parts: Sequence[Part]) -> bool:
    """Whether these can be sent as an answer. A forward never can: neither API has a word for it."""
    return mode is Mode.COPY and all(part.kind in ANSWERS for part in parts)


def first_run(jobs: Sequence[Job], lane: LaneHeld, kind: AccountKind) -> Run | Nothing:
    """What to do next of a lane's open deliveries: an edit or deletion that is due, else the head and what may
    go with it. ``jobs`` are in the lane's order, edits and deletions first."""
    fixes = [job for job in jobs if job.kind is not DeliveryKind.POST]
    posts = [job for job in jobs if job.kind is DeliveryKind.POST]
    for job in (*fixes[:1], *posts[:1]):
        if job.due:
            return Run((job,)) if job.kind is not DeliveryKind.POST else with_company(posts, lane, kind)
    waits = [job.due_in for job in (*fixes[:1], *posts[:1]) if job.due_in is not None]
    return Nothing(min(waits) if waits else None)


def with_company(posts: Sequence[Job], lane: LaneHeld, kind: AccountKind) -> Run:
    """The head, and the posts behind it that may go in the same call."""
    head = posts[0]
    if kind is not AccountKind.USER:
        return Run((head,))
    if head.maybe_sent:
        # What was in one call stays in one call, whatever else has become due.
        return Run(tuple(job for job in posts if job is head or same_call(head, job)))
    if not plain(head, lane) or head.place is not Place.NONE:
        return Run((head,))
    company, messages = [head], len(head.content)
    for before, job in pairwise(posts):
        messages += len(job.content)
        if messages > MOST_MESSAGES or not joins(head, before, job, lane):
            break
        company.append(job)
    return Run(tuple(company))


def same_call(head: Job, job: Job) -> bool:
    return head.batch is not None and job.batch == head.batch and job.maybe_sent


def joins(head: Job, before: Job, job: Job, lane: LaneHeld) -> bool:
    return (
        plain(job, lane)
        and job.due
        and not job.maybe_sent
        and job.klass == head.klass
        and job.source == head.source
        and is_silent(lane, job) is is_silent(lane, head)
        and mode_for(lane.mode, job.content) is mode_for(lane.mode, head.content)
        and not (job.content[0].kind in GROUPABLE and before.content[-1].kind in GROUPABLE)
    )


def plain(job: Job, lane: LaneHeld) -> bool:
    """Whether a post needs nothing of its own: it is there, may be shown, and answers nothing."""
    answers = may_answer(mode_for(lane.mode, job.content), job.content) and any(
        part.reply_to is not None for part in job.content
    )
    return bool(job.content) and not answers and not any(part.protected for part in job.content)
