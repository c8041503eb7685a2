"""Reading messages: by number, and page by page."""

from __future__ import annotations

from bisect import bisect_left
from typing import Any

from telethon.tl import functions, types

from forwarder.sandbox.mtproto.tl.peers import write_peer
from forwarder.sandbox.world import Message, TelegramError
from forwarder.sandbox.world import ids as marked

from .registry import Caller, answers

MAX_IDS = 200
MAX_PAGE = 100


def _numbers(request: Any) -> list[int]:
    if len(request.id) > MAX_IDS:
        raise TelegramError(400, "LIMIT_INVALID")
    found: list[int] = []
    for one in request.id:
        if not isinstance(one, types.InputMessageID):
            raise TelegramError(400, "MESSAGE_ID_INVALID")
        found.append(one.id)
    return found


@answers(functions.channels.GetMessagesRequest)
def get_channel_messages(caller: Caller, request: Any) -> Any:
    """Messages by number; what is not (any more) there is a messageEmpty, so that each number is answered."""
    chat = caller.channel(request.channel)
    caller.world.check_readable(caller.viewer, chat)
    sight = caller.sight()
    sight.name(chat)
    messages = []
    for number in _numbers(request):
        message = caller.world.message(caller.viewer, chat, number)
        if message is None:
            messages.append(types.MessageEmpty(number, write_peer(chat)))
        else:
            messages.append(sight.message(message))
    pts = caller.world.memory.boxes[chat].pts
    return types.messages.ChannelMessages(pts, len(messages), messages, [], sight.chats(), sight.users())


@answers(functions.messages.GetMessagesRequest)
def get_messages(caller: Caller, request: Any) -> Any:
    box = caller.world.memory.boxes[caller.viewer]
    sight = caller.sight()
    messages = []
    for number in _numbers(request):
        message = box.get(number)
        messages.append(sight.message(message) if message else types.MessageEmpty(number, None))
    return types.messages.Messages(messages, [], sight.chats(), sight.users())


@answers(functions.messages.GetHistoryRequest, bots=False)
def get_history(caller: Caller, request: Any) -> Any:
    """A page, newest first (https://core.telegram.org/api/offsets)."""
    chat = caller.peer(request.peer)
    caller.world.check_readable(caller.viewer, chat)
    box = caller.world.box(caller.viewer, chat)
    numbers = box.order.get(chat, [])
    end = len(numbers)
    if request.offset_id:
        end = bisect_left(numbers, request.offset_id)
    elif request.offset_date is not None and request.offset_date.timestamp() > 60:
        end = sum(box.messages[number].date < request.offset_date for number in numbers)
    limit = max(0, min(request.limit, MAX_PAGE))
    # A negative offset reaches beyond the newest message without pulling older ones in.
    newest = end - request.add_offset
    page = numbers[max(0, newest - limit) : max(0, newest)]
    chosen = [
        box.messages[number]
        for number in reversed(page)
        if (not request.max_id or number < request.max_id) and (not request.min_id or number > request.min_id)
    ]
    return _page(caller, chat, chosen, len(numbers))


def _page(caller: Caller, chat: int, chosen: list[Message], total: int) -> Any:
    sight = caller.sight()
    sight.name(chat)
    messages = sight.messages(chosen)
    if marked.is_channel(chat):
        pts = caller.world.memory.boxes[chat].pts
        return types.messages.ChannelMessages(pts, total, messages, [], sight.chats(), sight.users())
    return types.messages.MessagesSlice(total, messages, [], sight.chats(), sight.users())
