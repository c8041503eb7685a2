"""Looks for copies in the destination after a send whose outcome is unknown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from telethon.tl import functions

from forwarder.errors import AccountNotReady, OutcomeUnknown, TelegramError
from forwarder.likeness import Wanted, may_be_earlier, same_post, wanted_of
from forwarder.message import AccountKind, FindOrder, Heard, Kind, Mode, Origin, Remembered, SourceMessage
from forwarder.retry import Verdict, decide
from forwarder.telegram.client import Client
from forwarder.telegram.peers import Peers, input_channel
from forwarder.telegram.telethon_values import place_in_chat, to_source
from forwarder.telegram.under_ids import fetch_raw

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

    async def _candidates(self, order: FindOrder) -> list[SourceMessage]:
        """What is new in the destination since the send, oldest first."""
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
        return [to_source(fresh[message_id], Heard.POLL) for message_id in sorted(fresh)]

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
        wanted = {
            message.id: wanted_of(
                to_source(message, Heard.POLL),
                remembered[message.id].texts if message.id in remembered else (),
            )
            for message in messages
        }
        for one in order.remembered:
            if one.rewritten:
                wanted[one.message_id] = rewritten(one, wanted.get(one.message_id))
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

    def _by_origin(self, order: FindOrder, candidates: Sequence[SourceMessage]) -> dict[int, int]:
        """Forwards of the source's own posts name chat and post in their headers."""
        wanted = {Origin(order.source, message_id): message_id for message_id in order.message_ids}
        matched: dict[int, int] = {}
        for candidate in candidates:
            if candidate.origin in wanted:
                # The oldest is the copy of this send; a later one was forwarded by somebody else.
                matched.setdefault(wanted[candidate.origin], candidate.message_id)
        return matched


def rewritten(sent: Remembered, source: Wanted | None) -> Wanted:
    """A copy that rules have changed says what was sent, whatever its source says now; its medium is the source's.

    Raises :class:`~forwarder.errors.AccountNotReady` where only the Bot API's own name of that is left.
    """
    if sent.kind is Kind.TEXT:
        return Wanted(Kind.TEXT, frozenset(sent.texts), None, False)
    if source is None and (sent.media_id or "").startswith("bot:"):
        raise AccountNotReady(
            "A post was deleted while its copy is looked for, so that the copy cannot be recognised."
        )
    medium = source.media_id if source is not None else sent.media_id
    return Wanted(sent.kind, frozenset(sent.texts), medium, sent.in_album)


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


def match_in_order(
    order: FindOrder, wanted: Mapping[int, Wanted], candidates: Sequence[SourceMessage]
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


def match_from(
    order: FindOrder, wanted: Mapping[int, Wanted], candidates: Sequence[SourceMessage]
) -> dict[int, int]:
    """Match the first source with the first candidate, the others after it; nothing if the first differs."""
    ids = sorted(order.message_ids)
    is_album = len(ids) > 1 and all(wanted[message_id].in_album for message_id in ids)
    album = candidates[0].album_id if is_album else None
    matched: dict[int, int] = {}
    position = 0
    for message_id in ids:
        while position < len(candidates):
            candidate = candidates[position]
            position += 1
            if is_album and candidate.album_id != album:
                continue
            if same_post(order.mode, wanted[message_id], candidate):
                matched[message_id] = candidate.message_id
                break
        if not matched:
            return {}
    if candidates[0].message_id not in matched.values():
        return {}
    return matched
