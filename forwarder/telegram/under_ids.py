"""What a chat has under given ids, though Telethon may not understand every answer.

One message that it cannot decode makes the whole answer unreadable. The ids are then asked for by halves, until
those messages stand alone and hold up nobody else.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from telethon.errors import TypeNotFoundError
from telethon.tl import functions, types
from telethon.utils import get_peer_id

from forwarder.errors import OutcomeUnknown, TelegramError
from forwarder.message import Fetched, Heard, SourceMessage, Unreadable
from forwarder.telegram.client import Client
from forwarder.telegram.peers import get_messages_request
from forwarder.telegram.telethon_values import to_source

IDS_A_CALL = 200
HISTORY_PAGE = 100
"""Messages that one call for a chat's history answers at most."""

NO_MESSAGE = 2**31 - 1
"""The highest id there is: no chat has come so far."""

NOT_UNDERSTOOD = "ANSWER_NOT_UNDERSTOOD"


class UnderIds:
    """Gathers what one chat has; ``fetched`` tells it when all was asked."""

    def __init__(self, client: Client, peer: Any, chat_id: int, heard: Heard) -> None:
        self._client, self._peer, self._chat_id, self._heard = client, peer, chat_id, heard
        self._found: dict[int, SourceMessage] = {}
        self._elsewhere: set[int] = set()
        self._unreadable: dict[int, bytes] = {}

    def fetched(self, wanted: Sequence[int]) -> Fetched:
        """Messages in the order of their ids; of the other ids, why there is none."""
        known = {*self._found, *self._elsewhere, *self._unreadable}
        return Fetched(
            tuple(self._found[number] for number in sorted(self._found)),
            tuple(number for number in wanted if number not in known),
            tuple(sorted(self._elsewhere)),
            tuple(Unreadable(number, raw) for number, raw in sorted(self._unreadable.items())),
        )

    async def by_ids(self, wanted: Sequence[int]) -> None:
        for start in range(0, len(wanted), IDS_A_CALL):
            await self._ask(list(wanted[start : start + IDS_A_CALL]))

    async def by_history(self, wanted: Sequence[int]) -> None:
        """Page by page: where all chats of an account share one numbering, most ids of a long span are others'."""
        unseen, below = set(wanted), wanted[-1] + 1
        while True:
            try:
                page = await history_page(self._client, self._peer, offset_id=below, limit=HISTORY_PAGE)
            except OutcomeUnknown as error:
                raise_unless_odd(error)
                await self.by_ids([number for number in wanted if number < below])
                return
            for message in page.messages:
                if message.id in unseen and not isinstance(message, types.MessageEmpty):
                    self._take(message)
            below = min((message.id for message in page.messages), default=0)
            if below <= wanted[0]:
                break
        self._elsewhere |= unseen - self._found.keys() - self._unreadable.keys()

    async def _ask(self, ids: list[int]) -> None:
        try:
            messages = await fetch_any(self._client, self._peer, ids)
        except OutcomeUnknown as error:
            raise_unless_odd(error)
            if len(ids) > 1:
                middle = len(ids) // 2
                await self._ask(ids[:middle])
                await self._ask(ids[middle:])
                return
            # Where not even an empty answer is understood, it is not the message that is odd.
            await fetch_any(self._client, self._peer, [NO_MESSAGE])
            self._unreadable[ids[0]] = raw_of(error)
        else:
            for message in messages:
                self._take(message)

    def _take(self, message: Any) -> None:
        if get_peer_id(message.peer_id) != self._chat_id:
            self._elsewhere.add(message.id)
            return
        try:
            self._found[message.id] = to_source(message, self._heard)
        except (AttributeError, KeyError, TypeError, ValueError):  # a shape that we do not know
            self._unreadable[message.id] = bytes(message)


def raw_of(error: TelegramError) -> bytes:
    """What Telethon had left of the answer from the first thing on that it did not know."""
    cause = error.__cause__
    return bytes(cause.remaining) if isinstance(cause, TypeNotFoundError) else b""


def raise_unless_odd(error: OutcomeUnknown) -> None:
    """An answer that was lost is asked for again; one that is not understood would never be."""
    if error.name != NOT_UNDERSTOOD:
        raise error


async def fetch_raw(client: Client, peer: Any, chat_id: int, message_ids: list[int]) -> list[Any]:
    """Telethon's messages under at most 200 ids. Ids of another chat of the account are not ours to see."""
    found = await fetch_any(client, peer, message_ids)
    return [message for message in found if get_peer_id(message.peer_id) == chat_id]


async def fetch_any(client: Client, peer: Any, message_ids: list[int]) -> list[Any]:
    """Telethon's messages under at most 200 ids, of whatever chat of the account outside channels."""
    answer = await client.ask(get_messages_request(peer, message_ids))
    return [message for message in understood(answer).messages if not isinstance(message, types.MessageEmpty)]


async def history_page(
    client: Client, peer: Any, *, limit: int, offset_id: int = 0, offset_date: Any = None, add_offset: int = 0
) -> Any:
    """https://core.telegram.org/api/offsets: newest first, beginning below ``offset_id``."""
    request = functions.messages.GetHistoryRequest(
        peer, offset_id, offset_date, add_offset, limit, max_id=0, min_id=0, hash=0
    )
    return understood(await client.ask(request))


def understood(answer: Any) -> Any:
    if isinstance(answer, types.messages.MessagesNotModified):
        raise OutcomeUnknown(NOT_UNDERSTOOD)
    return answer
