"""Buttons: pressed by people, answered by bots; chats shared with a bot."""

from __future__ import annotations

from typing import Any

from telethon.tl import functions, types

from forwarder.sandbox.world import ChatRequest, TelegramError

from .registry import Caller, answers

ANSWER_TIMEOUT = 10.0


@answers(functions.messages.GetBotCallbackAnswerRequest, bots=False)
def get_bot_callback_answer(caller: Caller, request: Any) -> Any:
    chat = caller.peer(request.peer)
    query = caller.world.press(caller.viewer, chat, request.msg_id, request.data or b"")
    return _wait(caller, query.id)


async def _wait(caller: Caller, query_id: int) -> Any:
    answer = await caller.door.pushes.callback_answer(query_id, ANSWER_TIMEOUT)
    if answer is None:
        raise TelegramError(400, "BOT_RESPONSE_TIMEOUT")
    return types.messages.BotCallbackAnswer(
        0,
        alert=answer.alert or None,
        has_url=True if answer.url else None,
        message=answer.text or None,
        url=answer.url or None,
    )


@answers(functions.messages.SetBotCallbackAnswerRequest, people=False)
def set_bot_callback_answer(caller: Caller, request: Any) -> bool:
    caller.world.answer_callback(
        caller.viewer,
        request.query_id,
        text=request.message or "",
        alert=bool(request.alert),
        url=request.url or "",
    )
    return True


@answers(functions.messages.SendBotRequestedPeerRequest, bots=False)
def send_bot_requested_peer(caller: Caller, request: Any) -> Any:
    """A person shares a chat by the button of a bot's message."""
    bot = caller.peer(request.peer)
    message = caller.world.message(caller.viewer, bot, request.msg_id or 0)
    wanted = _button(message.markup.rows, request.button_id) if message and message.markup else None
    if wanted is None or len(request.requested_peers) != 1:
        raise TelegramError(400, "BUTTON_INVALID")
    with caller.world.capture() as events:
        caller.world.share_chat(caller.viewer, bot, wanted, caller.peer(request.requested_peers[0]))
    return caller.updates(events)


def _button(rows: Any, request_id: int) -> ChatRequest | None:
    for row in rows:
        for button in row:
            if button.request is not None and button.request.request_id == request_id:
                found: ChatRequest = button.request
                return found
    return None
