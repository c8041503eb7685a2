"""Chats and their members."""

from __future__ import annotations

from forwarder.sandbox.bot_api.errors import bad_request
from forwarder.sandbox.bot_api.request import Handler, Request, visible_chat
from forwarder.sandbox.bot_api.views import full_chat_json, member_json
from forwarder.sandbox.world import Chat, TelegramError
from forwarder.sandbox.world.ids import is_user

Json = dict[str, object]


def get_chat(request: Request) -> Json:
    chat_id = visible_chat(request, outsiders=True)
    return full_chat_json(request.world, request.bot.id, chat_id)


def get_member(request: Request) -> Json:
    """Others' membership of a channel is told to its administrators only; one's own always."""
    chat = _room(request, outsiders=True)
    user = request.arguments.required_number("user_id", "invalid user_id specified")
    if user not in request.world.memory.accounts:
        raise bad_request("PARTICIPANT_ID_INVALID")
    own = chat.member(request.bot.id)
    if user != request.bot.id and chat.broadcast and (own is None or not own.is_admin):
        raise bad_request("CHAT_ADMIN_REQUIRED")
    return member_json(request.world, chat, user, chat.member(user), request.bot.id)


def get_administrators(request: Request) -> list[Json]:
    """All administrators but other bots."""
    chat = _room(request)
    admins = [member for member in chat.members.values() if member.is_admin]
    return [
        member_json(request.world, chat, member.account, member, request.bot.id)
        for member in admins
        if member.account == request.bot.id or request.world.account(member.account).bot is None
    ]


def get_member_count(request: Request) -> int:
    if is_user(visible_chat(request, outsiders=True)):
        return 2
    return _room(request, outsiders=True).member_count


def leave_chat(request: Request) -> bool:
    chat = _room(request)
    request.world.leave(request.bot.id, chat.id)
    return True


def send_chat_action(request: Request) -> bool:
    visible_chat(request)
    if not request.arguments.has("action"):
        raise bad_request("wrong parameter action in request")
    return True


def _room(request: Request, *, outsiders: bool = False) -> Chat:
    chat_id = visible_chat(request, outsiders=outsiders)
    if is_user(chat_id):
        raise bad_request("there are no administrators in the private chat")
    try:
        return request.world.chat(chat_id)
    except TelegramError as error:
        raise bad_request("chat not found") from error


METHODS: dict[str, Handler] = {
    "getChat": get_chat,
    "getChatMember": get_member,
    "getChatAdministrators": get_administrators,
    "getChatMemberCount": get_member_count,
    "leaveChat": leave_chat,
    "sendChatAction": send_chat_action,
}
