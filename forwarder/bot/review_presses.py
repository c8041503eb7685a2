"""Presses of reviewing."""

from __future__ import annotations

from dataclasses import dataclass

from forwarder.bot.cb import Press, press


@press("rv")
@dataclass(frozen=True, slots=True)
class OpenReviews(Press):
    """The post with this number among those that wait; of one mapping, or of all (0)."""

    mapping_id: int = 0
    page: int = 0


@press("rd")
@dataclass(frozen=True, slots=True)
class Decide(Press):
    """``stamp`` names the text that the person has seen."""

    delivery_id: int
    stamp: int
    approve: bool
    mapping_id: int = 0
    page: int = 0
