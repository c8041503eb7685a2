"""Runs that bring older posts."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Identity, Index
from sqlalchemy import text as sql_text
from sqlalchemy.orm import Mapped, mapped_column

from forwarder.models.base import NOW, Base, one_of
from forwarder.models.words import BackfillState


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
