"""Reads chats by id over MTProto: what is new in many at once, and what is under given ids."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from telethon import utils
from telethon.tl import functions, types

from forwarder.errors import TelegramError
from forwarder.message import AccountKind, Fetched, Heard
from forwarder.retry import Verdict, decide
from forwarder.telegram.client import Client
from forwarder.telegram.peers import Peers, input_channel
from forwarder.telegram.protection import OnProtection, flags_of, nobody_asks
from forwarder.telegram.under_ids import IDS_A_CALL, UnderIds

PEERS_A_CALL = 100


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
        """Messages in the order of their ids; ids that hold none, one of another chat, or one that cannot be read.

        Outside channels most ids of a long span are other chats': but for the newest, where what is missing may
        still become visible, the chat's history is read instead.
        """
        wanted = sorted(set(message_ids))
        peer = await self._peers.input_peer(chat_id)
        under = UnderIds(self._client, peer, chat_id, self._heard)
        older, newest = wanted[:-IDS_A_CALL], wanted[-IDS_A_CALL:]
        if older and input_channel(peer) is None and not await self._peers.is_bot():
            await under.by_history(older)
        else:
            newest = wanted
        await under.by_ids(newest)
        return under.fetched(wanted)


def raise_unless_unreachable(error: TelegramError) -> None:
    """Pass over one chat that is lost to this account; waits, outages and dead sessions are the caller's."""
    if decide(error, api=AccountKind.USER, order="read").verdict not in (Verdict.PAUSE_MAPPING, Verdict.FAIL):
        raise error
