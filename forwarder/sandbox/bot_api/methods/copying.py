"""forwardMessage(s) and copyMessage(s)."""

from __future__ import annotations

from dataclasses import replace

from forwarder.sandbox.bot_api.errors import bad_request
from forwarder.sandbox.bot_api.formatting import formatted
from forwarder.sandbox.bot_api.request import (
    Handler,
    Request,
    message_number,
    send_options,
    strictly_increasing,
    visible_chat,
    writable_chat,
)
from forwarder.sandbox.world import Content, Message, TelegramError

Json = dict[str, object]


def forward_message(request: Request) -> Json:
    chat_id, source = writable_chat(request), visible_chat(request, "from_chat_id")
    number = message_number(request, missing="message to forward not found")
    made = request.world.forward(
        request.bot.id,
        source,
        [number],
        chat_id,
        options=replace(send_options(request, chat_id), markup=None),
    )
    if made[0] is None:
        raise bad_request("message can't be forwarded")
    return request.shown(made[0])


def copy_message(request: Request) -> Json:
    chat_id, source = writable_chat(request), visible_chat(request, "from_chat_id")
    number = message_number(request, missing="message to copy not found")
    options = send_options(request, chat_id)
    original = request.world.message(request.bot.id, source, number)
    if original is not None and original.service is not None:
        raise bad_request("message can't be copied")
    caption = None
    if request.arguments.raw("caption") is not None:
        caption = Content(
            *formatted(request.arguments, "caption", "caption_entities"),
            inverted=request.arguments.flag("show_caption_above_media"),
        )
    made = request.world.copy(request.bot.id, source, number, chat_id, caption=caption, options=options)
    return {"message_id": made.id}


def forward_messages(request: Request) -> list[Json]:
    return _batch(request, drop_author=False)


def copy_messages(request: Request) -> list[Json]:
    return _batch(request, drop_author=True)


def _batch(request: Request, *, drop_author: bool) -> list[Json]:
    """Many at once: what can't be forwarded is skipped, and missing from the result."""
    chat_id, source = writable_chat(request), visible_chat(request, "from_chat_id")
    numbers = strictly_increasing(request.arguments.numbers("message_ids"))
    try:
        made = request.world.forward(
            request.bot.id,
            source,
            numbers,
            chat_id,
            drop_author=drop_author,
            drop_captions=request.arguments.flag("remove_caption"),
            options=replace(send_options(request, chat_id), markup=None),
        )
    except TelegramError as error:
        there = any(request.world.message(request.bot.id, source, number) for number in numbers)
        if error.name != "MESSAGE_ID_INVALID" or not there:
            raise
        raise bad_request("messages can't be forwarded") from error
    return [{"message_id": message.id} for message in made if isinstance(message, Message)]


SINGLE: dict[str, Handler] = {"forwardMessage": forward_message, "copyMessage": copy_message}
BATCHES: dict[str, Handler] = {"forwardMessages": forward_messages, "copyMessages": copy_messages}
