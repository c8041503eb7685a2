"""What was heard."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, ForeignKey, Identity, Index, UniqueConstraint
from sqlalchemy import text as sql_text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from forwarder.message import Heard, Kind
from forwarder.models.base import NOW, Base, one_of
from forwarder.models.words import PostState


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


class Quarantined(Base):
    """An update that could not be stored, kept raw so that nothing is lost while it holds up nobody."""

    __tablename__ = "quarantine"

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    account_id: Mapped[int | None] = mapped_column(ForeignKey("accounts.id", ondelete="SET NULL"))
    raw: Mapped[bytes]
    error: Mapped[str]
    at: Mapped[datetime] = mapped_column(server_default=NOW)
