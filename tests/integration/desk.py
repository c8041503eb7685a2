"""What stands in the chats, as the account's desk would answer, over a scripted sender."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from forwarder.message import DeleteOrder, Fetched, Heard, SourceMessage, Unreadable
from tests import builders
from tests.integration.carriers import Street

# Channels: in basic groups each account has ids of its own for messages.
NEWS, DIGEST, ARCHIVE = -1001000000001, -1001000000002, -1001000000003


def post(number: int, words: str | None = None, chat: int = NEWS, **values: Any) -> SourceMessage:
    return builders.post(number, words, chat=chat, **values)


@dataclass
class Chats:
    """What stands in the chats; ``see`` brings in what the scripted sender has sent."""

    street: Street
    source: dict[int, SourceMessage] = field(default_factory=dict)
    there: dict[int, SourceMessage] = field(default_factory=dict)
    gone: set[int] = field(default_factory=set)
    errors: list[Exception] = field(default_factory=list)
    odd: set[int] = field(default_factory=set)
    silent_about_tops: bool = False
    pages: int = 0

    def post(self, *messages: SourceMessage) -> tuple[SourceMessage, ...]:
        self.source |= {message.message_id: message for message in messages}
        return messages

    def see(self) -> None:
        for chat, number, copy in self.street.chat.arrived:
            if chat == DIGEST and copy not in self.there and copy not in self.gone:
                self.put(copy, self.source[number])

    def put(self, copy: int, of: SourceMessage) -> None:
        at = datetime.now(UTC) + timedelta(seconds=1)
        self.there[copy] = replace(of, chat_id=DIGEST, message_id=copy, date=at, heard=Heard.POLL)

    def lose(self, *copies: int) -> None:
        self.gone |= set(copies)
        for copy in copies:
            self.there.pop(copy, None)

    def texts(self) -> list[str]:
        return [self.there[number].text for number in sorted(self.there)]

    def _of(self, chat_id: int) -> dict[int, SourceMessage]:
        return {NEWS: self.source, DIGEST: self.there}[chat_id]

    async def tops(self, chat_ids: Sequence[int]) -> dict[int, int]:
        return {} if self.silent_about_tops else {chat: max(self._of(chat), default=0) for chat in chat_ids}

    async def fetch(self, chat_id: int, message_ids: Sequence[int]) -> Fetched:
        self.pages += 1
        if self.errors:
            raise self.errors.pop(0)
        found = self._of(chat_id)
        return Fetched(
            tuple(found[number] for number in message_ids if number in found),
            tuple(number for number in message_ids if number not in found),
            unreadable=tuple(Unreadable(number, b"") for number in message_ids if number in self.odd),
        )

    async def delete(self, order: DeleteOrder) -> None:
        self.lose(*order.message_ids)


async def no_wait(seconds: float) -> None:
    """Pages follow one another at once."""
