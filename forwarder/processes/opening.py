"""Opening the house of a process as soon as its servers answer."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

from forwarder.errors import Unavailable
from forwarder.processes.life import Outage
from forwarder.settings import Settings
from forwarder.wiring import House, open_house


@asynccontextmanager
async def opened_house(
    settings: Settings, name: str, stop: asyncio.Event, *, ping: bool = True
) -> AsyncIterator[House | None]:
    """The parts of one process; while PostgreSQL or Redis is away, that is said and waited for. None when ``stop`` came
    first."""
    outage, house = Outage(), None
    async with AsyncExitStack() as stack:
        while house is None and not stop.is_set():
            try:
                house = await stack.enter_async_context(open_house(settings, name, ping=ping))
            except Unavailable as error:
                await outage.wait(error, stop)
        yield house
