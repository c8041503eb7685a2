"""Looks for copies in the destination after a send whose outcome is unknown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from telethon.tl import functions

from forwarder.errors import AccountNotReady, OutcomeUnknown, TelegramError
from forwarder.message import AccountKind, FindOrder, Heard, Kind, Mode, Origin, Remembered
from forwarder.retry import Verdict, decide
from forwarder.telegram.client import Client
from forwarder.telegram.peers import Peers, input_channel
from forwarder.telegram.reader import fetch_raw
from forwarder.telegram.telethon_values import forward_date, place_in_chat, to_source

WINDOW = 100
EMPTY_WINDOWS = 3
"""A bot sees no newest id; this many windows of 100 ids without a message count as the end of the chat."""
MOST_MESSAGES = 3000


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a copy of one source message may look like. ``date`` is what a forward's header says of a person's post;
    before ``edited`` it may also have said something that nobody of us has heard."""

    kind: Kind
    texts: frozenset[str]
    media_id: str | None
    in_album: bool
    date: datetime | None = None
    edited: datetime | None = None


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
            wanted = await self._wanted(order)
            matched = match_in_order(order, wanted, candidates)
            if not matched and any(
                may_be_earlier(order.mode, one, candidate)
                for one in wanted.values()
                for candidate in candidates
            ):
                raise AccountNotReady(
                    f"Posts of {order.source} were edited while their copies are looked for in {order.destination}, "
                    "and what stands there may be a copy of what they said before."
                )
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
            item.id: item
            for item in found
            if item.id > order.after_id
            and item.id not in order.known_ids
            and place_in_chat(item.reply_to)[0] == order.topic
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

    async def _wanted(self, order: FindOrder) -> dict[int, Wanted]:
        """What to look for, by the source's message ids: as the source reads now, and as it was heard."""
        peer = await self._readable(order.source, "source")
        try:
            messages = await fetch_raw(self._client, peer, order.source, sorted(order.message_ids))
        except TelegramError as error:
            raise not_readable(error, order.source, "source") from error
        remembered = {one.message_id: one for one in order.remembered}
        wanted = {message.id: wanted_of(message, remembered.get(message.id)) for message in messages}
        for message_id in set(order.message_ids) - wanted.keys():
            gone = remembered.get(message_id)
            # A forward's header and the Bot API's own names of files cannot be compared without the source.
            if gone is None or order.mode is Mode.FORWARD or (gone.media_id or "").startswith("bot:"):
                raise AccountNotReady(
                    f"Posts of {order.source} were deleted while their copies are looked for in "
                    f"{order.destination}, so the copies cannot be recognised."
                )
            wanted[message_id] = Wanted(gone.kind, frozenset(gone.texts), gone.media_id, gone.in_album)
        return wanted

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


def wanted_of(source: Any, remembered: Remembered | None) -> Wanted:
    now = to_source(source, Heard.POLL)
    return Wanted(
        kind=now.kind,
        texts=frozenset((now.text, *(remembered.texts if remembered is not None else ()))),
        media_id=now.media_id,
        in_album=source.grouped_id is not None,
        date=forward_date(source) or source.date,
        edited=now.edit_date,
    )


def match_in_order(
    order: FindOrder, wanted: Mapping[int, Wanted], candidates: Sequence[Any]
) -> dict[int, int]:
    """Source id to copy id: equal content, in the order of the source, an album's parts in one album."""
    best: dict[int, int] = {}
    for first in range(len(candidates)):
        matched = match_from(order, wanted, candidates[first:])
        if len(matched) > len(best):
            best = matched
        if len(best) == len(order.message_ids):
            break
    return best


def match_from(order: FindOrder, wanted: Mapping[int, Wanted], candidates: Sequence[Any]) -> dict[int, int]:
    """Match the first source with the first candidate, the others after it; nothing if the first differs."""
    ids = sorted(order.message_ids)
    is_album = len(ids) > 1 and all(wanted[message_id].in_album for message_id in ids)
    album = getattr(candidates[0], "grouped_id", None) if is_album else None
    matched: dict[int, int] = {}
    position = 0
    for message_id in ids:
        while position < len(candidates):
            candidate = candidates[position]
            position += 1
            if is_album and getattr(candidate, "grouped_id", None) != album:
                continue
            if same_post(order.mode, wanted[message_id], candidate):
                matched[message_id] = candidate.id
                break
        if not matched:
            return {}
    if candidates[0].id not in matched.values():
        return {}
    return matched


def same_post(mode: Mode, wanted: Wanted, candidate: Any) -> bool:
    """Whether ``candidate`` carries what is wanted, and its header if it is to be a forward."""
    return same_header(mode, wanted, candidate) and same_content(wanted, candidate)


def may_be_earlier(mode: Mode, wanted: Wanted, candidate: Any) -> bool:
    """Whether ``candidate`` may carry what the source said before it was edited."""
    copy = to_source(candidate, Heard.POLL)
    return (
        wanted.edited is not None
        and copy.date <= wanted.edited
        and (copy.kind, copy.media_id) == (wanted.kind, wanted.media_id)
        and same_header(mode, wanted, candidate)
    )


def same_header(mode: Mode, wanted: Wanted, candidate: Any) -> bool:
    header = getattr(candidate, "fwd_from", None)
    if mode is Mode.FORWARD:
        # People's posts are forwarded with a name and the date of the first appearance only.
        return header is not None and header.date == wanted.date
    # Telegram forwards a dice also where a copy was asked for; nothing else of ours has a header.
    return header is None or wanted.kind is Kind.DICE


def same_content(wanted: Wanted, candidate: Any) -> bool:
    copy = to_source(candidate, Heard.POLL)
    if wanted.kind is not copy.kind or wanted.media_id != copy.media_id:
        return False
    # An edit after the send changes the text here but not there; the medium alone tells them apart then.
    if wanted.edited is not None and wanted.media_id is not None:
        return True
    return copy.text in wanted.texts
