"""The tables, with the checks that make a wrong state impossible.

Names are the field's. Times are the server's (``clock_timestamp()``), with time zone. States and kinds
are text with a check built from the enums of :mod:`forwarder.message`, so that the closed sets have one
home. ``deliveries.done_at`` is set exactly for final states: the partial indexes that find the working
set use it, because a column in an index predicate blocks HOT updates and ``done_at`` changes only once.
"""

from forwarder.models.accounts import Account, AccountRequest, FloodWait, Lease, PaceLesson
from forwarder.models.backfills import Backfill
from forwarder.models.base import NOW, Base, one_of
from forwarder.models.channels import Channel, ChannelAccess, DedupGroup, Mark
from forwarder.models.mappings import ChannelList, Folder, Lane, ListChannel, Mapping
from forwarder.models.outbox import Copy, Delivery, Fingerprint, Handled
from forwarder.models.people import AuditEntry, Notice, User
from forwarder.models.posts import Message, Post, Quarantined
from forwarder.models.reviews import Review
from forwarder.models.words import (
    BEFORE_THE_MOVE,
    CLASS_ORDER,
    AccountState,
    AfterOutage,
    BackfillState,
    Dedup,
    Language,
    MappingState,
    NoticeKind,
    PostState,
    RequestState,
    Role,
    WhenUnsure,
)

__all__ = [
    "BEFORE_THE_MOVE",
    "CLASS_ORDER",
    "NOW",
    "Account",
    "AccountRequest",
    "AccountState",
    "AfterOutage",
    "AuditEntry",
    "Backfill",
    "BackfillState",
    "Base",
    "Channel",
    "ChannelAccess",
    "ChannelList",
    "Copy",
    "Dedup",
    "DedupGroup",
    "Delivery",
    "Fingerprint",
    "FloodWait",
    "Folder",
    "Handled",
    "Lane",
    "Language",
    "Lease",
    "ListChannel",
    "Mapping",
    "MappingState",
    "Mark",
    "Message",
    "Notice",
    "NoticeKind",
    "PaceLesson",
    "Post",
    "PostState",
    "Quarantined",
    "RequestState",
    "Review",
    "Role",
    "User",
    "WhenUnsure",
    "one_of",
]
