"""The tables, with the checks that make a wrong state impossible.

Names are the field's. Times are the server's (``clock_timestamp()``), with time zone. States and kinds
are text with a check built from the enums of :mod:`forwarder.message`, so that the closed sets have one
home. ``deliveries.done_at`` is set exactly for final states: the partial indexes that find the working
set use it, because a column in an index predicate blocks HOT updates and ``done_at`` changes only once.
"""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    DateTime,
    ForeignKey,
    Identity,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    SmallInteger,
    Text,
    UniqueConstraint,
)
from sqlalchemy import (
    text as sql_text,
)
from sqlalchemy.dialects.postgresql import ARRAY, INT8MULTIRANGE, JSONB, Range
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from forwarder.message import (
    FINAL_STATES,
    AccountKind,
    ChatKind,
    DeliveryKind,
    Heard,
    Kind,
    Mode,
    Route,
    State,
)

NOW = sql_text("clock_timestamp()")

CLASS_ORDER = {"fix": 0, "live": 1, "bulk": 2}
"""How ``deliveries.class`` is stored: what goes first sorts first."""


class Role(StrEnum):
    ADMINISTRATOR = "administrator"
    OPERATOR = "operator"
    VIEWER = "viewer"


class Language(StrEnum):
    RU = "ru"
    EN = "en"


class AccountState(StrEnum):
    ACTIVE = "active"
    STOPPED = "stopped"
    SIGNED_OUT = "signed_out"
    DELETED = "deleted"


class MappingState(StrEnum):
    ACTIVE = "active"
    PAUSED = "paused"
    DISABLED = "disabled"


class Dedup(StrEnum):
    """``off``; ``across`` different sources (the default); ``all``, a repeat in the same source too."""

    OFF = "off"
    ACROSS = "across"
    ALL = "all"


class WhenUnsure(StrEnum):
    """What to do with a bot send of unknown outcome that nobody can look up."""

    HOLD = "hold"
    AGAIN = "again"


class AfterOutage(StrEnum):
    """What to do with posts that were first heard long after they appeared, because nobody had listened."""

    ASK = "ask"
    SEND = "send"
    SKIP = "skip"


class PostState(StrEnum):
    COLLECTING = "collecting"
    READY = "ready"


class BackfillState(StrEnum):
    RUNNING = "running"
    PAUSED = "paused"
    STOPPED = "stopped"
    DONE = "done"


class NoticeKind(StrEnum):
    """What people are told unasked: a mapping's owner of its pause, administrators of the rest."""

    MAPPING_PAUSED = "mapping_paused"
    ACCOUNT_STOPPED = "account_stopped"
    QUARANTINED = "quarantined"
    HELD_UNSURE = "held_unsure"
    OUTAGE = "outage"


class RequestState(StrEnum):
    ASKED = "asked"
    ANSWERED = "answered"
    REFUSED = "refused"


def one_of(column: str, kinds: type[StrEnum], name: str | None = None) -> CheckConstraint:
    listed = ", ".join(f"'{kind.value}'" for kind in kinds)
    return CheckConstraint(f"{column} in ({listed})", name=name or f"{column}_known")


class Base(DeclarativeBase):
    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map = {
        str: Text,
        bytes: LargeBinary,
        datetime: DateTime(timezone=True),
        dict[str, Any]: JSONB,
        list[dict[str, Any]]: JSONB,
        list[int]: ARRAY(BigInteger),
    }


class User(Base):
    """Who may use the control bot. ``dialog`` is where a multi-step dialog stands, so that it survives a restart."""

    __tablename__ = "users"
    __table_args__ = (one_of("role", Role), one_of("language", Language))

    telegram_id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    name: Mapped[str] = mapped_column(default="", server_default="")
    role: Mapped[str] = mapped_column(default=Role.OPERATOR, server_default=Role.OPERATOR)
    language: Mapped[str] = mapped_column(default="en", server_default="en")
    alerts: Mapped[bool] = mapped_column(default=True, server_default=sql_text("true"))
    dialog: Mapped[dict[str, Any] | None]
    created_at: Mapped[datetime] = mapped_column(server_default=NOW)


class Account(Base):
    """A bot or a user account; its session files are named by the settings, never stored here."""

    __tablename__ = "accounts"
    __table_args__ = (one_of("kind", AccountKind), one_of("state", AccountState))

    id: Mapped[int] = mapped_column(Identity(), primary_key=True)
    kind: Mapped[str]
    telegram_id: Mapped[int] = mapped_column(BigInteger, unique=True)
    username: Mapped[str | None]
    state: Mapped[str] = mapped_column(default=AccountState.ACTIVE, server_default=AccountState.ACTIVE)
    reason: Mapped[str | None]
    wait_until: Mapped[datetime | None]
    seen_at: Mapped[datetime | None]
    deleted_at: Mapped[datetime | None]
    created_at: Mapped[datetime] = mapped_column(server_default=NOW)


class Channel(Base):
    """Any chat that is a source or a destination.

    ``listener_id`` is the account whose mark decides what is complete (section 9 of the design): the
    user account where it can read the source, else the bot.
    """

    __tablename__ = "channels"
    __table_args__ = (
        one_of("kind", ChatKind),
        Index("ix_channels_migrated_to", "migrated_to", postgresql_where=sql_text("migrated_to is not null")),
    )

    id: Mapped[int] = mapped_column(Identity(), primary_key=True)
    telegram_id: Mapped[int] = mapped_column(BigInteger, unique=True)
    kind: Mapped[str]
    title: Mapped[str]
    username: Mapped[str | None]
    protected: Mapped[bool] = mapped_column(default=False, server_default=sql_text("false"))
    forum: Mapped[bool] = mapped_column(default=False, server_default=sql_text("false"))
    slow_mode: Mapped[int] = mapped_column(default=0, server_default=sql_text("0"))
    linked_chat_id: Mapped[int | None] = mapped_column(BigInteger)
    migrated_to: Mapped[int | None] = mapped_column(BigInteger)
    is_source: Mapped[bool] = mapped_column(default=False, server_default=sql_text("false"))
    is_destination: Mapped[bool] = mapped_column(default=False, server_default=sql_text("false"))
    active: Mapped[bool] = mapped_column(default=True, server_default=sql_text("true"))
    health: Mapped[str | None]
    listener_id: Mapped[int | None] = mapped_column(ForeignKey("accounts.id", ondelete="SET NULL"))
    created_by: Mapped[int | None] = mapped_column(BigInteger)
    created_at: Mapped[datetime] = mapped_column(server_default=NOW)


class ChannelAccess(Base):
    """What one account may do in one channel, and when that was checked."""

    __tablename__ = "channel_access"

    channel_id: Mapped[int] = mapped_column(ForeignKey("channels.id", ondelete="CASCADE"), primary_key=True)
    account_id: Mapped[int] = mapped_column(ForeignKey("accounts.id", ondelete="CASCADE"), primary_key=True)
    access_hash: Mapped[int | None] = mapped_column(BigInteger)
    may_read: Mapped[bool]
    may_post: Mapped[bool]
    may_edit: Mapped[bool] = mapped_column(default=False, server_default=sql_text("false"))
    may_delete: Mapped[bool] = mapped_column(default=False, server_default=sql_text("false"))
    slowed: Mapped[bool] = mapped_column(default=False, server_default=sql_text("false"))
    """Whether the chat's slow mode holds for this account: it does not for administrators."""
    checked_at: Mapped[datetime] = mapped_column(server_default=NOW)


class Folder(Base):
    __tablename__ = "folders"

    id: Mapped[int] = mapped_column(Identity(), primary_key=True)
    name: Mapped[str] = mapped_column(unique=True)
    created_at: Mapped[datetime] = mapped_column(server_default=NOW)


class ChannelList(Base):
    """Joins N sources to M destinations and gives its mappings one set of settings."""

    __tablename__ = "lists"
    __table_args__ = (UniqueConstraint("folder_id", "name"),)

    id: Mapped[int] = mapped_column(Identity(), primary_key=True)
    folder_id: Mapped[int | None] = mapped_column(ForeignKey("folders.id", ondelete="SET NULL"))
    name: Mapped[str]
    settings: Mapped[dict[str, Any]] = mapped_column(server_default=sql_text("'{}'::jsonb"))
    created_at: Mapped[datetime] = mapped_column(server_default=NOW)


class ListChannel(Base):
    __tablename__ = "list_channels"
    __table_args__ = (
        CheckConstraint("side in ('source', 'destination')", name="side_known"),
        Index("ix_list_channels_channel_id", "channel_id"),
    )

    list_id: Mapped[int] = mapped_column(ForeignKey("lists.id", ondelete="CASCADE"), primary_key=True)
    channel_id: Mapped[int] = mapped_column(ForeignKey("channels.id", ondelete="CASCADE"), primary_key=True)
    side: Mapped[str] = mapped_column(primary_key=True)


class Mapping(Base):
    """One source (and topic) to one destination (and topic). A topic of 0 is the whole chat.

    ``start_after`` is the source's top id when the mapping was enabled; older posts come only by backfill.
    ``skip_hours`` is the age from which a live post that still waits is withdrawn; null sends all, however late.
    """

    __tablename__ = "mappings"
    __table_args__ = (
        UniqueConstraint(
            "source_id", "source_topic", "destination_id", "destination_topic", name="uq_mappings_pair"
        ),
        CheckConstraint(
            "source_id <> destination_id or source_topic <> destination_topic", name="not_onto_itself"
        ),
        one_of("mode", Mode),
        one_of("route", Route),
        one_of("state", MappingState),
        one_of("dedup", Dedup),
        one_of("when_unsure", WhenUnsure),
        one_of("after_outage", AfterOutage),
        CheckConstraint("skip_hours > 0", name="skip_hours_positive"),
        Index("ix_mappings_destination_id", "destination_id"),
    )

    id: Mapped[int] = mapped_column(Identity(), primary_key=True)
    source_id: Mapped[int] = mapped_column(ForeignKey("channels.id", ondelete="RESTRICT"))
    source_topic: Mapped[int] = mapped_column(default=0, server_default=sql_text("0"))
    destination_id: Mapped[int] = mapped_column(ForeignKey("channels.id", ondelete="RESTRICT"))
    destination_topic: Mapped[int] = mapped_column(default=0, server_default=sql_text("0"))
    mode: Mapped[str]
    route: Mapped[str] = mapped_column(default=Route.AUTO, server_default=Route.AUTO)
    copy_fallback: Mapped[bool] = mapped_column(default=True, server_default=sql_text("true"))
    important: Mapped[bool] = mapped_column(default=False, server_default=sql_text("false"))
    silent: Mapped[bool] = mapped_column(default=False, server_default=sql_text("false"))
    dedup: Mapped[str] = mapped_column(default=Dedup.ACROSS, server_default=Dedup.ACROSS)
    dedup_hours: Mapped[int] = mapped_column(default=24, server_default=sql_text("24"))
    edit_sync: Mapped[bool] = mapped_column(default=True, server_default=sql_text("true"))
    delete_sync: Mapped[bool] = mapped_column(default=True, server_default=sql_text("true"))
    when_unsure: Mapped[str] = mapped_column(default=WhenUnsure.HOLD, server_default=WhenUnsure.HOLD)
    after_outage: Mapped[str] = mapped_column(default=AfterOutage.ASK, server_default=AfterOutage.ASK)
    skip_hours: Mapped[int | None]
    rules: Mapped[dict[str, Any]] = mapped_column(server_default=sql_text("'{}'::jsonb"))
    revision: Mapped[int] = mapped_column(default=1, server_default=sql_text("1"))
    state: Mapped[str] = mapped_column(default=MappingState.ACTIVE, server_default=MappingState.ACTIVE)
    reason: Mapped[str | None]
    start_after: Mapped[int] = mapped_column(BigInteger)
    created_by: Mapped[int | None] = mapped_column(BigInteger)
    created_at: Mapped[datetime] = mapped_column(server_default=NOW)


class Lane(Base):
    """One per mapping: the lease and its fence. ``route`` is where its bells ring.

    A lane that nobody holds has neither holder nor lease; releasing clears both, because renewing
    "all that I hold" would otherwise take a released lane back.
    """

    __tablename__ = "lanes"
    __table_args__ = (
        CheckConstraint("route in ('bot', 'user')", name="route_known"),
        CheckConstraint("(holder is null) = (lease_until is null)", name="lease_whole"),
        {"postgresql_with": {"fillfactor": "50"}},
    )

    mapping_id: Mapped[int] = mapped_column(
        ForeignKey("mappings.id", ondelete="CASCADE"), primary_key=True, autoincrement=False
    )
    route: Mapped[str]
    holder: Mapped[str | None]
    fence: Mapped[int] = mapped_column(BigInteger, default=0, server_default=sql_text("0"))
    lease_until: Mapped[datetime | None]
    not_before: Mapped[datetime | None]


class Post(Base):
    """What is delivered: one message or one album; ``collecting`` until it and all before it are complete."""

    __tablename__ = "posts"
    __table_args__ = (
        one_of("state", PostState),
        UniqueConstraint("channel_id", "position"),
        Index(
            "ix_posts_collecting",
            "channel_id",
            "position",
            postgresql_where=sql_text("state = 'collecting'"),
        ),
        Index(
            "uq_posts_open_album",
            "channel_id",
            "album_id",
            unique=True,
            postgresql_where=sql_text("state = 'collecting' and album_id is not null"),
        ),
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    channel_id: Mapped[int] = mapped_column(ForeignKey("channels.id", ondelete="CASCADE"))
    position: Mapped[int] = mapped_column(BigInteger)
    album_id: Mapped[str | None]
    state: Mapped[str] = mapped_column(default=PostState.COLLECTING, server_default=PostState.COLLECTING)
    last_part_at: Mapped[datetime] = mapped_column(server_default=NOW)
    created_at: Mapped[datetime] = mapped_column(server_default=NOW)


class Message(Base):
    """Each source message heard, once.

    ``replaced`` says that an edit put another medium in the place of the first, ``file_id`` what our bot calls
    that one; the bot cannot edit a copy's medium without.
    """

    __tablename__ = "messages"
    __table_args__ = (
        UniqueConstraint("channel_id", "message_id"),
        one_of("kind", Kind),
        one_of("heard", Heard),
        Index("ix_messages_post_id", "post_id"),
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    channel_id: Mapped[int] = mapped_column(ForeignKey("channels.id", ondelete="CASCADE"))
    message_id: Mapped[int] = mapped_column(BigInteger)
    post_id: Mapped[int | None] = mapped_column(ForeignKey("posts.id", ondelete="SET NULL"))
    kind: Mapped[str]
    heard: Mapped[str]
    album_id: Mapped[str | None]
    date: Mapped[datetime]
    edit_date: Mapped[datetime | None]
    topic_id: Mapped[int] = mapped_column(default=0, server_default=sql_text("0"))
    reply_to: Mapped[int | None] = mapped_column(BigInteger)
    text: Mapped[str] = mapped_column(default="", server_default="")
    entities: Mapped[list[dict[str, Any]]] = mapped_column(server_default=sql_text("'[]'::jsonb"))
    media_id: Mapped[str | None]
    facts: Mapped[dict[str, Any]] = mapped_column(server_default=sql_text("'{}'::jsonb"))
    replaced: Mapped[bool] = mapped_column(default=False, server_default=sql_text("false"))
    file_id: Mapped[str | None]
    origin_chat: Mapped[int | None] = mapped_column(BigInteger)
    origin_message: Mapped[int | None] = mapped_column(BigInteger)
    protected: Mapped[bool] = mapped_column(default=False, server_default=sql_text("false"))
    deleted_at: Mapped[datetime | None]
    heard_at: Mapped[datetime] = mapped_column(server_default=NOW)
    earlier: Mapped[list[str]] = mapped_column(JSONB, server_default=sql_text("'[]'::jsonb"))
    """Texts that were edited away while a copy of unknown outcome may have been made of them."""


BEFORE_THE_MOVE = 10**15
"""Taken from the positions of posts that were heard in a group before it became a supergroup, whose message ids
begin at 1 again. More than any message id."""


class Delivery(Base):
    """The outbox.

    ``position`` is the id of the post's first message: the order of the source (see ``BEFORE_THE_MOVE``).
    ``not_before`` of a ``reserved`` row is a slot that the pace has given it (see ``pace.Place``). ``message_ids`` and
    ``random_ids`` are what the call carries, stored before it is made; ``batch`` is the first delivery of a call that
    carries several. ``seen_id`` is the highest id known in
    the destination before a bot's send; a look-up searches above it. ``parts`` lists the source messages that
    an edit or deletion concerns; ``again`` says that a newer one came while this was being applied.
    ``unsettled`` says that a call with these ids may have been executed: until that is known, they do not
    change. ``revision`` is that of the rules it was decided by, ``details`` which rule stopped it and the words that
    did it.
    """

    __tablename__ = "deliveries"
    __table_args__ = (
        UniqueConstraint("mapping_id", "post_id", "kind"),
        one_of("kind", DeliveryKind),
        one_of("state", State),
        CheckConstraint("class between 0 and 2", name="class_known"),
        CheckConstraint("route in ('bot', 'user')", name="route_known"),
        CheckConstraint("mode in ('forward', 'copy')", name="mode_known"),
        CheckConstraint(
            "(done_at is not null) = (state in ({}))".format(
                ", ".join(f"'{s.value}'" for s in sorted(FINAL_STATES))
            ),
            name="done_is_final",
        ),
        CheckConstraint("state <> 'sending' or account_id is not null", name="sending_by_someone"),
        CheckConstraint("state in ('queued', 'sending', 'sent') or reason is not null", name="explained"),
        CheckConstraint("state <> 'duplicate' or duplicate_of is not null", name="duplicate_of_something"),
        Index(
            "ix_deliveries_open",
            "mapping_id",
            "class",
            "position",
            "id",
            postgresql_where=sql_text("done_at is null"),
        ),
        Index("ix_deliveries_post_id", "post_id"),
        Index("ix_deliveries_done_at", "done_at", postgresql_where=sql_text("done_at is not null")),
        Index("ix_deliveries_duplicate_of", "duplicate_of", postgresql_where=sql_text("state = 'duplicate'")),
        {"postgresql_with": {"fillfactor": "80"}},
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    mapping_id: Mapped[int] = mapped_column(ForeignKey("mappings.id", ondelete="CASCADE"))
    post_id: Mapped[int] = mapped_column(ForeignKey("posts.id", ondelete="CASCADE"))
    kind: Mapped[str]
    klass: Mapped[int] = mapped_column("class", SmallInteger)
    position: Mapped[int] = mapped_column(BigInteger)
    state: Mapped[str] = mapped_column(default=State.QUEUED, server_default=State.QUEUED)
    reason: Mapped[str | None]
    not_before: Mapped[datetime | None]
    reserved: Mapped[int] = mapped_column(SmallInteger, default=0, server_default=sql_text("0"))
    attempts: Mapped[int] = mapped_column(default=0, server_default=sql_text("0"))
    epoch: Mapped[int] = mapped_column(default=0, server_default=sql_text("0"))
    route: Mapped[str | None]
    account_id: Mapped[int | None] = mapped_column(ForeignKey("accounts.id", ondelete="SET NULL"))
    mode: Mapped[str | None]
    message_ids: Mapped[list[int] | None]
    random_ids: Mapped[list[int] | None]
    batch: Mapped[int | None] = mapped_column(BigInteger)
    sent_ids: Mapped[list[int] | None]
    seen_id: Mapped[int | None] = mapped_column(BigInteger)
    parts: Mapped[list[int] | None]
    again: Mapped[bool] = mapped_column(Boolean, default=False, server_default=sql_text("false"))
    unsettled: Mapped[bool] = mapped_column(Boolean, default=False, server_default=sql_text("false"))
    revision: Mapped[int | None] = mapped_column(Integer)
    details: Mapped[dict[str, Any] | None]
    duplicate_of: Mapped[int | None] = mapped_column(BigInteger)
    created_at: Mapped[datetime] = mapped_column(server_default=NOW)
    claimed_at: Mapped[datetime | None]
    done_at: Mapped[datetime | None]


class Copy(Base):
    """Which message of a destination is ours, and of which source message: for edits, deletions, replies, look-ups.

    ``source_id`` is the channel that the source message is in: where a group became a supergroup, a mapping has
    copies from both, and their message ids mean different messages.
    """

    __tablename__ = "copies"
    __table_args__ = (
        Index("ix_copies_source", "mapping_id", "source_message_id"),
        Index("ix_copies_created_at", "created_at", postgresql_using="brin"),
    )

    channel_id: Mapped[int] = mapped_column(ForeignKey("channels.id", ondelete="CASCADE"), primary_key=True)
    message_id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    mapping_id: Mapped[int] = mapped_column(ForeignKey("mappings.id", ondelete="CASCADE"))
    source_id: Mapped[int]
    source_message_id: Mapped[int] = mapped_column(BigInteger)
    mode: Mapped[str]
    route: Mapped[str]
    created_at: Mapped[datetime] = mapped_column(server_default=NOW)


class Backfill(Base):
    """A run that brings older posts of a mapping's source, the messages ``first_id`` to ``last_id`` of ``channel_id``.

    All up to ``cursor`` is read. ``total`` is how many messages there are at most, ``read`` how many were found,
    ``passed`` how many of these had been handled before or are no posts, ``queued`` how many posts became
    deliveries. ``chat_id`` and ``message_id`` are the bot's message that shows how far it is; ``told`` says that this
    shows the end.
    """

    __tablename__ = "backfills"
    __table_args__ = (
        one_of("state", BackfillState),
        CheckConstraint("first_id between 1 and last_id", name="range_whole"),
        CheckConstraint("cursor between first_id - 1 and last_id", name="cursor_inside"),
        CheckConstraint("state <> 'done' or cursor = last_id", name="done_to_the_end"),
        CheckConstraint("(ended_at is not null) = (state in ('done', 'stopped'))", name="ended_is_final"),
        CheckConstraint("(chat_id is null) = (message_id is null)", name="shown_somewhere"),
        Index("uq_backfills_open", "mapping_id", unique=True, postgresql_where=sql_text("ended_at is null")),
        Index("ix_backfills_shown", "id", postgresql_where=sql_text("message_id is not null and not told")),
    )

    id: Mapped[int] = mapped_column(Identity(), primary_key=True)
    mapping_id: Mapped[int] = mapped_column(ForeignKey("mappings.id", ondelete="CASCADE"))
    channel_id: Mapped[int] = mapped_column(ForeignKey("channels.id", ondelete="CASCADE"))
    first_id: Mapped[int] = mapped_column(BigInteger)
    last_id: Mapped[int] = mapped_column(BigInteger)
    cursor: Mapped[int] = mapped_column(BigInteger)
    state: Mapped[str] = mapped_column(default=BackfillState.RUNNING, server_default=BackfillState.RUNNING)
    reason: Mapped[str | None]
    total: Mapped[int] = mapped_column(BigInteger)
    read: Mapped[int] = mapped_column(BigInteger, default=0, server_default=sql_text("0"))
    passed: Mapped[int] = mapped_column(BigInteger, default=0, server_default=sql_text("0"))
    queued: Mapped[int] = mapped_column(BigInteger, default=0, server_default=sql_text("0"))
    not_before: Mapped[datetime | None]
    asked_by: Mapped[int | None] = mapped_column(BigInteger)
    chat_id: Mapped[int | None] = mapped_column(BigInteger)
    message_id: Mapped[int | None] = mapped_column(BigInteger)
    told: Mapped[bool] = mapped_column(default=False, server_default=sql_text("false"))
    created_at: Mapped[datetime] = mapped_column(server_default=NOW)
    ended_at: Mapped[datetime | None]


class Handled(Base):
    """The ids of a source that a mapping has handled and whose rows retention has forgotten: kept for ever."""

    __tablename__ = "handled"

    mapping_id: Mapped[int] = mapped_column(ForeignKey("mappings.id", ondelete="CASCADE"), primary_key=True)
    channel_id: Mapped[int] = mapped_column(ForeignKey("channels.id", ondelete="CASCADE"), primary_key=True)
    ids: Mapped[list[Range[int]]] = mapped_column(INT8MULTIRANGE)


class Fingerprint(Base):
    """What a destination has, or will have, by origin and by content: the first delivery to reserve a key keeps it."""

    __tablename__ = "fingerprints"
    __table_args__ = (
        Index("ix_fingerprints_delivery_id", "delivery_id"),
        Index("ix_fingerprints_until", "until"),
    )

    channel_id: Mapped[int] = mapped_column(ForeignKey("channels.id", ondelete="CASCADE"), primary_key=True)
    topic: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    key: Mapped[bytes] = mapped_column(primary_key=True)
    source_id: Mapped[int]
    delivery_id: Mapped[int] = mapped_column(BigInteger)
    until: Mapped[datetime]


class Mark(Base):
    """Per (source, listener): every id up to ``mark`` is stored or proven empty; ``known`` are such ids above it."""

    __tablename__ = "marks"

    channel_id: Mapped[int] = mapped_column(ForeignKey("channels.id", ondelete="CASCADE"), primary_key=True)
    account_id: Mapped[int] = mapped_column(ForeignKey("accounts.id", ondelete="CASCADE"), primary_key=True)
    mark: Mapped[int] = mapped_column(BigInteger)
    known: Mapped[list[Range[int]]] = mapped_column(
        INT8MULTIRANGE, server_default=sql_text("'{}'::int8multirange")
    )
    checked_at: Mapped[datetime] = mapped_column(server_default=NOW)


class FloodWait(Base):
    """Every wait that Telegram asked for; ``chat_id`` null means the whole method, ``method`` '' the account."""

    __tablename__ = "flood_waits"
    __table_args__ = (Index("ix_flood_waits_until", "until"),)

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    account_id: Mapped[int] = mapped_column(ForeignKey("accounts.id", ondelete="CASCADE"))
    method: Mapped[str]
    chat_id: Mapped[int | None] = mapped_column(BigInteger)
    name: Mapped[str]
    seconds: Mapped[float]
    until: Mapped[datetime]
    seen_at: Mapped[datetime] = mapped_column(server_default=NOW)


class PaceLesson(Base):
    """What a wait taught of one window of an account, or of one of its chats: see ``pace.learning``."""

    __tablename__ = "pace_lessons"

    account_id: Mapped[int] = mapped_column(ForeignKey("accounts.id", ondelete="CASCADE"), primary_key=True)
    field: Mapped[str] = mapped_column(primary_key=True)
    share: Mapped[float]
    hold: Mapped[float]
    learned_at: Mapped[datetime] = mapped_column(server_default=NOW)


class AuditEntry(Base):
    """Who changed what. ``actor`` is a Telegram id, or null for the command line and the program itself."""

    __tablename__ = "audit_log"

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    at: Mapped[datetime] = mapped_column(server_default=NOW)
    actor: Mapped[int | None] = mapped_column(BigInteger)
    action: Mapped[str]
    subject: Mapped[str]
    details: Mapped[dict[str, Any]] = mapped_column(server_default=sql_text("'{}'::jsonb"))


class AccountRequest(Base):
    """A question to an account, answered by the process that holds its login; NOTIFY wakes both sides."""

    __tablename__ = "account_requests"
    __table_args__ = (
        one_of("account_kind", AccountKind),
        one_of("state", RequestState),
        Index("ix_account_requests_open", "id", postgresql_where=sql_text("state = 'asked'")),
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    account_kind: Mapped[str]
    question: Mapped[str]
    payload: Mapped[dict[str, Any]] = mapped_column(server_default=sql_text("'{}'::jsonb"))
    state: Mapped[str] = mapped_column(default=RequestState.ASKED, server_default=RequestState.ASKED)
    answer: Mapped[dict[str, Any] | None]
    asked_at: Mapped[datetime] = mapped_column(server_default=NOW)
    answered_at: Mapped[datetime | None]


class Quarantined(Base):
    """An update that could not be stored, kept raw so that nothing is lost while it holds up nobody."""

    __tablename__ = "quarantine"

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    account_id: Mapped[int | None] = mapped_column(ForeignKey("accounts.id", ondelete="SET NULL"))
    raw: Mapped[bytes]
    error: Mapped[str]
    at: Mapped[datetime] = mapped_column(server_default=NOW)


class Notice(Base):
    """What somebody must be told by the bot. ``subject`` is an account for ``account_stopped`` and ``quarantined``,
    else a mapping.

    There is one open notice of a kind about a subject; what happens to it meanwhile raises ``version``. ``told``
    are the people whom this version has reached.
    """

    __tablename__ = "notices"
    __table_args__ = (
        one_of("kind", NoticeKind),
        Index(
            "uq_notices_open", "kind", "subject", unique=True, postgresql_where=sql_text("done_at is null")
        ),
        Index("ix_notices_done_at", "done_at", postgresql_where=sql_text("done_at is not null")),
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    kind: Mapped[str]
    subject: Mapped[int]
    reason: Mapped[str | None]
    version: Mapped[int] = mapped_column(default=1, server_default=sql_text("1"))
    told: Mapped[list[int]] = mapped_column(server_default=sql_text("'{}'::bigint[]"))
    not_before: Mapped[datetime | None]
    created_at: Mapped[datetime] = mapped_column(server_default=NOW)
    done_at: Mapped[datetime | None]


class Lease(Base):
    """A thing that one process at a time may hold: a session file, the getUpdates loop."""

    __tablename__ = "leases"

    name: Mapped[str] = mapped_column(primary_key=True)
    holder: Mapped[str]
    fence: Mapped[int] = mapped_column(BigInteger)
    until: Mapped[datetime]
