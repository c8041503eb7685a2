"""The configuration of Celery holds together: every bell has a worker, every tick a task."""

from __future__ import annotations

import importlib
from itertools import product
from types import ModuleType

import pytest

from forwarder.message import AccountKind
from forwarder.outbox import BULK, FIX, LIVE
from forwarder.outcome import LONGEST_RETRY
from forwarder.processes.worker import USER_QUEUES
from forwarder.services.queue import Bell


@pytest.fixture
def config(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.setenv("REDIS_URL", "redis://127.0.0.1:6399/0")
    return importlib.reload(importlib.import_module("celeryconfig"))


def bells(route: AccountKind) -> list[Bell]:
    return [
        Bell(route, klass, important, ()) for klass, important in product((FIX, LIVE, BULK), (True, False))
    ]


def test_every_queue_that_a_bots_bell_can_name_has_a_plain_worker(config: ModuleType) -> None:
    taken = {queue.name for queue in config.task_queues}
    assert {bell.queue for bell in bells(AccountKind.BOT)} <= taken
    assert config.task_default_queue in taken


def test_a_plain_worker_never_takes_the_user_accounts_queues(config: ModuleType) -> None:
    named = {bell.queue for bell in bells(AccountKind.USER)}
    assert named.isdisjoint({queue.name for queue in config.task_queues})
    assert named == set(USER_QUEUES), "the user worker takes what bells name"


def test_every_priority_of_a_bell_is_a_step_of_the_broker(config: ModuleType) -> None:
    steps = set(config.broker_transport_options["priority_steps"])
    assert {bell.priority for route in AccountKind for bell in bells(route)} <= steps
    assert config.task_default_priority in steps


def test_no_countdown_outlives_the_visibility_timeout(config: ModuleType) -> None:
    # Redis hands a message out again when it is not acknowledged in time; a countdown is such a time.
    assert config.broker_transport_options["visibility_timeout"] > 2 * LONGEST_RETRY


def test_each_tick_names_a_task_and_expires_before_the_next(config: ModuleType) -> None:
    from tasks import app

    for name, entry in config.beat_schedule.items():
        assert entry["task"] in app.tasks, name
        assert entry["options"]["expires"] <= entry["schedule"], name


def test_bells_ring_for_a_task_that_exists(config: ModuleType) -> None:
    from forwarder.broker import FORWARD
    from tasks import app

    assert FORWARD in app.tasks


def test_only_ids_travel_and_no_result_is_kept(config: ModuleType) -> None:
    assert config.accept_content == ["json"]
    assert config.result_backend is None
    assert config.task_acks_late is True
