"""Mappings whose topic was closed go on by themselves when it is open again."""

from __future__ import annotations

from collections.abc import Sequence

import structlog
from sqlalchemy import select

from forwarder.db import Database
from forwarder.errors import AccountNotReady, TelegramError
from forwarder.message import GENERAL_TOPIC
from forwarder.models import Channel, Mapping, MappingState
from forwarder.seam import Directory
from forwarder.services import mapping_rows
from forwarder.services.mappings import Ring, no_bell, resume_in

log = structlog.get_logger(__name__)

TOPIC_CLOSED = "topic_closed"
"""The reason of a pause after Telegram refused a topic; a deleted one is refused for ever, under the same name."""


class Reopening:
    def __init__(self, db: Database, ring: Ring = no_bell) -> None:
        self._db = db
        self._ring = ring

    async def look(self, user: Directory) -> tuple[int, ...]:
        """Ask for the topics of the forums where mappings are paused; answer the mappings that go on."""
        async with self._db.begin() as session:
            waiting = select(Mapping.destination_id).where(
                Mapping.state == MappingState.PAUSED, Mapping.reason == TOPIC_CLOSED
            )
            chats = await session.scalars(select(Channel.telegram_id).where(Channel.id.in_(waiting)))
        resumed: list[int] = []
        for chat_id in chats.all():
            try:
                topics = await user.topics(chat_id)
            except (AccountNotReady, TelegramError) as error:
                log.info("topics_not_listed", chat=chat_id, reason=str(error))
                continue
            for topic in topics or ():
                if not topic.closed:
                    resumed += await self.opened(chat_id, topic.id)
        return tuple(resumed)

    async def opened(self, chat_id: int, topic_id: int) -> Sequence[int]:
        """Let the mappings of a topic go on that is open now, with what was held; answer them."""
        wanted = 0 if topic_id == GENERAL_TOPIC else topic_id
        resumed: list[int] = []
        lanes: list[int] = []
        async with self._db.begin() as session:
            ids = await session.scalars(
                select(Mapping.id)
                .join(Channel, Channel.id == Mapping.destination_id)
                .where(Channel.telegram_id == chat_id, Mapping.destination_topic == wanted)
                .order_by(Mapping.id)
            )
            for mapping_id in ids.all():
                mapping = await mapping_rows.locked(session, mapping_id)
                if (mapping.state, mapping.reason) == (MappingState.PAUSED, TOPIC_CLOSED):
                    lanes += await resume_in(session, mapping, True, None)
                    resumed.append(mapping_id)
        if lanes:
            await self._ring(sorted(set(lanes)))
        return resumed
