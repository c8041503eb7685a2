"""Taking back and comparing by buttons."""

from __future__ import annotations

from dataclasses import replace

import pytest
from sqlalchemy import text

from forwarder.bot.repair_presses import AuditMapping, MendMapping
from forwarder.bot.screens import repairs
from forwarder.bot.texts import Texts
from forwarder.comparing.judgement import How, Match
from forwarder.comparing.mending import Mended
from forwarder.comparing.report import Audit
from forwarder.comparing.rows import Terms
from forwarder.db import Database
from forwarder.message import AccountKind
from forwarder.models import Language, MappingState

from .test_rooms import add_both, map_them

TERMS = Terms(
    1, MappingState.ACTIVE, None, AccountKind.BOT, 1, -1001, 0, 2, -1002, 0, 10, True, False, True, None, 20, 30, None
)  # fmt: skip
FOUND = Audit(TERMS, 12, 11, 1, {"same_content": 2}, (), (), (Match(1, 2, How.HEADER),), (), (), ())


async def sent_post(database_url: str) -> None:
    """Post 77 of the source was heard and sent as copy 5."""
    db = Database(database_url)
    async with db.begin() as session:
        for statement in (
            "insert into posts (channel_id, position, state) select source_id, 77, 'ready' from mappings",
            (
                "insert into messages (channel_id, message_id, post_id, kind, heard, date)"
                " select channel_id, 77, id, 'text', 'bot', clock_timestamp() from posts"
            ),
            (
                "insert into deliveries (mapping_id, post_id, kind, class, position, state, route, mode,"
                " sent_ids, done_at)"
                " select m.id, p.id, 'post', 1, 77, 'sent', 'bot', 'copy', array[5]::bigint[], clock_timestamp()"
                "   from mappings m, posts p"
            ),
        ):
            await session.execute(text(statement))
    await db.close()


async def test_a_post_is_taken_back_by_sending_its_link(town, database_url: str) -> None:  # type: ignore[no-untyped-def]
    await add_both(town)
    await map_them(town)
    await sent_post(database_url)
    screen = await town.type("https://t.me/news_source/77", "Copies")
    assert screen.has("🗑 Take back")
    await town.press("🗑 Take back", "Delete 1 copy?")
    await town.press("🗑 Yes, delete", "1 post is being taken back")
    db = Database(database_url)
    async with db.begin() as session:
        rows = await session.execute(text("select kind, state, parts from deliveries where kind = 'delete'"))
        assert [tuple(row) for row in rows] == [("delete", "queued", [77])]
    await db.close()


async def test_the_last_minutes_are_taken_back_from_the_mappings_card(  # type: ignore[no-untyped-def]
    town, database_url: str
) -> None:
    await add_both(town)
    await map_them(town)
    await town.press("🔀 Mappings", "1 in all")
    await town.press("▶️ News → Copies", "Active")
    await town.press("🗑 Take back", "how many minutes")
    await town.press("30 min", "nothing to take back")
    await sent_post(database_url)
    await town.press("30 min", "Delete 1 copy?")
    await town.press("🗑 Yes, delete", "being taken back")


async def test_without_an_account_that_reads_a_comparison_is_refused_with_a_sentence(town) -> None:  # type: ignore[no-untyped-def]
    await add_both(town)
    await map_them(town)
    await town.press("🔀 Mappings", "1 in all")
    await town.press("▶️ News → Copies", "Active")
    await town.press("🔍 Compare", "how many hours")
    await town.press("24 h", "account")


@pytest.mark.parametrize("language", list(Language))
def test_what_was_found_and_mended_is_told_in_both_languages(language: Language) -> None:
    texts = Texts(language)
    told = repairs.told(texts, FOUND)
    assert all(number in told for number in ("#1", "12", "11"))
    assert "All is well" not in told
    assert repairs.told(texts, replace(FOUND, doubles=())).splitlines()[-1].startswith("✅")
    assert "2" in repairs.done(texts, Mended(queued=1, unheard=(7, 8))).splitlines()[1]
    assert "3" in repairs.done(texts, Mended(queued=1, repeats=3)).splitlines()[1]


def test_a_press_remembers_the_hours_that_were_compared() -> None:
    assert (AuditMapping(4).hours, MendMapping(4, 24).delete) == (0, False)
