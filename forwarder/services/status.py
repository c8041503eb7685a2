"""What an administrator wants to know at a glance; who gathers it implements :class:`StatusSource`."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from forwarder.message import AccountKind
from forwarder.services.values import MappingView, Trouble


@dataclass(frozen=True, slots=True)
class ProcessStatus:
    """One process of ours; ``alive`` says that its last sign of life (``seen_at``) is young enough."""

    name: str
    alive: bool
    seen_at: datetime | None


@dataclass(frozen=True, slots=True)
class AccountStatus:
    """An account; ``state`` is a value of ``AccountState``, ``reason`` why it is stopped."""

    kind: AccountKind
    username: str | None
    state: str
    reason: str | None
    wait_until: datetime | None
    account_id: int = 0


@dataclass(frozen=True, slots=True)
class QueueStatus:
    """``waiting`` deliveries of one route and class; ``oldest_seconds`` is the age of the oldest one."""

    name: str
    waiting: int
    oldest_seconds: float | None


@dataclass(frozen=True, slots=True)
class WaitStatus:
    """A wait that Telegram asked for and that is not over; ``chat`` is a title, or None for all chats."""

    name: str
    account: AccountKind
    method: str
    chat: str | None
    until: datetime
    waiting: int


@dataclass(frozen=True, slots=True)
class Status:
    """The state of everything at ``at``; ``failed``, ``unsure`` and ``held`` count deliveries.

    ``troubles`` are the newest failed, unsure and held deliveries, a handful; ``alerts`` are mappings that an
    error has paused; ``outages`` are mappings with the number of posts that wait for an answer after an outage.
    """

    at: datetime
    processes: tuple[ProcessStatus, ...] = ()
    accounts: tuple[AccountStatus, ...] = ()
    queues: tuple[QueueStatus, ...] = ()
    waits: tuple[WaitStatus, ...] = ()
    failed: int = 0
    unsure: int = 0
    held: int = 0
    quarantined: int = 0
    troubles: tuple[Trouble, ...] = ()
    alerts: tuple[MappingView, ...] = ()
    outages: tuple[tuple[MappingView, int], ...] = ()


class StatusSource(Protocol):
    async def status(self) -> Status:
        """The state now. Raises :class:`~forwarder.errors.Unavailable` when it can't be read."""
        ...
