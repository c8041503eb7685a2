"""What may be sent at all: lengths, entities, polls. Pure functions over content."""

from __future__ import annotations

from dataclasses import replace

from .errors import TelegramError
from .media import Document, Photo, Poll, takes_caption
from .messages import Content, Entity, utf16_length
from .state import Rules


def checked(content: Content, rules: Rules, *, premium: bool = False) -> Content:
    """The content as Telegram keeps it: trimmed, and without text where the medium can't have any.

    Raises MESSAGE_EMPTY, MESSAGE_TOO_LONG, MEDIA_CAPTION_TOO_LONG, ENTITY_BOUNDS_INVALID, ENTITIES_TOO_LONG
    and the poll errors.
    """
    if content.media is not None and not takes_caption(content.media):
        content = Content(media=content.media)
    if content.media is not None:
        content = replace(content, page=None)
    content = _trimmed(content)
    length = utf16_length(content.text)
    if content.media is None:
        if not content.text:
            raise TelegramError(400, "MESSAGE_EMPTY")
        if length > rules.text_limit:
            raise TelegramError(400, "MESSAGE_TOO_LONG")
    elif length > (rules.caption_limit_premium if premium else rules.caption_limit):
        raise TelegramError(400, "MEDIA_CAPTION_TOO_LONG")
    _check_entities(content.entities, length, rules)
    if isinstance(content.media, Poll):
        _check_poll(content.media)
    return content


def _check_entities(entities: tuple[Entity, ...], length: int, rules: Rules) -> None:
    if len(entities) > rules.entity_limit:
        raise TelegramError(400, "ENTITIES_TOO_LONG")
    for entity in entities:
        if entity.offset < 0 or entity.length <= 0 or entity.offset + entity.length > length:
            raise TelegramError(400, "ENTITY_BOUNDS_INVALID")


def _trimmed(content: Content) -> Content:
    """White space at both ends is cut off, and entities are moved or cut with it."""
    text = content.text.strip()
    if text == content.text:
        return content
    lead = utf16_length(content.text[: len(content.text) - len(content.text.lstrip())])
    end = utf16_length(text)
    kept: list[Entity] = []
    for entity in content.entities:
        start = min(max(entity.offset - lead, 0), end)
        stop = min(max(entity.offset + entity.length - lead, 0), end)
        if entity.offset < 0 or entity.offset + entity.length > utf16_length(content.text):
            raise TelegramError(400, "ENTITY_BOUNDS_INVALID")
        if stop > start:
            kept.append(replace(entity, offset=start, length=stop - start))
    return replace(content, text=text, entities=tuple(kept))


def _check_poll(poll: Poll) -> None:
    if not poll.question or len(poll.question) > 300:
        raise TelegramError(400, "POLL_QUESTION_INVALID")
    if not 2 <= len(poll.options) <= 12:
        raise TelegramError(400, "POLL_ANSWERS_INVALID")
    if any(not option or len(option) > 100 for option in poll.options):
        raise TelegramError(400, "POLL_ANSWER_INVALID")
    if poll.quiz and not poll.correct:
        raise TelegramError(400, "QUIZ_CORRECT_ANSWERS_EMPTY")
    if any(not 0 <= index < len(poll.options) for index in poll.correct):
        raise TelegramError(400, "QUIZ_CORRECT_ANSWER_INVALID")


def check_media_swap(old: Content, new: Content) -> None:
    """Raises MEDIA_PREV_INVALID when a message's medium can't become another one.

    Photos, videos, documents, audio and animations may replace each other; voice, stickers, video notes and
    the rest stay what they are.
    """
    movable = ("document", "video", "animation", "audio")
    for media in (old.media, new.media):
        if isinstance(media, Photo) or (isinstance(media, Document) and media.kind in movable):
            continue
        raise TelegramError(400, "MEDIA_PREV_INVALID" if media is old.media else "MEDIA_NEW_INVALID")
