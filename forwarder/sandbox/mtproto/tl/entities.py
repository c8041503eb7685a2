"""Formatting, both ways."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from telethon.tl import types

from forwarder.sandbox.world import Entity

_PLAIN = {
    "mention": types.MessageEntityMention,
    "hashtag": types.MessageEntityHashtag,
    "cashtag": types.MessageEntityCashtag,
    "bot_command": types.MessageEntityBotCommand,
    "url": types.MessageEntityUrl,
    "email": types.MessageEntityEmail,
    "phone_number": types.MessageEntityPhone,
    "bold": types.MessageEntityBold,
    "italic": types.MessageEntityItalic,
    "underline": types.MessageEntityUnderline,
    "strikethrough": types.MessageEntityStrike,
    "spoiler": types.MessageEntitySpoiler,
    "code": types.MessageEntityCode,
}
_KIND = {constructor: kind for kind, constructor in _PLAIN.items()}


def write_entity(entity: Entity) -> Any:
    place = (entity.offset, entity.length)
    if entity.kind == "text_link":
        return types.MessageEntityTextUrl(*place, entity.url)
    if entity.kind == "text_mention":
        return types.MessageEntityMentionName(*place, entity.user)
    if entity.kind == "pre":
        return types.MessageEntityPre(*place, entity.language)
    if entity.kind == "custom_emoji":
        return types.MessageEntityCustomEmoji(*place, entity.custom_emoji)
    if entity.kind in ("blockquote", "expandable_blockquote"):
        collapsed = True if entity.kind == "expandable_blockquote" else None
        return types.MessageEntityBlockquote(*place, collapsed=collapsed)
    return _PLAIN.get(entity.kind, types.MessageEntityUnknown)(*place)


def read_entities(entities: Sequence[Any] | None, user_id: Callable[[Any], int]) -> tuple[Entity, ...]:
    """What a client sent, sorted. ``user_id`` turns an InputUser into an account's id."""
    read = [_read(entity, user_id) for entity in entities or ()]
    return tuple(sorted((one for one in read if one is not None), key=lambda e: (e.offset, -e.length)))


def _read(entity: Any, user_id: Callable[[Any], int]) -> Entity | None:
    kind = _KIND.get(type(entity))
    if kind is not None:
        return Entity(kind, entity.offset, entity.length)
    if isinstance(entity, types.MessageEntityTextUrl):
        return Entity("text_link", entity.offset, entity.length, url=entity.url)
    if isinstance(entity, types.InputMessageEntityMentionName):
        return Entity("text_mention", entity.offset, entity.length, user=user_id(entity.user_id))
    if isinstance(entity, types.MessageEntityMentionName):
        return Entity("text_mention", entity.offset, entity.length, user=entity.user_id)
    if isinstance(entity, types.MessageEntityPre):
        return Entity("pre", entity.offset, entity.length, language=entity.language)
    if isinstance(entity, types.MessageEntityCustomEmoji):
        return Entity("custom_emoji", entity.offset, entity.length, custom_emoji=entity.document_id)
    if isinstance(entity, types.MessageEntityBlockquote):
        kind = "expandable_blockquote" if entity.collapsed else "blockquote"
        return Entity(kind, entity.offset, entity.length)
    return None
