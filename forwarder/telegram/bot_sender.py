"""Sends by a bot over the Bot API, which has no key against doubling: an unknown outcome is called one."""

from __future__ import annotations

import telegram
from telegram.request import HTTPXRequest

from forwarder.errors import OutcomeUnknown, TelegramError
from forwarder.message import AccountKind, DeleteOrder, EditOrder, Kind, Mode, SendOrder
from forwarder.retry import Verdict, decide
from forwarder.telegram.bot_rewrites import (
    COVERED,
    INPUT_MEDIA,
    answer_to,
    caption_place,
    keyboard,
    preview_of,
    send_anew,
)
from forwarder.telegram.bot_values import to_bot
from forwarder.telegram.errors import translated

Bot = telegram.Bot

READ_TIMEOUT = 30.0
"""The official server sits out up to 8 s of Telegram's own flood waits inside a call."""
CONNECT_TIMEOUT = 10.0
POOL_SIZE = 64
MOST_IDS = 100


def make_bot(token: str, api_url: str | None = None, *, connections: int = POOL_SIZE) -> telegram.Bot:
    """A bot with timeouts fit for sending. ``api_url`` is a Bot API server of one's own (http://host:port)."""
    request = HTTPXRequest(
        connection_pool_size=connections,
        read_timeout=READ_TIMEOUT,
        write_timeout=READ_TIMEOUT,
        connect_timeout=CONNECT_TIMEOUT,
        pool_timeout=CONNECT_TIMEOUT,
    )
    # Bare `Bot`s make a second pool for getUpdates; the poller has a connection of its own.
    if api_url is None:
        return telegram.Bot(token, request=request)
    base = api_url.rstrip("/")
    return telegram.Bot(token, base_url=f"{base}/bot", base_file_url=f"{base}/file/bot", request=request)


class BotSender:
    """The :class:`~forwarder.seam.Sender` of a bot."""

    kind = AccountKind.BOT

    def __init__(self, bot: telegram.Bot, account_id: int) -> None:
        self.account_id = account_id
        self._bot = bot

    async def send(self, order: SendOrder) -> tuple[int | None, ...]:
        """One post: a single message, or an album in one call.

        Raises :class:`~forwarder.errors.OutcomeUnknown` ``PARTIAL_ALBUM`` where Telegram passed over some of
        several messages: its answer then does not say which ids belong to which.
        """
        if not 0 < len(order.message_ids) <= MOST_IDS:
            raise ValueError(f"an order has 1 to {MOST_IDS} messages")
        async with translated():
            if order.rewrite is not None:
                ids = await send_anew(self._bot, order, order.rewrite)
            elif len(order.message_ids) == 1:
                return (await self._send_one(order),)
            else:
                ids = await self._send_many(order)
        if len(ids) != len(order.message_ids):
            raise OutcomeUnknown("PARTIAL_ALBUM")
        # The copies of one call are numbered in the order of their sources, whatever order they end in.
        copy_of = dict(zip(sorted(order.message_ids), sorted(ids), strict=True))
        return tuple(copy_of[message_id] for message_id in order.message_ids)

    async def _send_one(self, order: SendOrder) -> int:
        if order.mode is Mode.FORWARD:
            message = await self._bot.forward_message(
                order.destination,
                order.source,
                order.message_ids[0],
                disable_notification=order.silent,
                message_thread_id=order.topic or None,
            )
            return message.message_id
        copy = await self._bot.copy_message(
            order.destination,
            order.source,
            order.message_ids[0],
            disable_notification=order.silent,
            message_thread_id=order.topic or None,
            reply_parameters=answer_to(order),
        )
        return copy.message_id

    async def _send_many(self, order: SendOrder) -> list[int]:
        carry = self._bot.forward_messages if order.mode is Mode.FORWARD else self._bot.copy_messages
        copies = await carry(
            order.destination,
            order.source,
            # The Bot API demands strictly increasing ids.
            sorted(order.message_ids),
            disable_notification=order.silent,
            message_thread_id=order.topic or None,
        )
        return [copy.message_id for copy in copies]

    async def edit(self, order: EditOrder) -> None:
        """The text of a text message, the caption of everything else; with it a medium that was replaced.

        Raises :class:`~forwarder.errors.TelegramError` ``MEDIUM_NOT_HEARD`` where the bot has not heard the new
        medium and so has no name for it; the caption is edited then.
        """
        if order.medium is None:
            return await self._edit_text(order)
        if order.medium.file_id is None or order.kind not in INPUT_MEDIA:
            await self._edit_text_if_possible(order)
            raise TelegramError("MEDIUM_NOT_HEARD", code=400)
        media = INPUT_MEDIA[order.kind](
            order.medium.file_id,
            caption=order.text,
            caption_entities=to_bot(order.entities),
            **caption_place(order.kind, order.look),
            **({"has_spoiler": True} if order.cover and order.kind in COVERED else {}),
        )
        try:
            async with translated():
                await self._bot.edit_message_media(
                    media, order.destination, order.message_id, reply_markup=keyboard(order.button)
                )
        except TelegramError as error:
            pass_if_done(error, "edit")

    async def _edit_text_if_possible(self, order: EditOrder) -> None:
        try:
            await self._edit_text(order)
        except TelegramError as error:
            if decide(error, api=AccountKind.BOT, order="edit").verdict is not Verdict.FAIL:
                raise

    async def _edit_text(self, order: EditOrder) -> None:
        entities = to_bot(order.entities)
        try:
            async with translated():
                if order.kind is Kind.TEXT:
                    await self._bot.edit_message_text(
                        order.text,
                        order.destination,
                        order.message_id,
                        entities=entities,
                        link_preview_options=preview_of(order.look),
                        reply_markup=keyboard(order.button),
                    )
                else:
                    await self._bot.edit_message_caption(
                        order.destination,
                        order.message_id,
                        caption=order.text,
                        caption_entities=entities,
                        show_caption_above_media=order.look.inverted,
                        reply_markup=keyboard(order.button),
                    )
        except TelegramError as error:
            pass_if_done(error, "edit")

    async def delete(self, order: DeleteOrder) -> None:
        """One by one: deleteMessages answers that all is well also where it left messages standing (after 48 hours)."""
        for message_id in order.message_ids:
            try:
                async with translated():
                    await self._bot.delete_message(order.destination, message_id)
            except TelegramError as error:
                pass_if_done(error, "delete")


def pass_if_done(error: TelegramError, order: str) -> None:
    if decide(error, api=AccountKind.BOT, order=order).verdict is not Verdict.DONE:
        raise error
