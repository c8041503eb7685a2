"""Bells reach the broker as tasks in their queues, whether alone or many at once."""

from __future__ import annotations

import base64
import json
from contextlib import suppress

import pytest
import redis as sync_redis
from kombu.common import ignore_errors

from forwarder.broker import FORWARD, make_celery, publisher
from forwarder.message import AccountKind
from forwarder.outbox import BULK, FIX, LIVE
from forwarder.servers import start_redis
from forwarder.services.queue import SWAMPED, Bell
from tests.builders import ARCHIVE, NEWS, House, post
from tests.integration.carriers import Street

SEPARATOR = "\x06\x16"


@pytest.mark.parametrize("count", [1, 3])
def test_bells_lie_in_the_queues_that_they_name(
    redis_db: str, monkeypatch: pytest.MonkeyPatch, count: int
) -> None:
    monkeypatch.setenv("REDIS_URL", redis_db)
    app = make_celery()
    app.conf.broker_url = redis_db
    bells = [
        Bell(AccountKind.BOT, LIVE, False, ((7, 31),)),
        Bell(AccountKind.USER, FIX, False, ((8, 32), (9, 33))),
        Bell(AccountKind.BOT, BULK, False, ((10, 34),)),
    ][:count]
    publisher(app)(bells)
    with sync_redis.Redis.from_url(redis_db) as client:
        for bell in bells:
            name = bell.queue + (f"{SEPARATOR}{bell.priority}" if bell.priority else "")
            [raw] = client.lrange(name, 0, -1)
            message = json.loads(raw)
            assert message["headers"]["task"] == FORWARD
            assert message["properties"]["priority"] == bell.priority
            args, *_ = json.loads(base64.b64decode(message["body"]))
            assert args == [[list(lane) for lane in bell.lanes]]
    app.close()


def test_a_connection_that_holds_tasks_can_be_closed_when_its_redis_has_died(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """As Celery does it under a worker: anything else than a connection error would end the worker."""
    server = start_redis(None, throwaway=True)
    try:
        monkeypatch.setenv("REDIS_URL", server.url)
        app = make_celery()
        app.conf.broker_url = server.url
        publisher(app)([Bell(AccountKind.BOT, LIVE, False, ((7, 31),))])
        connection = app.connection_for_read()
        held: list[object] = []
        for name, channel in (("bot.live", connection.default_channel), ("bot.bulk", connection.channel())):
            queues = [app.amqp.queues[name]]
            connection.Consumer(queues, channel, on_message=held.append, accept=["json"]).consume()
        connection.drain_events(timeout=5)
        with pytest.raises(TimeoutError):
            connection.drain_events(timeout=0.2)  # it goes on waiting for the next one
        assert held
    finally:
        server.stop()
    with suppress(Exception):
        connection.collect()
    ignore_errors(connection, connection.close)
    app.close()


async def test_a_queue_that_nobody_empties_does_not_grow_without_end(core: House, street: Street) -> None:
    by_bot = await core.mapping(by=AccountKind.BOT)
    await core.mapping(NEWS, ARCHIVE, by=AccountKind.USER)
    await core.hear(post(1))
    await street.redis.lpush(f"user.live{SEPARATOR}6", *["task"] * SWAMPED)
    assert await street.queue.relay() == 1
    assert [bell.lanes[0][0] for bell in street.bells] == [by_bot]
