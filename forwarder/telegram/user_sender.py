"""Sends by a user account over MTProto: exactly once, by the random ids of the order."""

from __future__ import annotations

from typing import Any

from telethon import utils
from telethon.tl import functions, types

from forwarder.errors import OutcomeUnknown, TelegramError
from forwarder.message import AccountKind, DeleteOrder, EditOrder, Kind, Mode, SendOrder
from forwarder.telegram.client import Client
from forwarder.telegram.peers import Peers, input_channel
from forwarder.telegram.source_content import SourceContent, input_page
from forwarder.telegram.telethon_entities import to_telethon

MOST_IDS = 100
STALE = frozenset({"CHANNEL_INVALID", "PEER_ID_INVALID"})


class UserSender:
    """The :class:`~forwarder.seam.Sender` of a user account."""

    kind = AccountKind.USER

    def __init__(self, client: Client, account_id: int) -> None:
        self.account_id = account_id
        self._client = client
        self._peers = Peers(client)
        self._sources = SourceContent(client, self._peers)

    async def send(self, order: SendOrder) -> tuple[int | None, ...]:
        """One ``messages.forwardMessages`` with at most 100 ids; ``drop_author`` makes it a copy.

        A copy that answers another message is made anew where that loses nothing (see ``source_content``).
        """
        if not 0 < len(order.message_ids) == len(order.random_ids) <= MOST_IDS:
            raise ValueError(f"an order has 1 to {MOST_IDS} messages and a random id for each")
        try:
            answer = await self._client.ask(await self._request(order))
        except TelegramError as error:
            # A definite refusal, so a second call cannot double anything.
            if error.name not in STALE or not await self._peers.renew((order.source, order.destination)):
                raise
            answer = await self._client.ask(await self._request(order))
        return sent_ids(answer, order.random_ids)

    async def _request(self, order: SendOrder) -> Any:
        if order.rewrite is not None:
            return await self._sources.rewritten(order, order.rewrite)
        return await self._sources.answer(order) or functions.messages.ForwardMessagesRequest(
            from_peer=await self._peers.input_peer(order.source),
            id=list(order.message_ids),
            to_peer=await self._peers.input_peer(order.destination),
            random_id=list(order.random_ids),
            drop_author=order.mode is Mode.COPY or None,
            silent=order.silent or None,
            top_msg_id=order.topic or None,
        )

    async def edit(self, order: EditOrder) -> None:
        """A medium that was replaced is taken from the source, whose file reference is fresh then."""
        request = functions.messages.EditMessageRequest(
            peer=await self._peers.input_peer(order.destination),
            id=order.message_id,
            message=order.text,
            media=await self._sources.medium(order.medium, order.cover)
            if order.medium is not None
            else page_of(order),
            no_webpage=order.look.preview_hidden or None,
            invert_media=order.look.inverted or None,
            entities=to_telethon(order.entities, self._peers.input_user),
        )
        try:
            await self._client.ask(request)
        except TelegramError as error:
            if error.name != "MESSAGE_NOT_MODIFIED":
                raise

    async def delete(self, order: DeleteOrder) -> None:
        """Messages that are gone are passed over by the server itself; 100 ids a call."""
        peer = await self._peers.input_peer(order.destination)
        channel = input_channel(peer)
        for start in range(0, len(order.message_ids), MOST_IDS):
            ids = list(order.message_ids[start : start + MOST_IDS])
            if channel is not None:
                await self._client.ask(functions.channels.DeleteMessagesRequest(channel, ids))
            else:
                await self._client.ask(functions.messages.DeleteMessagesRequest(ids, revoke=True))


def sent_ids(answer: Any, random_ids: tuple[int, ...]) -> tuple[int | None, ...]:
    """The ids of the copies, by ``updateMessageID``: the server names one for each message it made."""
    if isinstance(answer, types.UpdateShortSentMessage) and len(random_ids) == 1:
        return (answer.id,)
    if not isinstance(answer, types.Updates | types.UpdatesCombined):
        # updatesTooLong: something was sent, but its ids come only with the account's updates.
        raise OutcomeUnknown("ANSWER_WITHOUT_IDS")
    ids = {item.random_id: item.id for item in answer.updates if isinstance(item, types.UpdateMessageID)}
    return tuple(ids.get(random_id) for random_id in random_ids)


def page_of(order: EditOrder) -> Any | None:
    """The link preview of a text, where the source has one that was chosen; Telegram finds the others itself."""
    if order.kind is not Kind.TEXT or order.look.preview_hidden or order.look.preview_url is None:
        return None
    return input_page(order.look)


def marked_id(peer: Any) -> int:
    return int(utils.get_peer_id(peer))
