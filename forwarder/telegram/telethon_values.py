"""Telethon's messages as our values."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from telethon import utils
from telethon.tl import types

from forwarder.message import Heard, Kind, Origin, SourceMessage
from forwarder.telegram.telethon_entities import from_telethon
from forwarder.telegram.telethon_facts import facts_of

MEDIA_KINDS = {
    types.MessageMediaPoll: Kind.POLL,
    types.MessageMediaGeo: Kind.LOCATION,
    types.MessageMediaGeoLive: Kind.LOCATION,
    types.MessageMediaVenue: Kind.VENUE,
    types.MessageMediaContact: Kind.CONTACT,
    types.MessageMediaDice: Kind.DICE,
}


def to_source(message: Any, heard: Heard) -> SourceMessage:
    """A ``Message`` or ``MessageService`` of any chat. ``MessageEmpty`` has no chat and is not accepted."""
    chat_id = utils.get_peer_id(message.peer_id)
    if isinstance(message, types.MessageService):
        return SourceMessage(
            chat_id, message.id, message.date, Kind.SERVICE, heard, migrated_to=migrated_to(message.action)
        )
    topic_id, reply_to = place_in_chat(message.reply_to)
    return SourceMessage(
        chat_id=chat_id,
        message_id=message.id,
        date=message.date,
        kind=kind_of(message),
        heard=heard,
        text=message.message or "",
        entities=from_telethon(message.entities),
        album_id=str(message.grouped_id) if message.grouped_id else None,
        media_id=media_id_of(message.media),
        edit_date=message.edit_date,
        topic_id=topic_id,
        reply_to=reply_to,
        origin=origin_of(message.fwd_from),
        protected=bool(message.noforwards),
        forwarded=forward_date(message),
        facts=facts_of(message),
    )


def migrated_to(action: Any) -> int | None:
    """The supergroup that a basic group became, where a service message says so."""
    if isinstance(action, types.MessageActionChatMigrateTo):
        return int(utils.get_peer_id(types.PeerChannel(action.channel_id)))
    return None


def kind_of(message: Any) -> Kind:
    """``unknown`` for what this layer's classes cannot tell: rich messages, stories, games, expired media."""
    media = message.media
    if getattr(message, "rich_message", None) is not None:
        return Kind.UNKNOWN
    if media is None or isinstance(media, types.MessageMediaWebPage):
        return Kind.TEXT
    if isinstance(media, types.MessageMediaPhoto):
        return Kind.PHOTO if isinstance(media.photo, types.Photo) else Kind.UNKNOWN
    if isinstance(media, types.MessageMediaDocument):
        return document_kind(media.document) if isinstance(media.document, types.Document) else Kind.UNKNOWN
    return MEDIA_KINDS.get(type(media), Kind.UNKNOWN)


def document_kind(document: Any) -> Kind:
    attributes = {type(attribute): attribute for attribute in document.attributes}
    if types.DocumentAttributeSticker in attributes:
        return Kind.STICKER
    # A GIF also carries the attribute of a video, so it is asked for first.
    if types.DocumentAttributeAnimated in attributes:
        return Kind.ANIMATION
    if (video := attributes.get(types.DocumentAttributeVideo)) is not None:
        return Kind.VIDEO_NOTE if video.round_message else Kind.VIDEO
    if (audio := attributes.get(types.DocumentAttributeAudio)) is not None:
        return Kind.VOICE if audio.voice else Kind.AUDIO
    return Kind.DOCUMENT


def media_id_of(media: Any) -> str | None:
    """The identity of a photo or document, the same in every forward and copy of it."""
    if isinstance(media, types.MessageMediaPhoto) and isinstance(media.photo, types.Photo):
        return f"mt:photo:{media.photo.id}"
    if isinstance(media, types.MessageMediaDocument) and isinstance(media.document, types.Document):
        return f"mt:doc:{media.document.id}"
    return None


def origin_of(header: Any | None) -> Origin | None:
    """The first appearance that a forward header names; None where it names a person only."""
    if header is None:
        return None
    if header.channel_post and isinstance(header.from_id, types.PeerChannel):
        return Origin(utils.get_peer_id(header.from_id), header.channel_post)
    if header.saved_from_peer is not None and header.saved_from_msg_id:
        return Origin(utils.get_peer_id(header.saved_from_peer), header.saved_from_msg_id)
    return None


def forward_date(message: Any) -> datetime | None:
    """When the original of a forward was posted."""
    return message.fwd_from.date if getattr(message, "fwd_from", None) is not None else None


def place_in_chat(header: Any | None) -> tuple[int, int | None]:
    """(topic, message replied to in the same chat). Topic 0: no forum, or its General topic."""
    if not isinstance(header, types.MessageReplyHeader):
        return 0, None
    # An answer to another chat (or from another topic) says where it lies as well.
    answered = header.reply_to_msg_id if header.reply_to_peer_id is None else None
    if not header.forum_topic:
        return 0, answered
    if header.reply_to_top_id:
        return header.reply_to_top_id, answered
    return answered or 0, None
