"""Who uses the bot, what they did, and what they must be told."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, Identity, Index
from sqlalchemy import text as sql_text
from sqlalchemy.orm import Mapped, mapped_column

from forwarder.models.base import NOW, Base, one_of
from forwarder.models.words import Language, NoticeKind, Role


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


class AuditEntry(Base):
    """Who changed what. ``actor`` is a Telegram id, or null for the command line and the program itself."""

    __tablename__ = "audit_log"

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    at: Mapped[datetime] = mapped_column(server_default=NOW)
    actor: Mapped[int | None] = mapped_column(BigInteger)
    action: Mapped[str]
    subject: Mapped[str]
    details: Mapped[dict[str, Any]] = mapped_column(server_default=sql_text("'{}'::jsonb"))


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
