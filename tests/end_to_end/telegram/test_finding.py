"""Copies of unknown fate are found although their posts were edited or deleted meanwhile."""

from __future__ import annotations

from dataclasses import replace

import pytest

from forwarder.errors import AccountNotReady
from forwarder.message import FindOrder, Heard, Kind, Mode, Remembered, SendOrder
from forwarder.sandbox.world import Content, Edit
from forwarder.telegram.bot_sender import BotSender
from forwarder.telegram.finder import MtprotoFinder
from forwarder.telegram.peers import Peers
from forwarder.telegram.telethon_values import to_source
from forwarder.telegram.under_ids import fetch_raw

from .conftest import Town


def send_order(town: Town, number: int) -> SendOrder:
    return SendOrder(town.source, (number,), town.target, Mode.COPY, (1000,))


@pytest.mark.parametrize("photo", [False, True])
async def test_a_copy_of_a_deleted_post_is_found_by_what_is_remembered(town: Town, photo: bool) -> None:
    number = town.post(Content("hello", media=town.world.add_photo(b"one") if photo else None))
    before = town.post("noise before", town.target)
    async with town.bot() as bot, town.client("reader", town.user) as client:
        peer = await Peers(client).input_peer(town.source)
        heard = to_source((await fetch_raw(client, peer, town.source, [number]))[0], Heard.PUSH)
        town.post("noise after", town.target)
        sent = await BotSender(bot, 2).send(send_order(town, number))
        town.world.delete(town.owner, town.source, [number])
        finder = MtprotoFinder(client)
        wanted = FindOrder(town.source, (number,), town.target, Mode.COPY, after_id=before)
        with pytest.raises(AccountNotReady, match="deleted"):
            await finder.find(wanted)
        remembered = Remembered(number, heard.kind, ("an edit", heard.text), heard.media_id)
        assert await finder.find(replace(wanted, remembered=(remembered,))) == sent


async def test_a_copy_of_what_a_post_said_before_its_edit_is_not_taken_for_absent(town: Town) -> None:
    number = town.post("as it was sent")
    before = town.post("noise before", town.target)
    async with town.bot() as bot, town.client("reader", town.user) as client:
        sent = await BotSender(bot, 2).send(send_order(town, number))
        town.world.edit(town.owner, town.source, number, Edit("newer"))
        finder = MtprotoFinder(client)
        wanted = FindOrder(town.source, (number,), town.target, Mode.COPY, after_id=before)
        with pytest.raises(AccountNotReady, match="edited"):
            await finder.find(wanted)
        remembered = Remembered(number, Kind.TEXT, ("newer", "as it was sent"))
        assert await finder.find(replace(wanted, remembered=(remembered,))) == sent
