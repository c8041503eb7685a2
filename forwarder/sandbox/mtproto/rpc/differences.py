"""updates.*: the state of an account, and what a client has missed
(https://core.telegram.org/api/updates).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from telethon.tl import functions, types

from forwarder.sandbox.mtproto.tl.messages import Sight
from forwarder.sandbox.mtproto.tl.peers import write_peer
from forwarder.sandbox.mtproto.tl.updates import heard, write_box_event, write_random_ids
from forwarder.sandbox.world import TelegramError
from forwarder.sandbox.world import ids as marked
from forwarder.sandbox.world.boxes import Box
from forwarder.sandbox.world.events import BoxEvent, NewMessage

from .registry import Caller, answers

ACCOUNT_PAGE = 1000
CHANNEL_PAGE = 100
CHANNEL_PAGE_BOT = 1000
TIMEOUT = 30


def account_state(caller: Caller, pts: int | None = None) -> Any:
    """The account's present state; qts and seq are not used here and stay 0."""
    box = caller.world.memory.boxes[caller.viewer]
    return types.updates.State(pts if pts is not None else box.pts, 0, caller.world.clock.now(), 0, 0)


@answers(functions.updates.GetStateRequest)
def get_state(caller: Caller, _: Any) -> Any:
    return account_state(caller)


def _sorted_out(
    caller: Caller, sight: Sight, box: Box, events: Sequence[BoxEvent]
) -> tuple[list[Any], list[Any]]:
    """Events as a difference has them: new messages as they stand now, and everything else."""
    messages: list[Any] = []
    others: list[Any] = [*write_random_ids(caller.viewer, events)]
    for event in heard(caller.world, caller.viewer, events):
        if not isinstance(event, NewMessage):
            others.append(write_box_event(sight, event))
        elif (message := box.get(event.message.id)) is not None:
            messages.append(sight.message(message))
    return messages, others


@answers(functions.updates.GetDifferenceRequest)
def get_difference(caller: Caller, request: Any) -> Any:
    """Missed events of the account's own box, and hints at channels that have moved on."""
    if request.pts <= 0:
        raise TelegramError(400, "PERSISTENT_TIMESTAMP_EMPTY")
    box = caller.world.memory.boxes[caller.viewer]
    limit = min(request.pts_limit or ACCOUNT_PAGE, ACCOUNT_PAGE)
    events = box.since(request.pts, limit)
    if events is None or (request.pts_total_limit and box.pts - request.pts > request.pts_total_limit):
        return types.updates.DifferenceTooLong(box.pts)
    whole = not events or events[-1].pts >= box.pts
    sight = caller.sight()
    messages, others = _sorted_out(caller, sight, box, events)
    if whole:
        others.extend(_hints(caller, sight))
    if not messages and not others and not events:
        return types.updates.DifferenceEmpty(caller.world.clock.now(), 0)
    state = account_state(caller, None if whole else events[-1].pts)
    kind = types.updates.Difference if whole else types.updates.DifferenceSlice
    return kind(messages, [], others, sight.chats(), sight.users(), state)


def _hints(caller: Caller, sight: Sight) -> list[Any]:
    """Channels whose state is newer than what this login has acknowledged."""
    found = []
    for chat in caller.world.chats_of(caller.viewer):
        if not marked.is_channel(chat.id):
            continue
        pts = caller.world.memory.boxes[chat.id].pts
        if pts > caller.login.seen.get(chat.id, 0):
            sight.name(chat.id)
            found.append(types.UpdateChannelTooLong(marked.bare(chat.id), pts=pts))
    return found


@answers(functions.updates.GetChannelDifferenceRequest)
def get_channel_difference(caller: Caller, request: Any) -> Any:
    """Missed events of one channel; too long when its log no longer reaches back to the client's state."""
    chat = caller.channel(request.channel)
    caller.world.check_readable(caller.viewer, chat)
    if request.pts <= 0:
        raise TelegramError(400, "PERSISTENT_TIMESTAMP_EMPTY")
    box = caller.world.memory.boxes[chat]
    most = CHANNEL_PAGE_BOT if caller.account.bot else CHANNEL_PAGE
    events = box.since(request.pts, max(1, min(request.limit, most)))
    if events is None:
        return _too_long(caller, chat, box)
    if not events:
        caller.seen[chat] = box.pts
        return types.updates.ChannelDifferenceEmpty(box.pts, final=True, timeout=TIMEOUT)
    sight = caller.sight()
    sight.name(chat)
    messages, others = _sorted_out(caller, sight, box, events)
    pts = events[-1].pts
    caller.seen[chat] = pts
    return types.updates.ChannelDifference(
        pts,
        messages,
        others,
        sight.chats(),
        sight.users(),
        final=True if pts >= box.pts else None,
        timeout=TIMEOUT,
    )


def _too_long(caller: Caller, chat: int, box: Box) -> Any:
    """The newest messages and the present state; what lies between can't be had as updates any more."""
    sight = caller.sight()
    sight.name(chat)
    newest = [box.messages[number] for number in box.order.get(chat, [])[-20:]]
    messages = sight.messages(reversed(newest))
    top = newest[-1].id if newest else 0
    dialog = types.Dialog(write_peer(chat), top, 0, 0, 0, 0, 0, 0, types.PeerNotifySettings(), pts=box.pts)
    caller.seen[chat] = box.pts
    return types.updates.ChannelDifferenceTooLong(
        dialog, messages, sight.chats(), sight.users(), final=True, timeout=TIMEOUT
    )
