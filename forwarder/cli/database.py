"""``db``: the tables."""

from __future__ import annotations

import time

import click
from alembic.util import CommandError

from forwarder import schema
from forwarder.cli.ground import servers, tool_settings
from forwarder.cli.restored import restored
from forwarder.errors import Unavailable
from forwarder.redact import redact_text

ASK_AGAIN = 1.0
"""Seconds between two looks for a server that is away."""


@click.group()
def db() -> None:
    """The database's tables."""


@db.command()
@click.option("--revision", default="head", show_default=True, help="Up to this migration.")
@click.option("--wait", is_flag=True, help="Where PostgreSQL does not answer, wait for it.")
def upgrade(revision: str, wait: bool) -> None:
    """Bring the tables up to date; harmless when they are."""
    with servers(tool_settings()) as urls:
        before = current(urls.database_url, wait=wait)
        try:
            schema.upgrade(urls.database_url, revision)
        except CommandError as error:
            raise click.BadParameter(f"{error}; `alembic history` lists what there is.") from error
    click.echo("The tables were up to date." if before else "The tables are up to date now.")


def current(url: str, *, wait: bool) -> bool:
    """Whether the tables are the newest. Raises Unavailable, unless it is to ``wait``: then it says once what is away.

    Nobody has a loop or threads here, and Ctrl-C ends it.
    """
    told = ""
    while True:
        try:
            return schema.is_current(url)
        except Unavailable as error:
            if not wait:
                raise
            if told != (told := redact_text(str(error))):
                click.echo(f"Waiting: {told}", err=True)
        time.sleep(ASK_AGAIN)


db.add_command(restored)
