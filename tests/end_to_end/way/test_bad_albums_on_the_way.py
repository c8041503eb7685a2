"""Albums stay whole, in order and with their captions, however badly their parts arrive."""

from __future__ import annotations

from forwarder.message import Mode, Route
from forwarder.sandbox.faults import FaultRule
from forwarder.sandbox.world import Content, Edit, Media

from .conftest import Town, eventually

Album = list[str]


def media(town: Town, name: str, *, video: bool) -> Media:
    if video:
        return town.world.add_document(name.encode(), f"{name}.mp4", kind="video", mime_type="video/mp4")
    return town.world.add_photo(name.encode())


def post(town: Town, chat: int, captions: Album) -> None:
    """An album that mixes photos and videos; an empty caption is none."""
    items = [
        Content(caption, media=media(town, f"{captions} {number}", video=number % 2 == 1))
        for number, caption in enumerate(captions)
    ]
    town.world.send_album(town.owner, chat, items)


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


async def test_albums_arrive_whole_through_slow_swapped_and_lost_pushes_and_a_restart(town: Town) -> None:
    source = town.channel("News")
    targets = {route: town.channel(f"By {route}") for route in (Route.BOT, Route.USER)}
    await town.start("ingest", "worker", "user-worker", "beat")
    for route, chat in targets.items():
        await town.map(source, chat, Mode.COPY, route)
    faults = town.sandbox.gate.faults

    def push(action: str, *, skip: int, seconds: float | None = None) -> FaultRule:
        return FaultRule(
            action,  # type: ignore[arg-type]
            "push",
            account=town.user,
            chat=source,
            method="new_message",
            skip=skip,
            seconds=seconds,
        )

    posted: list[Album] = []

    def send(captions: Album, *rules: FaultRule) -> None:
        for rule in rules:
            faults.add(rule)
        posted.append(captions)
        post(town, source, captions)

    send(["ten", *[""] * 8, "last"])
    send(["", "in the middle", ""], push("delay", skip=1, seconds=1.2))
    send(["swapped", "parts"], push("swap", skip=0))
    send(["", "", "its second part is lost"], push("drop", skip=1))
    await eventually(lambda: all(albums(town, chat) == posted for chat in targets.values()))

    # Ingest is killed as an album comes, and another comes while nobody listens.
    assert town.supervisor is not None
    town.supervisor.kill("ingest")
    send(["", "at the kill", ""])
    send(["while", "away"])
    await eventually(lambda: all(albums(town, chat) == posted for chat in targets.values()))

    # The connection is cut in the middle of an album.
    send(["cut", "in", "between"], push("cut", skip=1))
    posted.append(["after all"])
    town.post(source, "after all")
    await eventually(lambda: all(albums(town, chat) == posted for chat in targets.values()))


async def test_parts_of_an_album_are_edited_and_deleted_one_by_one(town: Town) -> None:
    source = town.channel("News")
    targets = {route: town.channel(f"By {route}") for route in (Route.BOT, Route.USER)}
    await town.start("ingest", "worker", "user-worker", "beat")
    for route, chat in targets.items():
        await town.map(source, chat, Mode.COPY, route)
    numbers = town.album(source, ["one", "two", "three", "four"])
    await eventually(lambda: all(len(town.texts(chat)) == 4 for chat in targets.values()))

    town.world.edit(town.owner, source, numbers[2], Edit("three, corrected"))
    town.world.delete(town.owner, source, [numbers[1]])
    town.world.edit(town.owner, source, numbers[0], Edit("one, corrected"))
    town.world.delete(town.owner, source, [numbers[3]])

    wanted = [["one, corrected", "three, corrected"]]
    await eventually(lambda: all(albums(town, chat) == wanted for chat in targets.values()))
