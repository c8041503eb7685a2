"""What the pace gives out, and what it must know again after Redis was emptied."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

from forwarder.message import AccountKind, DeliveryKind

HORIZON = 0.25
"""Seconds: a slot up to this far away is slept for, a later one is written into the row."""


class Place(IntEnum):
    """How much of a slot is taken; kept in ``deliveries.reserved`` while the row waits for it.

    Bulk takes no slot ahead of time: CHAT means there that it has had its turn to ask for one.
    """

    NONE = 0
    CHAT = 1
    ALL = 2


@dataclass(frozen=True, slots=True)
class Run:
    """The first ``count`` posts go in one call, ``seconds`` from now (0 or less for at once).

    ``looks``: the call shows whether a wait that is suspected to be the account's is; where it goes through, the
    pace is to be told by :meth:`~forwarder.pace.Pace.clear`.
    """

    seconds: float
    taken: Place
    count: int
    looks: bool = False


@dataclass(frozen=True, slots=True)
class Wait:
    """A wait that is running: ``chat_id`` and ``family`` are None where it holds the whole account."""

    account_id: int
    chat_id: int | None
    family: str | None
    seconds: float


@dataclass(frozen=True, slots=True)
class Learned:
    """What a wait taught of one window, as text that only the pace reads; ``ago`` is in seconds."""

    account_id: int
    field: str
    share: float
    hold: float
    ago: float


@dataclass(frozen=True, slots=True)
class Sent:
    """``messages`` that an account sent into a chat ``ago`` seconds before."""

    kind: AccountKind
    account_id: int
    chat_id: int
    messages: int
    ago: float


@dataclass(frozen=True, slots=True)
class Memory:
    """All that PostgreSQL knows of the pace. ``sent`` begins with the oldest."""

    waits: tuple[Wait, ...] = ()
    learned: tuple[Learned, ...] = ()
    sent: tuple[Sent, ...] = ()


def family_of(delivery: DeliveryKind) -> str:
    """Edits and deletions have windows of their own: they must not eat the pace of posts."""
    return "send" if delivery is DeliveryKind.POST else delivery.value
