"""``db``: the tables."""

from __future__ import annotations

import click
from alembic.util import CommandError

from forwarder import schema
from forwarder.cli.ground import servers, tool_settings
from forwarder.cli.restored import restored


@click.group()
def db() -> None:
    """The database's tables."""


@db.command()
@click.option("--revision", default="head", show_default=True, help="Up to this migration.")
def upgrade(revision: str) -> None:
    """Bring the tables up to date; harmless when they are."""
    with servers(tool_settings()) as urls:
        before = schema.is_current(urls.database_url)
        try:
            schema.upgrade(urls.database_url, revision)
        except CommandError as error:
            raise click.BadParameter(f"{error}; `alembic history` lists what there is.") from error
    click.echo("The tables were up to date." if before else "The tables are up to date now.")


db.add_command(restored)
