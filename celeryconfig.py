"""How Celery is set up, with the reason for each line. The broker's address comes from the settings."""

from __future__ import annotations

from kombu.entity import Queue

from forwarder import broker

broker_url = broker.broker_url()

# The rows in PostgreSQL are the result; a second record of it would only grow old.
result_backend = None
task_ignore_result = True

# Only ids travel, so JSON is enough, and nothing that could run code is ever read from the broker.
task_serializer = "json"
accept_content = ["json"]
event_serializer = "json"

# A task is acknowledged when it has ended: one that dies with its worker is handed out again. With a
# multiplier of 1 a worker holds no more tasks than it has threads, so a late urgent one is not behind a pile.
task_acks_late = True
worker_prefetch_multiplier = 1
# (Not worker_disable_prefetch: with the threads pool it can stall at one task per thread and second.)

# A task waits for Telegram nearly all of its time, and all tasks of a process share one event loop and one
# login; threads are cheap doors to it.
worker_pool = "threads"
worker_cancel_long_running_tasks_on_connection_loss = False  # threads cannot be cancelled; the rows cope

# Redis hands out a message without priority first of all; ours has to say that it is an ordinary one.
task_default_priority = 6
task_default_queue = "upkeep"
# The user account's queues are missing on purpose: only `worker --user`, which holds its session, takes them.
task_queues = tuple(Queue(name) for name in ("bot.live", "bot.bulk", "upkeep"))  # type: ignore[no-untyped-call]
task_create_missing_queues = True

broker_connection_retry_on_startup = True
broker_connection_max_retries = None  # a broker that is away for an hour comes back to a worker that waits
broker_transport_options = {
    # Longer than any task or countdown of ours (60 s): what outlives it is handed out a second time.
    "visibility_timeout": 600,
    # What a killed worker held is found again within seconds instead of minutes.
    "unacked_restore_interval": 2,
    "unacked_restore_throttle": 1,
    # A frozen Redis must show itself as an error instead of a call that never returns.
    "socket_timeout": 5,
    "socket_connect_timeout": 5,
    "socket_keepalive": True,
    "health_check_interval": 10,
    # Queues in the order they are named, and the four priorities that we use (0 goes first).
    "queue_order_strategy": "priority",
    "priority_steps": [0, 3, 6, 9],
}

# Flower shows what events tell it.
worker_send_task_events = True
task_send_sent_event = True

# structlog formats every line; Celery must leave the root logger alone.
worker_hijack_root_logger = False
worker_redirect_stdouts = False

timezone = "UTC"

# The clock of the house. Each beat expires before the next: a queue of stale ticks helps nobody.
beat_schedule = {
    # Rings for due lanes whose bell was lost; what a lost bell costs is at most this.
    "relay": {"task": "relay", "schedule": 2.0, "options": {"expires": 2.0, "priority": 0}},
    # Closes albums whose last part came while nobody listened, and looks after everything that can stick.
    "sweep": {"task": "sweep", "schedule": 5.0, "options": {"expires": 5.0, "priority": 0}},
    # A mapping whose topic was closed goes on within this time after the topic was opened again.
    "reopen": {"task": "reopen", "schedule": 900.0, "options": {"expires": 900.0, "priority": 9}},
    "retention": {"task": "retention", "schedule": 3600.0, "options": {"expires": 3600.0, "priority": 9}},
}
