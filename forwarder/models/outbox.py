"""What is sent, and what is remembered of it."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import (
    ARRAY,
    BigInteger,
    Boolean,
    CheckConstraint,
    ForeignKey,
    Identity,
    Index,
    Integer,
    LargeBinary,
    SmallInteger,
    UniqueConstraint,
)
from sqlalchemy import text as sql_text
from sqlalchemy.dialects.postgresql import INT8MULTIRANGE, Range
from sqlalchemy.orm import Mapped, mapped_column

from forwarder.message import FINAL_STATES, DeliveryKind, State
from forwarder.models.base import NOW, Base, one_of


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
    keys: Mapped[list[bytes] | None] = mapped_column(ARRAY(LargeBinary))
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


class Handled(Base):
    """The ids of a source that a mapping has handled and whose rows retention has forgotten: kept for ever."""

    __tablename__ = "handled"

    mapping_id: Mapped[int] = mapped_column(ForeignKey("mappings.id", ondelete="CASCADE"), primary_key=True)
    channel_id: Mapped[int] = mapped_column(ForeignKey("channels.id", ondelete="CASCADE"), primary_key=True)
    ids: Mapped[list[Range[int]]] = mapped_column(INT8MULTIRANGE)


class Fingerprint(Base):
    """What a destination has, or will have, by origin and by content: the first delivery to reserve a key keeps it.

    ``scope`` is the destination's channel, with its topic; or below zero the group that the destination is in, as a
    whole.
    """

    __tablename__ = "fingerprints"
    __table_args__ = (
        Index("ix_fingerprints_delivery_id", "delivery_id"),
        Index("ix_fingerprints_until", "until"),
    )

    scope: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    topic: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    key: Mapped[bytes] = mapped_column(primary_key=True)
    source_id: Mapped[int]
    delivery_id: Mapped[int] = mapped_column(BigInteger)
    until: Mapped[datetime]
