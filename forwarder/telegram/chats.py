"""Reading and tidying chats by one of our logins, or by the other where the first cannot."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from forwarder.errors import TelegramError
from forwarder.message import AccountKind, DeleteOrder, Fetched
from forwarder.retry import Verdict, decide
from forwarder.seam import Chats
from forwarder.telegram.client import Client
from forwarder.telegram.reader import MtprotoReader
from forwarder.telegram.user_sender import UserSender


class MtprotoChats:
    """The :class:`~forwarder.seam.Chats` of a user's login, or of a bot's second login over MTProto."""

    def __init__(self, client: Client, account_id: int = 0) -> None:
        self._reader = MtprotoReader(client, account_id)
        self._sender = UserSender(client, account_id)

    async def tops(self, chat_ids: Sequence[int]) -> dict[int, int]:
        return await self._reader.tops(chat_ids)

    async def fetch(self, chat_id: int, message_ids: Sequence[int]) -> Fetched:
        return await self._reader.fetch(chat_id, message_ids)

    async def delete(self, order: DeleteOrder) -> None:
        await self._sender.delete(order)


@dataclass(frozen=True, slots=True)
class InTurn:
    """Asks the first, and the second where the first has no access or no right."""

    first: Chats
    second: Chats

    async def tops(self, chat_ids: Sequence[int]) -> dict[int, int]:
        return await self.first.tops(chat_ids)

    async def fetch(self, chat_id: int, message_ids: Sequence[int]) -> Fetched:
        try:
            return await self.first.fetch(chat_id, message_ids)
        except TelegramError as error:
            raise_unless_closed(error, "read")
            return await self.second.fetch(chat_id, message_ids)

    async def delete(self, order: DeleteOrder) -> None:
        try:
            await self.first.delete(order)
        except TelegramError as error:
            raise_unless_closed(error, "delete")
            await self.second.delete(order)


def raise_unless_closed(error: TelegramError, order: str) -> None:
    """Waits, outages and dead sessions are the asker's to hear of; what is closed to one may be open to another."""
    if decide(error, api=AccountKind.USER, order=order).verdict not in (Verdict.PAUSE_MAPPING, Verdict.FAIL):
        raise error
