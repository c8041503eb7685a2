"""Lists of sources and destinations, and the card of one channel."""

from __future__ import annotations

from forwarder.bot.cb import (
    AddChannel,
    CheckChannel,
    NewMapping,
    OpenChannel,
    OpenChannels,
    OpenMappings,
    OpenMenu,
    RemoveChannel,
    Side,
)
from forwarder.bot.group_presses import OpenGroup
from forwarder.bot.keyboards import listed, pager, rows
from forwarder.bot.texts import Html, Texts
from forwarder.bot.visit import Screen, Visit
from forwarder.message import AccountKind
from forwarder.services.values import ChannelView, Rights

PAGE = 8


async def open_channels(visit: Visit, press: OpenChannels) -> None:
    texts, side = visit.texts, press.side
    found = await visit.services.channels.list(press.page, PAGE, side)
    title = f"channels.{side}" if found.total else f"channels.{side}.none"
    await visit.show(
        Screen(
            texts(title, total=found.total),
            rows(
                *listed(found, label, lambda channel: OpenChannel(channel.id, side, found.page)),
                pager(found.page, found.pages, lambda page: OpenChannels(side, page)),
                [(texts.plain(f"button.add.{side}"), AddChannel(side))] if visit.person.may_change else None,
                [(texts.plain("button.menu"), OpenMenu())],
            ),
        )
    )


def label(channel: ChannelView) -> str:
    mark = "⚠️ " if channel.health else ""
    return f"{mark}{channel.title}" + (f" @{channel.username}" if channel.username else "")


async def open_channel(visit: Visit, press: OpenChannel) -> None:
    channel = await visit.services.channels.get(press.channel_id)
    await visit.show(card(visit, channel, press.side, press.page))


async def check_channel(visit: Visit, press: CheckChannel) -> None:
    channel = await visit.services.channels.check(press.channel_id)
    await visit.services.mappings.refresh_routes(channel.id)
    visit.alert(visit.texts.plain("channel.checked"))
    await visit.show(card(visit, channel, press.side, press.page))


async def remove_channel(visit: Visit, press: RemoveChannel) -> None:
    visit.must_change()
    texts, side = visit.texts, press.side
    channel = await visit.services.channels.get(press.channel_id)
    if press.sure:
        await visit.services.channels.remove(channel.id, side=side, actor=visit.actor)
        visit.alert(texts.plain("channel.removed"))
        await open_channels(visit, OpenChannels(side, press.page))
        return
    sure = RemoveChannel(channel.id, side, press.page, sure=True)
    await visit.show(
        Screen(
            texts(f"channel.remove.{side}", title=channel.title),
            rows(
                [(texts.plain("button.remove_sure"), sure)],
                [(texts.plain("button.back"), OpenChannel(channel.id, side, press.page))],
            ),
        )
    )


def card(visit: Visit, channel: ChannelView, side: Side, page: int = 0) -> Screen:
    texts = visit.texts
    change = visit.person.may_change
    return Screen(
        card_text(texts, channel),
        rows(
            [
                (texts.plain("button.check"), CheckChannel(channel.id, side, page)),
                (texts.plain("button.channel_mappings"), OpenMappings(0, channel.id)),
            ],
            [(texts.plain("button.new_mapping"), NewMapping(channel.id))]
            if change and channel.is_source
            else None,
            [(texts.plain("button.group"), OpenGroup(channel.id, page))]
            if change and side is Side.DESTINATION
            else None,
            [(texts.plain("button.remove"), RemoveChannel(channel.id, side, page))] if change else None,
            [
                (texts.plain("button.back"), OpenChannels(side, page)),
                (texts.plain("button.menu"), OpenMenu()),
            ],
        ),
    )


def card_text(texts: Texts, channel: ChannelView) -> Html:
    sides = {(True, True): "both", (True, False): "source", (False, True): "destination"}
    used_as = sides.get((channel.is_source, channel.is_destination), "none")
    name = texts("channel.title", title=channel.title)
    if channel.username:
        name = Html(f"{name} @{channel.username}")
    return texts.lines(
        name,
        texts(f"channel.kind.{channel.kind}") + ", " + texts(f"channel.side.{used_as}"),
        "",
        *(
            texts(f"channel.rights.{kind}", rights=rights_text(texts, channel.rights(kind)))
            for kind in AccountKind
        ),
        texts(f"channel.listener.{channel.listener}") if channel.is_source and channel.listener else None,
        texts("channel.protected") if channel.protected else None,
        texts("channel.slow_mode", seconds=channel.slow_mode) if channel.slow_mode else None,
        texts("channel.mappings", outgoing=channel.mappings_from, incoming=channel.mappings_to),
        texts("channel.group", name=channel.group) if channel.group else None,
        "",
        texts(f"channel.health.{channel.health or 'ok'}"),
    )


def rights_text(texts: Texts, rights: Rights | None) -> str:
    if rights is None:
        return texts.plain("channel.rights.unchecked")
    can = (
        ("right.read", rights.may_read),
        ("right.post", rights.may_post),
        ("right.edit", rights.may_edit),
        ("right.delete", rights.may_delete),
    )
    return ", ".join(texts.plain(key) for key, yes in can if yes) or texts.plain("channel.rights.none")
