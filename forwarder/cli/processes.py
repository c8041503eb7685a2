"""The processes, one command each. The Celery ones become Celery, with defaults filled in, nothing hidden."""

from __future__ import annotations

import asyncio
import os
import sys
import time
from collections.abc import Mapping
from typing import NoReturn

import click

from forwarder.cli.start import process_settings, start_sentry
from forwarder.errors import SettingsError
from forwarder.settings import Need, Settings

USER_WORKER = "user"
FLOWER_TASKS = 2000
"""The newest tasks that Flower shows; each costs it a kilobyte or two of memory."""
DOORS = 20
"""Threads of a worker. They are doors to one loop and wait nearly all of their time; how many sends there are at a time
is MAX_CONCURRENT_FORWARDS, and a call that takes long must not keep other lanes' bells waiting at the door."""
WORKER_KIND = "FORWARDER_WORKER_KIND"
"""Tells ``tasks`` which kind of worker it runs in: one for the user takes its queues with its session."""


@click.command()
def bot() -> int:
    """The control bot, and the posts that only the bot can read."""
    settings = process_settings("bot", Need.BOT)
    start_sentry(settings, "bot")
    from forwarder.processes import bot as process

    return asyncio.run(process.run(settings))


@click.command()
def ingest() -> int:
    """Hears the posts of all sources that the user account can read."""
    settings = process_settings("ingest", Need.USER)
    start_sentry(settings, "ingest")
    from forwarder.processes import ingest as process

    return asyncio.run(process.run(settings))


@click.command()
@click.option("--user", is_flag=True, help="Send as the user account; it holds that account's login.")
@click.option(
    "--concurrency", "-c", type=click.IntRange(1, 200), help="Sends at a time [MAX_CONCURRENT_FORWARDS]."
)
@click.option("--name", help="The worker's name in Flower [by kind and process id].")
def worker(user: bool, concurrency: int | None, name: str | None) -> NoReturn:
    """Carries deliveries out. Start as many as you like, on any number of machines."""
    process = "user-worker" if user else "worker"
    settings = process_settings(process, Need.USER if user else Need.BOT)
    kind = USER_WORKER if user else "bot"
    given = {"MAX_CONCURRENT_FORWARDS": str(concurrency)} if concurrency else {}
    celery(
        settings,
        process,
        *("worker", "-P", "threads", "-c", str(DOORS)),
        *("-Q", "upkeep" if user else "bot.live,bot.bulk,upkeep"),
        *("-E", "--without-gossip", "--without-mingle"),
        *("-n", f"{name or f'{kind}-{os.getpid()}'}@%h", "-l", settings.log_level),
        env={WORKER_KIND: kind, **given},
    )


@click.command()
def beat() -> NoReturn:
    """The clock: relay of what is due, sweeps, retention. One is enough; more do no harm."""
    settings = process_settings("beat")
    kept = settings.data_dir / "beat"
    try:
        kept.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise SettingsError(
            f"The clock cannot keep its schedule in {kept} ({error.strerror}): "
            "set DATA_DIR to a directory that this user may write to."
        ) from None
    celery(settings, "beat", "beat", "-s", str(kept / "schedule"), "--pidfile=", "-l", settings.log_level)


@click.command()
@click.option("--port", type=click.IntRange(1, 65535), help="[FLOWER_PORT, 5555]")
@click.option("--address", help="Listen here [all addresses with FLOWER_BASIC_AUTH, else this machine only].")
@click.option(
    "--wait", type=click.FloatRange(0), default=0.0, help="Wait so many seconds for the first worker."
)
def flower(port: int | None, address: str | None, wait: float) -> NoReturn:
    """The administrators' window on tasks and workers."""
    settings = process_settings("flower")
    if wait:
        wait_for_workers(settings, wait)
    guarded = settings.flower_basic_auth
    env = {"FLOWER_TASKS_COLUMNS": "name,uuid,state,args,result,routing_key,received,started,runtime,worker"}
    if guarded is not None:
        # By the environment, because everybody on the machine can read a command line.
        env["FLOWER_BASIC_AUTH"] = guarded.get_secret_value()
    listen = address if address is not None else "" if guarded else "127.0.0.1"
    celery(
        settings,
        "flower",
        *("flower", f"--port={port or settings.flower_port}", f"--address={listen}"),
        f"--max_tasks={FLOWER_TASKS}",
        "--purge_offline_workers=300",
        env=env,
    )


def celery(
    settings: Settings, process: str, *arguments: str, env: Mapping[str, str] | None = None
) -> NoReturn:
    """Become ``celery -A tasks …``: the same process, so that signals and the supervisor's tether hold."""
    from celery import __main__ as program

    assert settings.database_url is not None
    assert settings.redis_url is not None
    os.environ |= {
        "DATABASE_URL": settings.database_url.get_secret_value(),
        "REDIS_URL": settings.redis_url.get_secret_value(),
        "FORWARDER_PROCESS": process,
        **(env or {}),
    }
    # Flower reads FLOWER_… itself, and takes an empty password for one that nobody can type.
    for name in [name for name, text in os.environ.items() if name.startswith("FLOWER_") and not text]:
        del os.environ[name]
    sys.argv = [program.__file__, "-A", "tasks", *arguments]
    sys.exit(program.main())


def wait_for_workers(settings: Settings, seconds: float) -> None:
    """Flower asks the workers about themselves once, at its start: those that come later have empty pages."""
    from celery import Celery

    assert settings.redis_url is not None
    app = Celery(broker=settings.redis_url.get_secret_value(), set_as_current=False)
    app.conf.broker_transport_options = {"socket_timeout": 5, "socket_connect_timeout": 5}
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            if app.control.ping(timeout=0.5):
                return
        except OSError:  # kombu's OperationalError is one: no broker yet
            time.sleep(0.5)
