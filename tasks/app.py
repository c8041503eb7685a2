"""The Celery app, and the worker process behind its tasks.

The tasks of a process share one event loop in a thread of its own, made when the worker starts: Telethon's
client must never change its loop, and the threads of the pool have none.
"""

from __future__ import annotations

import asyncio
import atexit
import concurrent.futures
import os
import signal
import sys
import threading
import time
from collections.abc import Coroutine, Sequence
from typing import Any, TypeVar

import structlog
from celery import Celery, signals

from forwarder import log
from forwarder.broker import make_celery
from forwarder.errors import ForwarderError
from forwarder.health import beat_in_thread
from forwarder.message import AccountKind
from forwarder.processes.life import deaf_to_stops
from forwarder.processes.worker import Queues, WorkerProcess
from forwarder.settings import Need, Settings, load_settings

T = TypeVar("T")

KIND = AccountKind(os.environ.get("FORWARDER_WORKER_KIND", "bot"))
"""A plain ``celery worker`` sends by the bot; ``manage.py worker --user`` says ``user``."""

STOP_WITHIN = 9.5
TELL_WITHIN = 0.5
"""Seconds until Flower hears of an event."""


def settled_app() -> Celery:
    """The app, or a sentence and exit status 2 where a setting is missing or wrong."""
    try:
        app = make_celery()
        app.conf.broker_url  # noqa: B018 - reads the settings now, so that what is wrong is said here
    except ForwarderError as error:
        print(error, file=sys.stderr)
        raise SystemExit(error.exit_status) from None
    return app


app = settled_app()


class House:
    """The loop thread and the worker process in it. ``start`` and ``stop`` are Celery's signals."""

    def __init__(self) -> None:
        self._loop: asyncio.AbstractEventLoop | None = None
        self._worker: WorkerProcess | None = None
        self._living: concurrent.futures.Future[None] | None = None

    @property
    def worker(self) -> WorkerProcess:
        assert self._worker is not None, "tasks run in a worker, which has started"
        return self._worker

    def start(self, consumer: Any) -> None:
        tell_together(consumer)
        loop = asyncio.new_event_loop()
        threading.Thread(target=loop.run_forever, name="forwarder", daemon=True).start()
        queues = Queues(take=taker(consumer), give_up=giver(consumer))
        self._worker = asyncio.run_coroutine_threadsafe(
            make_worker(checked_settings(), queues), loop
        ).result()
        self._loop = loop
        self._living = asyncio.run_coroutine_threadsafe(self._worker.run(), loop)
        self._living.add_done_callback(leave_with_error)

    def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Run a task's coroutine in the loop and wait for it."""
        assert self._loop is not None
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result()

    def begin_stop(self) -> None:
        if self._loop is not None and self._worker is not None:
            asyncio.run_coroutine_threadsafe(self._worker.stop(), self._loop)

    def stop(self) -> None:
        """Wait until the worker process has let go of its leases and logins."""
        if self._living is not None:
            try:
                self._living.result(STOP_WITHIN)
            except (concurrent.futures.TimeoutError, concurrent.futures.CancelledError):
                structlog.get_logger(__name__).warning("stopped_in_the_middle")


house = House()


async def make_worker(settings: Settings, queues: Queues) -> WorkerProcess:
    """Made inside the loop that it will live in."""
    return WorkerProcess(settings, KIND, app, queues)


def checked_settings() -> Settings:
    return load_settings(Need.USER if KIND is AccountKind.USER else Need.BOT)


def leave_with_error(living: concurrent.futures.Future[None]) -> None:
    """A worker whose account cannot work at all must not look alive."""
    if not living.cancelled() and (error := living.exception()) is not None:
        structlog.get_logger(__name__).error("worker_failed", error=str(error), exc_info=error)
        os._exit(1)


def tell_together(consumer: Any) -> None:
    """Celery tells Flower of each event by itself, which costs as much as the task: those of half a second share one
    message."""
    asked = -TELL_WITHIN

    def tell() -> None:
        # Called in any thread, after the event was kept; what comes until the message is sent goes along.
        nonlocal asked
        now = time.monotonic()
        if now - asked >= TELL_WITHIN and consumer.hub is not None:
            asked = now
            consumer.hub.call_soon(consumer.hub.call_later, TELL_WITHIN, consumer._flush_events)

    consumer.on_send_event_buffered = tell  # for the dispatchers of later connections
    if consumer.event_dispatcher is not None:
        consumer.event_dispatcher.on_send_buffered = tell


def taker(consumer: Any) -> Any:
    def take(queues: Sequence[str]) -> None:
        for queue in queues:
            consumer.call_soon(consumer.add_task_queue, queue)

    return take


def giver(consumer: Any) -> Any:
    def give_up(queues: Sequence[str]) -> None:
        for queue in queues:
            consumer.call_soon(consumer.cancel_task_queue, queue)

    return give_up


@signals.setup_logging.connect(weak=False)
def set_up_logging(**_: object) -> None:
    settings = load_settings()
    log.register_secrets(settings.secrets())
    process = os.environ.get("FORWARDER_PROCESS") or f"celery-{KIND.value}"
    log.configure(
        level=settings.log_level, debug=settings.debug_mode, log_file=settings.log_file, process=process
    )
    if settings.sentry_dsn is not None:
        log.start_sentry(settings.sentry_dsn.get_secret_value(), process=process)


@signals.celeryd_init.connect(weak=False)
def refuse_bad_settings(**_: object) -> None:
    try:
        checked_settings()
    except ForwarderError as error:
        print(error, file=sys.stderr)
        raise SystemExit(error.exit_status) from None


@signals.beat_init.connect(weak=False)
def be_the_clock(**_: object) -> None:
    """The clock has no event loop; its sign of life comes from a thread of its own."""
    threading.Thread(target=beat_in_thread, args=(app.conf.broker_url,), name="heart", daemon=True).start()
    atexit.register(deaf_to_stops)


@signals.worker_ready.connect(weak=False)
def start(sender: Any, **_: object) -> None:
    # Ctrl-C is a wish to stop like any other; Celery would leave with status 1.
    signal.signal(signal.SIGINT, lambda *_: signal.raise_signal(signal.SIGTERM))
    house.start(sender)


@signals.worker_shutting_down.connect(weak=False)
def begin_stop(**_: object) -> None:
    deaf_to_stops()
    house.begin_stop()


@signals.worker_shutdown.connect(weak=False)
def stop(**_: object) -> None:
    house.stop()


from tasks import forward, upkeep  # noqa: E402, F401 - the tasks register with the app above
