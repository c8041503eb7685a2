"""Reads chats by id over MTProto: what is new in many at once, and what is under given ids."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from telethon import utils
from telethon.tl import functions, types

from forwarder.errors import OutcomeUnknown, TelegramError
from forwarder.message import AccountKind, Fetched, Heard, SourceMessage
from forwarder.retry import Verdict, decide
from forwarder.telegram.client import Client
from forwarder.telegram.peers import Peers, get_messages_request
from forwarder.telegram.protection import OnProtection, flags_of, nobody_asks
from forwarder.telegram.telethon_values import to_source

PEERS_A_CALL = 100
IDS_A_CALL = 200


class MtprotoReader:
    """The :class:`~forwarder.seam.Reader` of a user's login, or of a bot's second login over MTProto.

    ``on_protection`` is told what each look at the tops shows about the chats.
    """

    def __init__(
        self,
        client: Client,
        account_id: int,
        *,
        heard: Heard = Heard.POLL,
        on_protection: OnProtection = nobody_asks,
    ) -> None:
        self.account_id = account_id
        self._client = client
        self._peers = Peers(client)
        self._heard = heard
        self._on_protection = on_protection

    async def tops(self, chat_ids: Sequence[int]) -> dict[int, int]:
        """Chats that the account cannot read are left out. A bot may not ask and gets nothing."""
        if not chat_ids or await self._peers.is_bot():
            return {}
        tops: dict[int, int] = {}
        known = [(chat_id, peer) for chat_id in chat_ids if (peer := await self._peer(chat_id)) is not None]
        for start in range(0, len(known), PEERS_A_CALL):
            tops.update(await self._tops_of(known[start : start + PEERS_A_CALL]))
        return tops

    async def _peer(self, chat_id: int) -> Any | None:
        try:
            return await self._peers.input_peer(chat_id)
        except TelegramError as error:
            raise_unless_unreachable(error)
            return None

    async def _tops_of(self, known: list[tuple[int, Any]]) -> dict[int, int]:
        peers = [types.InputDialogPeer(peer) for _, peer in known]
        try:
            answer = await self._client.ask(functions.messages.GetPeerDialogsRequest(peers))
        except TelegramError as error:
            raise_unless_unreachable(error)
            if len(known) == 1:
                return {}
            # One chat that was lost must not hide the others: halve until it stands alone.
            middle = len(known) // 2
            return await self._tops_of(known[:middle]) | await self._tops_of(known[middle:])
        await self._on_protection(flags_of(answer.chats))
        return {utils.get_peer_id(dialog.peer): dialog.top_message for dialog in answer.dialogs}

    async def fetch(self, chat_id: int, message_ids: Sequence[int]) -> Fetched:
        """Messages in the order of their ids, and the ids that hold none, or one of another chat."""
        wanted = sorted(set(message_ids))
        found: dict[int, SourceMessage] = {}
        elsewhere: set[int] = set()
        peer = await self._peers.input_peer(chat_id)
        for start in range(0, len(wanted), IDS_A_CALL):
            for message in await fetch_any(self._client, peer, wanted[start : start + IDS_A_CALL]):
                if utils.get_peer_id(message.peer_id) == chat_id:
                    found[message.id] = to_source(message, self._heard)
                else:
                    elsewhere.add(message.id)
        empty = tuple(number for number in wanted if number not in found and number not in elsewhere)
        messages = tuple(found[message_id] for message_id in sorted(found))
        return Fetched(messages, empty, tuple(sorted(elsewhere)))


async def fetch_raw(client: Client, peer: Any, chat_id: int, message_ids: list[int]) -> list[Any]:
    """Telethon's messages under at most 200 ids. Ids of another chat of the account are not ours to see."""
    found = await fetch_any(client, peer, message_ids)
    return [message for message in found if utils.get_peer_id(message.peer_id) == chat_id]


async def fetch_any(client: Client, peer: Any, message_ids: list[int]) -> list[Any]:
    """Telethon's messages under at most 200 ids, of whatever chat of the account outside channels."""
    answer = await client.ask(get_messages_request(peer, message_ids))
    if isinstance(answer, types.messages.MessagesNotModified):
        raise OutcomeUnknown("ANSWER_NOT_UNDERSTOOD")
    return [message for message in answer.messages if not isinstance(message, types.MessageEmpty)]


def raise_unless_unreachable(error: TelegramError) -> None:
    """Pass over one chat that is lost to this account; waits, outages and dead sessions are the caller's."""
    if decide(error, api=AccountKind.USER, order="read").verdict not in (Verdict.PAUSE_MAPPING, Verdict.FAIL):
        raise error
