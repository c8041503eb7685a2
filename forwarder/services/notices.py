"""Leaving a notice: word for people who did not ask, told by the bot (see :mod:`forwarder.services.telling`).

A notice is left in the transaction that makes it true, so that neither is there without the other.
"""

from __future__ import annotations

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from forwarder.db import notify
from forwarder.models import NoticeKind

NOTICES = "notices"
"""The notification that wakes the bot."""

QUIET_SECONDS = 600
"""After telling of a quarantine, of held posts or of an outage, the next word about the same comes so much later."""

QUIET_OF_REVIEWS = 60
"""People who review want to see soon what has come, but not every post by itself."""

AT_ONCE = frozenset({NoticeKind.MAPPING_PAUSED, NoticeKind.ACCOUNT_STOPPED})
"""Kinds that happen once and end what they tell of; the others may come by the hundred."""


def quiet_after(kind: NoticeKind) -> int:
    """Seconds after telling before the next word about the same."""
    if kind in AT_ONCE:
        return 0
    return QUIET_OF_REVIEWS if kind is NoticeKind.REVIEW else QUIET_SECONDS


async def leave(
    session: AsyncSession, kind: NoticeKind, subject: int, reason: str | None = None, *, wait: float = 0.0
) -> None:
    """Leave a notice in the caller's transaction. One that is open already is told anew, once.

    A first one is told ``wait`` seconds after the transaction's begin, with what was added meanwhile; several of one
    transaction are due at the same moment, to be told together.
    """
    await session.execute(
        text(
            """
            insert into notices (kind, subject, reason, not_before)
            select :kind, :subject, :reason,
                   (select greatest(max(done_at) + make_interval(secs => :quiet),
                                    case when :wait > 0 then now() + make_interval(secs => :wait) end)
                      from notices where kind = :kind and subject = :subject and done_at is not null)
            on conflict (kind, subject) where done_at is null
               do update set version = notices.version + 1, reason = excluded.reason, told = '{}'
            """
        ),
        {
            "kind": kind.value,
            "subject": subject,
            "reason": reason,
            "quiet": quiet_after(kind),
            "wait": wait,
        },
    )
    await notify(session, NOTICES)
