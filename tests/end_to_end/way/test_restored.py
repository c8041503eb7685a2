"""PostgreSQL is restored from an old backup: nothing that was sent since is sent again, and nothing is lost."""

from __future__ import annotations

import pytest

from forwarder.db import Database
from forwarder.message import Mode, Route
from forwarder.sandbox.world import Content, Edit
from tests.conftest import Databases, name_of

from .conftest import Town, eventually

pytestmark = pytest.mark.timeout(240)

PROCESSES = ("ingest", "bot", "worker", "user-worker", "beat")


@pytest.mark.parametrize("mode", list(Mode))
async def test_after_an_old_backup_is_restored_nothing_is_doubled_and_nothing_lost(
    town: Town, databases: Databases, mode: Mode
) -> None:
    source, by_bot, by_user = town.channel("News"), town.channel("By bot"), town.channel("By user")
    alone, bots_own = town.channel("Bot's source", user=False), town.channel("Bot's copies", user=False)
    await town.start(*PROCESSES)
    for target, route in ((by_bot, Route.BOT), (by_user, Route.USER)):
        await town.map(source, target, mode, route)
    await town.map(alone, bots_own, mode, Route.BOT)
    pairs = ((source, by_bot), (source, by_user), (alone, bots_own))

    def all_there() -> bool:
        return all(len(town.texts(target)) == len(town.texts(chat)) for chat, target in pairs)

    def post(*words: str) -> None:
        for word in words:
            town.post(source, word)
            town.post(alone, word)

    post("before", "the backup")
    await eventually(all_there)
    await town.stop()
    await town.db.close()  # a database in use cannot be copied
    backup = databases.create(name_of(town.environment["DATABASE_URL"]))

    await town.start(*PROCESSES)
    post("after", "same words", "same words")
    town.album(source, ["part 1", "part 2"])
    town.post(source, Content("a picture", media=town.world.add_photo(b"one")))
    changed = town.post(source, "with a mistake")
    await eventually(all_there)
    town.world.edit(town.owner, source, changed, Edit("corrected"))
    if mode is Mode.COPY:
        await eventually(lambda: all("corrected" in town.texts(t) for t in (by_bot, by_user)))
    await town.stop()
    before = {target: town.texts(target) for _, target in pairs}
    post("never sent before")

    town.environment["DATABASE_URL"] = backup
    db = Database(backup)
    try:
        assert "3 mappings are paused." in await town.did("db", "restored")
        await town.start(*PROCESSES)
        said = await town.did("db", "restored")
        assert "still paused" in said
        assert {target: town.texts(target) for _, target in pairs} == before
        await town.did("db", "restored", "--go")
        post("goes on")
        await eventually(lambda: all("goes on" in town.texts(target) for _, target in pairs))
        for chat, target in pairs:
            wanted = town.texts(chat)
            if mode is Mode.FORWARD:
                wanted = ["with a mistake" if words == "corrected" else words for words in wanted]
            assert town.texts(target) == wanted
        for number in ("1", "2", "3"):
            assert "0 missing, 0 double" in await town.did("audit", number)
    finally:
        await town.stop()
        await db.close()
        databases.drop(backup)
