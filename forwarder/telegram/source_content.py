"""What a user account sends anew in place of letting the server copy it: answers, what rules have changed, and media
that were replaced.

``messages.forwardMessages`` takes no message to reply to (its ``reply_to`` "can only contain an
inputReplyToMonoForum", core.telegram.org/method/messages.forwardMessages), so such a copy is sent as a new
message with the source's content. Where that would lose something, the copy is made by the server as ever,
and answers nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from telethon import utils
from telethon.tl import functions, types

from forwarder.errors import TelegramError
from forwarder.message import Kind, Look, Medium, Mode, NewPart, Rewrite, SendOrder, look_of
from forwarder.telegram.client import Client
from forwarder.telegram.peers import Peers
from forwarder.telegram.telethon_entities import from_telethon, to_telethon
from forwarder.telegram.telethon_facts import facts_of
from forwarder.telegram.under_ids import fetch_raw

LONGEST_CAPTION = 1024
"""UTF-16 units that an account without Premium may write under a medium."""


class SourceContent:
    """Makes parts of requests out of what a source says now; file references are fresh then.

    Telegram's memory of random ids does not ask by which method a message was sent, so that an order repeated
    with the same ids sends nothing twice even when the repeat goes another way
    (core.telegram.org/api/updates, "updateMessageID updates").
    """

    def __init__(self, client: Client, peers: Peers) -> None:
        self._client = client
        self._peers = peers

    async def answer(self, order: SendOrder) -> Any | None:
        """The request for an order with a ``reply_to``; None where the copy has to be left to the server."""
        if order.mode is not Mode.COPY or order.reply_to is None:
            return None
        source = await self._peers.input_peer(order.source)
        found = await fetch_raw(self._client, source, order.source, list(order.message_ids))
        by_id = {message.id: message for message in found}
        messages = [by_id[number] for number in order.message_ids if number in by_id]
        if len(messages) < len(order.message_ids) or not all(map(can_be_made_anew, messages)):
            return None
        common = {
            "peer": await self._peers.input_peer(order.destination),
            "silent": order.silent or None,
            "reply_to": self._reply_to(order, messages[0].reply_to),
            "invert_media": messages[0].invert_media,
        }
        if len(messages) > 1:
            items = [self._item(*pair) for pair in zip(messages, order.random_ids, strict=True)]
            return functions.messages.SendMultiMediaRequest(multi_media=items, **common)
        message, random_id = messages[0], order.random_ids[0]
        common |= {
            "message": message.message or "",
            "random_id": random_id,
            "entities": self._entities(message),
        }
        media = input_media(message.media) or input_page(look_of(facts_of(message)))
        if media is not None:
            return functions.messages.SendMediaRequest(media=media, **common)
        return functions.messages.SendMessageRequest(no_webpage=message.media is None or None, **common)

    async def rewritten(self, order: SendOrder, rewrite: Rewrite) -> Any:
        """The request for a post that rules have changed: their text, with the source's media.

        Raises :class:`~forwarder.errors.TelegramError` ``MESSAGE_ID_INVALID`` where a medium is gone from the source,
        ``MEDIA_INVALID`` where it cannot be sent anew.
        """
        parts = rewrite.parts
        media: dict[int, Any] = {}
        header = None
        if order.reply_to is not None or any(part.kind is not Kind.TEXT for part in parts):
            source = await self._peers.input_peer(order.source)
            found = await fetch_raw(self._client, source, order.source, list(order.message_ids))
            media = {message.id: message.media for message in found}
            header = found[0].reply_to if found else None
        common = {
            "peer": await self._peers.input_peer(order.destination),
            "silent": order.silent or None,
            "reply_to": self._reply_to(order, header) if order.reply_to or order.topic else None,
            "invert_media": parts[0].look.inverted or None,
        }
        if len(parts) > 1:
            items = [
                types.InputSingleMedia(
                    medium_anew(part, media),
                    part.text,
                    random_id=random_id,
                    entities=to_telethon(part.entities, self._peers.input_user),
                )
                for part, random_id in zip(parts, order.random_ids, strict=True)
            ]
            return functions.messages.SendMultiMediaRequest(multi_media=items, **common)
        part = parts[0]
        common |= {
            "message": part.text,
            "random_id": order.random_ids[0],
            "entities": to_telethon(part.entities, self._peers.input_user),
        }
        if part.kind is not Kind.TEXT:
            return functions.messages.SendMediaRequest(media=medium_anew(part, media), **common)
        if not part.look.preview_hidden and (page := input_page(part.look)) is not None:
            return functions.messages.SendMediaRequest(media=page, **common)
        return functions.messages.SendMessageRequest(no_webpage=part.look.preview_hidden or None, **common)

    async def medium(self, medium: Medium, cover: bool = False) -> Any | None:
        """What to give a copy in place of its medium; None where the source has none any more."""
        source = await self._peers.input_peer(medium.source)
        found = await fetch_raw(self._client, source, medium.source, [medium.message_id])
        return covered(input_media(found[0].media), cover) if found else None

    def _reply_to(self, order: SendOrder, header: Any) -> Any:
        """The copy to answer, and what the source quotes of its original."""
        quoting = isinstance(header, types.MessageReplyHeader) and bool(header.quote)
        # What answers nothing is sent into its topic as an answer to this itself.
        return types.InputReplyToMessage(
            order.reply_to or order.topic,
            top_msg_id=order.topic or None,
            quote_text=header.quote_text if quoting else None,
            quote_entities=to_telethon(from_telethon(header.quote_entities), self._peers.input_user)
            if quoting
            else None,
            quote_offset=header.quote_offset if quoting else None,
        )

    def _item(self, message: Any, random_id: int) -> Any:
        return types.InputSingleMedia(
            input_media(message.media),
            message.message or "",
            random_id=random_id,
            entities=self._entities(message),
        )

    def _entities(self, message: Any) -> list[Any]:
        return to_telethon(from_telethon(message.entities), self._peers.input_user)


def can_be_made_anew(message: Any) -> bool:
    """Whether a new message can show all that this one does.

    Custom emoji stay only in what the server copies itself, unless the account has Premium. A poll would lose its
    explanation, a dice its value; what carries several media or a timer cannot be put together again.
    """
    if isinstance(message, types.MessageService) or getattr(message, "rich_message", None) is not None:
        return False
    if any(isinstance(entity, types.MessageEntityCustomEmoji) for entity in message.entities or ()):
        return False
    if message.media is None or isinstance(message.media, types.MessageMediaWebPage):
        return True
    # Only the author's Premium allows a longer caption; a copy by the server keeps it.
    return input_media(message.media) is not None and utf16_length(message.message) <= LONGEST_CAPTION


def utf16_length(text: str) -> int:
    return len(text.encode("utf-16-le")) // 2


def input_media(media: Any) -> Any | None:
    """What is sent to show this medium again; None for what has none, or cannot be shown again as it is."""
    match media:
        case types.MessageMediaPhoto(photo=types.Photo(), ttl_seconds=None):
            return types.InputMediaPhoto(
                utils.get_input_photo(media.photo),
                spoiler=media.spoiler,
                live_photo=media.live_photo,
                video=utils.get_input_document(media.video) if media.video is not None else None,
            )
        case types.MessageMediaDocument(document=types.Document(), ttl_seconds=None):
            return types.InputMediaDocument(
                utils.get_input_document(media.document),
                spoiler=media.spoiler,
                video_cover=utils.get_input_photo(media.video_cover)
                if media.video_cover is not None
                else None,
                video_timestamp=media.video_timestamp,
            )
        case types.MessageMediaContact():
            return types.InputMediaContact(media.phone_number, media.first_name, media.last_name, media.vcard)
        case types.MessageMediaGeo(geo=types.GeoPoint()):
            return types.InputMediaGeoPoint(point(media.geo))
        case types.MessageMediaVenue(geo=types.GeoPoint()):
            return types.InputMediaVenue(
                point(media.geo), media.title, media.address, media.provider, media.venue_id, media.venue_type
            )
    return None


def input_page(look: Look) -> Any | None:
    """The preview of the same link at the same size; ``optional``, because the site may be away now."""
    if look.preview_url is None:
        return None
    return types.InputMediaWebPage(
        look.preview_url,
        force_large_media=look.preview_large is True or None,
        force_small_media=look.preview_large is False or None,
        optional=True,
    )


def medium_anew(part: NewPart, media: Mapping[int, Any]) -> Any:
    if part.message_id not in media:
        raise TelegramError("MESSAGE_ID_INVALID", code=400)
    made = input_media(media[part.message_id])
    if made is None:
        raise TelegramError("MEDIA_INVALID", code=400)
    return covered(made, part.cover)


def covered(medium: Any, cover: bool) -> Any:
    """The medium behind a spoiler, where it is to have one and can."""
    if cover and isinstance(medium, types.InputMediaPhoto | types.InputMediaDocument):
        medium.spoiler = True
    return medium


def point(geo: Any) -> Any:
    return types.InputGeoPoint(geo.lat, geo.long, accuracy_radius=geo.accuracy_radius)
