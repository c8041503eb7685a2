"""``run``: everything on one machine, under one supervisor."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence

import click
from structlog import get_logger

from forwarder.cli.start import start_log
from forwarder.processes.forked import by_fork
from forwarder.processes.roster import MANAGE, limits_of, processes
from forwarder.servers import ServerUrls, embedded
from forwarder.settings import Need, Settings, load_settings, public_url
from forwarder.supervisor import TETHER, Event, Launch, ProcessSpec, Supervisor, What, tethered


@click.command()
def run() -> int:
    """Start all processes, restart what dies, and stop all of it in order on Ctrl-C or SIGTERM.

    Without DATABASE_URL or REDIS_URL the embedded servers are used, their data kept under DATA_DIR.
    """
    settings = load_settings()
    settings.require(Need.BOT | Need.USER if settings.has_user else Need.BOT)
    start_log(settings, "run")
    with embedded(settings, throwaway=False) as urls:
        for note in urls.notes:
            click.echo(note)
        if status := _bring_up_to_date(urls):
            return status
        specs = processes(settings, urls.environment())
        _announce(settings, specs)
        sys.stdout.flush()
        status = Supervisor(specs, on_event=tell, launch=launch()).run()
    if status == 0:
        click.echo("Everything has stopped in order.")
    return status


def _bring_up_to_date(urls: ServerUrls) -> int:
    """The tables, as soon as PostgreSQL answers, by a process of its own: what it takes would stay in this one's memory
    for months. Answers its exit status; what it has to say it says itself."""
    command = [sys.executable, str(MANAGE), "db", "upgrade", "--wait"]
    tie = [sys.executable, "-I", "-S", str(TETHER), str(os.getpid()), "--"]
    env = os.environ | urls.environment()
    return subprocess.run([*tie, *command], env=env, stdout=subprocess.DEVNULL, check=False).returncode


def launch() -> Launch:
    """How the processes start: together in memory where the system can tie a copy to its parent, else alone."""
    if sys.platform != "linux":
        return tethered
    from forwarder.cli.root import main

    return by_fork(main)


def tell(event: Event) -> None:
    """A line in the log for what happened to a child."""
    log = get_logger(__name__)
    (log.warning if event.what in (What.EXITED, What.REFUSED, What.KILLED) else log.info)(str(event))


def _announce(settings: Settings, specs: Sequence[ProcessSpec]) -> None:
    where = [
        f"{name} at {public_url(url.get_secret_value())}"
        for name, url in (("PostgreSQL", settings.database_url), ("Redis", settings.redis_url))
        if url is not None
    ]
    if where:
        click.echo(f"Used: {', '.join(where)}.")
    click.echo(f"Starting: {', '.join(spec.name for spec in specs)}. Ctrl-C stops everything in order.")
    guard = (
        "" if settings.flower_basic_auth else " (from this machine only; set FLOWER_BASIC_AUTH for others)"
    )
    click.echo(f"Flower: http://127.0.0.1:{settings.flower_port}{guard}")
    for line in limits_of(settings):
        click.echo(line)
