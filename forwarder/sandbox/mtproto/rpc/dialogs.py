"""Dialogs: the list of an account's chats, and the state of some of them."""

from __future__ import annotations

from typing import Any

from telethon.tl import functions, types

from forwarder.sandbox.mtproto.tl.messages import Sight
from forwarder.sandbox.mtproto.tl.peers import write_peer
from forwarder.sandbox.world import TelegramError
from forwarder.sandbox.world import ids as marked

from .differences import account_state
from .registry import Caller, answers

MAX_DIALOGS = 100


def write_dialog(caller: Caller, sight: Sight, chat: int) -> tuple[Any, Any]:
    """A dialog and its top message (None when the chat is empty)."""
    sight.name(chat)
    top = caller.world.top_message(caller.viewer, chat)
    pts = caller.world.memory.boxes[chat].pts if marked.is_channel(chat) else None
    if pts is not None:
        caller.seen[chat] = max(pts, caller.seen.get(chat, 0))
    dialog = types.Dialog(
        write_peer(chat),
        top.id if top is not None else 0,
        0,
        0,
        0,
        0,
        0,
        0,
        types.PeerNotifySettings(),
        pts=pts,
    )
    return dialog, sight.message(top) if top is not None else None


@answers(functions.messages.GetDialogsRequest, bots=False)
def get_dialogs(caller: Caller, request: Any) -> Any:
    everything = caller.world.dialogs(caller.viewer)
    start = 0
    if not isinstance(request.offset_peer, types.InputPeerEmpty):
        last = caller.peer(request.offset_peer)
        start = everything.index(last) + 1 if last in everything else len(everything)
    page = everything[start : start + max(1, min(request.limit, MAX_DIALOGS))]
    if request.folder_id:
        page, everything = [], []
    sight = caller.sight()
    written = [write_dialog(caller, sight, chat) for chat in page]
    dialogs = [dialog for dialog, _ in written]
    messages = [message for _, message in written if message is not None]
    if len(page) == len(everything):
        return types.messages.Dialogs(dialogs, messages, sight.chats(), sight.users())
    return types.messages.DialogsSlice(len(everything), dialogs, messages, sight.chats(), sight.users())


@answers(functions.messages.GetPinnedDialogsRequest, bots=False)
def get_pinned_dialogs(caller: Caller, _: Any) -> Any:
    return types.messages.PeerDialogs([], [], [], [], account_state(caller))


@answers(functions.messages.GetPeerDialogsRequest, bots=False)
def get_peer_dialogs(caller: Caller, request: Any) -> Any:
    """Top message and pts of many chats in one call; one that can't be read fails the whole call."""
    if len(request.peers) > MAX_DIALOGS:
        raise TelegramError(400, "LIMIT_INVALID")
    sight = caller.sight()
    written = []
    for one in request.peers:
        if not isinstance(one, types.InputDialogPeer):
            raise TelegramError(400, "PEER_ID_INVALID")
        chat = caller.peer(one.peer)
        caller.world.check_readable(caller.viewer, chat)
        written.append(write_dialog(caller, sight, chat))
    # What is read here is no update: the client's own state of these channels is where it was.
    caller.seen.clear()
    return types.messages.PeerDialogs(
        [dialog for dialog, _ in written],
        [message for _, message in written if message is not None],
        sight.chats(),
        sight.users(),
        account_state(caller),
    )
