"""Members and rights."""

from __future__ import annotations

from typing import Any

from telethon.tl import functions, types

from forwarder.sandbox.mtproto.tl.peers import write_member
from forwarder.sandbox.mtproto.tl.rights import read_admin_rights, read_banned_rights
from forwarder.sandbox.world import Chat, Member, TelegramError
from forwarder.sandbox.world import ids as marked

from .registry import Caller, answers


@answers(functions.channels.GetParticipantRequest)
def get_participant(caller: Caller, request: Any) -> Any:
    """Raises USER_NOT_PARTICIPANT; in a channel ordinary members may ask about themselves only."""
    chat = caller.world.chat(caller.channel(request.channel))
    caller.world.check_readable(caller.viewer, chat.id)
    account = caller.peer(request.participant)
    if account != caller.viewer:
        _need_list(caller, chat)
    member = chat.member(account)
    if member is None or (member.role == "left"):
        raise TelegramError(400, "USER_NOT_PARTICIPANT")
    sight = caller.sight()
    sight.name(chat.id, account)
    return types.channels.ChannelParticipant(
        write_member(chat, caller.viewer, member), sight.chats(), sight.users()
    )


@answers(functions.channels.GetParticipantsRequest)
def get_participants(caller: Caller, request: Any) -> Any:
    chat = caller.world.chat(caller.channel(request.channel))
    caller.world.check_readable(caller.viewer, chat.id)
    _need_list(caller, chat)
    found = [one for one in chat.members.values() if _matches(caller, one, request.filter)]
    page = found[request.offset : request.offset + max(0, min(request.limit, 200))]
    sight = caller.sight()
    sight.name(chat.id, *(one.account for one in page))
    written = [write_member(chat, caller.viewer, one) for one in page]
    return types.channels.ChannelParticipants(len(found), written, sight.chats(), sight.users())


def _need_list(caller: Caller, chat: Chat) -> None:
    """Only admins see who reads a broadcast channel."""
    member = chat.member(caller.viewer)
    if chat.broadcast and (member is None or not member.is_admin):
        raise TelegramError(400, "CHAT_ADMIN_REQUIRED")


def _matches(caller: Caller, member: Member, wanted: Any) -> bool:
    account = caller.world.account(member.account)
    if isinstance(wanted, types.ChannelParticipantsAdmins):
        return member.is_admin
    if isinstance(wanted, types.ChannelParticipantsKicked):
        return member.role == "banned"
    if isinstance(wanted, types.ChannelParticipantsBanned):
        return member.role == "restricted"
    if isinstance(wanted, types.ChannelParticipantsBots):
        return member.inside and account.bot is not None
    text = wanted.q.lower() if isinstance(wanted, types.ChannelParticipantsSearch) else ""
    return member.inside and text in f"{account.name} {account.username or ''}".lower()


@answers(functions.channels.EditAdminRequest)
def edit_admin(caller: Caller, request: Any) -> Any:
    chat = caller.channel(request.channel)
    account = caller.user(request.user_id)
    with caller.world.capture() as events:
        caller.world.promote(
            caller.viewer, chat, account, read_admin_rights(request.admin_rights), rank=request.rank or ""
        )
    return caller.updates(events, name=[chat, account])


@answers(functions.channels.EditBannedRequest)
def edit_banned(caller: Caller, request: Any) -> Any:
    chat = caller.channel(request.channel)
    account = caller.peer(request.participant)
    denied, until = read_banned_rights(request.banned_rights)
    with caller.world.capture() as events:
        caller.world.restrict(caller.viewer, chat, account, denied, until=until)
    return caller.updates(events, name=[chat, account])


@answers(functions.channels.InviteToChannelRequest)
def invite_to_channel(caller: Caller, request: Any) -> Any:
    chat = caller.channel(request.channel)
    with caller.world.capture() as events:
        for user in request.users:
            caller.world.add_member(caller.viewer, chat, caller.user(user))
    return types.messages.InvitedUsers(caller.updates(events, name=[chat]), [])


@answers(functions.channels.JoinChannelRequest, bots=False)
def join_channel(caller: Caller, request: Any) -> Any:
    chat = caller.channel(request.channel)
    with caller.world.capture() as events:
        caller.world.join(caller.viewer, chat)
    extra = [types.UpdateChannel(marked.bare(chat))]
    return types.messages.ChatInviteJoinResultOk(caller.updates(events, extra=extra, name=[chat]))


@answers(functions.channels.LeaveChannelRequest)
def leave_channel(caller: Caller, request: Any) -> Any:
    chat = caller.channel(request.channel)
    with caller.world.capture() as events:
        caller.world.leave(caller.viewer, chat)
    return caller.updates(events, extra=[types.UpdateChannel(marked.bare(chat))], name=[chat])
