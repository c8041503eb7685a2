"""Chats with members: broadcast channels, supergroups and basic groups."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

ChatKind = Literal["channel", "supergroup", "group"]
Role = Literal["creator", "admin", "member", "restricted", "banned", "left"]

# The names of chatAdminRights and chatBannedRights, so that each door needs no table of its own.
ADMIN_RIGHTS = frozenset(
    {
        "change_info",
        "post_messages",
        "edit_messages",
        "delete_messages",
        "ban_users",
        "invite_users",
        "pin_messages",
        "add_admins",
        "anonymous",
        "manage_call",
        "other",
        "manage_topics",
        "post_stories",
        "edit_stories",
        "delete_stories",
    }
)
CREATOR_RIGHTS = ADMIN_RIGHTS - {"anonymous"}
SEND_RIGHTS = frozenset(
    {
        "send_messages",
        "send_media",
        "send_plain",
        "send_photos",
        "send_videos",
        "send_roundvideos",
        "send_audios",
        "send_voices",
        "send_docs",
        "send_stickers",
        "send_gifs",
        "send_games",
        "send_inline",
        "send_polls",
        "embed_links",
    }
)
BANNED_RIGHTS = SEND_RIGHTS | {
    "view_messages",
    "change_info",
    "invite_users",
    "pin_messages",
    "manage_topics",
}


@dataclass(frozen=True, slots=True)
class Member:
    """What one account is in one chat. ``rights`` of an admin; ``denied`` of one who is restricted or
    banned.
    """

    account: int
    role: Role
    joined: datetime
    rights: frozenset[str] = frozenset()
    denied: frozenset[str] = frozenset()
    until: datetime | None = None
    inviter: int | None = None
    promoted_by: int | None = None
    rank: str = ""

    @property
    def inside(self) -> bool:
        """Whether the account is in the chat at present."""
        return self.role in ("creator", "admin", "member", "restricted")

    @property
    def is_admin(self) -> bool:
        return self.role in ("creator", "admin")

    def may(self, right: str) -> bool:
        """Whether this is an admin with that right."""
        return self.role == "creator" or (self.role == "admin" and right in self.rights)


@dataclass(frozen=True, slots=True)
class Invite:
    """An invite link: the part after ``t.me/+``."""

    hash: str
    creator: int
    created: datetime
    revoked: bool = False
    needs_approval: bool = False


GENERAL_TOPIC = 1
"""The topic that each forum has; its messages carry no sign of it (https://core.telegram.org/api/forum)."""


@dataclass(frozen=True, slots=True)
class Topic:
    """A topic of a forum; ``id`` is the number of its first message, which tells of its creation."""

    id: int
    title: str
    creator: int
    created: datetime
    icon_color: int = 0x6FB9F0
    closed: bool = False
    deleted: bool = False


@dataclass(slots=True)
class Chat:
    """A chat's present state; only the world's operations change it. ``slow_mode`` in seconds."""

    id: int
    kind: ChatKind
    title: str
    created: datetime
    creator: int
    username: str | None = None
    about: str = ""
    protected: bool = False
    slow_mode: int = 0
    signatures: bool = False
    forum: bool = False
    topics: dict[int, Topic] = field(default_factory=dict)
    linked: int | None = None
    migrated_to: int | None = None
    migrated_from: int | None = None
    default_denied: frozenset[str] = frozenset()
    members: dict[int, Member] = field(default_factory=dict)
    invites: dict[str, Invite] = field(default_factory=dict)
    pinned: int | None = None
    last_sent: dict[int, float] = field(default_factory=dict)
    join_requests: dict[int, datetime] = field(default_factory=dict)

    @property
    def broadcast(self) -> bool:
        return self.kind == "channel"

    @property
    def public(self) -> bool:
        return self.username is not None

    def member(self, account: int) -> Member | None:
        """The member's entry, also of one who left or was banned; None when there never was one."""
        return self.members.get(account)

    def inside(self, account: int) -> bool:
        member = self.members.get(account)
        return member is not None and member.inside

    @property
    def member_count(self) -> int:
        return sum(1 for member in self.members.values() if member.inside)
