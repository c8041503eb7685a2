"""What the processes share: being asked to stop, and holding what only one process may hold."""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import structlog

from forwarder.db import Database, Held, release_lease, take_lease
from forwarder.errors import ForwarderError, TelegramError, Unavailable

log = structlog.get_logger(__name__)

STOPPING = (signal.SIGTERM, signal.SIGINT)

LEASE_SECONDS = 11.0
RENEW_EVERY = 2.5
ASK_AGAIN = 0.5
"""Seconds: a standby is at work within fifteen of the holder's death, its connection included."""
TRY_AGAIN = 3.0
"""Seconds to wait for what may be over soon."""
FIRST_PAUSE, LONGEST_PAUSE = 0.5, 8.0
"""Seconds between two tries while a server is away; each pause is twice the one before."""
SAY_AGAIN = 60.0
"""Seconds after which an outage that goes on is said again."""
GRACE = 8.0
"""Seconds for what is under way when a process is asked to stop; all of it must be over within ten."""


def stop_on_signals() -> asyncio.Event:
    """An event that SIGTERM and SIGINT set. A second one hurries nothing and loses nothing: it is ignored."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()

    def asked() -> None:
        stop.set()
        for number in STOPPING:
            loop.remove_signal_handler(number)
        deaf_to_stops()

    for number in STOPPING:
        loop.add_signal_handler(number, asked)
    return stop


def deaf_to_stops() -> None:
    """Ignore further wishes to stop. Handlers of Python's own are gone before the interpreter has ended; a
    signal in that moment would make a clean end look like a death."""
    for number in STOPPING:
        signal.signal(number, signal.SIG_IGN)


async def any_of(*events: asyncio.Event) -> None:
    """Return when one of the events is set."""
    tasks = [asyncio.create_task(event.wait()) for event in events]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()


async def live_until(end: Coroutine[Any, Any, None], *lives: Coroutine[Any, Any, None]) -> None:
    """Run these until ``end`` returns; one that ends by an error ends all of them with it."""
    tasks = [asyncio.create_task(life) for life in (end, *lives)]
    try:
        await asyncio.wait(tasks[:1] if not lives else tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in tasks:
            if task.done() and not task.cancelled() and (error := task.exception()) is not None:
                raise error
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def lease_name(session: Path) -> str:
    return f"session:{session.name}"


class Hold:
    """A lease that is kept by a task of its own; ``lost`` is set when it can no longer be relied on.

    ``at_work`` is for the holder to set when all that it needs has answered: an outage that comes then is a new one.
    """

    def __init__(self, db: Database, held: Held, asked: float) -> None:
        self._db, self.held, self._sure_until = db, held, asked + LEASE_SECONDS
        self.lost = asyncio.Event()
        self.at_work = False

    async def keep(self) -> None:
        """Renew until cancelled.

        At two thirds of the lease without a renewal, by our own monotonic clock, the holder must let go by
        itself: soon somebody else may take what it holds.
        """
        while not self.lost.is_set():
            await asyncio.sleep(RENEW_EVERY)
            asked = time.monotonic()
            try:
                async with asyncio.timeout(RENEW_EVERY):
                    again = await take_lease(self._db, self.held.name, self.held.holder, LEASE_SECONDS)
            except (Unavailable, TimeoutError) as error:
                log.warning("lease_not_renewed", lease=self.held.name, reason=str(error))
            else:
                if again is None or again.fence != self.held.fence:
                    log.error("lease_lost", lease=self.held.name)
                    self.lost.set()
                    return
                self._sure_until = asked + LEASE_SECONDS
            if time.monotonic() > self._sure_until - LEASE_SECONDS / 3:
                log.error("lease_lost", lease=self.held.name)
                self.lost.set()


class Outage:
    """A server that does not answer: said when it begins and once a minute, and asked again after longer and longer
    pauses. A process that waits loses nothing; one that ended would be started again after the same pauses."""

    def __init__(self) -> None:
        self._pause = FIRST_PAUSE
        self._said = ""
        self._said_at = 0.0

    def over(self) -> None:
        """Everything has answered: what comes next is another outage."""
        self._pause, self._said = FIRST_PAUSE, ""

    async def wait(self, error: Unavailable | TelegramError, stop: asyncio.Event) -> None:
        """Say what is away, unless it was just said, and wait a little (as long as Telegram asks), or for ``stop``."""
        now = time.monotonic()
        if str(error) != self._said or now - self._said_at >= SAY_AGAIN:
            log.error("waiting_for_server", reason=str(error))
            self._said, self._said_at = str(error), now
        asked = error.seconds if isinstance(error, TelegramError) else None
        await pause(max(self._pause, asked or 0.0), stop)
        self._pause = min(self._pause * 2, LONGEST_PAUSE)


@asynccontextmanager
async def holding(db: Database, name: str, holder: str, stop: asyncio.Event) -> AsyncIterator[Hold | None]:
    """Wait for the lease and keep it for the length of the block; None when ``stop`` came first."""
    hold = await _wait_for_lease(db, name, holder, stop)
    if hold is None:
        yield None
        return
    keeping = asyncio.create_task(hold.keep())
    try:
        yield hold
    finally:
        keeping.cancel()
        await asyncio.gather(keeping, return_exceptions=True)
        try:
            await release_lease(db, hold.held)
        except ForwarderError as error:
            log.warning("lease_not_released", lease=name, reason=str(error))


async def work_under_lease(
    db: Database, name: str, holder: str, stop: asyncio.Event, work: Callable[[Hold], Awaitable[None]]
) -> None:
    """Do ``work`` whenever the lease is ours, until ``stop``. A server that is away, from the start or later, ends the
    work and not the process."""
    outage = Outage()
    while not stop.is_set():
        hold = None
        try:
            async with holding(db, name, holder, stop) as hold:
                if hold is not None:
                    await work(hold)
        except (Unavailable, TelegramError) as error:
            if hold is not None and hold.at_work:
                outage.over()
            await outage.wait(error, stop)


async def pause(seconds: float, stop: asyncio.Event) -> None:
    """Wait so long, or until ``stop``."""
    try:
        async with asyncio.timeout(seconds):
            await stop.wait()
    except TimeoutError:
        return


async def _wait_for_lease(db: Database, name: str, holder: str, stop: asyncio.Event) -> Hold | None:
    told, outage = False, Outage()
    while not stop.is_set():
        asked = time.monotonic()
        try:
            held = await take_lease(db, name, holder, LEASE_SECONDS)
        except Unavailable as error:
            await outage.wait(error, stop)
            continue
        outage.over()
        if held is not None:
            return Hold(db, held, asked)
        if not told:
            told = True
            log.info("standing_by", lease=name)
        await pause(ASK_AGAIN, stop)
    return None
