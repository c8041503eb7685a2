"""The group of a destination: which it is in, into another, into a new one, or out of it."""

from __future__ import annotations

from forwarder.bot.cb import Press, Side
from forwarder.bot.dialog import Grouping
from forwarder.bot.group_presses import CloseGroup, JoinGroup, OpenGroup
from forwarder.bot.keyboards import rows
from forwarder.bot.screens import channels
from forwarder.bot.texts import Html, Texts, shortened
from forwarder.bot.visit import Screen, Visit
from forwarder.services.groups import Group

SHOWN = 20
SHOWN_DESTINATIONS = 5
LONGEST_TITLE = 40


async def open_group(visit: Visit, press: OpenGroup) -> None:
    visit.must_change()
    channel = await visit.services.channels.get(press.channel_id)
    groups = await visit.services.groups.list()
    await visit.remember(Grouping(channel.id, press.page))
    texts = visit.texts
    choices: list[list[tuple[str, Press]]] = [
        [
            (
                ("✓ " if one.name == channel.group else "") + one.name,
                JoinGroup(channel.id, one.id, press.page),
            )
        ]
        for one in groups[:SHOWN]
    ]
    await visit.show(
        Screen(
            texts.lines(
                texts("group", title=channel.title),
                *(member_line(texts, one) for one in groups[:SHOWN]),
            ),
            rows(
                *choices,
                [(texts.plain("button.group.none"), JoinGroup(channel.id, 0, press.page))]
                if channel.group
                else None,
                [(texts.plain("button.back"), CloseGroup(channel.id, press.page))],
            ),
        )
    )


async def join(visit: Visit, press: JoinGroup) -> None:
    visit.must_change()
    name = next((one.name for one in await visit.services.groups.list() if one.id == press.group_id), None)
    if press.group_id and name is None:
        visit.alert(visit.texts.plain("stale"), loud=True)
        await open_group(visit, OpenGroup(press.channel_id, press.page))
        return
    if name is None:
        await visit.services.groups.leave(press.channel_id, actor=visit.actor)
        visit.alert(visit.texts.plain("group.left"))
    else:
        await visit.services.groups.join(press.channel_id, name, actor=visit.actor)
        visit.alert(visit.texts.plain("group.joined", name=name))
    await close(visit, CloseGroup(press.channel_id, press.page))


async def close(visit: Visit, press: CloseGroup) -> None:
    await visit.remember(None)
    channel = await visit.services.channels.get(press.channel_id)
    await visit.show(channels.card(visit, channel, Side.DESTINATION, press.page))


async def by_text(visit: Visit, dialog: Grouping) -> None:
    """The name of a group, a new one or one that is there."""
    visit.must_change()
    name = await visit.services.groups.join(dialog.channel_id, visit.text, actor=visit.actor)
    await visit.remember(None)
    await visit.say(visit.texts("group.joined", name=name))
    channel = await visit.services.channels.get(dialog.channel_id)
    screen = channels.card(visit, channel, Side.DESTINATION, dialog.page)
    await visit.say(screen.text, screen.keyboard)


def member_line(texts: Texts, group: Group) -> Html:
    titles = [shortened(one.title, LONGEST_TITLE) for one in group.destinations[:SHOWN_DESTINATIONS]]
    if more := len(group.destinations) - len(titles):
        titles.append(texts.plain("new.more", n=more))
    return texts("group.member", name=group.name, destinations=", ".join(titles))
