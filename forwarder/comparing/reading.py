"""A chat's messages by ids, paged and paced: a way that is open to bots too, who may not read history."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from typing import TypeVar

from forwarder.errors import InvalidRequest, NotFound, NotUnderstood, OutcomeUnknown, TelegramError
from forwarder.message import AccountKind, Fetched, SourceMessage
from forwarder.retry import Verdict, decide
from forwarder.seam import Chats

PAGE = 200
"""Ids in one ``channels.getMessages`` (the most that Telegram answers, core.telegram.org/api/updates)."""

PAUSE = 0.25
"""Seconds between two pages: the account that reads also listens and sends."""

TRIES = 5
EMPTY_PAGES = 3
"""A bot sees no newest id; this many pages without a message count as the end of the chat."""

T = TypeVar("T")
Sleep = Callable[[float], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Read:
    """What stands under the ids from ``first`` to ``top``, oldest first, and the ids that hold nothing."""

    first: int
    top: int
    messages: tuple[SourceMessage, ...] = ()
    empty: tuple[int, ...] = ()
    elsewhere: tuple[int, ...] = ()


class Pages:
    """Reads by ``chats``. ``sleep`` waits between the pages, and as long as Telegram asks for."""

    def __init__(self, chats: Chats, sleep: Sleep = asyncio.sleep) -> None:
        self._chats, self._sleep = chats, sleep

    async def read(self, chat_id: int, first: int, top: int) -> Read:
        found = [
            await self._page(chat_id, start, min(start + PAGE - 1, top))
            for start in range(max(first, 1), top + 1, PAGE)
        ]
        return Read(
            first,
            top,
            tuple(message for page in found for message in page.messages),
            tuple(number for page in found for number in page.empty),
            tuple(number for page in found for number in page.elsewhere),
        )

    async def under(self, chat_id: int, ids: Sequence[int]) -> dict[int, SourceMessage]:
        """What stands under these ids now; what is gone is left out."""
        ordered, found = sorted(set(ids)), dict[int, SourceMessage]()
        for start in range(0, len(ordered), PAGE):
            page = await self._ids(chat_id, ordered[start : start + PAGE])
            found |= {message.message_id: message for message in page.messages}
        return found

    async def top(self, chat_id: int, known: int) -> int:
        """The newest id. ``known`` is one that exists, or existed: where nobody may ask for the newest, it is
        looked for from there on."""
        tops = await self._patiently(lambda: self._chats.tops([chat_id]))
        if chat_id in tops:
            return max(tops[chat_id], 0)
        top, start, empty = known, known + 1, 0
        while empty < EMPTY_PAGES:
            page = await self._page(chat_id, start, start + PAGE - 1)
            top = max([top, *(message.message_id for message in page.messages)])
            empty = 0 if page.messages else empty + 1
            start += PAGE
        return top

    async def first_since(self, chat_id: int, since: datetime, top: int) -> int:
        """The lowest id from which on everything is at least as young as ``since``; ``top`` + 1 if nothing is."""
        low, high = 1, top + 1
        while low < high:
            middle = (low + high) // 2
            seen = await self.first_from(chat_id, middle, high - 1)
            if seen is None or seen.date >= since:
                high = middle
            else:
                low = seen.message_id + 1
        return low

    async def first_from(self, chat_id: int, start: int, end: int) -> SourceMessage | None:
        """The first message from ``start`` to ``end``; None where there is none."""
        while start <= end:
            page = await self._page(chat_id, start, min(start + PAGE - 1, end))
            if page.messages:
                return page.messages[0]
            start += PAGE
        return None

    async def _page(self, chat_id: int, start: int, end: int) -> Fetched:
        return await self._ids(chat_id, range(start, end + 1))

    async def _ids(self, chat_id: int, ids: Sequence[int]) -> Fetched:
        fetched = await self._patiently(lambda: self._chats.fetch(chat_id, ids))
        if fetched.unreadable:
            # Taken for absent, a copy would be sent again.
            number = fetched.unreadable[0].message_id
            raise InvalidRequest("not_understood", str(NotUnderstood(chat_id, number)), number=number)
        await self._sleep(PAUSE)
        return fetched

    async def _patiently(self, ask: Callable[[], Awaitable[T]]) -> T:
        """Sit out waits and outages. Raises NotFound ``unreadable`` for a chat that is closed to all of us."""
        for tried in range(1, TRIES + 1):
            try:
                return await ask()
            except TelegramError as error:
                decision = decide(error, api=AccountKind.USER, order="read")
                if decision.verdict in (Verdict.PAUSE_MAPPING, Verdict.FAIL):
                    raise NotFound(
                        "unreadable",
                        "None of our accounts can read this chat. Make the bot an administrator there, or join "
                        "with the user account.",
                    ) from error
                again = isinstance(error, OutcomeUnknown) or decision.verdict in (Verdict.WAIT, Verdict.RETRY)
                if not again or tried == TRIES:
                    raise
                await self._sleep(decision.seconds or 2.0**tried)
        raise AssertionError("the last try returns or raises")


def posts_of(messages: Sequence[SourceMessage]) -> tuple[tuple[SourceMessage, ...], ...]:
    """Messages as posts: an album's parts stand together, in the source and here."""
    return tuple(
        tuple(parts)
        for _, parts in groupby(messages, key=lambda message: message.album_id or f"#{message.message_id}")
    )
