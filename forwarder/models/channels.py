"""Chats, what accounts may do there, and how far they are heard."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import BigInteger, ForeignKey, Identity, Index
from sqlalchemy import text as sql_text
from sqlalchemy.dialects.postgresql import INT8MULTIRANGE, Range
from sqlalchemy.orm import Mapped, mapped_column

from forwarder.message import ChatKind
from forwarder.models.base import NOW, Base, one_of


class DedupGroup(Base):
    """Destinations that get the same content once among them."""

    __tablename__ = "dedup_groups"
    __table_args__ = (Index("uq_dedup_groups_name", sql_text("lower(name)"), unique=True),)

    id: Mapped[int] = mapped_column(Identity(), primary_key=True)
    name: Mapped[str]


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
    dedup_group: Mapped[int | None] = mapped_column(ForeignKey("dedup_groups.id"))
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
