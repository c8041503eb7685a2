"""Admin rights and restrictions, both ways. The world uses TL's own names, so there is no table."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from telethon.tl import types

from forwarder.sandbox.world import ADMIN_RIGHTS, BANNED_RIGHTS

_FOREVER = datetime(2038, 1, 19, 3, 14, 7, tzinfo=UTC)


def admin_rights(granted: frozenset[str]) -> Any:
    return types.ChatAdminRights(**dict.fromkeys(granted, True))


def read_admin_rights(rights: Any) -> frozenset[str]:
    return frozenset(name for name in ADMIN_RIGHTS if getattr(rights, name, None))


def banned_rights(denied: frozenset[str], until: datetime | None = None) -> Any:
    return types.ChatBannedRights(until_date=until or _FOREVER, **dict.fromkeys(denied, True))


def read_banned_rights(rights: Any) -> tuple[frozenset[str], datetime | None]:
    """What is denied, and until when (None: for ever)."""
    denied = frozenset(name for name in BANNED_RIGHTS if getattr(rights, name, None))
    until = rights.until_date
    if until is None or until.timestamp() < 60 or until >= _FOREVER:
        return denied, None
    return denied, until
