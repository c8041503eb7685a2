"""What a bot sends anew in place of what the server would copy, because rules have changed it."""

from __future__ import annotations

from typing import Any

import telegram

from forwarder.errors import TelegramError
from forwarder.message import Button, Kind, Look, NewPart, Rewrite, SendOrder
from forwarder.telegram.bot_values import to_bot

INPUT_MEDIA = {
    Kind.PHOTO: telegram.InputMediaPhoto,
    Kind.VIDEO: telegram.InputMediaVideo,
    Kind.ANIMATION: telegram.InputMediaAnimation,
    Kind.AUDIO: telegram.InputMediaAudio,
    Kind.DOCUMENT: telegram.InputMediaDocument,
}
"""Kinds that may take another's place; a voice, a video note and a sticker stay what they are."""

COVERED = (Kind.PHOTO, Kind.VIDEO, Kind.ANIMATION)


async def send_anew(bot: telegram.Bot, order: SendOrder, rewrite: Rewrite) -> list[int]:
    """A text, a copy with another caption, or an album; answers the ids in the order of the parts.

    Raises :class:`~forwarder.errors.TelegramError` ``COVER_NOT_HEARD`` where a medium is to be covered that the bot
    has not heard and so has no name for, or that has to be copied with others of its album.
    """
    if any(part.cover and (part.file_id is None or rewrite.captions_follow) for part in rewrite.parts):
        raise TelegramError("COVER_NOT_HEARD", code=400)
    if rewrite.captions_follow:
        # Without captions, so that nobody reads what the rules have taken away.
        copies = await bot.copy_messages(
            order.destination,
            order.source,
            sorted(order.message_ids),
            disable_notification=order.silent,
            message_thread_id=order.topic or None,
            remove_caption=True,
        )
        return [copy.message_id for copy in copies]
    if len(rewrite.parts) > 1:
        album = await bot.send_media_group(
            order.destination,
            [medium_of(part) for part in rewrite.parts],
            disable_notification=order.silent,
            message_thread_id=order.topic or None,
            reply_parameters=answer_to(order),
        )
        return [message.message_id for message in album]
    return [await send_single(bot, order, rewrite.parts[0], rewrite.button)]


async def send_single(bot: telegram.Bot, order: SendOrder, part: NewPart, button: Button | None) -> int:
    common: dict[str, Any] = {
        "disable_notification": order.silent,
        "message_thread_id": order.topic or None,
        "reply_parameters": answer_to(order),
        "reply_markup": keyboard(button),
    }
    if part.kind is Kind.TEXT:
        message = await bot.send_message(
            order.destination,
            part.text,
            entities=to_bot(part.entities),
            link_preview_options=preview_of(part.look),
            **common,
        )
        return message.message_id
    if part.cover:
        methods: dict[Kind, Any] = {
            Kind.PHOTO: bot.send_photo,
            Kind.VIDEO: bot.send_video,
            Kind.ANIMATION: bot.send_animation,
        }
        message = await methods[part.kind](
            order.destination,
            part.file_id,
            caption=part.text,
            caption_entities=to_bot(part.entities),
            show_caption_above_media=part.look.inverted,
            has_spoiler=True,
            **common,
        )
        return int(message.message_id)
    if part.changed:
        common |= {
            "caption": part.text,
            "caption_entities": to_bot(part.entities),
            "show_caption_above_media": part.look.inverted,
        }
    copy = await bot.copy_message(order.destination, order.source, part.message_id, **common)
    return copy.message_id


def medium_of(part: NewPart) -> Any:
    covered = {"has_spoiler": True} if part.spoiler and part.kind in COVERED else {}
    return INPUT_MEDIA[part.kind](
        part.file_id,
        caption=part.text,
        caption_entities=to_bot(part.entities),
        **caption_place(part.kind, part.look),
        **covered,
    )


def keyboard(button: Button | None) -> telegram.InlineKeyboardMarkup | None:
    if button is None:
        return None
    return telegram.InlineKeyboardMarkup.from_button(telegram.InlineKeyboardButton(button.text, button.url))


def preview_of(look: Look) -> telegram.LinkPreviewOptions:
    return telegram.LinkPreviewOptions(
        is_disabled=look.preview_hidden,
        url=look.preview_url,
        prefer_large_media=look.preview_large is True,
        prefer_small_media=look.preview_large is False,
        show_above_text=look.inverted,
    )


def caption_place(kind: Kind, look: Look) -> dict[str, bool]:
    """Audio and documents have their captions below, always."""
    if kind in (Kind.AUDIO, Kind.DOCUMENT):
        return {}
    return {"show_caption_above_media": look.inverted}


def answer_to(order: SendOrder) -> telegram.ReplyParameters | None:
    """Of all forwarding and copying methods only copyMessage takes one (Bot API 10.0)."""
    if order.reply_to is None:
        return None
    return telegram.ReplyParameters(order.reply_to, allow_sending_without_reply=True)
