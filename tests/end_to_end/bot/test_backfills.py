"""Older posts, asked for in the bot: choose, confirm, watch, pause, go on, stop."""

from __future__ import annotations

import asyncio

import pytest

from forwarder.bot.progress import ProgressMessages

from .test_rooms import add_both, map_them


@pytest.fixture
async def mapped(town):  # type: ignore[no-untyped-def]
    """A mapping with older posts below its start, and its card on the screen."""
    await add_both(town)
    await map_them(town)
    async with town.services.mappings._db.begin() as session:
        from sqlalchemy import text

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


async def test_the_message_follows_the_run_to_its_end_and_is_then_left_alone(mapped) -> None:  # type: ignore[no-untyped-def]
    await mapped.press("🕰 Older posts", "Which of the posts")
    await mapped.press("Last 10", "At most 10 messages")
    await mapped.press("🕰 Bring them", "0 of 10 posts")
    runs = mapped.services.backfills
    progress = ProgressMessages(mapped.bot, runs, mapped.services.users)
    async with runs._db.begin() as session:
        from sqlalchemy import text

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
