"""Which live posts of a mapping are too old: its limit of age, without the time in which its rules let none go."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncSession

from forwarder.errors import InvalidRequest
from forwarder.rules.when import When, too_old_before
from forwarder.services.kept_rules import kept_rules, read_kept


async def too_old(session: AsyncSession, limits: Mapping[int, int]) -> dict[int, datetime]:
    """By mapping, of which ``limits`` has the hours: those that appeared before."""
    found = {}
    for kept in await kept_rules(session, list(limits)):
        try:
            when = read_kept(kept).when
        except InvalidRequest:
            when = When()  # its posts fail by themselves
        found[kept.id] = too_old_before(when, kept.now, limits[kept.id])
    return found
