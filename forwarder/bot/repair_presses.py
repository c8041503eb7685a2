"""Presses of taking back and comparing."""

from __future__ import annotations

from dataclasses import dataclass

from forwarder.bot.cb import Press, press


@press("kp")
@dataclass(frozen=True, slots=True)
class TakeBackPost(Press):
    """The post of this delivery, wherever it went."""

    delivery_id: int
    sure: bool = False


@press("km")
@dataclass(frozen=True, slots=True)
class TakeBackRecent(Press):
    """What a mapping has sent in the last minutes; ``minutes`` 0 asks how many.

    ``until`` is the second at which these minutes ended when the person was asked whether to.
    """

    mapping_id: int
    minutes: int = 0
    sure: bool = False
    until: int = 0


@press("au")
@dataclass(frozen=True, slots=True)
class AuditMapping(Press):
    """Compare the last hours; 0 asks how many."""

    mapping_id: int
    hours: int = 0


@press("am")
@dataclass(frozen=True, slots=True)
class MendMapping(Press):
    """Compare the last hours again and mend what differs; ``delete`` what is doubled, too."""

    mapping_id: int
    hours: int
    delete: bool = False
