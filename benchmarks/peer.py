"""What a user would write with Telethon: ``python -m benchmarks.peer STYLE FILE``.

Three programs: a handler that forwards posts as they arrive; the same with ``sequential_updates=True``, which
keeps the order; and one with a queue for each destination, which keeps it too and waits for one destination
at a time. None of them remembers anything, and none of them waits out a flood wait in order.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from telethon import TelegramClient, events
from telethon.crypto import AuthKey, rsa
from telethon.sessions import SQLiteSession

Way = Mapping[int, int]
"""From a source to its destination, by marked ids."""


def plain(client: Any, way: Way) -> None:
    @client.on(events.NewMessage(chats=list(way)))
    async def forward(event: Any) -> None:
        await client.forward_messages(way[event.chat_id], event.message)


def queues(client: Any, way: Way) -> None:
    waiting: dict[int, asyncio.Queue[Any]] = {chat: asyncio.Queue() for chat in way.values()}

    @client.on(events.NewMessage(chats=list(way)))
    async def hear(event: Any) -> None:
        await waiting[way[event.chat_id]].put(event.message)

    async def carry(chat: int) -> None:
        while True:
            await client.forward_messages(chat, await waiting[chat].get())

    client.carriers = [asyncio.ensure_future(carry(chat)) for chat in waiting]


STYLES: dict[str, Callable[[Any, Way], None]] = {"plain": plain, "ordered": plain, "queues": queues}


async def run(style: str, told: Mapping[str, Any]) -> None:
    rsa.add_key(told["key"], old=False)
    session = SQLiteSession(told["session"])
    session.set_dc(told["dc"], told["host"], told["port"])
    session.auth_key = AuthKey(bytes.fromhex(told["auth_key"]))
    client = TelegramClient(session, 1, "0" * 32, sequential_updates=style == "ordered")
    await client.connect()
    await client.get_dialogs()
    STYLES[style](client, {int(source): chat for source, chat in told["way"].items()})
    print("ready", flush=True)
    await client.run_until_disconnected()


if __name__ == "__main__":
    asyncio.run(run(sys.argv[1], json.loads(Path(sys.argv[2]).read_text())))
