"""What a bot may call: one table from all rooms, by name."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from forwarder.sandbox.bot_api.arguments import Arguments
from forwarder.sandbox.bot_api.request import Handler

from . import account, changing, chats, copying, forums, sending

_DEEDS = {
    "forwardMessage": "forward",
    "forwardMessages": "forward",
    "copyMessage": "copy",
    "copyMessages": "copy",
    "deleteMessage": "delete",
    "deleteMessages": "delete",
    "editMessageText": "edit",
    "editMessageCaption": "edit",
    "editMessageMedia": "edit",
    "editMessageReplyMarkup": "edit",
}


@dataclass(frozen=True, slots=True)
class Method:
    """``counts`` says how many messages a request sends; ``deed`` which wording its refusals take."""

    name: str
    handler: Handler
    counts: Callable[[Arguments], int]
    deed: str = ""


def _none(arguments: Arguments) -> int:
    return 0


def _one(arguments: Arguments) -> int:
    return 1


def _table() -> dict[str, Method]:
    rooms: list[tuple[dict[str, Handler], Callable[[Arguments], int]]] = [
        (sending.SINGLE, _one),
        (sending.ALBUMS, lambda arguments: len(arguments.sequence("media"))),
        (copying.SINGLE, _one),
        (copying.BATCHES, lambda arguments: len(arguments.sequence("message_ids"))),
        (changing.METHODS, _none),
        (chats.METHODS, _none),
        (forums.METHODS, _none),
        (account.METHODS, _none),
    ]
    return {
        name.lower(): Method(name, handler, counts, _DEEDS.get(name, ""))
        for room, counts in rooms
        for name, handler in room.items()
    }


METHODS = _table()
