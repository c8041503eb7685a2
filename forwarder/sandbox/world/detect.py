"""What Telegram finds in a plain text by itself: links, names, hashtags, commands."""

from __future__ import annotations

import re

from .messages import Entity, utf16_length

MOST = 100
"""Entities of a message."""

_FOUND = re.compile(
    r"(?P<email>[\w.+-]+@[\w-]+\.[\w.-]*\w)"
    r"|(?P<url>https?://[^\s<>\"]+[^\s<>\".,:;!?)]|(?<![\w@/.])(?:[\w-]+\.)+(?:com|org|net|io|me|ru|dev)\b(?:/[^\s<>\"]*[^\s<>\".,:;!?)])?)"
    r"|(?P<bot_command>(?<![\w/])/[A-Za-z0-9_]{1,64}(?:@\w{3,32})?)"
    r"|(?P<mention>(?<![\w@])@[A-Za-z]\w{3,31})"
    r"|(?P<hashtag>(?<!\w)\#\w*[^\W\d]\w*)"
    r"|(?P<cashtag>(?<!\w)\$[A-Z]{1,8}\b)"
)


def found_entities(text: str) -> tuple[Entity, ...]:
    """The entities that need no formatting by the author, in order of the text; offsets in UTF-16 units."""
    found: list[Entity] = []
    for match in _FOUND.finditer(text):
        kind = match.lastgroup or "url"
        found.append(Entity(kind, utf16_length(text[: match.start()]), utf16_length(match.group())))
    return tuple(found)


def first_link(text: str, entities: tuple[Entity, ...]) -> str:
    """The link whose preview Telegram shows by itself; empty where there is none."""
    units = text.encode("utf-16-le")
    for entity in with_found(text, entities):
        if entity.kind == "text_link":
            return entity.url
        if entity.kind == "url":
            return units[2 * entity.offset : 2 * (entity.offset + entity.length)].decode("utf-16-le")
    return ""


def with_found(text: str, given: tuple[Entity, ...]) -> tuple[Entity, ...]:
    """The author's entities and those that were found beside them (never inside code or links), as many as there is
    room for: a message is refused for its author's alone.
    """
    solid = [
        one for one in given if one.kind in ("code", "pre", "text_link", "text_mention", "url", "mention")
    ]
    free = [
        one
        for one in found_entities(text)
        if not any(
            one.offset < other.offset + other.length and other.offset < one.offset + one.length
            for other in solid
        )
    ]
    room = max(0, MOST - len(given))
    return tuple(
        sorted({*given, *free[:room]}, key=lambda entity: (entity.offset, -entity.length, entity.kind))
    )
