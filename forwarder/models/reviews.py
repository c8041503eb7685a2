"""Posts that a person decides about."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Index
from sqlalchemy import text as sql_text
from sqlalchemy.orm import Mapped, mapped_column

from forwarder.models.base import NOW, Base


class Review(Base):
    """A delivery that waits, or has waited, for somebody's word. While it waits it is ``held``, and its ``not_before``
    is when the time for an answer ends.

    ``stamp`` is of the post as it read when it was decided about: one that was edited since is asked about anew.
    ``decided_by`` is a Telegram id, or null for the command line and for time running out.
    """

    __tablename__ = "reviews"
    __table_args__ = (
        CheckConstraint("(decided_at is null) = (approved is null)", name="decided_one_way"),
        CheckConstraint("(decided_at is null) = (stamp is null)", name="decided_about_something"),
        Index("ix_reviews_open", "delivery_id", postgresql_where=sql_text("decided_at is null")),
    )

    delivery_id: Mapped[int] = mapped_column(
        BigInteger, ForeignKey("deliveries.id", ondelete="CASCADE"), primary_key=True, autoincrement=False
    )
    asked_at: Mapped[datetime] = mapped_column(server_default=NOW)
    decided_at: Mapped[datetime | None]
    approved: Mapped[bool | None]
    decided_by: Mapped[int | None] = mapped_column(BigInteger)
    stamp: Mapped[int | None] = mapped_column(BigInteger)
