"""Channels, mappings and messages for tests of the core, straight into the tables."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import RowMapping, insert, text

from forwarder.db import Database
from forwarder.ingest import Ingest, Received
from forwarder.message import AccountKind, Heard, Kind, Mode, News, SourceMessage
from forwarder.models import Account, Channel, ChannelAccess, Lane, Mapping
from forwarder.outbox import Worker
from forwarder.services.dedup import DeduplicationService

NEWS, DIGEST, ARCHIVE, OTHER = -1001, -1002, -1003, -1004


def post(message_id: int, words: str | None = None, *, chat: int = NEWS, **values: Any) -> SourceMessage:
    """A text that is unlike any other, unless a test gives it ``words``."""
    fields: dict[str, Any] = {"kind": Kind.TEXT, "heard": Heard.PUSH, "date": datetime.now(UTC)} | values
    return SourceMessage(
        chat_id=chat,
        message_id=message_id,
        text=f"post {message_id} of {chat}" if words is None else words,
        **fields,
    )


def photo(message_id: int, medium: str | None = None, words: str = "", **values: Any) -> SourceMessage:
    medium = medium or f"mt:photo:{values.get('chat', NEWS)}:{message_id}"
    return post(message_id, words, kind=Kind.PHOTO, media_id=medium, **values)


def album(name: str, *message_ids: int, **values: Any) -> list[SourceMessage]:
    return [photo(message_id, album_id=name, **values) for message_id in message_ids]


@dataclass
class House:
    """One bot, one user account, and what a test adds; ``channels`` are row ids by Telegram id."""

    db: Database
    bot: int = 0
    user: int = 0
    channels: dict[int, int] = field(default_factory=dict)
    ingest: Ingest = field(default_factory=lambda: Ingest(DeduplicationService()))

    async def open(self) -> House:
        async with self.db.begin() as session:
            for kind, number in (("bot", 700), ("user", 800)):
                row = insert(Account).values(kind=kind, telegram_id=number).returning(Account.id)
                setattr(self, kind, await session.scalar(row))
        return self

    async def channel(self, chat: int, *, listener: AccountKind = AccountKind.USER, **values: Any) -> int:
        if chat in self.channels:
            return self.channels[chat]
        fields = {"kind": "channel", "title": f"Chat {chat}", "listener_id": self.account(listener)} | values
        async with self.db.begin() as session:
            number = await session.scalar(
                insert(Channel).values(telegram_id=chat, **fields).returning(Channel.id)
            )
            for account in (self.bot, self.user):
                await session.execute(
                    insert(ChannelAccess).values(
                        channel_id=number, account_id=account, may_read=True, may_post=True
                    )
                )
        assert number is not None
        self.channels[chat] = number
        return number

    def account(self, kind: AccountKind) -> int:
        return self.bot if kind is AccountKind.BOT else self.user

    async def mapping(
        self,
        source: int = NEWS,
        destination: int = DIGEST,
        *,
        by: AccountKind = AccountKind.USER,
        listener: AccountKind = AccountKind.USER,
        start_after: int = 0,
        **values: Any,
    ) -> int:
        """A mapping with its lane. Who listens to the source begins where the mapping does."""
        fields = {"mode": Mode.COPY, "route": by.value, "start_after": start_after} | values
        source_id = await self.channel(source, listener=listener)
        destination_id = await self.channel(destination)
        async with self.db.begin() as session:
            await session.execute(
                text("update channels set is_source = true where id = :id"), {"id": source_id}
            )
            mapping = await session.scalar(
                insert(Mapping)
                .values(source_id=source_id, destination_id=destination_id, **fields)
                .returning(Mapping.id)
            )
            await session.execute(insert(Lane).values(mapping_id=mapping, route=by.value))
            await session.execute(
                text(
                    "insert into marks (channel_id, account_id, mark) values (:channel, :account, :mark)"
                    " on conflict do nothing"
                ),
                {"channel": source_id, "account": self.account(listener), "mark": start_after},
            )
        assert mapping is not None
        return mapping

    async def hear(self, *news: News, by: AccountKind = AccountKind.USER) -> Received:
        async with self.db.begin() as session:
            return await self.ingest.receive(session, self.account(by), by, news)

    async def settle(self, *chats: int) -> Received:
        async with self.db.begin() as session:
            return await self.ingest.settle(session, chats or (NEWS,))

    async def run(self, statement: str, **values: Any) -> list[RowMapping]:
        async with self.db.begin() as session:
            result = await session.execute(text(statement), values)
            return list(result.mappings()) if result.returns_rows else []

    async def deliveries(self, mapping: int, kind: str = "post") -> list[RowMapping]:
        """In the order in which the lane takes them."""
        return await self.run(
            "select * from deliveries where mapping_id = :mapping and kind = :kind order by class, position, id",
            mapping=mapping,
            kind=kind,
        )

    async def keep_rules(self, mapping: int, written: object) -> None:
        """Rules as a hand in the database has left them, unchecked and without a revision."""
        await self.run(
            "update mappings set rules = cast(:rules as jsonb) where id = :id",
            rules=json.dumps(written),
            id=mapping,
        )

    async def states(self, mapping: int, kind: str = "post") -> list[tuple[int, str]]:
        return [(row["position"], row["state"]) for row in await self.deliveries(mapping, kind)]

    async def set_state(self, mapping: int, state: str, kind: str = "post", **values: Any) -> None:
        """Put all deliveries of a lane into a state, as if a worker had brought them there."""
        done = "clock_timestamp()" if state in ("sent", "failed", "filtered", "withdrawn") else "null"
        await self.run(
            f"update deliveries set state = :state, done_at = {done}, account_id = :account, reason = :reason,"
            " claimed_at = clock_timestamp(), unsettled = :unsettled where mapping_id = :mapping and kind = :kind",
            state=state,
            account=self.user,
            mapping=mapping,
            kind=kind,
            **{"reason": None, "unsettled": False} | values,
        )

    def worker(self, kind: AccountKind = AccountKind.USER, holder: str = "w1") -> Worker:
        return Worker(holder, kind, self.account(kind))
