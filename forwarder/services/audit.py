"""Who changed what."""

from __future__ import annotations

from sqlalchemy.ext.asyncio import AsyncSession

from forwarder.models import AuditEntry


async def record(
    session: AsyncSession, actor: int | None, action: str, subject: str, **details: object
) -> None:
    """Note a change in the transaction that makes it. ``actor``: a Telegram id; None is the program."""
    session.add(AuditEntry(actor=actor, action=action, subject=subject, details=details))
    await session.flush()
