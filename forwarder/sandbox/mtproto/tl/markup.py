"""Keyboards, both ways."""

from __future__ import annotations

from typing import Any

from telethon.tl import types

from forwarder.sandbox.world import Button, ChatRequest, Markup, TelegramError

from .rights import admin_rights, read_admin_rights

_MAX_DATA = 64


def write_markup(markup: Markup | None) -> Any:
    if markup is None:
        return None
    if markup.kind == "inline":
        rows = [types.KeyboardInlineButtonRow([_inline(b) for b in row]) for row in markup.rows]
        return types.ReplyInlineMarkup(rows)
    if markup.kind == "remove":
        return types.ReplyKeyboardHide(selective=markup.selective or None)
    if markup.kind == "force_reply":
        return types.ReplyKeyboardForceReply(
            selective=markup.selective or None, placeholder=markup.placeholder or None
        )
    return types.ReplyKeyboardMarkup(
        [types.KeyboardButtonRow([_reply(button) for button in row]) for row in markup.rows],
        resize=markup.resize or None,
        single_use=markup.one_time or None,
        selective=markup.selective or None,
        persistent=markup.persistent or None,
        placeholder=markup.placeholder or None,
    )


def _inline(button: Button) -> Any:
    if button.url is not None:
        return types.KeyboardInlineButton(button.text, types.InlineButtonTypeUrl(button.url))
    return types.KeyboardInlineButton(button.text, types.InlineButtonTypeCallback(button.data or b""))


def _reply(button: Button) -> Any:
    if button.request is None:
        return types.KeyboardButton(button.text, types.ButtonTypeDefault())
    return types.KeyboardButton(
        button.text,
        types.ButtonTypeRequestPeer(button.request.request_id, _peer_type(button.request), max_quantity=1),
    )


def _peer_type(request: ChatRequest) -> Any:
    wanted = {
        "creator": request.created or None,
        "has_username": request.has_username,
        "user_admin_rights": admin_rights(request.user_rights) if request.user_rights is not None else None,
        "bot_admin_rights": admin_rights(request.bot_rights) if request.bot_rights is not None else None,
    }
    if request.channel:
        return types.RequestPeerTypeBroadcast(**wanted)
    return types.RequestPeerTypeChat(
        bot_participant=request.bot_is_member or None, forum=request.forum, **wanted
    )


def read_markup(markup: Any) -> Markup | None:
    """What a client sent. Raises BUTTON_DATA_INVALID, BUTTON_TYPE_INVALID."""
    if markup is None:
        return None
    if isinstance(markup, types.ReplyInlineMarkup):
        rows = tuple(tuple(_read_inline(button) for button in row.buttons) for row in markup.rows)
        return Markup("inline", rows) if any(rows) else None
    if isinstance(markup, types.ReplyKeyboardHide):
        return Markup("remove", selective=bool(markup.selective))
    if isinstance(markup, types.ReplyKeyboardForceReply):
        return Markup("force_reply", selective=bool(markup.selective), placeholder=markup.placeholder or "")
    return Markup(
        "reply",
        tuple(tuple(_read_reply(button) for button in row.buttons) for row in markup.rows),
        persistent=bool(markup.persistent),
        resize=bool(markup.resize),
        one_time=bool(markup.single_use),
        selective=bool(markup.selective),
        placeholder=markup.placeholder or "",
    )


def _read_inline(button: Any) -> Button:
    kind = button.type
    if isinstance(kind, types.InlineButtonTypeUrl):
        return Button(button.text, url=kind.url)
    if isinstance(kind, types.InlineButtonTypeCallback):
        if not 1 <= len(kind.data) <= _MAX_DATA:
            raise TelegramError(400, "BUTTON_DATA_INVALID")
        return Button(button.text, data=kind.data)
    raise TelegramError(400, "BUTTON_TYPE_INVALID")


def _read_reply(button: Any) -> Button:
    kind = button.type
    if isinstance(kind, types.ButtonTypeRequestPeer | types.InputButtonTypeRequestPeer):
        return Button(button.text, request=_read_request(kind))
    return Button(button.text)


def _read_request(kind: Any) -> ChatRequest:
    peer = kind.peer_type
    if not isinstance(peer, types.RequestPeerTypeBroadcast | types.RequestPeerTypeChat):
        raise TelegramError(400, "BUTTON_TYPE_INVALID")
    return ChatRequest(
        request_id=kind.button_id,
        channel=isinstance(peer, types.RequestPeerTypeBroadcast),
        has_username=peer.has_username,
        forum=getattr(peer, "forum", None),
        created=bool(peer.creator),
        user_rights=read_admin_rights(peer.user_admin_rights) if peer.user_admin_rights else None,
        bot_rights=read_admin_rights(peer.bot_admin_rights) if peer.bot_admin_rights else None,
        bot_is_member=bool(getattr(peer, "bot_participant", None)),
        want_title=bool(getattr(kind, "name_requested", None)),
        want_username=bool(getattr(kind, "username_requested", None)),
        want_photo=bool(getattr(kind, "photo_requested", None)),
    )
