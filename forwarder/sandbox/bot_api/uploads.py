"""Media of a request: uploaded, named by a file id, or described by values."""

from __future__ import annotations

import struct
from dataclasses import replace

from forwarder.sandbox.world import Contact, Dice, Document, Location, Media, Photo, Poll
from forwarder.sandbox.world.media import DocumentKind

from .arguments import Arguments, Upload
from .errors import bad_request
from .file_ids import read_file_id
from .request import Request

# What a field must be a file id of; a document field takes no photo and so on.
_LARGEST_PHOTO = 10 * 1024 * 1024
_LARGEST_FILE = 50 * 1024 * 1024
_MIME = {
    "video": "video/mp4",
    "animation": "video/mp4",
    "audio": "audio/mpeg",
    "voice": "audio/ogg",
    "sticker": "image/webp",
    "video_note": "video/mp4",
}
_NOT_A_FILE = "wrong file identifier/HTTP URL specified"


def photo(request: Request, arguments: Arguments, name: str = "photo") -> Photo:
    """The picture of a request. Raises 400 for what is none."""
    upload = arguments.upload(name)
    spoiler = arguments.flag("has_spoiler")
    if upload is None:
        number, kind = read_file_id(request.world, request.bot.id, _identifier(arguments, name))
        if kind != "photo":
            raise bad_request(f"can't use file of type {kind.capitalize()} as Photo")
        return replace(_known_photo(request, number), spoiler=spoiler)
    if not upload.content:
        raise bad_request("file must be non-empty")
    if len(upload.content) > _LARGEST_PHOTO:
        raise bad_request("file is too big")
    width, height = _picture_size(upload.content)
    return replace(request.world.add_photo(upload.content, width=width, height=height), spoiler=spoiler)


def document(request: Request, arguments: Arguments, kind: DocumentKind, name: str = "") -> Document:
    """A file of any other kind, by the field that is called like the kind."""
    field = name or kind
    upload = arguments.upload(field)
    if upload is None:
        number, known = read_file_id(request.world, request.bot.id, _identifier(arguments, field))
        if known != kind and not (kind == "document" and known == "animation"):
            raise bad_request(f"can't use file of type {known.capitalize()} as {kind.capitalize()}")
        made = _known_document(request, number, kind)
    else:
        made = _uploaded(request, upload, kind)
    if kind in ("document", "sticker"):
        return made
    return replace(
        made,
        duration=arguments.real("duration") or made.duration,
        width=arguments.number("width") or arguments.number("length") or made.width,
        height=arguments.number("height") or made.height,
        title=arguments.text("title") or made.title,
        performer=arguments.text("performer") or made.performer,
        spoiler=arguments.flag("has_spoiler"),
    )


def _identifier(arguments: Arguments, name: str) -> str:
    text = arguments.text(name)
    if not text:
        raise bad_request(f"there is no {name.replace('_', ' ')} in the request")
    if text.startswith(("http://", "https://")):
        raise bad_request("failed to get HTTP URL content")  # the sandbox has no web to fetch from
    return text


def _uploaded(request: Request, upload: Upload, kind: DocumentKind) -> Document:
    if not upload.content:
        raise bad_request("file must be non-empty")
    if len(upload.content) > _LARGEST_FILE:
        raise bad_request("file is too big")
    mime = _MIME.get(kind) or upload.mime_type or "application/octet-stream"
    return request.world.add_document(upload.content, upload.name, kind=kind, mime_type=mime)


def _known_photo(request: Request, number: int) -> Photo:
    width, height = _picture_size(request.world.file(number).content)
    return Photo(number, width, height)


def _known_document(request: Request, number: int, kind: DocumentKind) -> Document:
    file = request.world.file(number)
    return Document(number, kind, file.name, file.mime_type)


def _picture_size(content: bytes) -> tuple[int, int]:
    """Pixels of a PNG, by its header; other pictures get a common size."""
    if content[:8] == b"\x89PNG\r\n\x1a\n" and len(content) >= 24:
        width, height = struct.unpack(">II", content[16:24])
        return int(width), int(height)
    return 640, 480


def poll(request: Request) -> Poll:
    """A poll or quiz (https://core.telegram.org/bots/api#sendpoll)."""
    arguments = request.arguments
    options = tuple(
        str(one.get("text", "")) if isinstance(one, dict) else str(one)
        for one in arguments.sequence("options")
    )
    quiz = arguments.text("type") == "quiz"
    correct = arguments.numbers("correct_option_ids")
    if not correct and arguments.has("correct_option_id"):
        correct = [arguments.number("correct_option_id")]
    return Poll(
        request.world.big_id(),
        arguments.text("question"),
        options,
        quiz=quiz,
        correct=tuple(correct) if quiz else (),
        explanation=arguments.text("explanation"),
        public_voters=not arguments.flag("is_anonymous", True),
        multiple=arguments.flag("allows_multiple_answers"),
        closed=arguments.flag("is_closed"),
    )


def contact(request: Request) -> Contact:
    arguments = request.arguments
    if not arguments.has("phone_number") or not arguments.has("first_name"):
        raise bad_request("contact must have a phone number and a first name")
    return Contact(
        arguments.text("phone_number"),
        arguments.text("first_name"),
        arguments.text("last_name"),
        vcard=arguments.text("vcard"),
    )


def location(request: Request) -> Location:
    arguments = request.arguments
    if not arguments.has("latitude") or not arguments.has("longitude"):
        raise bad_request("wrong location specified")
    return Location(
        arguments.real("latitude"),
        arguments.real("longitude"),
        arguments.text("title"),
        arguments.text("address"),
        arguments.number("live_period"),
    )


def dice(request: Request) -> Dice:
    return Dice(request.arguments.text("emoji") or "\N{GAME DIE}")


def album_item(request: Request, arguments: Arguments) -> Media:
    """One item of sendMediaGroup or editMessageMedia: its file is in ``media``."""
    kind = arguments.text("type")
    if kind == "photo":
        return photo(request, arguments, "media")
    if kind == "video":
        return document(request, arguments, "video", "media")
    if kind == "audio":
        return document(request, arguments, "audio", "media")
    if kind == "document":
        return document(request, arguments, "document", "media")
    if kind == "animation":
        return document(request, arguments, "animation", "media")
    raise bad_request(f"can't parse InputMedia: unsupported type {kind!r}; {_NOT_A_FILE}")
