"""From a marked chat id to what MTProto wants: the id with this account's access hash."""

from __future__ import annotations

import asyncio
import time
from typing import Any

from telethon import utils
from telethon.tl import functions, types

from forwarder.errors import TelegramError
from forwarder.telegram.client import Client
from forwarder.telegram.errors import translated

REFRESH_SECONDS = 60.0
REFRESH_TIMEOUT = 60.0
DIALOGS_AT_MOST = 2000


class Peers:
    """Knows the peers of one login; looks through its dialogs once in a while for one it does not know."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._refreshed_at: float | None = None
        self._refreshing = asyncio.Lock()

    async def input_peer(self, chat_id: int) -> Any:
        """``InputPeer…`` of a marked id.

        Raises :class:`~forwarder.errors.TelegramError` ``CHANNEL_INVALID`` for one unknown here.
        """
        known = self.known(chat_id)
        if known is None:
            if await self.is_bot():
                return self._as_bot(chat_id)
            await self.refresh()
            known = self.known(chat_id)
        if known is None:
            raise TelegramError("CHANNEL_INVALID", code=400)
        return known

    def known(self, chat_id: int) -> Any | None:
        """What the session holds. A basic group needs no hash."""
        real_id, kind = utils.resolve_id(chat_id)
        if kind is types.PeerChat:
            return types.InputPeerChat(real_id)
        row = self._client.session.get_entity_rows_by_id(chat_id)
        if row is None:
            return None
        if kind is types.PeerUser:
            return types.InputPeerUser(real_id, row[1])
        return types.InputPeerChannel(real_id, row[1])

    def input_user(self, user_id: int) -> Any | None:
        peer = self.known(user_id)
        return types.InputUser(peer.user_id, peer.access_hash) if peer is not None else None

    async def is_bot(self) -> bool:
        await self._client.reconnected()
        async with translated(), asyncio.timeout(REFRESH_TIMEOUT):
            return bool(await self._client.is_bot())

    async def refresh(self) -> None:
        """Read the dialogs into the session, at most once in a minute however many ask."""
        async with self._refreshing:
            now = time.monotonic()
            if self._refreshed_at is not None and now - self._refreshed_at < REFRESH_SECONDS:
                return
            await read_dialogs(self._client)
            self._refreshed_at = time.monotonic()

    async def renew(self, chat_ids: tuple[int, ...]) -> bool:
        """Drop access hashes that the server refused; True where others were found in their place."""
        refused = {chat_id: self.known(chat_id) for chat_id in chat_ids}
        for chat_id in chat_ids:
            self._client.session.forget_peer(chat_id)
        await self.refresh()
        found = {chat_id: self.known(chat_id) for chat_id in chat_ids}
        return all(found.values()) and any(found[item] != refused[item] for item in chat_ids)

    @staticmethod
    def _as_bot(chat_id: int) -> Any:
        # A bot may name any chat it has seen with a zero hash (core.telegram.org/api/peers).
        real_id, kind = utils.resolve_id(chat_id)
        if kind is types.PeerUser:
            return types.InputPeerUser(real_id, 0)
        return types.InputPeerChannel(real_id, 0)


async def read_dialogs(client: Client) -> None:
    """Fill the session with every dialog's access hash, and give a listener each channel's pts."""
    await client.reconnected()
    async with translated(), asyncio.timeout(REFRESH_TIMEOUT):
        async for _ in client.iter_dialogs(limit=DIALOGS_AT_MOST):
            pass


def input_channel(peer: Any) -> Any | None:
    """``InputChannel`` of a channel's or supergroup's peer; None for a basic group or a person."""
    if isinstance(peer, types.InputPeerChannel):
        return types.InputChannel(peer.channel_id, peer.access_hash)
    return None


def get_messages_request(peer: Any, message_ids: list[int]) -> Any:
    """At most 200 ids. Outside channels ids belong to the account, so the chat is not named."""
    ids = [types.InputMessageID(message_id) for message_id in message_ids]
    channel = input_channel(peer)
    if channel is not None:
        return functions.channels.GetMessagesRequest(channel, ids)
    return functions.messages.GetMessagesRequest(ids)
