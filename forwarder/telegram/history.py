"""Reads a chat from its old end, over MTProto: by its history as a user, by ids as a bot."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from telethon import utils
from telethon.tl import types

from forwarder.errors import InvalidRequest
from forwarder.message import Heard, HistoryPage, SourceMessage, Span, Wish
from forwarder.telegram.client import Client
from forwarder.telegram.peers import Peers
from forwarder.telegram.telethon_values import to_source
from forwarder.telegram.under_ids import HISTORY_PAGE, IDS_A_CALL, fetch_raw, history_page

ALBUM_REACH = 20
"""Ids within which all parts of an album lie."""

PROBES = 60
"""Calls by which a bot looks for the messages that a person means: 12,000 ids."""


class UserHistory:
    """The :class:`~forwarder.seam.Historian` of a user account."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._peers = Peers(client)

    async def span(self, chat_id: int, wish: Wish, ceiling: int) -> Span:
        last = min(ceiling, wish.until_id or ceiling)
        if wish.until is not None:
            last = min(last, await self._newest_before(chat_id, wish.until))
        first, total = wish.from_id or 1, last
        if wish.last is not None:
            nth = await self._history(chat_id, offset_id=last + 1, add_offset=wish.last - 1, limit=1)
            first = nth.messages[0].id if nth.messages else 1
            total = wish.last
        elif wish.since is not None:
            first = await self._newest_before(chat_id, wish.since) + 1
        if first > last:
            return Span(first, last, 0)
        in_all = await self._history(chat_id, offset_id=last + 1, limit=1)
        if not in_all.messages or in_all.messages[0].id < first:
            return Span(first, first - 1, 0)
        count = getattr(in_all, "count", len(in_all.messages))
        return await whole(self, chat_id, first, last, ceiling, min(total, count))

    async def page(self, chat_id: int, after: int) -> HistoryPage:
        answer = await self._history(
            chat_id, offset_id=after + 1, add_offset=-HISTORY_PAGE, limit=HISTORY_PAGE
        )
        found = sorted(
            (message for message in answer.messages if message.id > after), key=lambda message: message.id
        )
        messages = tuple(
            to_source(message, Heard.CATCH_UP)
            for message in found
            if not isinstance(message, types.MessageEmpty) and utils.get_peer_id(message.peer_id) == chat_id
        )
        return HistoryPage(messages, found[-1].id if found else None)

    async def _newest_before(self, chat_id: int, moment: datetime) -> int:
        answer = await self._history(chat_id, offset_date=moment, limit=1)
        return answer.messages[0].id if answer.messages else 0

    async def _history(self, chat_id: int, *, limit: int, **offsets: Any) -> Any:
        peer = await self._peers.input_peer(chat_id)
        return await history_page(self._client, peer, limit=limit, **offsets)


class BotHistory:
    """The :class:`~forwarder.seam.Historian` of a bot's own login: bots may ask for messages by their ids only."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._peers = Peers(client)

    async def span(self, chat_id: int, wish: Wish, ceiling: int) -> Span:
        last = min(ceiling, wish.until_id or ceiling)
        if wish.until is not None:
            last = min(last, await self._last_id_before(chat_id, wish.until, last))
        first, total = wish.from_id or 1, last
        if wish.last is not None:
            first, total = await self._first_of_last(chat_id, last, wish.last), wish.last
        elif wish.since is not None:
            first = await self._last_id_before(chat_id, wish.since, last) + 1
        if first > last:
            return Span(first, last, 0)
        return await whole(self, chat_id, first, last, ceiling, min(total, last - first + 1))

    async def page(self, chat_id: int, after: int) -> HistoryPage:
        through = after + IDS_A_CALL
        return HistoryPage(await self._under(chat_id, range(after + 1, through + 1)), through)

    async def _first_of_last(self, chat_id: int, last: int, wanted: int) -> int:
        found: list[int] = []
        for _ in range(PROBES):
            if last <= 0:
                break
            low = max(1, last - IDS_A_CALL + 1)
            found[:0] = [message.message_id for message in await self._under(chat_id, range(low, last + 1))]
            if len(found) >= wanted:
                return found[-wanted]
            last = low - 1
        if last > 0:
            raise too_far()
        return found[0] if found else 1

    async def _last_id_before(self, chat_id: int, moment: datetime, last: int) -> int:
        """The newest id of a message before ``moment``; looked for downwards from ``last``."""
        for _ in range(PROBES):
            if last <= 0:
                return 0
            low = max(1, last - IDS_A_CALL + 1)
            older = [m for m in await self._under(chat_id, range(low, last + 1)) if m.date < moment]
            if older:
                return older[-1].message_id
            last = low - 1
        raise too_far()

    async def _under(self, chat_id: int, ids: Sequence[int]) -> tuple[SourceMessage, ...]:
        peer = await self._peers.input_peer(chat_id)
        found = await fetch_raw(self._client, peer, chat_id, list(ids))
        return tuple(to_source(message, Heard.CATCH_UP) for message in sorted(found, key=lambda m: m.id))


def too_far() -> InvalidRequest:
    return InvalidRequest(
        "history_too_far",
        "The bot cannot look so far back by date or count: it finds messages by their ids only. "
        "Name the id of the first post instead, or log in a user account.",
    )


async def whole(
    history: UserHistory | BotHistory, chat_id: int, first: int, last: int, ceiling: int, total: int
) -> Span:
    """The span, made wider so that an album at either end is whole."""
    around_first = (await history.page(chat_id, max(0, first - ALBUM_REACH))).messages
    around_last = (await history.page(chat_id, max(0, last - ALBUM_REACH))).messages
    begins = next((message for message in around_first if message.message_id >= first), None)
    ends = next((message for message in reversed(around_last) if message.message_id <= last), None)
    low = min([first, *parts_of(begins, around_first)])
    high = max([last, *(i for i in parts_of(ends, around_last) if i <= ceiling)])
    return Span(low, high, total + (first - low) + (high - last))


def parts_of(one: SourceMessage | None, among: Sequence[SourceMessage]) -> list[int]:
    """The ids of the album that a message is part of."""
    if one is None or one.album_id is None:
        return []
    return [message.message_id for message in among if message.album_id == one.album_id]
