"""Editing, deleting, and answering pressed buttons."""

from __future__ import annotations

from forwarder.sandbox.bot_api import uploads
from forwarder.sandbox.bot_api.errors import bad_request
from forwarder.sandbox.bot_api.formatting import formatted
from forwarder.sandbox.bot_api.keyboards import reply_markup
from forwarder.sandbox.bot_api.previews import with_preview
from forwarder.sandbox.bot_api.request import Handler, Request, message_number, visible_chat
from forwarder.sandbox.world import Content, Edit, Message, TelegramError

Json = dict[str, object]


def edit_text(request: Request) -> Json:
    chat_id, message = _editable(request)
    if message.media is not None:
        raise bad_request("there is no text in the message to edit")
    text, entities = formatted(request.arguments, "text", "entities")
    if not text.strip():
        raise bad_request("message text is empty")
    shown = with_preview(request.arguments, Content(text, entities))
    edit = Edit(text, entities, None, reply_markup(request.arguments), shown.page, shown.inverted)
    return _edit(request, chat_id, message, edit)


def edit_caption(request: Request) -> Json:
    chat_id, message = _editable(request)
    if message.media is None:
        raise bad_request("there is no caption in the message to edit")
    text, entities = formatted(request.arguments, "caption", "caption_entities")
    above = request.arguments.flag("show_caption_above_media")
    edit = Edit(text, entities, markup=reply_markup(request.arguments), inverted=above)
    return _edit(request, chat_id, message, edit)


def edit_media(request: Request) -> Json:
    chat_id, message = _editable(request)
    item = request.arguments.nested(request.arguments.mapping("media"))
    media = uploads.album_item(request, item)
    text, entities = formatted(item, "caption", "caption_entities")
    above = item.flag("show_caption_above_media")
    edit = Edit(text, entities, media, reply_markup(request.arguments), inverted=above)
    return _edit(request, chat_id, message, edit)


def edit_keyboard(request: Request) -> Json:
    chat_id, message = _editable(request)
    return _edit(request, chat_id, message, Edit(markup=reply_markup(request.arguments)))


def _editable(request: Request) -> tuple[int, Message]:
    """The chat and the bot's view of the message. Forwards can never be edited."""
    chat_id = visible_chat(request)
    number = message_number(request, missing="message to edit not found")
    message = request.world.message(request.bot.id, chat_id, number)
    if message is None:
        raise bad_request("message to edit not found")
    if message.forward is not None or message.service is not None:
        raise bad_request("message can't be edited")
    return chat_id, message


def _edit(request: Request, chat_id: int, message: Message, edit: Edit) -> Json:
    if edit.markup is not None and edit.markup.kind != "inline":
        raise bad_request("inline keyboard expected")
    return request.shown(request.world.edit(request.bot.id, chat_id, message.id, edit))


def delete_message(request: Request) -> bool:
    chat_id = visible_chat(request)
    number = message_number(request, missing="message to delete not found")
    if not request.world.delete(request.bot.id, chat_id, [number]):
        raise bad_request("message to delete not found")
    return True


def delete_messages(request: Request) -> bool:
    """1-100 at once; those that are not there are skipped."""
    chat_id = visible_chat(request)
    numbers = request.arguments.numbers("message_ids")
    if not numbers:
        raise bad_request("message identifiers are not specified")
    if len(numbers) > 100:
        raise bad_request("too many message identifiers specified")
    for number in numbers:
        try:
            request.world.delete(request.bot.id, chat_id, [number])
        except TelegramError:
            # deleteMessages of the official server deletes what it can and says true.
            continue
    return True


def answer_callback(request: Request) -> bool:
    arguments = request.arguments
    text = arguments.text("text")
    if len(text) > 200:
        raise bad_request("MESSAGE_TOO_LONG")
    request.world.answer_callback(
        request.bot.id,
        arguments.number("callback_query_id"),
        text=text,
        alert=arguments.flag("show_alert"),
        url=arguments.text("url"),
    )
    return True


METHODS: dict[str, Handler] = {
    "editMessageText": edit_text,
    "editMessageCaption": edit_caption,
    "editMessageMedia": edit_media,
    "editMessageReplyMarkup": edit_keyboard,
    "deleteMessage": delete_message,
    "deleteMessages": delete_messages,
    "answerCallbackQuery": answer_callback,
}
