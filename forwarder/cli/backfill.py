"""``backfill``: bring older posts of a mapping's source, behind all live ones."""

from __future__ import annotations

import asyncio
from datetime import datetime
from typing import Any

import click
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn

from forwarder.backfill import BackfillService, BackfillView, Plan
from forwarder.cli.ground import tool_settings, with_database
from forwarder.cli.moment import Moment
from forwarder.cli.why import called
from forwarder.db import Database
from forwarder.errors import InvalidRequest
from forwarder.message import Wish
from forwarder.models import BackfillState
from forwarder.settings import Settings

WATCH_EVERY = 1.0
BY_ITSELF = "It goes on by itself; `manage.py backfill {mapping}` shows how far it is, --pause, --resume and --stop it."


class MomentOrId(Moment):
    """A time, or the id of a post."""

    name = "TIME|ID"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        if isinstance(value, str) and value.isdecimal() and 0 < len(value) < 11:
            return int(value)
        return super().convert(value, param, ctx)


@click.command()
@click.argument("mapping", type=int)
@click.option(
    "--last", type=click.IntRange(1), help="The newest so many messages; an album counts as its parts."
)
@click.option("--since", type=Moment(), help="From then on: 2026-11-25, “2026-11-25 14:00”, 90m, 6h or 3d.")
@click.option("--from-id", type=click.IntRange(1), help="From the post with this id on.")
@click.option("--all", "everything", is_flag=True, help="From the first post on.")
@click.option("--until", type=MomentOrId(), help="Up to this time or id [where the mapping began].")
@click.option("--dry-run", is_flag=True, help="Say what would be brought, and queue nothing.")
@click.option("--detach", is_flag=True, help="Begin, and do not wait for the end.")
@click.option("--pause", "act", flag_value="pause", help="Hold a backfill that runs.")
@click.option("--resume", "act", flag_value="resume", help="Go on with one that is paused.")
@click.option("--stop", "act", flag_value="stop", help="End it; what was sent stays.")
def backfill(
    mapping: int,
    last: int | None,
    since: datetime | None,
    from_id: int | None,
    everything: bool,
    until: datetime | int | None,
    dry_run: bool,
    detach: bool,
    act: str | None,
) -> None:
    """Bring older posts of MAPPING's source, oldest first and behind all live ones; nothing is sent twice.

    It needs an account that can read them: `manage.py run` or `manage.py worker --user` must be running. Without a
    range it shows the backfill that is under way.

    \b
    Examples:
      manage.py backfill 4 --last 100
      manage.py backfill 4 --since 2026-01-01 --until 2026-02-01 --dry-run
      manage.py backfill 4 --pause
    """
    starts = [last is not None, since is not None, from_id is not None, everything]
    if sum(starts) > 1:
        raise click.UsageError("Choose one of --last, --since, --from-id and --all.")
    settings = tool_settings()
    if act is not None:
        click.echo(line(with_database(settings, lambda db: acted(db, mapping, act))))
        return
    wish = None
    if any(starts) or until is not None:
        by_id = until if isinstance(until, int) else None
        wish = Wish(last, since, from_id, until if by_id is None else None, by_id)  # type: ignore[arg-type]
    if dry_run and wish is None:
        raise click.UsageError("Say what to look at: --last, --since, --from-id, --all or --until.")
    if wish is not None and dry_run:
        plan = with_database(settings, lambda db: service(settings, db).plan(mapping, wish))
        click.echo(f"{planned(plan)} Nothing was queued.")
        return

    async def work(db: Database) -> BackfillView:
        run = await begun(service(settings, db), mapping, wish)
        return run if detach else await watched(service(settings, db), run)

    try:
        view = with_database(settings, work)
    except KeyboardInterrupt:
        click.echo(BY_ITSELF.format(mapping=mapping), err=True)
        raise
    click.echo(line(view))
    if view.ended_at is None:
        click.echo(BY_ITSELF.format(mapping=mapping), err=True)


def service(settings: Settings, db: Database) -> BackfillService:
    from forwarder.account_desk import AccountDesk

    return BackfillService(db, AccountDesk(db) if settings.has_user else None)


async def acted(db: Database, mapping: int, act: str) -> BackfillView:
    """Pause, resume or stop the mapping's run."""
    runs = BackfillService(db, None)
    run = await running(runs, mapping)
    return await {"pause": runs.pause, "resume": runs.resume, "stop": runs.stop}[act](run.id)


async def running(runs: BackfillService, mapping: int) -> BackfillView:
    run = await runs.newest(mapping)
    if run is None or run.ended_at is not None:
        raise InvalidRequest(
            "no_backfill",
            f"No backfill of mapping {mapping} is under way. Begin one with --last, --since, --from-id or --all.",
            mapping=mapping,
        )
    return run


async def begun(runs: BackfillService, mapping: int, wish: Wish | None) -> BackfillView:
    if wish is None:
        return await running(runs, mapping)
    plan = await runs.plan(mapping, wish)
    click.echo(planned(plan), err=True)
    return await runs.start(mapping, plan.span)


async def watched(runs: BackfillService, run: BackfillView) -> BackfillView:
    """Show how far it is until it ends or is paused; answer how it stands then."""
    columns = (
        TextColumn("[progress.description]{task.description}"),
        BarColumn(),
        TextColumn("{task.fields[numbers]}"),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(f"Backfill {run.id}", total=None, numbers="")
        while run.state is BackfillState.RUNNING:
            bar.update(
                task, total=max(1, run.expected), completed=run.done, numbers=numbers(run), refresh=True
            )
            await asyncio.sleep(WATCH_EVERY)
            run = await runs.get(run.id)
    return run


def numbers(run: BackfillView) -> str:
    """Done, total, rate and time left; and why nothing moves."""
    told = f"{run.done:,} of {run.expected:,}"
    if run.rate:
        told += f", {run.rate:.0f} a minute"
    if (left := run.seconds_left) is not None:
        told += f", {duration(left)} left"
    if run.waits_for_mapping:
        told += "; the mapping is paused"
    elif run.reason:
        told += f"; {run.reason.replace('_', ' ')}"
    return told


def duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s" if minutes else f"{rest} s"


def planned(plan: Plan) -> str:
    mapping, span = plan.mapping, plan.span
    return (
        f"Mapping {mapping.id} ({called(mapping.source)} -> {called(mapping.destination)}): "
        f"at most {span.total:,} messages, ids {span.first} to {span.last}."
    )


def line(run: BackfillView) -> str:
    """How a run stands, as one sentence."""
    state = {
        BackfillState.RUNNING: "is running",
        BackfillState.PAUSED: "is paused",
        BackfillState.STOPPED: "was stopped",
        BackfillState.DONE: "is done",
    }[run.state]
    why = f" ({run.reason.replace('_', ' ')})" if run.reason not in (None, "paused", "stopped") else ""
    return (
        f"Backfill {run.id} of mapping {run.mapping.id} {state}{why}: {run.done:,} of {run.expected:,} posts, "
        f"{run.passed:,} messages passed over."
    )
