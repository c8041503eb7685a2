"""``channel``: the chats that are sources and destinations."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import click

from forwarder.cli.ground import tool_settings, with_database
from forwarder.cli.ids import ChatReference
from forwarder.cli.show import table
from forwarder.db import Database
from forwarder.message import AccountKind, Topic
from forwarder.services.channels import ChannelService
from forwarder.services.groups import GroupService
from forwarder.services.topics import no_forum
from forwarder.services.values import ChannelView, Rights
from forwarder.settings import Settings

PAGE = 500


@asynccontextmanager
async def channel_service(settings: Settings, db: Database) -> AsyncIterator[ChannelService]:
    """The service with those of our accounts that can be asked: the bot directly, the user by its worker."""
    from forwarder.account_desk import AccountDesk
    from forwarder.telegram.bot_directory import BotDirectory
    from forwarder.telegram.bot_sender import make_bot

    user = AccountDesk(db) if settings.has_user else None
    if settings.bot_token is None:
        yield ChannelService(db, None, user)
        return
    bot = make_bot(settings.bot_token.get_secret_value(), settings.telegram_bot_api_url, connections=2)
    try:
        yield ChannelService(db, BotDirectory(bot), user)
    finally:
        await bot.shutdown()


@click.group()
def channel() -> None:
    """Sources and destinations."""


@channel.command(cls=ChatReference)
@click.argument("reference", metavar="REF")
@click.option("--source", is_flag=True, help="Posts come from here.")
@click.option("--destination", is_flag=True, help="Posts go here.")
def add(reference: str, source: bool, destination: bool) -> None:
    """Add the chat REF: @name, a t.me link, an invite link, or an id such as -1001234567890."""
    if not (source or destination):
        raise click.UsageError("Say what the chat is to be: --source, --destination, or both.")
    settings = tool_settings()

    async def work(db: Database) -> ChannelView:
        async with channel_service(settings, db) as channels:
            return await channels.add(reference, as_source=source, as_destination=destination)

    added = with_database(settings, work)
    sides = " and a ".join(
        name for name, on in (("source", added.is_source), ("destination", added.is_destination)) if on
    )
    click.echo(f"{added.title} is a {sides} now: channel {added.id}.")
    for kind, name in ((AccountKind.BOT, "The bot"), (AccountKind.USER, "The user account")):
        click.echo(f"  {name} {_may(added.rights(kind))}.")
    if settings.has_user and added.rights(AccountKind.USER) is None:
        click.echo(
            "  The user account did not answer: log in with `manage.py login`, start `manage.py run` or "
            "`manage.py worker --user`, and add the channel again.",
            err=True,
        )


@channel.command("list")
@click.option("--side", type=click.Choice(["source", "destination"]), help="Only these.")
@click.option("--query", default="", help="Only those with this in their title or name.")
def list_(side: str | None, query: str) -> None:
    """All channels, with what each account may do there."""

    async def work(db: Database) -> list[ChannelView]:
        channels, found, page, pages = ChannelService(db, None, None), list[ChannelView](), 0, 1
        while page < pages:
            part = await channels.list(page, PAGE, side, query)
            found, page, pages = found + list(part.items), page + 1, part.pages
        return found

    table(
        ("id", "title", "name", "kind", "side", "bot", "user", "mappings", "group", "health"),
        [_row(view) for view in with_database(tool_settings(), work)],
        empty="No channels here yet: add one with `manage.py channel add`, or in the control bot.",
    )


@channel.command(cls=ChatReference)
@click.argument("reference", metavar="REF")
def topics(reference: str) -> None:
    """The topics of the forum REF (its number here, @name or id), for `manage.py mapping add`.

    The user account lists them all; the bot alone knows those that it has heard posts in.
    """
    settings = tool_settings()

    async def work(db: Database) -> tuple[Topic, ...]:
        async with channel_service(settings, db) as channels:
            found = await channels.get(reference)
            if not found.forum:
                found = await channels.check(found.id)
            if not found.forum:
                raise no_forum(found.title)
            return await channels.topics(found.id)

    table(
        ("topic", "title", "state"),
        [
            (one.id, one.title or "?", "closed" if one.closed else "open")
            for one in with_database(settings, work)
        ],
        empty="No topics are known yet: they show when posts have been heard, or when the user account answers.",
    )


@channel.command(cls=ChatReference)
@click.argument("reference", metavar="REF")
@click.argument("name", required=False)
@click.option("--none", is_flag=True, help="Into no group.")
def group(reference: str, name: str | None, none: bool) -> None:
    """Put the destination REF into the group NAME: posts that are the same go to one destination of a group only.

    A group is made by its first destination and ends with its last. See `manage.py channel list`.

    \b
    Examples:
      manage.py channel group @one papers
      manage.py channel group @one --none
    """
    if (name is not None) == none:
        raise click.UsageError("Say the group's NAME, or --none.")

    async def work(db: Database) -> str:
        found = await ChannelService(db, None, None).get(reference)
        groups = GroupService(db)
        if name is not None:
            return f"{found.title} is in the group “{await groups.join(found.id, name)}” now."
        left = await groups.leave(found.id)
        return f"{found.title} is in no group now." if left else f"{found.title} is in no group."

    click.echo(with_database(tool_settings(), work))


@channel.command(cls=ChatReference)
@click.argument("reference", metavar="REF")
@click.option("--side", type=click.Choice(["source", "destination"]), help="Forget only this side of it.")
def remove(reference: str, side: str | None) -> None:
    """Forget the channel REF (its number here, @name or id). Refused while mappings use it."""

    async def work(db: Database) -> str:
        channels = ChannelService(db, None, None)
        found = await channels.get(reference)
        await channels.remove(found.id, side=side)
        return found.title

    click.echo(f"{with_database(tool_settings(), work)} is forgotten{f' as a {side}' if side else ''}.")


def _row(view: ChannelView) -> tuple[object, ...]:
    sides = "+".join(s for s, on in (("source", view.is_source), ("destination", view.is_destination)) if on)
    name = f"@{view.username}" if view.username else view.telegram_id
    mappings = f"{view.mappings_from} out, {view.mappings_to} in"
    bot, user = (_short(view.rights(kind)) for kind in (AccountKind.BOT, AccountKind.USER))
    return (
        view.id,
        view.title,
        name,
        view.kind,
        sides,
        bot,
        user,
        mappings,
        view.group or "",
        view.health or "good",
    )


def _may(rights: Rights | None) -> str:
    if rights is None:
        return "was not asked"
    what = [
        word
        for word, on in (
            ("read", rights.may_read),
            ("post", rights.may_post),
            ("edit", rights.may_edit),
            ("delete", rights.may_delete),
        )
        if on
    ]
    return "may " + ", ".join(what) + " there" if what else "is not in it"


def _short(rights: Rights | None) -> str:
    if rights is None:
        return "?"
    marks = zip("rped", (rights.may_read, rights.may_post, rights.may_edit, rights.may_delete), strict=True)
    return "".join(letter if on else "-" for letter, on in marks)
