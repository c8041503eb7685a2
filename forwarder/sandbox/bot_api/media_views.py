"""Media as the Bot API shows them."""

from __future__ import annotations

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
    World,
)

from .file_ids import file_id, unique_id

Json = dict[str, object]


def media_json(world: World, bot: int, media: Media) -> Json:
    """The field of a message that shows its medium; a video or animation has its file's facts in it."""
    if isinstance(media, Photo):
        shown: Json = {"photo": _photo_sizes(world, bot, media)}
        return {**shown, "has_media_spoiler": True} if media.spoiler else shown
    if isinstance(media, Document):
        return _document_json(world, bot, media)
    if isinstance(media, Contact):
        return {"contact": _contact_json(media)}
    if isinstance(media, Location):
        return _location_json(media)
    if isinstance(media, Dice):
        return {"dice": {"emoji": media.emoji, "value": media.value}}
    if isinstance(media, Game):
        return {"game": {"title": media.title, "description": media.title, "photo": []}}
    if isinstance(media, Special):
        return _special_json(world, media)
    return {}


def _special_json(world: World, media: Special) -> Json:
    room = world.chat(media.chat)
    chat = {"id": media.chat, "type": room.kind, "title": room.title}
    match media.kind:
        case "giveaway":
            ends = int(room.created.timestamp()) + 365 * 86400
            return {"giveaway": {"chats": [chat], "winners_selection_date": ends, "winner_count": 1}}
        case "paid_media":
            return {"paid_media": {"star_count": 10, "paid_media": [{"type": "preview"}]}}
        case "story":
            return {"story": {"chat": chat, "id": 1}}


def _photo_sizes(world: World, bot: int, photo: Photo) -> list[Json]:
    """A thumbnail and the picture itself; the sandbox keeps one file for both."""
    size = world.file(photo.file).size
    own = {"file_id": file_id(world, bot, photo.file, "photo"), "file_unique_id": unique_id(photo.file)}
    small: Json = {
        **own,
        "width": max(1, photo.width // 8),
        "height": max(1, photo.height // 8),
        "file_size": size,
    }
    return [small, {**own, "width": photo.width, "height": photo.height, "file_size": size}]


def _document_json(world: World, bot: int, document: Document) -> Json:
    shown: Json = {
        "file_id": file_id(world, bot, document.file, document.kind),
        "file_unique_id": unique_id(document.file),
        "file_size": world.file(document.file).size,
    }
    if document.kind == "sticker":
        shape = {"width": document.width or 512, "height": document.height or 512, "emoji": document.emoji}
        return {"sticker": {**shown, **shape, "type": "regular", "is_animated": False, "is_video": False}}
    if document.kind == "video_note":
        return {"video_note": {**shown, "length": document.width or 240, "duration": int(document.duration)}}
    if document.mime_type:
        shown["mime_type"] = document.mime_type
    if document.kind == "voice":
        return {"voice": {**shown, "duration": int(document.duration)}}
    if document.name:
        shown["file_name"] = document.name
    if document.kind == "audio":
        names = {name: value for name in ("title", "performer") if (value := getattr(document, name))}
        return {"audio": {**shown, "duration": int(document.duration), **names}}
    if document.kind == "document":
        return {"document": shown}
    moving = {"width": document.width, "height": document.height, "duration": int(document.duration)}
    if document.kind == "animation":
        return {"animation": {**shown, **moving}, "document": shown}
    spoiler: Json = {"has_media_spoiler": True} if document.spoiler else {}
    return {"video": {**shown, **moving}, **spoiler}


def _contact_json(contact: Contact) -> Json:
    shown: Json = {"phone_number": contact.phone, "first_name": contact.first_name}
    if contact.last_name:
        shown["last_name"] = contact.last_name
    if contact.user_id:
        shown["user_id"] = contact.user_id
    if contact.vcard:
        shown["vcard"] = contact.vcard
    return shown


def _location_json(location: Location) -> Json:
    point: Json = {"latitude": location.latitude, "longitude": location.longitude}
    if location.live_period:
        point["live_period"] = location.live_period
    if not location.title:
        return {"location": point}
    venue = {"location": point, "title": location.title, "address": location.address}
    return {"location": point, "venue": venue}


def poll_json(world: World, bot: int, message: Message, poll: Poll) -> Json:
    """A poll with its votes; the right answer of a quiz only for those who know it."""
    votes = world.memory.votes.get(poll.id, {})
    shown: Json = {
        "id": str(poll.id),
        "question": poll.question,
        "options": [
            {
                "text": option,
                "voter_count": sum(index in chosen for chosen in votes.values()),
                "persistent_id": str(index),
            }
            for index, option in enumerate(poll.options)
        ],
        "total_voter_count": len(votes),
        "is_closed": poll.closed,
        "is_anonymous": not poll.public_voters,
        "type": "quiz" if poll.quiz else "regular",
        "allows_multiple_answers": poll.multiple,
        "allows_revoting": not poll.quiz,
        "members_only": False,
    }
    if poll.quiz and poll.correct and world.knows_answer(bot, message):
        shown["correct_option_ids"] = list(poll.correct)
        if poll.explanation:
            shown["explanation"] = poll.explanation
    return shown
