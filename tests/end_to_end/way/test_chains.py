"""A destination that is a source, too: what our own bot brings there travels on, though the bot does not hear it."""

from __future__ import annotations

from itertools import pairwise

from forwarder.message import Mode, Route

from .conftest import Town, eventually


async def test_a_chain_on_the_bot_route_carries_texts_and_albums_on_whole_and_in_order(town: Town) -> None:
    first = town.channel("A", user=False)
    chains = {
        mode: [first, *(town.channel(f"{name} by {mode}", user=False) for name in "BC")] for mode in Mode
    }
    await town.start("ingest", "bot", "worker", "user-worker", "beat")
    for mode, chats in chains.items():
        for source, target in pairwise(chats):
            await town.map(source, target, mode, Route.BOT)

    town.post(first, "before it")
    town.album(first, ["one", "two", "", "four"])
    town.post(first, "after it")
    town.album(first, ["five", "six"])

    wanted = ["before it", "one", "two", "", "four", "after it", "five", "six"]
    ends = [chats[-1] for chats in chains.values()]
    await eventually(lambda: all(town.texts(chat) == wanted for chat in ends))
    for chat in [chat for chats in chains.values() for chat in chats[1:]]:
        albums = [message.grouped_id for message in town.world.history(chat) if message.service is None]
        assert [group is not None for group in albums] == [False, *[True] * 4, False, *[True] * 2]
        assert len(set(albums[1:5])) == len(set(albums[6:])) == 1
        assert albums[1] != albums[6]
        assert town.texts(chat) == wanted
