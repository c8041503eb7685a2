"""Older posts, asked for in the bot: choose, confirm, watch, pause, go on, stop."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

import pytest
from sqlalchemy import text

from forwarder.bot.progress import ProgressMessages
from forwarder.message import Wish
from forwarder.models import Language

from .test_rooms import add_both, map_them

TWENTY_SENT = text(
    """
    with brought as (
        insert into posts (channel_id, position, state)
        select m.source_id, n, 'ready' from mappings m, generate_series(901, 920) as n
        returning id, position)
    insert into deliveries (mapping_id, post_id, kind, class, position, state, route, mode, sent_ids, done_at)
    select 1, id, 'post', 2, position, 'sent', 'bot', 'copy', array[position], clock_timestamp() from brought
    """
)
"""What a worker makes of twenty older posts within a minute."""


@pytest.fixture
async def mapped(town):  # type: ignore[no-untyped-def]
    """A mapping with older posts below its start, and its card on the screen."""
    await add_both(town)
    await map_them(town)
    async with town.services.mappings._db.begin() as session:
        await session.execute(text("update mappings set start_after = 1000"))
    await town.press("🔀 Mappings", "1 in all")
    await town.press("▶️ News → Copies", "Mapping #1")
    return town


async def test_a_person_chooses_confirms_and_changes_a_backfill_with_buttons(mapped) -> None:  # type: ignore[no-untyped-def]
    await mapped.press("🕰 Older posts", "Which of the posts")
    await mapped.press("Last 100", "At most 100 messages")
    await mapped.press("‹ Back", "Which of the posts")
    await mapped.press("All", "At most 250 messages")
    await mapped.press("🕰 Bring them", "0 of 250 posts")
    run = await mapped.services.backfills.newest(1)
    assert run is not None
    screen = await mapped.wait("0 of 250 posts")
    assert not screen.has("Open the mapping"), (
        "the message follows the run: it is not to become another screen"
    )
    assert (run.first_id, run.last_id, run.asked_by) == (751, 1000, mapped.owner.id)
    await mapped.press("⏸ Pause", "paused")
    await mapped.press("▶️ Go on", "⏸ Pause")
    await mapped.type("/start", "Message forwarder")
    await mapped.press("🔀 Mappings", "1 in all")
    await mapped.press("▶️ News → Copies", "Mapping #1")
    await mapped.press("🕰 Older posts", "0 of 250 posts")
    await mapped.press("⏹ Stop", "stopped")
    await mapped.press("🔀 Open the mapping", "Mapping #1")


async def test_a_number_or_a_date_may_be_typed_and_anything_else_asks_again(mapped) -> None:  # type: ignore[no-untyped-def]
    await mapped.press("🕰 Older posts", "Which of the posts")
    await mapped.type("all of them", "Send a number of posts")
    await mapped.type("2026-13-77", "Send a number of posts")
    await mapped.type("25.11.2026", "At most 250 messages")
    await mapped.type("42", "At most 42 messages")
    await mapped.press("🕰 Bring them", "0 of 42 posts")
    await mapped.type("43", "did not understand")


async def test_a_range_may_be_typed_by_dates_or_by_the_first_and_last_post(mapped) -> None:  # type: ignore[no-untyped-def]
    hint = await mapped.press("🕰 Older posts", "An end may follow")
    assert "#1200 - #1500" in hint.last.text
    await mapped.type("#1500 - #1200", "#1500 - #1200 ends before it begins")
    await mapped.type("2026-11-01 - 2026-11-31", "Send a number of posts")
    await mapped.type("2026-11-01 - 2026-11-25", "At most 250 messages")
    first, after = (datetime(2026, 11, number, tzinfo=UTC) for number in (1, 26))
    assert mapped.span.asked == [Wish(since=first, until=after)]
    await mapped.type("#2000", "There are no older posts")
    await mapped.type("#900 - #949", "At most 50 messages")
    await mapped.press("🕰 Bring them", "0 of 50 posts")
    run = await mapped.services.backfills.newest(1)
    assert (run.first_id, run.last_id) == (900, 949)


async def test_the_hint_and_the_refusals_are_there_in_russian_too(mapped) -> None:  # type: ignore[no-untyped-def]
    await mapped.services.users.set_language(mapped.owner.id, Language.RU)
    await mapped.type("/start", "Пересылка сообщений")
    await mapped.press("🔀 Связки", "всего: 1")
    await mapped.press("▶️ News → Copies", "№1")
    await mapped.press("🕰 Старые посты", "#1200 - #1500")
    await mapped.type("#1500 - #1200", "кончается раньше, чем начинается")
    await mapped.type("вчера", "Пришлите число постов")
    await mapped.type("01.11.2026 - 25.11.2026", "Не больше 250 сообщений")


async def test_the_message_says_how_fast_it_goes_and_how_long_it_takes(mapped) -> None:  # type: ignore[no-untyped-def]
    await mapped.press("🕰 Older posts", "Which of the posts")
    await mapped.press("Last 100", "At most 100 messages")
    begun = await mapped.press("🕰 Bring them", "0 of 100 posts")
    assert "a minute" not in begun.last.text, "nothing has moved yet"
    assert "left" not in begun.last.text
    runs = mapped.services.backfills
    async with runs._db.begin() as session:
        await session.execute(TWENTY_SENT)
        await session.execute(
            text(
                "update backfills set read = 20, queued = 20, cursor = first_id + 19,"
                " created_at = created_at - interval '5 minutes'"
            )
        )
    await ProgressMessages(mapped.bot, runs, mapped.services.users).show()
    screen = await mapped.wait("20 of 100 posts")
    assert "20 a minute" in screen.last.text
    assert "About 4 min left" in screen.last.text


async def test_the_message_follows_the_run_to_its_end_and_is_then_left_alone(mapped) -> None:  # type: ignore[no-untyped-def]
    await mapped.press("🕰 Older posts", "Which of the posts")
    await mapped.press("Last 10", "At most 10 messages")
    await mapped.press("🕰 Bring them", "0 of 10 posts")
    runs = mapped.services.backfills
    progress = ProgressMessages(mapped.bot, runs, mapped.services.users)
    async with runs._db.begin() as session:
        await session.execute(
            text("update backfills set read = 10, queued = 8, passed = 2, cursor = last_id")
        )
    await progress.show()
    await mapped.wait("8 of 8 posts")
    run = await runs.newest(1)
    await runs.stop(run.id)
    await asyncio.gather(progress.show())
    await mapped.wait("stopped")
    assert await runs.shown() == []


async def test_a_disabled_mapping_offers_no_older_posts(mapped) -> None:  # type: ignore[no-untyped-def]
    await mapped.press("⏹ Disable", "Disable #1")
    screen = await mapped.press("⏹ Yes, disable", "⏹ Disabled")
    assert not screen.has("Older posts")
