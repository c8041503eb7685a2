"""The way onto the broker, for processes that ring bells without being workers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from celery import Celery
from kombu.transport import redis

from forwarder.servers import redis_url_for_tools
from forwarder.services.queue import Bell, Publish
from forwarder.settings import load_settings

FORWARD = "forward"
"""The name of the task that carries lanes; ``tasks/forward.py`` defines it."""


def broker_url() -> str:
    """The Redis of the settings, or of a running ``manage.py run``. Raises SettingsError without either."""
    return redis_url_for_tools(load_settings())


class Channel(redis.Channel):
    """A channel whose Redis may die while tasks are under way, and that makes its client once.

    kombu makes a client of the pool for every command; with redis 8 that takes ten times as long as the command,
    and a task has a dozen of them.

    Celery 5.7 takes the lost connection apart before it closes its channels; a channel that still holds tasks then
    looks for an address that is gone, and the AttributeError ends the worker. An OSError is what Celery waits for:
    it connects again. What was held is a hint; the relay rings for it.
    """

    def _connparams(self, asynchronous: bool = False) -> object:
        if self.connection.client is None:
            raise OSError("the connection to Redis has been given up")
        return super()._connparams(asynchronous=asynchronous)  # type: ignore[no-untyped-call]  # kombu has no types

    def _create_client(self, asynchronous: bool = False) -> object:
        if asynchronous:
            return super()._create_client(asynchronous=True)  # type: ignore[no-untyped-call]
        made = self._made
        if made is None or made.connection_pool is not self.pool:
            made = self._made = super()._create_client()  # type: ignore[no-untyped-call]
        return made

    _made: Any = None


def make_celery() -> Celery:
    """An app with the settings of ``celeryconfig.py``."""
    redis.Transport.Channel = Channel
    app = Celery("forwarder")
    app.config_from_object("celeryconfig")
    return app


def publisher(app: Celery) -> Publish:
    """A function that puts bells on the broker: in one pipeline where there are several. It blocks."""

    def publish(bells: Sequence[Bell]) -> None:
        with app.producer_pool.acquire(block=True, timeout=10) as producer:
            if len(bells) == 1:
                send(bells[0], producer)
                return
            with producer.batch(max_size=100):
                for bell in bells:
                    send(bell, producer)

    def send(bell: Bell, producer: object) -> None:
        lanes = [list(lane) for lane in bell.lanes]
        app.send_task(FORWARD, args=[lanes], queue=bell.queue, priority=bell.priority, producer=producer)

    return publish
