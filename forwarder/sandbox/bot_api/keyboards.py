"""Keyboards from JSON, with the limits that the server enforces, and inline ones back to JSON."""

from __future__ import annotations

from forwarder.sandbox.world import ADMIN_RIGHTS, Button, ChatRequest, Markup

from .arguments import Arguments, JsonObject
from .errors import bad_request

# The names of chatAdminRights where the Bot API's field is not just "can_" before them.
_FIELD_OF = {
    "ban_users": "can_restrict_members",
    "add_admins": "can_promote_members",
    "manage_call": "can_manage_video_chats",
    "other": "can_manage_chat",
    "anonymous": "is_anonymous",
}


def right_field(right: str) -> str:
    """The Bot API's name of an admin right: ``post_messages`` is ``can_post_messages``."""
    return _FIELD_OF.get(right, f"can_{right}")


def rights_from_json(values: JsonObject) -> frozenset[str]:
    one = Arguments(values)
    return frozenset(right for right in ADMIN_RIGHTS if one.flag(right_field(right)))


def reply_markup(arguments: Arguments) -> Markup | None:
    """The request's keyboard, or None. Raises 400 for what Telegram would not take."""
    values = arguments.mapping("reply_markup")
    if not values:
        return None
    one = Arguments(values)
    if one.has("inline_keyboard"):
        rows = [[_inline(button) for button in row] for row in _rows(one, "inline_keyboard")]
        return Markup("inline", _frozen(rows)) if any(rows) else None
    if one.has("keyboard"):
        rows = [[_plain(button) for button in row] for row in _rows(one, "keyboard")]
        return Markup(
            "reply",
            _frozen(rows),
            persistent=one.flag("is_persistent"),
            resize=one.flag("resize_keyboard"),
            one_time=one.flag("one_time_keyboard"),
            selective=one.flag("selective"),
            placeholder=one.text("input_field_placeholder"),
        )
    if one.flag("remove_keyboard"):
        return Markup("remove", selective=one.flag("selective"))
    if one.flag("force_reply"):
        return Markup("force_reply", placeholder=one.text("input_field_placeholder"))
    return None


def _rows(one: Arguments, name: str) -> list[list[object]]:
    rows = one.sequence(name)
    if not all(isinstance(row, list) for row in rows):
        raise bad_request(f"can't parse {name.replace('_', ' ')}: an Array of Arrays is expected")
    return [row for row in rows if isinstance(row, list)]


def _frozen(rows: list[list[Button]]) -> tuple[tuple[Button, ...], ...]:
    return tuple(tuple(row) for row in rows if row)


def _inline(value: object) -> Button:
    one = Arguments(value if isinstance(value, dict) else {})
    label = one.text("text")
    if not label.strip():
        raise bad_request("inline keyboard button text must be non-empty")
    if one.has("callback_data"):
        data = one.text("callback_data").encode()
        if len(data) > 64:
            raise bad_request("BUTTON_DATA_INVALID")
        return Button(label, data=data)
    if one.has("url"):
        url = one.text("url")
        if not url.startswith(("http://", "https://", "tg://", "t.me/")):
            raise bad_request(f"inline keyboard button URL '{url}' is invalid: Wrong HTTP URL")
        return Button(label, url=url)
    if one.has("switch_inline_query") or one.has("switch_inline_query_current_chat") or one.has("copy_text"):
        return Button(label)
    raise bad_request("text buttons are unallowed in the inline keyboard")


def _plain(value: object) -> Button:
    if isinstance(value, str):
        return Button(value)
    one = Arguments(value if isinstance(value, dict) else {})
    label = one.text("text")
    if not label.strip():
        raise bad_request("keyboard button text must be non-empty")
    request = one.mapping("request_chat")
    return Button(label, request=_chat_request(Arguments(request)) if request else None)


def _chat_request(one: Arguments) -> ChatRequest:
    """KeyboardButtonRequestChat (https://core.telegram.org/bots/api#keyboardbuttonrequestchat)."""
    bot_rights = rights_from_json(one.mapping("bot_administrator_rights"))
    user_rights = rights_from_json(one.mapping("user_administrator_rights"))
    wants_bot = one.has("bot_administrator_rights")
    if wants_bot and not bot_rights - {"other"} <= user_rights:
        raise bad_request("BOT_RIGHTS must be a subset of user_administrator_rights")
    return ChatRequest(
        one.number("request_id"),
        channel=one.flag("chat_is_channel"),
        has_username=one.flag("chat_has_username") if one.has("chat_has_username") else None,
        forum=one.flag("chat_is_forum") if one.has("chat_is_forum") else None,
        created=one.flag("chat_is_created"),
        user_rights=user_rights - {"other"} if one.has("user_administrator_rights") else None,
        bot_rights=bot_rights - {"other"} if wants_bot else None,
        bot_is_member=one.flag("bot_is_member"),
        want_title=one.flag("request_title"),
        want_username=one.flag("request_username"),
        want_photo=one.flag("request_photo"),
    )


def inline_json(markup: Markup | None) -> dict[str, object] | None:
    """An inline keyboard as a message shows it; other keyboards are not part of the message's JSON."""
    if markup is None or markup.kind != "inline":
        return None
    return {"inline_keyboard": [[_button_json(button) for button in row] for row in markup.rows]}


def _button_json(button: Button) -> dict[str, object]:
    shown: dict[str, object] = {"text": button.text}
    if button.data is not None:
        shown["callback_data"] = button.data.decode(errors="replace")
    elif button.url is not None:
        shown["url"] = button.url
    return shown
