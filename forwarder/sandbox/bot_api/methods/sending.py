"""sendMessage and its kin."""

from __future__ import annotations

from collections.abc import Callable

from forwarder.sandbox.bot_api import uploads
from forwarder.sandbox.bot_api.errors import bad_request
from forwarder.sandbox.bot_api.formatting import formatted
from forwarder.sandbox.bot_api.previews import with_preview
from forwarder.sandbox.bot_api.request import Handler, Request, send_options, writable_chat
from forwarder.sandbox.world import Content, Media

Json = dict[str, object]


def send_message(request: Request) -> Json:
    chat_id = writable_chat(request)
    text, entities = formatted(request.arguments, "text", "entities")
    if not text.strip():
        raise bad_request("message text is empty")
    options = send_options(request, chat_id)
    return request.shown(
        request.world.send(
            request.bot.id,
            chat_id,
            with_preview(request.arguments, Content(text, entities)),
            options=options,
        )
    )


def _sender(media_of: Callable[[Request], Media]) -> Handler:
    """A method that sends one medium, with a caption where it can have one."""

    def send(request: Request) -> Json:
        chat_id = writable_chat(request)
        text, entities = formatted(request.arguments, "caption", "caption_entities")
        options = send_options(request, chat_id)
        above = request.arguments.flag("show_caption_above_media")
        content = Content(text, entities, media_of(request), inverted=above)
        return request.shown(request.world.send(request.bot.id, chat_id, content, options=options))

    return send


def send_media_group(request: Request) -> list[Json]:
    chat_id = writable_chat(request)
    items = request.arguments.sequence("media")
    if not items:
        raise bad_request("there are no messages to send")
    if len(items) > 10:
        raise bad_request("too many messages to send as an album")
    options = send_options(request, chat_id)
    contents = [_item(request, item) for item in items]
    if len(contents) == 1:
        return [request.shown(request.world.send(request.bot.id, chat_id, contents[0], options=options))]
    sent = request.world.send_album(request.bot.id, chat_id, contents, options=options)
    return [request.shown(message) for message in sent]


def _item(request: Request, item: object) -> Content:
    if not isinstance(item, dict):
        raise bad_request("can't parse media JSON object")
    arguments = request.arguments.nested(item)
    text, entities = formatted(arguments, "caption", "caption_entities")
    above = arguments.flag("show_caption_above_media")
    return Content(text, entities, uploads.album_item(request, arguments), inverted=above)


SINGLE: dict[str, Handler] = {
    "sendMessage": send_message,
    "sendPhoto": _sender(lambda request: uploads.photo(request, request.arguments)),
    "sendDocument": _sender(lambda request: uploads.document(request, request.arguments, "document")),
    "sendVideo": _sender(lambda request: uploads.document(request, request.arguments, "video")),
    "sendAnimation": _sender(lambda request: uploads.document(request, request.arguments, "animation")),
    "sendAudio": _sender(lambda request: uploads.document(request, request.arguments, "audio")),
    "sendVoice": _sender(lambda request: uploads.document(request, request.arguments, "voice")),
    "sendVideoNote": _sender(lambda request: uploads.document(request, request.arguments, "video_note")),
    "sendSticker": _sender(lambda request: uploads.document(request, request.arguments, "sticker")),
    "sendPoll": _sender(uploads.poll),
    "sendContact": _sender(uploads.contact),
    "sendLocation": _sender(uploads.location),
    "sendVenue": _sender(uploads.location),
    "sendDice": _sender(uploads.dice),
}
ALBUMS: dict[str, Handler] = {"sendMediaGroup": send_media_group}
