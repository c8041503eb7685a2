"""Presses about groups of destinations."""

from __future__ import annotations

from dataclasses import dataclass

from forwarder.bot.cb import Press, press


@press("gr")
@dataclass(frozen=True, slots=True)
class OpenGroup(Press):
    channel_id: int
    page: int = 0


@press("gj")
@dataclass(frozen=True, slots=True)
class JoinGroup(Press):
    """Into the group with this number, or out of any (0)."""

    channel_id: int
    group_id: int
    page: int = 0


@press("gx")
@dataclass(frozen=True, slots=True)
class CloseGroup(Press):
    """Back to the destination's card: no name is awaited any more."""

    channel_id: int
    page: int = 0
