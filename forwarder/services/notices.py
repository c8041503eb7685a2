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
"""After telling of a quarantine or of held posts, the next word about the same comes so much later."""

AT_ONCE = frozenset({NoticeKind.MAPPING_PAUSED, NoticeKind.ACCOUNT_STOPPED})
"""Kinds that happen once and end what they tell of; the others may come by the hundred."""


async def leave(session: AsyncSession, kind: NoticeKind, subject: int, reason: str | None = None) -> None:
    """Leave a notice in the caller's transaction. One that is open already is told anew, once."""
    await session.execute(
        text(
            """
            insert into notices (kind, subject, reason, not_before)
            select :kind, :subject, :reason,
                   (select max(done_at) + make_interval(secs => :quiet) from notices
                     where kind = :kind and subject = :subject and done_at is not null)
            on conflict (kind, subject) where done_at is null
               do update set version = notices.version + 1, reason = excluded.reason, told = '{}'
            """
        ),
        {
            "kind": kind.value,
            "subject": subject,
            "reason": reason,
            "quiet": 0 if kind in AT_ONCE else QUIET_SECONDS,
        },
    )
    await notify(session, NOTICES)
