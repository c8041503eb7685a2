"""What a backfill is to those who ask for one and watch it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from forwarder.message import Span
from forwarder.models import BackfillState, MappingState
from forwarder.services.values import MappingView


@dataclass(frozen=True, slots=True)
class Plan:
    """What a backfill would bring, before anything is queued."""

    mapping: MappingView
    span: Span


@dataclass(frozen=True, slots=True)
class BackfillView:
    """How far a run is. ``open`` posts are queued and not finished; ``rate`` is posts finished a minute just now.

    ``not_before`` is when the source may be read again, where Telegram asked for a wait. ``shown`` is the chat and
    message in which the bot shows it.
    """

    id: int
    mapping: MappingView
    state: BackfillState
    reason: str | None
    first_id: int
    last_id: int
    cursor: int
    total: int
    read: int
    passed: int
    queued: int
    open: int
    rate: float
    not_before: datetime | None
    created_at: datetime
    ended_at: datetime | None
    shown: tuple[int, int] | None = None
    asked_by: int | None = None

    @property
    def done(self) -> int:
        """Posts that are finished: sent, or passed over with a reason of their own."""
        return self.queued - self.open

    @property
    def expected(self) -> int:
        """Posts in all, at most; exact when everything is read."""
        return self.queued + max(0, min(self.total - self.read, self.last_id - self.cursor))

    @property
    def seconds_left(self) -> float | None:
        """None where nothing moves, or where it is over."""
        left = self.expected - self.done
        return left * 60 / self.rate if self.rate > 0 and left and self.ended_at is None else None

    @property
    def waits_for_mapping(self) -> bool:
        return self.state is BackfillState.RUNNING and self.mapping.state is MappingState.PAUSED
