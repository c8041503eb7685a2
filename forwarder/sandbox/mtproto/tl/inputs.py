"""Media that a client sends: uploaded, known by reference, or described."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from telethon.tl import types

from forwarder.sandbox.world import (
    Contact,
    Dice,
    Document,
    Location,
    Media,
    Photo,
    Poll,
    TelegramError,
    World,
)
from forwarder.sandbox.world.media import DocumentKind

# Gives the bytes of an uploaded file and its name.
Uploaded = Callable[[Any], tuple[bytes, str]]


def read_media(world: World, viewer: int, media: Any, uploaded: Uploaded) -> Media | None:
    """The medium behind an InputMedia. Raises MEDIA_INVALID, MEDIA_EMPTY, FILE_REFERENCE_*, POLL_*."""
    if isinstance(media, types.InputMediaEmpty | types.InputMediaWebPage):
        return None
    if isinstance(media, types.InputMediaUploadedPhoto):
        content, _ = uploaded(media.file)
        return world.add_photo(content)
    if isinstance(media, types.InputMediaUploadedDocument):
        return _uploaded_document(world, media, uploaded)
    if isinstance(media, types.InputMediaPhoto | types.InputMediaDocument):
        known = _by_reference(world, viewer, media.id)
        return replace(known, spoiler=bool(media.spoiler)) if isinstance(known, Photo | Document) else known
    if isinstance(media, types.InputMediaPoll):
        return _poll(world, media)
    if isinstance(media, types.InputMediaContact):
        return Contact(media.phone_number, media.first_name, media.last_name, vcard=media.vcard)
    if isinstance(media, types.InputMediaGeoPoint):
        return Location(media.geo_point.lat, media.geo_point.long)
    if isinstance(media, types.InputMediaVenue):
        return Location(media.geo_point.lat, media.geo_point.long, media.title, media.address)
    if isinstance(media, types.InputMediaDice):
        return Dice(media.emoticon)
    raise TelegramError(400, "MEDIA_INVALID")


def _by_reference(world: World, viewer: int, thing: Any) -> Media:
    if isinstance(thing, types.InputPhotoEmpty | types.InputDocumentEmpty):
        raise TelegramError(400, "MEDIA_EMPTY")
    world.check_file(viewer, thing.id, thing.access_hash, thing.file_reference)
    known = world.media_of_file(thing.id)
    expected = Photo if isinstance(thing, types.InputPhoto) else Document
    if not isinstance(known, expected):
        raise TelegramError(400, "MEDIA_INVALID")
    return known


def _uploaded_document(world: World, media: Any, uploaded: Uploaded) -> Document:
    content, name = uploaded(media.file)
    kind: DocumentKind = "document"
    duration, width, height, title, performer, emoji = 0.0, 0, 0, "", "", ""
    for attribute in media.attributes:
        if isinstance(attribute, types.DocumentAttributeFilename):
            name = attribute.file_name
        elif isinstance(attribute, types.DocumentAttributeVideo) and not media.force_file:
            kind = "video_note" if attribute.round_message else "video"
            duration, width, height = attribute.duration, attribute.w, attribute.h
        elif isinstance(attribute, types.DocumentAttributeAudio) and not media.force_file:
            kind = "voice" if attribute.voice else "audio"
            duration = attribute.duration
            title, performer = attribute.title or "", attribute.performer or ""
        elif isinstance(attribute, types.DocumentAttributeSticker):
            kind, emoji = "sticker", attribute.alt
    if kind == "video" and any(isinstance(a, types.DocumentAttributeAnimated) for a in media.attributes):
        kind = "animation"
    file = world.add_file(content, name=name, mime_type=media.mime_type)
    document = Document(
        file.id, kind, name, media.mime_type, duration, width, height, title, performer, emoji
    )
    world.remember_media(document)
    return document


def _poll(world: World, media: Any) -> Poll:
    poll = media.poll
    if poll.quiz and not media.correct_answers:
        raise TelegramError(400, "QUIZ_CORRECT_ANSWERS_EMPTY")
    return Poll(
        id=world.big_id(),
        question=poll.question.text,
        options=tuple(answer.text.text for answer in poll.answers),
        quiz=bool(poll.quiz),
        correct=tuple(_index(poll.answers, answer) for answer in media.correct_answers or ()),
        explanation=media.solution or "",
        public_voters=bool(poll.public_voters),
        multiple=bool(poll.multiple_choice),
        closed=bool(poll.closed),
    )


def _index(answers: list[Any], correct: int | bytes) -> int:
    """Where a right answer stands; layers before 229 named it by its option's bytes."""
    if isinstance(correct, int):
        return correct
    return next((i for i, answer in enumerate(answers) if getattr(answer, "option", None) == correct), -1)
