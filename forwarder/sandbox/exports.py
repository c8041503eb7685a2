"""The world in JSON for verdicts: what came where, from what, and what became of it."""

from __future__ import annotations

import hashlib
from dataclasses import asdict

from .person import Screen
from .world import Content, Deleted, Message, Poll, World, file_of

Json = dict[str, object]


def message_json(world: World, message: Message) -> Json:
    """One message with its hidden origin. ``media`` has the kind and what makes two media the same."""
    return {
        "id": message.id,
        "chat": message.chat,
        "sent_by": message.sent_by,
        "at": message.date.isoformat(),
        "text": message.text,
        "entities": [asdict(entity) for entity in message.entities],
        "media": media_json(world, message.content),
        "grouped_id": message.grouped_id,
        "reply_to": message.reply_to,
        "forward": _forward(message),
        "made_from": asdict(message.made_from) if message.made_from is not None else None,
        "service": message.service.kind if message.service is not None else None,
        "edited": message.edit_date.isoformat() if message.edit_date is not None else None,
        "revision": message.revision,
    }


def _forward(message: Message) -> Json | None:
    header = message.forward
    return {"author": header.author, "channel_post": header.channel_post} if header is not None else None


def media_json(world: World, content: Content) -> Json | None:
    """Kind and identity of a medium: a file's digest, or a poll's words."""
    media = content.media
    if media is None:
        return None
    kind = type(media).__name__.lower()
    number = file_of(media)
    if number is not None:
        digest = hashlib.sha256(world.file(number).content).hexdigest()
        return {"kind": getattr(media, "kind", kind), "file": number, "sha256": digest}
    if isinstance(media, Poll):
        return {
            "kind": "quiz" if media.quiz else "poll",
            "question": media.question,
            "options": list(media.options),
        }
    return {"kind": kind, "value": str(media)}


def deleted_json(world: World, gone: Deleted) -> Json:
    """A message that is no more: as it was, when it went, and by whom."""
    return {**message_json(world, gone.message), "deleted_at": gone.at.isoformat(), "deleted_by": gone.by}


def screen_json(screen: Screen) -> Json:
    return asdict(screen)
