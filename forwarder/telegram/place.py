"""The place in the stream of updates, saved only when what came before it is stored.

Telethon saves its place once a minute, and counts an update as had before our handler has seen it. A process that is
killed then loses edits and deletions: posts are found again by their ids, but nothing else remembers an edit.
A place that is too old does no harm, because what it repeats is known.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime

import structlog
from telethon.tl import types

from forwarder.errors import SessionError
from forwarder.telegram.client import Client

log = structlog.get_logger(__name__)

EVERY = 1.0
LAG = 0.2
"""Seconds that Telethon may take to hand on what its place counts already."""
LOOK_AGAIN = 0.05

Count = Callable[[], int]


async def keep_place(client: Client, heard: Count, stored: Count) -> None:
    """Save the client's place, a moment late, until cancelled."""
    while True:
        await save_place(client, heard, stored)
        await asyncio.sleep(EVERY)


async def save_place(client: Client, heard: Count, stored: Count) -> None:
    """Save where the client is now, when all of that is stored.

    ``heard`` and ``stored`` count the news that the client has handed on, and those that are safe.
    """
    place = place_of(client)
    await asyncio.sleep(LAG)
    so_far = heard()
    while stored() < so_far:  # noqa: ASYNC110 - a look now and then is enough, and costs nobody anything
        await asyncio.sleep(LOOK_AGAIN)
    for box, state in place.items():
        client.session.set_update_state(box, state)
    try:
        client.session.save()
    except SessionError as error:
        log.warning("place_not_saved", error=str(error))


def place_of(client: Client) -> dict[int, types.updates.State]:
    """Where the client is: the account's own box under 0, channels by their plain ids."""
    account, channels = client._message_box.session_state()
    now = datetime.now(UTC)
    found = {0: types.updates.State(**account, unread_count=0)} if account["pts"] else {}
    return found | {box: types.updates.State(pts, 0, now, 0, unread_count=0) for box, pts in channels.items()}
