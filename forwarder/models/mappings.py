"""What goes where: mappings with their lanes, and the lists and folders that make them."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Identity, Index, UniqueConstraint
from sqlalchemy import text as sql_text
from sqlalchemy.orm import Mapped, mapped_column

from forwarder.message import Mode, Route
from forwarder.models.base import NOW, Base, one_of
from forwarder.models.words import AfterOutage, Dedup, MappingState, WhenUnsure


class Folder(Base):
    __tablename__ = "folders"

    id: Mapped[int] = mapped_column(Identity(), primary_key=True)
    name: Mapped[str] = mapped_column(unique=True)
    created_at: Mapped[datetime] = mapped_column(server_default=NOW)


class ChannelList(Base):
    """Joins N sources to M destinations and gives its mappings one set of settings.

    ``revision`` is that of its rules.
    """

    __tablename__ = "lists"
    __table_args__ = (
        UniqueConstraint("folder_id", "name"),
        # The constraint takes two lists without a folder for different ones.
        Index(
            "uq_lists_name",
            sql_text("lower(name)"),
            unique=True,
            postgresql_where=sql_text("folder_id is null"),
        ),
    )

    id: Mapped[int] = mapped_column(Identity(), primary_key=True)
    folder_id: Mapped[int | None] = mapped_column(ForeignKey("folders.id", ondelete="SET NULL"))
    name: Mapped[str]
    settings: Mapped[dict[str, Any]] = mapped_column(server_default=sql_text("'{}'::jsonb"))
    revision: Mapped[int] = mapped_column(default=1, server_default=sql_text("1"))
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
    """One per mapping: the lease and its fence. ``route`` is where its bells ring. At ``not_before`` somebody has let
    go what waited in it: how long posts have waited counts from then.

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
