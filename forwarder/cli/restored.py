"""``db restored``: after PostgreSQL was restored from an old backup."""

from __future__ import annotations

from datetime import datetime

import click

from forwarder.cli.ground import tool_settings, with_database
from forwarder.cli.moment import Moment
from forwarder.cli.show import table
from forwarder.comparing.restored import Compared, Restoration, pause
from forwarder.db import Database
from forwarder.errors import NobodyAnswers
from forwarder.settings import Need


@click.command()
@click.option(
    "--since", type=Moment(), help="When the backup was made [the last sign of life in the database]."
)
@click.option("--go", is_flag=True, help="Compare, and let work go on with what was not sent yet.")
def restored(since: datetime | None, go: bool) -> None:
    """Find what was sent after an old backup was made, so that nothing is sent twice and nothing is lost.

    Stop everything, restore the database, and run this command before anything else is started: it pauses all
    mappings. Then start `manage.py run` (or the workers), and run it with --go: it reads the sources and the
    destinations, records what it finds there as sent, and resumes.

    \b
    Examples:
      manage.py db restored
      manage.py db restored --since "2026-11-25 03:00"
      manage.py db restored --go
    """
    settings = tool_settings(Need.USER)

    async def work(db: Database) -> tuple[Compared, ...] | None:
        from forwarder.account_desk import AccountDesk
        from forwarder.ingest import Ingest
        from forwarder.services.dedup import DeduplicationService
        from forwarder.services.mappings import MappingService

        click.echo(_paused(await pause(db, since)))
        restoration = Restoration(db, AccountDesk(db), Ingest(DeduplicationService()), MappingService(db))
        try:
            compared = await restoration.compare()
        except NobodyAnswers:
            if go:
                raise
            return None
        return await restoration.go_on(compared) if go else compared

    compared = with_database(settings, work)
    if compared is None:
        click.echo("Nothing is compared yet. Start `manage.py run`, then run `manage.py db restored --go`.")
        return
    table(
        ("mapping", "found and recorded", "held for you", "to be sent", "note"),
        [(one.mapping_id, one.found, one.doubtful, one.left, one.problem) for one in compared],
        empty="No mappings here.",
    )
    if not go:
        click.echo("Everything is still paused: `manage.py db restored --go` lets work go on.")
    elif any(one.problem for one in compared):
        click.echo(
            "What could not be compared stays paused: look into its destination, then "
            "`manage.py mapping resume NUMBER --send` or `--skip`.",
            err=True,
        )


def _paused(count: int) -> str:
    return f"{count:,} {'mapping is' if count == 1 else 'mappings are'} paused."
