"""channels.* and messages.*Chat: channels, supergroups and groups as such."""

from __future__ import annotations

from typing import Any

from telethon.tl import functions, types

from forwarder.sandbox.mtproto.tl.peers import read_group
from forwarder.sandbox.world import Chat, TelegramError
from forwarder.sandbox.world import ids as marked

from .registry import Caller, answers


@answers(functions.channels.GetChannelsRequest)
def get_channels(caller: Caller, request: Any) -> Any:
    sight = caller.sight()
    sight.name(*(caller.channel(one) for one in request.id))
    return types.messages.Chats(sight.chats())


@answers(functions.messages.GetChatsRequest)
def get_chats(caller: Caller, request: Any) -> Any:
    sight = caller.sight()
    sight.name(*(read_group(caller.world, caller.viewer, number).id for number in request.id))
    return types.messages.Chats(sight.chats())


@answers(functions.channels.GetFullChannelRequest)
def get_full_channel(caller: Caller, request: Any) -> Any:
    chat = caller.world.chat(caller.channel(request.channel))
    caller.world.check_readable(caller.viewer, chat.id)
    sight = caller.sight()
    sight.name(chat.id, chat.linked)
    return types.messages.ChatFull(_full(caller, chat), sight.chats(), sight.users())


def _full(caller: Caller, chat: Chat) -> Any:
    member = chat.member(caller.viewer)
    admin = member is not None and member.is_admin
    admins = sum(1 for one in chat.members.values() if one.is_admin)
    return types.ChannelFull(
        marked.bare(chat.id),
        chat.about,
        0,
        0,
        0,
        types.PhotoEmpty(0),
        types.PeerNotifySettings(),
        [],
        caller.world.memory.boxes[chat.id].pts,
        can_view_participants=True if admin or not chat.broadcast else None,
        participants_count=chat.member_count,
        admins_count=admins if admin else None,
        pinned_msg_id=chat.pinned,
        linked_chat_id=marked.bare(chat.linked) if chat.linked is not None else None,
        migrated_from_chat_id=marked.bare(chat.migrated_from) if chat.migrated_from is not None else None,
        migrated_from_max_id=0 if chat.migrated_from is not None else None,
        slowmode_seconds=chat.slow_mode or None,
    )


@answers(functions.messages.GetFullChatRequest)
def get_full_chat(caller: Caller, request: Any) -> Any:
    chat = read_group(caller.world, caller.viewer, request.chat_id)
    sight = caller.sight()
    sight.name(chat.id)
    members = [one for one in chat.members.values() if one.inside]
    sight.name(*(one.account for one in members))
    participants = [
        types.ChatParticipantCreator(one.account)
        if one.role == "creator"
        else types.ChatParticipant(one.account, one.inviter or chat.creator, one.joined)
        for one in members
    ]
    number = marked.bare(chat.id)
    full = types.ChatFull(
        number, chat.about, types.ChatParticipants(number, participants, 1), types.PeerNotifySettings()
    )
    return types.messages.ChatFull(full, sight.chats(), sight.users())


@answers(functions.channels.CreateChannelRequest, bots=False)
def create_channel(caller: Caller, request: Any) -> Any:
    with caller.world.capture() as events:
        make = caller.world.create_channel if request.broadcast else caller.world.create_supergroup
        chat = make(caller.viewer, request.title, about=request.about)
    return caller.updates(events, extra=[types.UpdateChannel(marked.bare(chat.id))], name=[chat.id])


@answers(functions.channels.EditTitleRequest)
def edit_title(caller: Caller, request: Any) -> Any:
    chat = caller.channel(request.channel)
    with caller.world.capture() as events:
        caller.world.change_chat(caller.viewer, chat, title=request.title)
    return caller.updates(events, name=[chat])


@answers(functions.channels.UpdateUsernameRequest, bots=False)
def update_username(caller: Caller, request: Any) -> bool:
    chat = caller.channel(request.channel)
    caller.world.change_chat(caller.viewer, chat, username=request.username or None)
    return True


@answers(functions.messages.ToggleNoForwardsRequest, bots=False)
def toggle_no_forwards(caller: Caller, request: Any) -> Any:
    chat = caller.peer(request.peer)
    if marked.is_user(chat):
        raise TelegramError(400, "PEER_ID_INVALID")
    caller.world.change_chat(caller.viewer, chat, protected=bool(request.enabled))
    return caller.updates((), name=[chat])


@answers(functions.channels.ToggleSlowModeRequest, bots=False)
def toggle_slow_mode(caller: Caller, request: Any) -> Any:
    if request.seconds not in (0, 5, 10, 30, 60, 300, 900, 3600):
        raise TelegramError(400, "SECONDS_INVALID")
    chat = caller.channel(request.channel)
    caller.world.change_chat(caller.viewer, chat, slow_mode=request.seconds)
    return caller.updates((), name=[chat])
