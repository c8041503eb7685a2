"""``mapping``: whose posts travel to whom."""

from __future__ import annotations

import sys
from dataclasses import replace

import click

from forwarder.cli.channels import channel_service
from forwarder.cli.ground import tool_settings, with_database
from forwarder.cli.ids import ChatReference
from forwarder.cli.late import answer_outage, set_
from forwarder.cli.show import table
from forwarder.cli.why import called
from forwarder.db import Database
from forwarder.message import Mode, Route
from forwarder.models import Dedup, MappingState, WhenUnsure
from forwarder.references import parse_place
from forwarder.services.channels import ChannelService
from forwarder.services.lag import Backlog
from forwarder.services.late import LateService
from forwarder.services.mappings import DEFAULTS, MappingService
from forwarder.services.tempo import TempoService, TooFast
from forwarder.services.values import ChannelName, ChannelView, MappingCounts, MappingView

PAGE = 200


@click.group()
def mapping() -> None:
    """Mappings: one source to one destination each."""


mapping.add_command(answer_outage)
mapping.add_command(set_)


@mapping.command(cls=ChatReference)
@click.argument("source", metavar="SOURCE[/TOPIC]")
@click.argument("destination", metavar="DESTINATION[/TOPIC]")
@click.option("--mode", type=click.Choice([m.value for m in Mode]), default="forward", show_default=True,
              help="forward keeps the author, copy hides it.")  # fmt: skip
@click.option("--route", type=click.Choice([r.value for r in Route]), default="auto", show_default=True,
              help="Who sends; auto is the bot where it can, else the user account.")  # fmt: skip
@click.option("--dedup", type=click.Choice([d.value for d in Dedup]), default=DEFAULTS.dedup.value,
              show_default=True, help="Whether what the destination has already is sent again.")  # fmt: skip
@click.option("--when-unsure", type=click.Choice([w.value for w in WhenUnsure]),
              default=DEFAULTS.when_unsure.value, show_default=True,
              help="What to do where nobody can see whether a send arrived.")  # fmt: skip
@click.option("--important", is_flag=True, help="Its live posts go before those of others.")
@click.option("--silent", is_flag=True, help="Copies make no sound.")
@click.option("--no-copy-fallback", is_flag=True, help="Never copy where forwarding is refused.")
@click.option("--no-edits", is_flag=True, help="Leave copies as they are when the source is edited.")
@click.option("--no-deletions", is_flag=True, help="Leave copies where the source is deleted.")
def add(
    source: str,
    destination: str,
    mode: str,
    route: str,
    dedup: str,
    when_unsure: str,
    important: bool,
    silent: bool,
    no_copy_fallback: bool,
    no_edits: bool,
    no_deletions: bool,
) -> None:
    """Let posts travel from SOURCE to DESTINATION from now on.

    Both are channels of `manage.py channel list`: by number, @name or id. In a forum a TOPIC may follow (see
    `manage.py channel topics`), or give a link of the topic; without one, all topics are a source, and General is
    a destination.
    """
    from forwarder.account_desk import AccountDesk

    settings = tool_settings()
    chosen = replace(
        DEFAULTS,
        dedup=Dedup(dedup),
        when_unsure=WhenUnsure(when_unsure),
        important=important,
        silent=silent,
        copy_fallback=not no_copy_fallback,
        edit_sync=not no_edits,
        delete_sync=not no_deletions,
    )

    async def work(db: Database) -> tuple[MappingView, TooFast | None]:
        async with channel_service(settings, db) as channels:
            begins, source_topic = await _place(channels, source)
            ends, destination_topic = await _place(channels, destination)
            created = await MappingService(db).create(
                begins.id,
                ends.id,
                mode=Mode(mode),
                route=Route(route),
                start_after=await channels.start_id(begins.id),
                source_topic=source_topic,
                destination_topic=destination_topic,
                settings=chosen,
            )
            reader = AccountDesk(db) if settings.has_user else None
            return created, await TempoService(db, reader).too_fast(begins.id, ends.id)

    made, too_fast = with_database(settings, work)
    click.echo(
        f"Mapping {made.id}: {_at(made.source, made.source_topic)} -> "
        f"{_at(made.destination, made.destination_topic)}, "
        f"{made.mode} by the {made.lane_route}."
    )
    if too_fast is not None:
        click.echo(
            f"{too_fast.source} posts about {too_fast.hour} times an hour; {too_fast.destination} may receive "
            f"{too_fast.limit}. Posts will come late: see `manage.py mapping set {made.id} --lag`.",
            err=True,
        )


@mapping.command("list")
@click.option("--state", type=click.Choice([s.value for s in MappingState]), help="[all but disabled]")
@click.option("--query", default="", help="Only those with this in a channel's title or name.")
def list_(state: str | None, query: str) -> None:
    """All mappings with their counts; `in an hour` is how many more wait than an hour ago."""
    wanted = MappingState(state) if state else None

    async def work(db: Database) -> list[tuple[object, ...]]:
        mappings, late, found, page, pages = (
            MappingService(db),
            LateService(db),
            list[tuple[object, ...]](),
            0,
            1,
        )
        while page < pages:
            part = await mappings.list(page, PAGE, state=wanted, query=query)
            behind = await late.backlogs([view.id for view in part.items])
            found += [_row(view, await mappings.counts(view.id), behind[view.id]) for view in part.items]
            page, pages = page + 1, part.pages
        return found

    table(
        ("id", "from", "to", "mode", "route", "state", "sent", "waiting", "in an hour", "held", "failed"),
        with_database(tool_settings(), work),
        empty="No mappings here yet: make one with `manage.py mapping add`, or in the control bot.",
    )


@mapping.command()
@click.argument("number", type=int)
def pause(number: int) -> None:
    """Hold the posts of mapping NUMBER until it is resumed."""
    paused = with_database(tool_settings(), lambda db: MappingService(db).pause(number))
    click.echo(f"Mapping {number} ({_pair(paused)}) is paused; its posts are held.")


@mapping.command()
@click.argument("number", type=int)
@click.option("--send/--skip", "send", default=None, help="What was held meanwhile: send it, or skip it.")
def resume(number: int, send: bool | None) -> None:
    """Let the posts of mapping NUMBER travel again."""

    settings = tool_settings()

    async def work(db: Database) -> MappingView:
        mappings = MappingService(db)
        decided = _decided(send, (await mappings.counts(number)).paused)
        async with channel_service(settings, db) as channels:
            await channels.look_again(await mappings.get(number))
        return await mappings.resume(number, send=decided)

    resumed = with_database(settings, work)
    click.echo(f"Mapping {number} ({_pair(resumed)}) is active.")


@mapping.command()
@click.argument("number", type=int)
@click.option("--yes", is_flag=True, help="Do not ask.")
def disable(number: int, yes: bool) -> None:
    """End mapping NUMBER; what waits or is held is withdrawn."""
    if not yes:
        click.confirm(f"End mapping {number}? What waits or is held will not be sent", abort=True)
    ended = with_database(tool_settings(), lambda db: MappingService(db).disable(number))
    click.echo(f"Mapping {number} ({_pair(ended)}) is disabled.")


def _decided(send: bool | None, held: int) -> bool:
    if send is not None or not held:
        return bool(send)
    if not sys.stdin.isatty():
        raise click.UsageError(f"{held} posts are held: say --send or --skip.")
    return click.confirm(f"{held} posts were held meanwhile. Send them now", default=True)


async def _place(channels: ChannelService, named: str) -> tuple[ChannelView, int]:
    """The channel and the topic that an argument names; a topic that is known not to exist is refused."""
    place = parse_place(named)
    channel = await channels.get(place.chat)
    return channel, (await channels.topic(channel.id, place.topic)).id if place.topic else 0


def _at(channel: ChannelName, topic: int) -> str:
    return f"{called(channel)} topic {topic}" if topic else called(channel)


def _pair(view: MappingView) -> str:
    return f"{view.source.title} -> {view.destination.title}"


def _row(view: MappingView, counts: MappingCounts, behind: Backlog) -> tuple[object, ...]:
    state = f"{view.state} ({view.reason.replace('_', ' ')})" if view.reason else view.state
    return (
        view.id, _at(view.source, view.source_topic), _at(view.destination, view.destination_topic), view.mode,
        view.lane_route if view.route is Route.AUTO else view.route,
        state, counts.sent, counts.waiting, f"{behind.growth:+}" if behind.growth else "",
        counts.held, counts.failed + counts.unsure,
    )  # fmt: skip
