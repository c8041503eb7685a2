"""``run``: everything on one machine, under one supervisor."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence

import click
from structlog import get_logger

from forwarder import schema
from forwarder.cli.ground import MANAGE, start_log
from forwarder.servers import embedded
from forwarder.settings import Need, Settings, load_settings, public_url
from forwarder.supervisor import Event, ProcessSpec, Supervisor, What

FLOWER_WAIT_SECONDS = 20


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
        schema.upgrade(urls.database_url)
        specs = processes(settings, urls.environment())
        _announce(settings, specs)
        status = Supervisor(specs, on_event=tell).run()
    if status == 0:
        click.echo("Everything has stopped in order.")
    return status


def processes(settings: Settings, env: Mapping[str, str]) -> list[ProcessSpec]:
    """What to start, in this order. First stops who takes work in, then the clock, then who does it."""
    specs = [process("bot", ["bot"], env, 0)]
    if may_listen(settings):
        specs.append(process("ingest", ["ingest"], env, 0))
    if may_send_as_user(settings):
        specs.append(process("user-worker", ["worker", "--user", "--name", "user"], env, 2))
    specs += [
        process("worker", ["worker", "--name", "bot"], env, 2),
        process("beat", ["beat"], env, 1),
        process("flower", ["flower", "--wait", str(FLOWER_WAIT_SECONDS)], env, 3),
    ]
    return specs


def process(name: str, arguments: Sequence[str], env: Mapping[str, str], stop_group: int) -> ProcessSpec:
    """One ``manage.py`` command as a child."""
    return ProcessSpec(name, [sys.executable, str(MANAGE), *arguments], env, stop_group)


def may_listen(settings: Settings) -> bool:
    """Whether there is a login to listen with."""
    return settings.has_user and settings.listener_session.is_file()


def may_send_as_user(settings: Settings) -> bool:
    """Whether there is a login to send with."""
    return settings.has_user and settings.sender_session.is_file()


def limits_of(settings: Settings) -> list[str]:
    """Sentences about what cannot be done with these settings, and what would change that."""
    without = (
        "posts come only from channels and groups that have the bot, deletions are not seen, and a downtime "
        "of more than a day loses posts"
    )
    if not settings.has_user:
        return [f"Without API_ID the bot works alone: {without}."]
    told = []
    if not may_listen(settings):
        told.append(f"The user account is not logged in: {without}. Run `manage.py login`.")
    elif not may_send_as_user(settings):
        told.append(
            "The user account has no login to send with: it only listens. Run `manage.py login` again; "
            "it makes what is missing."
        )
    return told


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
