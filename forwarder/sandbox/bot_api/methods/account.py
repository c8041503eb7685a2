"""The bot itself: updates, webhook, commands, files, and leaving the server."""

from __future__ import annotations

import json
import re

from forwarder.sandbox.bot_api.errors import ApiError, bad_request, too_many_requests
from forwarder.sandbox.bot_api.file_ids import read_file_id, unique_id
from forwarder.sandbox.bot_api.polling import allowed_kinds
from forwarder.sandbox.bot_api.request import CommandList, Handler, Request, visible_chat
from forwarder.sandbox.bot_api.updates import DEFAULT_KINDS, MOST_AT_ONCE
from forwarder.sandbox.bot_api.views import me_json
from forwarder.sandbox.world import TelegramError

Json = dict[str, object]

_COMMAND = re.compile(r"[a-z0-9_]{1,32}")
_LARGEST_DOWNLOAD = 20 * 1024 * 1024
_CLOSE_AFTER = 600.0


def get_me(request: Request) -> Json:
    if request.bot.bot is None:
        raise ApiError(401, "")
    return me_json(request.bot, request.bot.bot)


async def get_updates(request: Request) -> list[Json]:
    arguments = request.arguments
    names = arguments.sequence("allowed_updates") if arguments.raw("allowed_updates") is not None else None
    limit = arguments.number("limit") or MOST_AT_ONCE
    return await request.polling.get_updates(
        request.inbox,
        arguments.number("offset"),
        min(max(limit, 1), MOST_AT_ONCE),
        arguments.real("timeout"),
        allowed_kinds(names),
    )


def get_webhook_info(request: Request) -> Json:
    inbox = request.inbox
    shown: Json = {
        "url": inbox.webhook,
        "has_custom_certificate": False,
        "pending_update_count": len(inbox.unread),
    }
    if inbox.allowed != DEFAULT_KINDS:
        shown["allowed_updates"] = sorted(inbox.allowed)
    return shown


def set_webhook(request: Request) -> bool:
    """Remembers the address and shuts getUpdates out. The sandbox calls no webhooks: updates wait in the
    queue.
    """
    url = request.arguments.text("url")
    if url and not url.startswith("https://"):
        raise bad_request("bad webhook: An HTTPS URL must be provided for webhook")
    request.inbox.webhook = url
    request.inbox.bell.set()
    if request.arguments.flag("drop_pending_updates"):
        request.inbox.unread.clear()
    return True


def delete_webhook(request: Request) -> bool:
    request.inbox.webhook = ""
    if request.arguments.flag("drop_pending_updates"):
        request.inbox.unread.clear()
    return True


# -- commands and menu -----------------------------------------------------------------------------------


def _scope(request: Request) -> tuple[str, str]:
    scope = request.arguments.mapping("scope") or {"type": "default"}
    return json.dumps(scope, sort_keys=True), request.arguments.text("language_code")


def set_commands(request: Request) -> bool:
    commands: list[tuple[str, str]] = []
    for one in request.arguments.sequence("commands"):
        values = request.arguments.nested(one if isinstance(one, dict) else {})
        name, description = values.text("command").removeprefix("/"), values.text("description")
        if not _COMMAND.fullmatch(name):
            raise bad_request("BOT_COMMAND_INVALID")
        if not 1 <= len(description) <= 256:
            raise bad_request("BOT_COMMAND_DESCRIPTION_INVALID")
        commands.append((name, description))
    if len(commands) > 100:
        raise bad_request("BOT_COMMANDS_TOO_MUCH")
    key = _scope(request)
    request.desk.commands[key] = CommandList(*key, tuple(commands))
    return True


def get_commands(request: Request) -> list[Json]:
    found = request.desk.commands.get(_scope(request))
    return [{"command": name, "description": text} for name, text in found.commands] if found else []


def delete_commands(request: Request) -> bool:
    request.desk.commands.pop(_scope(request), None)
    return True


def set_menu_button(request: Request) -> bool:
    chat_id = visible_chat(request) if request.arguments.has("chat_id") else 0
    button = request.arguments.mapping("menu_button") or {"type": "default"}
    request.desk.menu_buttons[chat_id] = json.dumps(button)
    return True


def get_menu_button(request: Request) -> Json:
    chat_id = visible_chat(request) if request.arguments.has("chat_id") else 0
    button: Json = json.loads(request.desk.menu_buttons.get(chat_id, '{"type": "default"}'))
    return button


# -- files -----------------------------------------------------------------------------------------------


def get_file(request: Request) -> Json:
    text = request.arguments.text("file_id")
    try:
        number, kind = read_file_id(request.world, request.bot.id, text)
    except TelegramError as error:
        raise bad_request("invalid file_id") from error
    file = request.world.file(number)
    if file.size > _LARGEST_DOWNLOAD:
        raise bad_request("file is too big")
    path = f"{kind}s/file_{number}"
    return {"file_id": text, "file_unique_id": unique_id(number), "file_size": file.size, "file_path": path}


# -- leaving the server ----------------------------------------------------------------------------------


def log_out(request: Request) -> bool:
    """The bot leaves this server; for ten minutes it can't come back."""
    request.desk.logged_out = request.world.clock.monotonic()
    return True


def close(request: Request) -> bool:
    """Refused in the first ten minutes after the bot was opened here."""
    left = request.desk.opened + _CLOSE_AFTER - request.world.clock.monotonic()
    if left > 0:
        raise too_many_requests(int(left) + 1)
    return True


METHODS: dict[str, Handler] = {
    "getMe": get_me,
    "getUpdates": get_updates,
    "getWebhookInfo": get_webhook_info,
    "setWebhook": set_webhook,
    "deleteWebhook": delete_webhook,
    "setMyCommands": set_commands,
    "getMyCommands": get_commands,
    "deleteMyCommands": delete_commands,
    "setChatMenuButton": set_menu_button,
    "getChatMenuButton": get_menu_button,
    "getFile": get_file,
    "logOut": log_out,
    "close": close,
}
