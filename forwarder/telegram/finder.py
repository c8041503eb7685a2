"""Looks for copies in the destination after a send whose outcome is unknown."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from telethon.tl import functions

from forwarder.errors import AccountNotReady, OutcomeUnknown, TelegramError
from forwarder.message import AccountKind, FindOrder, Heard, Kind, Mode, Origin, SourceMessage
from forwarder.retry import Verdict, decide
from forwarder.telegram.client import Client
from forwarder.telegram.peers import Peers, input_channel
from forwarder.telegram.reader import fetch_raw
from forwarder.telegram.telethon_values import forward_date, kind_of, to_source

WINDOW = 100
EMPTY_WINDOWS = 3
"""A bot sees no newest id; this many windows of 100 ids without a message count as the end of the chat."""
MOST_MESSAGES = 3000


class MtprotoFinder:
    """The :class:`~forwarder.seam.Finder` of a user's login, or of a bot's second login over MTProto."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._peers = Peers(client)

    async def find(self, order: FindOrder) -> tuple[int, ...] | None:
        """The ids of the copies, or None.

        Raises :class:`~forwarder.errors.OutcomeUnknown` ``PARTIAL_ALBUM`` where only some are there.
        Raises :class:`~forwarder.errors.AccountNotReady` also where the source cannot be compared any more.
        """
        candidates = await self._candidates(order)
        if not candidates:
            return None
        matched = self._by_origin(order, candidates) if order.mode is Mode.FORWARD else {}
        if len(matched) < len(order.message_ids):
            sources = await self._sources(order)
            matched = match_in_order(order, sources, candidates)
        if not matched:
            return None
        if len(matched) < len(order.message_ids):
            raise OutcomeUnknown("PARTIAL_ALBUM")
        return tuple(matched[message_id] for message_id in order.message_ids)

    async def _candidates(self, order: FindOrder) -> list[Any]:
        """Telethon's messages in the destination that are new since the send, oldest first."""
        peer = await self._readable(order.destination, "destination")
        try:
            if await self._peers.is_bot() and input_channel(peer) is not None:
                found = await self._windows(peer, order)
            else:
                found = await self._history(peer, order)
        except TelegramError as error:
            raise not_readable(error, order.destination, "destination") from error
        fresh = {
            item.id: item for item in found if item.id > order.after_id and item.id not in order.known_ids
        }
        return [fresh[message_id] for message_id in sorted(fresh)]

    async def _windows(self, peer: Any, order: FindOrder) -> list[Any]:
        """By ids, upwards: a bot may not read history (messages.getHistory is for users only)."""
        found: list[Any] = []
        start, empty = order.after_id + 1, 0
        while empty < EMPTY_WINDOWS and len(found) < MOST_MESSAGES:
            window = await fetch_raw(
                self._client, peer, order.destination, list(range(start, start + WINDOW))
            )
            found.extend(window)
            empty = 0 if window else empty + 1
            start += WINDOW
        if empty < EMPTY_WINDOWS:
            # The newest messages were not reached: that a copy is not among these proves nothing.
            raise AccountNotReady(
                f"More than {MOST_MESSAGES} messages of {order.destination} are newer than the last copy we know there."
            )
        return found

    async def _history(self, peer: Any, order: FindOrder) -> list[Any]:
        found: list[Any] = []
        below = 0
        while len(found) < MOST_MESSAGES:
            answer = await self._client.ask(history_request(peer, below, order.after_id))
            if not answer.messages:
                break
            found.extend(answer.messages)
            below = min(message.id for message in answer.messages)
            if below <= order.after_id + 1:
                break
        return found

    async def _readable(self, chat_id: int, side: str) -> Any:
        try:
            return await self._peers.input_peer(chat_id)
        except TelegramError as error:
            raise not_readable(error, chat_id, side) from error

    async def _sources(self, order: FindOrder) -> dict[int, Any]:
        peer = await self._readable(order.source, "source")
        try:
            messages = await fetch_raw(self._client, peer, order.source, sorted(order.message_ids))
        except TelegramError as error:
            raise not_readable(error, order.source, "source") from error
        sources = {message.id: message for message in messages}
        if len(sources) < len(set(order.message_ids)):
            raise AccountNotReady(
                f"Posts of {order.source} were deleted while their copies are looked for in "
                f"{order.destination}, so the copies cannot be recognised."
            )
        return sources

    def _by_origin(self, order: FindOrder, candidates: Sequence[Any]) -> dict[int, int]:
        """Forwards of the source's own posts name chat and post in their headers."""
        wanted = {Origin(order.source, message_id): message_id for message_id in order.message_ids}
        matched: dict[int, int] = {}
        for candidate in candidates:
            origin = to_source(candidate, Heard.POLL).origin
            if origin in wanted:
                # The oldest is the copy of this send; a later one was forwarded by somebody else.
                matched.setdefault(wanted[origin], candidate.id)
        return matched


def history_request(peer: Any, below: int, above: int) -> Any:
    return functions.messages.GetHistoryRequest(
        peer=peer,
        offset_id=below,
        offset_date=None,
        add_offset=0,
        limit=WINDOW,
        max_id=0,
        min_id=above,
        hash=0,
    )


def not_readable(error: TelegramError, chat_id: int, side: str) -> Exception:
    """AccountNotReady for a chat lost to this account; every other error stays what it is."""
    if decide(error, api=AccountKind.USER, order="read").verdict is Verdict.PAUSE_MAPPING:
        return AccountNotReady(f"No account of ours can read the {side} {chat_id} to look for copies there.")
    return error


def match_in_order(order: FindOrder, sources: dict[int, Any], candidates: Sequence[Any]) -> dict[int, int]:
    """Source id to copy id: equal content, in the order of the source, an album's parts in one album."""
    best: dict[int, int] = {}
    for first in range(len(candidates)):
        matched = match_from(order, sources, candidates[first:])
        if len(matched) > len(best):
            best = matched
        if len(best) == len(order.message_ids):
            break
    return best


def match_from(order: FindOrder, sources: dict[int, Any], candidates: Sequence[Any]) -> dict[int, int]:
    """Match the first source with the first candidate, the others after it; nothing if the first differs."""
    ids = sorted(order.message_ids)
    is_album = len(ids) > 1 and len({sources[message_id].grouped_id for message_id in ids} - {None}) == 1
    album = getattr(candidates[0], "grouped_id", None) if is_album else None
    matched: dict[int, int] = {}
    position = 0
    for message_id in ids:
        while position < len(candidates):
            candidate = candidates[position]
            position += 1
            if is_album and getattr(candidate, "grouped_id", None) != album:
                continue
            if same_post(order.mode, sources[message_id], candidate):
                matched[message_id] = candidate.id
                break
        if not matched:
            return {}
    if candidates[0].id not in matched.values():
        return {}
    return matched


def same_post(mode: Mode, source: Any, candidate: Any) -> bool:
    """Whether ``candidate`` carries what ``source`` carries, and its header if it is to be a forward."""
    header = getattr(candidate, "fwd_from", None)
    if mode is Mode.FORWARD:
        # People's posts are forwarded with a name and the date of the first appearance only.
        if header is None or header.date != (forward_date(source) or source.date):
            return False
    elif header is not None and kind_of(source) is not Kind.DICE:
        # Telegram forwards a dice also where a copy was asked for; nothing else of ours has a header.
        return False
    return same_content(to_source(source, Heard.POLL), to_source(candidate, Heard.POLL))


def same_content(source: SourceMessage, copy: SourceMessage) -> bool:
    if source.kind is not copy.kind or source.media_id != copy.media_id:
        return False
    # An edit after the send changes the text here but not there; the medium alone tells them apart then.
    if source.edit_date is not None and source.media_id is not None:
        return True
    return source.text == copy.text
