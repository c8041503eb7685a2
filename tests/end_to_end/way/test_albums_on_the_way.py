"""Albums whose posts change part by part, through the whole house."""

from __future__ import annotations

from forwarder.message import Mode, Route
from forwarder.sandbox.world import Edit

from .conftest import Town, eventually

Album = list[str]


def albums(town: Town, chat: int) -> list[Album]:
    """What the chat shows: the captions of each album, in order; what is no album stands alone."""
    found: list[tuple[int, Album]] = []
    for message in town.world.history(chat):
        if message.service is not None:
            continue
        group = message.grouped_id or -message.id
        if found and found[-1][0] == group:
            found[-1][1].append(message.text)
        else:
            found.append((group, [message.text]))
    return [captions for _, captions in found]


async def test_parts_of_an_album_are_edited_and_deleted_one_by_one(town: Town) -> None:
    source = town.channel("News")
    targets = {route: town.channel(f"By {route}") for route in (Route.BOT, Route.USER)}
    await town.start("ingest", "worker", "user-worker", "beat")
    for route, chat in targets.items():
        await town.map(source, chat, Mode.COPY, route)
    numbers = town.album(source, ["one", "two", "three", "four"])
    await eventually(lambda: all(len(town.texts(chat)) == 4 for chat in targets.values()), 40)

    town.world.edit(town.owner, source, numbers[2], Edit("three, corrected"))
    town.world.delete(town.owner, source, [numbers[1]])
    town.world.edit(town.owner, source, numbers[0], Edit("one, corrected"))
    town.world.delete(town.owner, source, [numbers[3]])

    wanted = [["one, corrected", "three, corrected"]]
    await eventually(lambda: all(albums(town, chat) == wanted for chat in targets.values()), 60)
