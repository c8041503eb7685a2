"""``list``: sources and destinations that belong together, with one set of rules."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence

import click

from forwarder.cli.ground import tool_settings, with_database
from forwarder.cli.ids import ChatReference
from forwarder.cli.show import table
from forwarder.cli.why import called
from forwarder.db import Database
from forwarder.services.channels import ChannelService
from forwarder.services.lists import SIDES, ListService, ListView
from forwarder.services.values import ChannelName

Change = Callable[[ListService, int], Awaitable[ListView]]


@click.group("list")
def list_() -> None:
    """Lists: sources and destinations that belong together, with one set of rules.

    A mapping belongs to each list that has its source among the sources and its destination among the destinations; it
    goes by the rules of its lists before its own. Rules of a list: `manage.py rule add list:NUMBER`. LIST is a list's
    number or name.
    """


@list_.command()
@click.argument("name")
def add(name: str) -> None:
    """Make a list called NAME.

    \b
    Examples:
      manage.py list add papers
      manage.py list add "City news"
    """
    made = with_database(tool_settings(), lambda db: ListService(db).add(name))
    click.echo(f"List {made.id}: {made.name}. Fill it with `manage.py list put {made.id}`.")


@list_.command("list")
def show_all() -> None:
    """All lists with what is in them.

    \b
    Example:
      manage.py list list
    """
    found = with_database(tool_settings(), lambda db: ListService(db).list())
    table(
        ("id", "name", "folder", "sources", "destinations", "mappings", "rules", "revision"),
        [
            (
                one.id, one.name, one.folder, len(one.sources), len(one.destinations), len(one.mappings),
                one.rules, one.revision,
            )
            for one in found
        ],
        empty="No lists here yet: make one with `manage.py list add`.",
    )  # fmt: skip


@list_.command()
@click.argument("list_name", metavar="LIST")
def show(list_name: str) -> None:
    """The channels, mappings and rules of LIST, and the pairs that have no mapping yet.

    \b
    Examples:
      manage.py list show 2
      manage.py list show papers
    """
    found = with_database(tool_settings(), lambda db: ListService(db).get(list_name))
    for line in lines(found):
        click.echo(line)


@list_.command()
@click.argument("list_name", metavar="LIST")
@click.argument("name")
def rename(list_name: str, name: str) -> None:
    """Call LIST by another NAME.

    \b
    Example:
      manage.py list rename papers "Morning papers"
    """
    renamed = _changed(list_name, lambda lists, number: lists.rename(number, name))
    click.echo(f"List {renamed.id} is called “{renamed.name}” now.")


@list_.command()
@click.argument("list_name", metavar="LIST")
@click.option("--yes", is_flag=True, help="Do not ask.")
def remove(list_name: str, yes: bool) -> None:
    """Forget LIST with its rules. Its channels and mappings stay, and go by their own rules alone.

    \b
    Examples:
      manage.py list remove papers
      manage.py list remove 2 --yes
    """
    settings = tool_settings()

    async def work(db: Database) -> ListView:
        lists = ListService(db)
        found = await lists.get(list_name)
        if not yes:
            click.confirm(
                f"Forget the list “{found.name}”? Its rules ({found.rules}) will no longer hold for its "
                f"mappings ({len(found.mappings)})",
                abort=True,
            )
        return await lists.remove(found.id)

    gone = with_database(settings, work)
    click.echo(f"The list “{gone.name}” is forgotten; its mappings stay: {len(gone.mappings)}.")


@list_.command(cls=ChatReference)
@click.argument("list_name", metavar="LIST")
@click.argument("channels", metavar="REF...", nargs=-1, required=True)
@click.option("--source", is_flag=True, help="As sources.")
@click.option("--destination", is_flag=True, help="As destinations.")
def put(list_name: str, channels: tuple[str, ...], source: bool, destination: bool) -> None:
    """Put channels into LIST. REF is a channel of `manage.py channel list`: its number, @name or id.

    Mappings from a source of the list to a destination of it go by the list's rules from now on, and those that are
    made later do. No mapping is made: `manage.py list show` names the pairs that have none.

    \b
    Examples:
      manage.py list put papers @one @two --source
      manage.py list put papers -1001234567890 --destination
    """
    sides = _sides(source, destination)
    if not sides:
        raise click.UsageError("Say what the channels are in the list: --source, --destination, or both.")
    changed = _moved(list_name, channels, lambda lists, number, ids: lists.put(number, ids, sides))
    _tell(changed)


@list_.command(cls=ChatReference)
@click.argument("list_name", metavar="LIST")
@click.argument("channels", metavar="REF...", nargs=-1, required=True)
@click.option("--source", is_flag=True, help="Only as sources.")
@click.option("--destination", is_flag=True, help="Only as destinations.")
def take(list_name: str, channels: tuple[str, ...], source: bool, destination: bool) -> None:
    """Take channels out of LIST. Their mappings stay, and go by the list's rules no longer.

    \b
    Examples:
      manage.py list take papers @two
      manage.py list take papers @one --destination
    """
    sides = _sides(source, destination) or SIDES
    changed = _moved(list_name, channels, lambda lists, number, ids: lists.take(number, ids, sides))
    _tell(changed)


def lines(one: ListView) -> list[str]:
    """A list as lines of text."""
    told = [f"List {one.id}: {one.name}" + (f", in the folder {one.folder}" if one.folder else "")]
    told += [
        f"  sources: {_named(one.sources)}",
        f"  destinations: {_named(one.destinations)}",
        f"  mappings: {', '.join(map(str, one.mappings)) or 'none'}",
        f"  rules: {one.rules}, revision {one.revision}; see `manage.py rule list list:{one.id}`",
    ]
    told += [
        f"  no mapping yet: {called(begins)} -> {called(ends)}; "
        f"make it with `manage.py mapping add {begins.id} {ends.id}`"
        for begins, ends in one.missing
    ]
    return told


def _named(channels: Sequence[ChannelName]) -> str:
    return ", ".join(called(one) for one in channels) or "none"


def _sides(source: bool, destination: bool) -> tuple[str, ...]:
    return tuple(side for side, wanted in zip(SIDES, (source, destination), strict=True) if wanted)


def _changed(list_name: str, change: Change) -> ListView:
    async def work(db: Database) -> ListView:
        lists = ListService(db)
        return await change(lists, (await lists.get(list_name)).id)

    return with_database(tool_settings(), work)


def _moved(
    list_name: str,
    references: Sequence[str],
    move: Callable[[ListService, int, list[int]], Awaitable[ListView]],
) -> ListView:
    async def work(db: Database) -> ListView:
        lists, channels = ListService(db), ChannelService(db, None, None)
        number = (await lists.get(list_name)).id
        ids = [(await channels.get(one)).id for one in references]
        return await move(lists, number, ids)

    return with_database(tool_settings(), work)


def _tell(one: ListView) -> None:
    click.echo(
        f"List {one.id}, {one.name}: sources {len(one.sources)}, destinations {len(one.destinations)}, "
        f"mappings {len(one.mappings)}, rules {one.rules}."
    )
    if one.missing:
        click.echo(
            f"Pairs without a mapping: {len(one.missing)}; see `manage.py list show {one.id}`.", err=True
        )
