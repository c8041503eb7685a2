"""Many posts at once, and which of them have arrived: verbs of the control port for measuring.

They say the same as posting one by one and reading whole histories, without the cost of either.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from datetime import datetime

from .bot_api.arguments import Arguments
from .record import WAITS
from .server import Sandbox
from .world import Content, Message, World

TURN = 20
"""Posts between two looks at what clients want, where there is no rate to keep."""

Arrival = tuple[int, int, int, int, float]


async def stream(world: World, author: int, chats: Sequence[int], posts: int, rate: float, text: str) -> int:
    """Send ``posts`` texts, each its own, one chat after the other: ``rate`` a second, or 0 for no pause at all.

    A machine that cannot keep up is late, and leaves nothing out. Answers how many were sent.
    """
    loop = asyncio.get_running_loop()
    began = loop.time()
    for number in range(posts):
        if rate:
            await asyncio.sleep(began + number / rate - loop.time())
        elif number % TURN == 0:
            await asyncio.sleep(0)
        world.send(author, chats[number % len(chats)], Content(f"{text} {number}"))
    return posts


def arrivals(world: World, chats: Sequence[int], since: float) -> list[Arrival]:
    """What was executed in these chats from ``since`` (seconds since 1970) on, in each in its order.

    Each as the chat and number of the message that it was made from, or of itself; its own; and when.
    """
    return [
        (*_origin(message), message.chat, message.id, message.date.timestamp())
        for chat in chats
        for message in reversed(list(_newest(world, chat, since)))
    ]


def count(world: World, chats: Sequence[int]) -> int:
    """How many living messages stand in these chats."""
    return sum(len(world.memory.boxes[chat].order.get(chat, ())) for chat in chats)


def _newest(world: World, chat: int, since: float) -> Iterator[Message]:
    box = world.memory.boxes[chat]
    begin = datetime.fromtimestamp(since).astimezone()
    for number in reversed(box.order.get(chat, ())):
        message = box.messages[number]
        if message.date < begin:
            return
        yield message


def _origin(message: Message) -> tuple[int, int]:
    origin = message.made_from
    return (origin.chat, origin.id) if origin is not None else (message.chat, message.id)


# -- the verbs -------------------------------------------------------------------------------------------


def _delay(sandbox: Sandbox, arguments: Arguments) -> float:
    """Let everything take ``seconds`` on the network, each way, from now on."""
    sandbox.network.delay = max(0.0, arguments.real("seconds"))
    return sandbox.network.delay


async def _stream(sandbox: Sandbox, arguments: Arguments) -> int:
    chats, posts = arguments.numbers("chats"), arguments.number("posts")
    rate, text = arguments.real("rate"), arguments.text("text", "post")
    return await stream(sandbox.world, arguments.number("account"), chats, posts, rate, text)


def _arrivals(sandbox: Sandbox, arguments: Arguments) -> list[Arrival]:
    return arrivals(sandbox.world, arguments.numbers("chats"), arguments.real("since"))


def _waits(sandbox: Sandbox, arguments: Arguments) -> list[tuple[float, int | None, int | None, int | None]]:
    """Calls that were answered with a wait: when, account, chat, and the seconds to wait."""
    met = (call for call in sandbox.gate.record.calls() if call.outcome in WAITS)
    return [(call.at.timestamp(), call.account, call.chat, call.seconds) for call in met]


def _count(sandbox: Sandbox, arguments: Arguments) -> int:
    return count(sandbox.world, arguments.numbers("chats"))


MEASURING: Mapping[str, Callable[[Sandbox, Arguments], object | Awaitable[object]]] = {
    "delay": _delay,
    "stream": _stream,
    "arrivals": _arrivals,
    "count": _count,
    "waits": _waits,
}
