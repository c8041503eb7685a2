"""Accounts, what is asked of them, and what Telegram asked of them."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, ForeignKey, Identity, Index
from sqlalchemy import text as sql_text
from sqlalchemy.orm import Mapped, mapped_column

from forwarder.message import AccountKind
from forwarder.models.base import NOW, Base, one_of
from forwarder.models.words import AccountState, RequestState


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


class Lease(Base):
    """A thing that one process at a time may hold: a session file, the getUpdates loop."""

    __tablename__ = "leases"

    name: Mapped[str] = mapped_column(primary_key=True)
    holder: Mapped[str]
    fence: Mapped[int] = mapped_column(BigInteger)
    until: Mapped[datetime]
