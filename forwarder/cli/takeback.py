"""``takeback``: delete the copies of a post, or of a mapping's last minutes."""

from __future__ import annotations

import sys

import click

from forwarder.cli.ground import tool_settings, with_database
from forwarder.cli.show import table
from forwarder.cli.why import called
from forwarder.db import Database
from forwarder.models import MappingState
from forwarder.services.takeback import Affected, Takeback, TakebackService

STATES = {
    MappingState.ACTIVE: "",
    MappingState.PAUSED: "paused: deleted when it is resumed",
    MappingState.DISABLED: "disabled: its copies stay; delete them by hand",
}


@click.command()
@click.argument("mapping", type=int, required=False)
@click.option("--post", "link", metavar="LINK", help="This post: a link to it, or to one of its copies.")
@click.option("--minutes", type=int, metavar="N", help="What MAPPING has sent in the last N minutes.")
@click.option("--dry-run", is_flag=True, help="Only show what would be deleted.")
@click.option("--yes", is_flag=True, help="Do not ask.")
def takeback(mapping: int | None, link: str | None, minutes: int | None, dry_run: bool, yes: bool) -> None:
    """Delete copies in the destinations: of one post wherever it went, or of a mapping's last minutes.

    \b
    Examples:
      manage.py takeback --post https://t.me/name/123
      manage.py takeback 4 --minutes 10 --dry-run
    """
    if (link is None) == (mapping is None) or (mapping is None) != (minutes is None):
        raise click.UsageError(
            "Say what to take back: `takeback --post LINK`, or `takeback MAPPING --minutes N`."
        )
    settings = tool_settings()

    async def look(db: Database) -> Takeback:
        service = TakebackService(db)
        if link is not None:
            return await service.of_post(link)
        return await service.of_minutes(mapping or 0, minutes or 0)

    found = with_database(settings, look)
    table(
        ("mapping", "destination", "posts", "copies", "not sent yet", "note"),
        [_row(one) for one in found.affected],
        empty="",
    )
    if dry_run or not found.deliveries:
        return
    if not yes:
        if not sys.stdin.isatty():
            raise click.UsageError(f"{_sum(found)}: say --yes to do so.")
        click.confirm(f"{_sum(found)}?", abort=True)
    taken = with_database(settings, lambda db: TakebackService(db).carry_out(found))
    click.echo(f"{taken:,} {'post is' if taken == 1 else 'posts are'} being taken back.")


def _row(one: Affected) -> tuple[object, ...]:
    posts = len(one.deliveries)
    return one.mapping_id, called(one.destination), posts, one.copies, one.unsent, STATES[one.state]


def _sum(found: Takeback) -> str:
    said = f"Delete {found.copies:,} {'copy' if found.copies == 1 else 'copies'}"
    return said + (f" and withdraw {found.unsent:,} unsent" if found.unsent else "")
