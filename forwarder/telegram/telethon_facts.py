"""What rules ask about a message of Telethon's besides its content."""

from __future__ import annotations

from typing import Any

from telethon import utils
from telethon.tl import types

from forwarder.message import Facts


def facts_of(message: Any) -> Facts:
    header, media = message.fwd_from, message.media
    sender = marked(message.from_id)
    document = getattr(media, "document", None)
    length, name = file_facts(document)
    return Facts(
        sender_id=sender,
        author=message.post_author or None,
        anonymous=not message.post and sender is not None and sender == marked(message.peer_id),
        via_bot=message.via_bot_id,
        forwarded=header is not None,
        forwarded_from=marked(header.from_id) if header is not None else None,
        size=document.size
        if isinstance(document, types.Document)
        else photo_size(getattr(media, "photo", None)),
        duration=length,
        file_name=name,
        buttons=isinstance(message.reply_markup, types.ReplyInlineMarkup),
        silent=bool(message.silent),
        preview=isinstance(media, types.MessageMediaWebPage),
        spoiler=bool(getattr(media, "spoiler", False)),
        preview_hidden=media is None and any(isinstance(one, LINKS) for one in message.entities or ()),
        preview_url=getattr(getattr(media, "webpage", None), "url", None),
        preview_large=preview_size(media),
        inverted=bool(message.invert_media),
        poll=poll_words(media),
    )


LINKS = types.MessageEntityUrl | types.MessageEntityTextUrl


def poll_words(media: Any) -> str | None:
    if not isinstance(media, types.MessageMediaPoll):
        return None
    return "\n".join(
        one.text for one in (media.poll.question, *(answer.text for answer in media.poll.answers))
    )


def preview_size(media: Any) -> bool | None:
    if not isinstance(media, types.MessageMediaWebPage):
        return None
    return True if media.force_large_media else False if media.force_small_media else None


def marked(peer: Any | None) -> int | None:
    return int(utils.get_peer_id(peer)) if peer is not None else None


def file_facts(document: Any | None) -> tuple[int | None, str | None]:
    """(duration in seconds, file name) as the attributes of a document say."""
    length: int | None = None
    name: str | None = None
    for attribute in getattr(document, "attributes", None) or ():
        if isinstance(attribute, types.DocumentAttributeVideo | types.DocumentAttributeAudio):
            length = int(attribute.duration)
        elif isinstance(attribute, types.DocumentAttributeFilename):
            name = attribute.file_name or None
    return length, name


def photo_size(photo: Any | None) -> int | None:
    """The bytes of a photo's largest size, where it says them."""
    sizes = [
        max(size.sizes) if isinstance(size, types.PhotoSizeProgressive) else size.size
        for size in getattr(photo, "sizes", None) or ()
        if isinstance(size, types.PhotoSize | types.PhotoSizeProgressive)
    ]
    return max(sizes, default=None)
