"""What the services answer: frozen values that screens and the command line show."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Generic, TypeVar

from forwarder.message import AccountKind, ChatKind, Mode, Route, State
from forwarder.models import AfterOutage, Dedup, MappingState, WhenUnsure

T = TypeVar("T")

BY_PERSON = "paused"
"""The reason of a mapping that a person has paused; any other is the program's."""


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """One page of a list; ``page`` counts from 0 and never points behind the end."""

    items: tuple[T, ...]
    page: int
    pages: int
    total: int


def page_bounds(total: int, page: int, size: int) -> tuple[int, int]:
    """The page that exists nearest to the one asked for, and the number of pages (at least 1)."""
    pages = max(1, -(-total // size))
    return min(max(page, 0), pages - 1), pages


@dataclass(frozen=True, slots=True)
class Rights:
    """What one account may do in one chat; ``slowed`` where the chat's slow mode holds for it."""

    may_read: bool = False
    may_post: bool = False
    may_edit: bool = False
    may_delete: bool = False
    slowed: bool = False


@dataclass(frozen=True, slots=True)
class Access:
    """The rights of one account in one channel, as last checked."""

    account_id: int
    kind: AccountKind
    rights: Rights
    checked_at: datetime


@dataclass(frozen=True, slots=True)
class ChannelView:
    """A channel with what each account may do there.

    ``health`` is the code of what is wrong (``unreadable``, ``no_right_to_post``, ``protected_content``)
    or None; ``mappings_from`` and ``mappings_to`` count mappings that are not disabled. ``group`` is the name of that
    whose destinations get the same content once among them.
    """

    id: int
    telegram_id: int
    kind: ChatKind
    title: str
    username: str | None
    protected: bool
    forum: bool
    slow_mode: int
    linked_chat_id: int | None
    migrated_to: int | None
    is_source: bool
    is_destination: bool
    active: bool
    health: str | None
    listener: AccountKind | None
    access: tuple[Access, ...] = ()
    mappings_from: int = 0
    mappings_to: int = 0
    group: str | None = None

    def rights(self, kind: AccountKind) -> Rights | None:
        """What the account of this kind may do here; None where it was never checked."""
        return next((access.rights for access in self.access if access.kind is kind), None)


@dataclass(frozen=True, slots=True)
class ChannelName:
    """Enough of a channel to name it in a sentence and to link to it."""

    id: int
    telegram_id: int
    title: str
    username: str | None


@dataclass(frozen=True, slots=True)
class MappingSettings:
    """What a mapping does beside its mode and route; the defaults are those of the tables.

    ``skip_hours``: a live post that still waits at this age is withdrawn; None sends all, however late.
    """

    copy_fallback: bool = True
    important: bool = False
    silent: bool = False
    dedup: Dedup = Dedup.ACROSS
    dedup_hours: int = 24
    edit_sync: bool = True
    delete_sync: bool = True
    when_unsure: WhenUnsure = WhenUnsure.HOLD
    after_outage: AfterOutage = AfterOutage.ASK
    skip_hours: int | None = None


@dataclass(frozen=True, slots=True)
class MappingView:
    """One mapping; ``route`` is what was asked for, ``lane_route`` what carries it now."""

    id: int
    source: ChannelName
    source_topic: int
    destination: ChannelName
    destination_topic: int
    mode: Mode
    route: Route
    lane_route: Route
    state: MappingState
    reason: str | None
    settings: MappingSettings
    revision: int
    start_after: int
    created_at: datetime


@dataclass(frozen=True, slots=True)
class MappingCounts:
    """How many deliveries of new posts a mapping has in each state (edits and deletions are not counted).

    ``next_try_at`` is when the earliest waiting delivery is due; None when nothing waits for a time. Of the held
    ones, ``paused`` wait for the mapping to be resumed, ``outage`` for an answer what to do after an outage,
    ``review`` for somebody's word.
    """

    queued: int = 0
    sending: int = 0
    unsure: int = 0
    held: int = 0
    sent: int = 0
    failed: int = 0
    filtered: int = 0
    duplicate: int = 0
    withdrawn: int = 0
    last_sent_at: datetime | None = None
    next_try_at: datetime | None = None
    paused: int = 0
    outage: int = 0
    review: int = 0

    @property
    def waiting(self) -> int:
        return self.queued + self.sending


@dataclass(frozen=True, slots=True)
class Trouble:
    """A delivery that went wrong or waits for a person."""

    delivery_id: int
    mapping_id: int
    source: ChannelName
    destination: ChannelName
    message_id: int
    state: State
    reason: str
    at: datetime
