"""What an audit finds is mended in the destination itself, and what is taken back is gone from there."""

from __future__ import annotations

import pytest
from sqlalchemy import text

from forwarder.message import Mode, Route
from forwarder.sandbox.person import Person, Shown
from forwarder.sandbox.world.ids import bare

from .conftest import Town, eventually, shown

POSTED = ["one", "two", "three", "four"]
WAYS = [
    pytest.param(Mode.COPY, Route.USER, id="user-copy"),
    pytest.param(Mode.FORWARD, Route.BOT, id="bot-forward"),
]


async def a_damaged_mapping(town: Town, mode: Mode, route: Route) -> tuple[int, int, int]:
    """Posts were sent; then the copy of "two" was deleted, and that of "three" has come a second time.

    Answers the mapping, its destination, and the double's id.
    """
    source, target = town.channel("News"), town.channel("Copies")
    await town.start("ingest", "bot", "worker", "user-worker", "beat")
    mapping = await town.map(source, target, mode, route)
    ids = {words: town.post(source, words) for words in POSTED}
    await eventually(lambda: town.texts(target) == POSTED)
    await eventually(town.settled)
    town.world.delete(town.owner, target, copies_of(town, target, "two"))
    sender = town.user if route is Route.USER else town.robot
    [double] = town.world.forward(sender, source, [ids["three"]], target, drop_author=mode is Mode.COPY)
    assert double is not None
    return mapping, target, double.id


def copies_of(town: Town, chat: int, words: str) -> list[int]:
    return [message.id for message in town.world.history(chat) if message.text == words]


async def is_mended(town: Town, target: int, double: int) -> None:
    """The post that lacked has come again, behind the others, and of the two alike the first has stayed."""
    await eventually(lambda: town.texts(target) == ["one", "three", "four", "two"])
    assert double not in copies_of(town, target, "three")
    await eventually(town.settled)


@pytest.mark.parametrize(("mode", "route"), WAYS)
async def test_an_audit_says_what_lacks_and_what_is_double_and_its_repair_mends_both(
    town: Town, mode: Mode, route: Route
) -> None:
    mapping, target, double = await a_damaged_mapping(town, mode, route)
    damaged, wanted = town.texts(target), (str(mapping), "--since", "1h")
    assert "4 posts, 3 copies, 1 missing, 1 double" in await town.did("audit", *wanted)
    refused = await town.manage("audit", *wanted, "--repair")
    assert (refused.returncode, "would delete 1 message: say --yes" in refused.stderr) == (2, True)
    assert town.texts(target) == damaged, "looking and a repair that is not meant change nothing"

    assert "1 queued again, 1 deleted" in await town.did("audit", *wanted, "--repair", "--yes")
    await is_mended(town, target, double)
    assert await town.did("audit", *wanted) == "4 posts, 4 copies, 0 missing, 0 double\n"


async def press(town: Town, person: Person, button: str, words: str) -> Shown:
    """Press a button and wait for what the bot says then."""
    await person.press(town.robot, button)
    return await shown(town, person, words)


async def test_the_same_audit_and_repair_are_pressed_in_the_bot(town: Town, olga: Person) -> None:
    _, target, double = await a_damaged_mapping(town, Mode.COPY, Route.BOT)
    await shown(town, olga, "Message forwarder")
    await press(town, olga, "🔀 Mappings", "1 in all")
    await press(town, olga, "▶️ News → Copies", "Active")
    await press(town, olga, "🔍 Compare", "how many hours")
    await press(town, olga, "24 h", "4 posts, 3 copies, 1 missing, 1 double")
    await press(town, olga, "🔧 Mend and delete 1 extra", "Queued again: 1. Deleted: 1.")
    await is_mended(town, target, double)

    await press(town, olga, "‹ Back", "Active")
    await press(town, olga, "🔍 Compare", "how many hours")
    card = await press(town, olga, "24 h", "All is well")
    assert "4 posts, 4 copies, 0 missing, 0 double" in card.text


async def test_a_post_and_the_last_minutes_of_a_mapping_are_taken_back(town: Town, olga: Person) -> None:
    source = town.channel("News")
    by_user, by_bot = town.channel("By user"), town.channel("By bot")
    await town.start("ingest", "bot", "worker", "user-worker", "beat")
    for_user = await town.map(source, by_user, Mode.COPY, Route.USER)
    await town.map(source, by_bot, Mode.FORWARD, Route.BOT)
    numbers = [town.post(source, words) for words in ("kept", "said too much", "wrong, too")]
    await arrive(town, ["kept", "said too much", "wrong, too"], by_user, by_bot)

    told = await town.did("takeback", "--post", link(source, numbers[1]), "--yes")
    assert "2 posts are being taken back." in told
    await arrive(town, ["kept", "wrong, too"], by_user, by_bot)

    await shown(town, olga, "Message forwarder")
    await olga.type(town.robot, link(source, numbers[2]))
    await shown(town, olga, "By bot")
    await press(town, olga, "🗑 Take back", "Delete 2 copies?")
    await press(town, olga, "🗑 Yes, delete", "2 posts are being taken back.")
    await arrive(town, ["kept"], by_user, by_bot)

    await an_hour_passes(town)
    town.post(source, "the last minutes")
    town.album(source, ["and", "an album"])
    await arrive(town, ["kept", "the last minutes", "and", "an album"], by_user, by_bot)
    assert "2 posts are being taken back." in await town.did(
        "takeback", str(for_user), "--minutes", "10", "--yes"
    )
    await arrive(town, ["kept"], by_user)
    assert town.texts(by_bot) == ["kept", "the last minutes", "and", "an album"], "another mapping's"
    assert len(town.texts(source)) == 6, "the source is nobody's to delete from"


async def arrive(town: Town, wanted: list[str], *chats: int) -> None:
    """These texts stand in all the chats, and nothing more is on its way."""
    await eventually(lambda: all(town.texts(chat) == wanted for chat in chats))
    await eventually(town.settled)


def link(chat: int, number: int) -> str:
    return f"https://t.me/c/{bare(chat)}/{number}"


async def an_hour_passes(town: Town) -> None:
    """For what was sent so far."""
    async with town.db.begin() as session:
        await session.execute(text("update deliveries set done_at = done_at - interval '1 hour'"))
