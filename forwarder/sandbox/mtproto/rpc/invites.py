"""Invite links."""

from __future__ import annotations

from typing import Any

from telethon.tl import functions, types

from forwarder.sandbox.world import ids as marked

from .registry import Caller, answers


@answers(functions.messages.ExportChatInviteRequest)
def export_chat_invite(caller: Caller, request: Any) -> Any:
    chat = caller.peer(request.peer)
    invite = caller.world.create_invite(caller.viewer, chat, needs_approval=bool(request.request_needed))
    return types.ChatInviteExported(
        f"https://t.me/+{invite.hash}",
        invite.creator,
        invite.created,
        request_needed=invite.needs_approval or None,
    )


@answers(functions.messages.CheckChatInviteRequest, bots=False)
def check_chat_invite(caller: Caller, request: Any) -> Any:
    chat, invite, inside = caller.world.check_invite(caller.viewer, request.hash)
    if inside:
        sight = caller.sight()
        sight.name(chat.id)
        return types.ChatInviteAlready(sight.chats()[0])
    return types.ChatInvite(
        chat.title,
        types.PhotoEmpty(0),
        chat.member_count,
        0,
        channel=True if marked.is_channel(chat.id) else None,
        broadcast=chat.broadcast or None,
        public=chat.public or None,
        megagroup=True if chat.kind == "supergroup" else None,
        request_needed=invite.needs_approval or None,
        about=chat.about or None,
    )


@answers(functions.messages.ImportChatInviteRequest, bots=False)
def import_chat_invite(caller: Caller, request: Any) -> Any:
    with caller.world.capture() as events:
        chat = caller.world.import_invite(caller.viewer, request.hash)
    extra = [types.UpdateChannel(marked.bare(chat.id))] if marked.is_channel(chat.id) else []
    return types.messages.ChatInviteJoinResultOk(caller.updates(events, extra=extra, name=[chat.id]))
