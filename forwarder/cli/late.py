"""``mapping outage`` and ``mapping set``: what becomes of posts that are late."""

from __future__ import annotations

import re

import click

from forwarder.cli.ground import tool_settings, with_database
from forwarder.db import Database
from forwarder.models import AfterOutage
from forwarder.services.late import LateService
from forwarder.services.values import MappingView

LARGEST_HOURS = 24 * 365


class Lag(click.ParamType[int]):
    """``skip:6h`` is 6, ``catch-up`` is 0."""

    name = "catch-up|skip:6h"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> int:
        said = str(value)
        if said == "catch-up":
            return 0
        hours = re.fullmatch(r"skip:([0-9]{1,4})h", said)
        if hours is None or not 1 <= int(hours[1]) <= LARGEST_HOURS:
            self.fail(f"{said!r} is neither catch-up nor skip:6h (1 to {LARGEST_HOURS} hours).", param, ctx)
        return int(hours[1])


@click.command("outage")
@click.argument("number", type=int)
@click.argument("what", type=click.Choice(["all", "last", "none"]))
@click.argument("last", type=click.IntRange(min=1), required=False)
def answer_outage(number: int, what: str, last: int | None) -> None:
    """Say what to do with posts of mapping NUMBER that appeared while nobody listened.

    `all` sends them, `last 5` the newest five, `none` leaves them out.
    """
    if (what == "last") != (last is not None):
        raise click.UsageError("Say all, none, or last and how many: last 5.")
    wanted = {"all": None, "last": last, "none": 0}[what]
    answered = with_database(tool_settings(), lambda db: LateService(db).answer_outage(number, wanted))
    if not answered.sent and not answered.skipped:
        click.echo(f"No posts of mapping {number} wait for an answer.")
        return
    click.echo(f"Mapping {number}: {answered.sent} posts will be sent, {answered.skipped} were left out.")


@click.command("set")
@click.argument("number", type=int)
@click.option("--lag", type=Lag(), help="Where the source is faster than the destination may receive: "
              "send all posts however late, or withdraw those that have grown older.")  # fmt: skip
@click.option("--after-outage", type=click.Choice([p.value for p in AfterOutage]),
              help="Posts that appeared long before they could be heard: ask, send or skip them.")  # fmt: skip
def set_(number: int, lag: int | None, after_outage: str | None) -> None:
    """Change what mapping NUMBER does with late posts."""
    if lag is None and after_outage is None:
        raise click.UsageError("Say what to change: --lag or --after-outage.")

    async def work(db: Database) -> MappingView:
        late = LateService(db)
        if after_outage is not None:
            changed = await late.after_outage(number, AfterOutage(after_outage))
        if lag is not None:
            changed = await late.skip_after(number, lag or None)
        return changed

    settings = with_database(tool_settings(), work).settings
    lag_words = (
        f"skips posts older than {settings.skip_hours} h"
        if settings.skip_hours
        else "catches up with all posts"
    )
    click.echo(f"Mapping {number} {lag_words}; after an outage: {settings.after_outage}.")
