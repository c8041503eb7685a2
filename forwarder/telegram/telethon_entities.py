"""Formatting, both ways between MTProto and our values. Offsets are UTF-16 code units on both sides."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from telethon.tl import types

from forwarder.message import Entity

# MTProto constructors that carry nothing but a stretch, by the Bot API's names.
PLAIN = {
    types.MessageEntityBold: "bold",
    types.MessageEntityItalic: "italic",
    types.MessageEntityUnderline: "underline",
    types.MessageEntityStrike: "strikethrough",
    types.MessageEntitySpoiler: "spoiler",
    types.MessageEntityCode: "code",
    types.MessageEntityMention: "mention",
    types.MessageEntityHashtag: "hashtag",
    types.MessageEntityCashtag: "cashtag",
    types.MessageEntityBotCommand: "bot_command",
    types.MessageEntityUrl: "url",
    types.MessageEntityEmail: "email",
    types.MessageEntityPhone: "phone_number",
    types.MessageEntityBankCard: "bank_card",
}
PLAIN_BY_NAME = {name: constructor for constructor, name in PLAIN.items()}

InputUserOf = Callable[[int], Any | None]


def from_telethon(entities: Sequence[Any] | None) -> tuple[Entity, ...]:
    """Our values; kinds that this layer does not know are left out, the text stays whole."""
    return tuple(entity for item in entities or () if (entity := one_from_telethon(item)) is not None)


def one_from_telethon(item: Any) -> Entity | None:
    where = (item.offset, item.length)
    match item:
        case types.MessageEntityPre():
            return Entity("pre", *where, language=item.language or None)
        case types.MessageEntityTextUrl():
            return Entity("text_link", *where, url=item.url)
        case types.MessageEntityMentionName():
            return Entity("text_mention", *where, user_id=item.user_id)
        case types.MessageEntityCustomEmoji():
            return Entity("custom_emoji", *where, custom_emoji_id=item.document_id)
        case types.MessageEntityBlockquote():
            return Entity("expandable_blockquote" if item.collapsed else "blockquote", *where)
    name = PLAIN.get(type(item))
    return Entity(name, *where) if name is not None else None


def to_telethon(entities: Sequence[Entity], input_user: InputUserOf) -> list[Any]:
    """MTProto entities. ``input_user`` knows the access hash of a mentioned user, or answers None.

    A mention of somebody unknown to this account is left out: the server would refuse the whole text.
    """
    return [item for entity in entities if (item := one_to_telethon(entity, input_user)) is not None]


def one_to_telethon(entity: Entity, input_user: InputUserOf) -> Any | None:
    where = (entity.offset, entity.length)
    match entity.type:
        case "pre":
            return types.MessageEntityPre(*where, language=entity.language or "")
        case "text_link":
            return types.MessageEntityTextUrl(*where, url=entity.url or "")
        case "text_mention":
            user = input_user(entity.user_id) if entity.user_id is not None else None
            return types.InputMessageEntityMentionName(*where, user_id=user) if user is not None else None
        case "custom_emoji":
            return types.MessageEntityCustomEmoji(*where, document_id=entity.custom_emoji_id or 0)
        case "blockquote" | "expandable_blockquote":
            collapsed = entity.type == "expandable_blockquote"
            return types.MessageEntityBlockquote(*where, collapsed=collapsed or None)
    constructor = PLAIN_BY_NAME.get(entity.type)
    return constructor(*where) if constructor is not None else None
