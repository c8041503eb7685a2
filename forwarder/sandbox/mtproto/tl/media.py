"""Media as a viewer sees them."""

from __future__ import annotations

import hashlib
from datetime import timedelta
from typing import Any

from telethon.tl import types

from forwarder.sandbox.world import (
    Contact,
    Dice,
    Document,
    Game,
    Location,
    Media,
    Message,
    Photo,
    Poll,
    Special,
    WebPage,
    World,
)
from forwarder.sandbox.world import ids as marked

from .peers import write_peer

DC = 2


def write_media(world: World, viewer: int, message: Message) -> Any:
    """The medium of a message; quizzes show their answer only to who knows it."""
    media = message.media
    if message.page is not None:
        return _web_page(message.page)
    if isinstance(media, Poll):
        return _poll(world, viewer, media, knows=world.knows_answer(viewer, message))
    return write_plain_media(world, viewer, media)


def write_plain_media(world: World, viewer: int, media: Media | None) -> Any:
    """A medium outside a message, as messages.uploadMedia answers it."""
    if isinstance(media, Photo):
        photo = write_photo(world, viewer, media)
        return types.MessageMediaPhoto(photo=photo, spoiler=media.spoiler or None)
    if isinstance(media, Document):
        return types.MessageMediaDocument(
            document=write_document(world, viewer, media),
            spoiler=media.spoiler or None,
            video=True if media.kind == "video" else None,
            round=True if media.kind == "video_note" else None,
            voice=True if media.kind == "voice" else None,
        )
    if isinstance(media, Contact):
        return types.MessageMediaContact(
            media.phone, media.first_name, media.last_name, media.vcard, media.user_id
        )
    if isinstance(media, Location):
        point = types.GeoPoint(media.longitude, media.latitude, 0)
        if media.title:
            return types.MessageMediaVenue(point, media.title, media.address, "", "", "")
        if media.live_period:
            return types.MessageMediaGeoLive(point, media.live_period)
        return types.MessageMediaGeo(point)
    if isinstance(media, Dice):
        return types.MessageMediaDice(media.value, media.emoji)
    if isinstance(media, Game):
        return types.MessageMediaGame(
            types.Game(media.id, media.id, "game", media.title, "", types.PhotoEmpty(media.id))
        )
    if isinstance(media, Poll):
        return _poll(world, viewer, media, knows=False)
    if isinstance(media, Special):
        return _special(world, media)
    return None


def _special(world: World, media: Special) -> Any:
    match media.kind:
        case "giveaway":
            until = world.chat(media.chat).created + timedelta(days=365)
            return types.MessageMediaGiveaway([marked.bare(media.chat)], 1, until)
        case "paid_media":
            return types.MessageMediaPaidMedia(10, [types.MessageExtendedMediaPreview(w=64, h=48)])
        case "story":
            return types.MessageMediaStory(write_peer(media.chat), 1)


def _web_page(page: WebPage) -> Any:
    number = int.from_bytes(hashlib.sha256(page.url.encode()).digest()[:7])
    return types.MessageMediaWebPage(
        types.WebPage(number, page.url, page.url.split("://")[-1], 0, type="article", title=page.url),
        force_large_media=True if page.large else None,
        force_small_media=True if page.large is False else None,
    )


def write_photo(world: World, viewer: int, photo: Photo) -> Any:
    file = world.file(photo.file)
    return types.Photo(
        photo.file,
        world.access_hash(viewer, photo.file),
        world.file_reference(viewer, photo.file),
        world.clock.now(),
        [types.PhotoSize("x", photo.width, photo.height, file.size)],
        DC,
    )


def write_document(world: World, viewer: int, document: Document) -> Any:
    file = world.file(document.file)
    return types.Document(
        document.file,
        world.access_hash(viewer, document.file),
        world.file_reference(viewer, document.file),
        world.clock.now(),
        document.mime_type,
        file.size,
        DC,
        _attributes(document),
    )


def _attributes(document: Document) -> list[Any]:
    found: list[Any] = []
    if document.kind in ("video", "video_note", "animation"):
        found.append(
            types.DocumentAttributeVideo(
                document.duration,
                document.width or 320,
                document.height or 240,
                round_message=True if document.kind == "video_note" else None,
                supports_streaming=True if document.kind == "video" else None,
            )
        )
    if document.kind == "animation":
        found.append(types.DocumentAttributeAnimated())
    if document.kind in ("audio", "voice"):
        found.append(
            types.DocumentAttributeAudio(
                int(document.duration),
                voice=True if document.kind == "voice" else None,
                title=document.title or None,
                performer=document.performer or None,
            )
        )
    if document.kind == "sticker":
        found.append(types.DocumentAttributeSticker(document.emoji, types.InputStickerSetEmpty()))
        found.append(types.DocumentAttributeImageSize(document.width or 512, document.height or 512))
    if document.name:
        found.append(types.DocumentAttributeFilename(document.name))
    return found


def _poll(world: World, viewer: int, poll: Poll, *, knows: bool) -> Any:
    votes = world.memory.votes.get(poll.id, {})
    chosen = votes.get(viewer, ())
    answers = [
        types.PollAnswer(types.TextWithEntities(text, []), bytes([index]))
        for index, text in enumerate(poll.options)
    ]
    results = [
        types.PollAnswerVoters(
            bytes([index]),
            chosen=True if index in chosen else None,
            correct=True if index in poll.correct else None,
            voters=sum(index in options for options in votes.values()),
            recent_voters=[],
        )
        for index in range(len(poll.options))
    ]
    body = types.Poll(
        poll.id,
        types.TextWithEntities(poll.question, []),
        answers,
        0,
        closed=poll.closed or None,
        public_voters=poll.public_voters or None,
        multiple_choice=poll.multiple or None,
        quiz=poll.quiz or None,
    )
    visible = knows or viewer in votes or poll.closed
    summary = types.PollResults(
        results=results if visible else None,
        total_voters=len(votes),
        solution=poll.explanation or None if visible and poll.quiz else None,
        solution_entities=[] if visible and poll.quiz and poll.explanation else None,
    )
    return types.MessageMediaPoll(body, summary)
