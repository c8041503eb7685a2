"""One tap is one decision, and one message one answer, when the bot hears of it twice."""

from __future__ import annotations

import pytest
from sqlalchemy import text

from forwarder.models import MappingState
from forwarder.sandbox.faults import FaultRule

from .test_rooms import add_both, map_them


@pytest.fixture
async def twice(town):  # type: ignore[no-untyped-def]
    """The town where each tap is brought a second time, under a number of its own."""
    town.guard.faults.add(FaultRule("double", "push", method="callback_query", times=None))
    return town


async def decisions(town) -> list[str]:  # type: ignore[no-untyped-def]
    """What was decided, in order, by the log of decisions."""
    async with town.services.mappings._db.begin() as session:
        return list(await session.scalars(text("select action from audit_log order by id")))


async def test_mappings_are_put_together_as_tapped_when_every_tap_comes_twice(twice) -> None:  # type: ignore[no-untyped-def]
    world, owner = twice.world, twice.owner.id
    await add_both(twice)
    for title in ("Left", "Right"):
        forum = world.create_forum(owner, title).id
        world.promote(owner, forum, twice.robot, frozenset({"delete_messages"}))
        for number in range(3):
            topic = world.create_topic(owner, forum, f"{title} topic {number}").id
        await twice.services.channels.add(str(forum), as_destination=True)
    await twice.type("/start", "Message forwarder")
    await twice.press("➕ New mapping", "1 of 4")
    await twice.press("▫️ News @news_source", "☑️ News @news_source")
    await twice.press("Next (1) ›", "2 of 4")
    await twice.press("‹ Back", "1 of 4")
    await twice.press("☑️ News @news_source", "▫️ News @news_source")
    await twice.press("▫️ News @news_source", "☑️ News @news_source")
    await twice.press("Next (1) ›", "2 of 4")
    await twice.press("▫️ Left", "☑️ Left")
    await twice.press("▫️ Right", "☑️ Right")
    await twice.press("Next (2) ›", "Left")
    await twice.press("💬 General", "Right")
    await twice.type(str(topic), "3 of 4")
    await twice.press("📄 Copy", "4 of 4")
    await twice.press("‹ Back", "3 of 4")
    await twice.press("📄 Copy", "4 of 4")
    await twice.press("✅ Create", "Created: 2 mappings.")
    made = (await twice.services.mappings.list()).items
    assert [(one.destination.title, one.destination_topic) for one in made] == [("Left", 0), ("Right", topic)]


async def test_a_number_that_answered_one_question_about_a_topic_does_not_answer_the_next(twice) -> None:  # type: ignore[no-untyped-def]
    world, owner = twice.world, twice.owner.id
    await add_both(twice)
    topics = []
    for title in ("Left", "Right"):
        forum = world.create_forum(owner, title).id
        world.promote(owner, forum, twice.robot, frozenset({"delete_messages"}))
        topics.append([world.create_topic(owner, forum, f"{title} {number}").id for number in range(2)])
        await twice.services.channels.add(str(forum), as_destination=True)
    assert topics[0] == topics[1], "one number is a topic of both"
    await twice.type("/start", "Message forwarder")
    await twice.press("➕ New mapping", "1 of 4")
    await twice.press("▫️ News @news_source", "☑️ News @news_source")
    await twice.press("Next (1) ›", "2 of 4")
    await twice.press("▫️ Left", "☑️ Left")
    await twice.press("▫️ Right", "☑️ Right")
    await twice.press("Next (2) ›", "Left")
    twice.guard.faults.add(FaultRule("double", "push", method="message", times=1))
    await twice.type(str(topics[0][0]), "Right")
    await twice.type(str(topics[1][1]), "3 of 4")
    await twice.press("📄 Copy", "4 of 4")
    await twice.press("✅ Create", "Created: 2 mappings.")
    made = (await twice.services.mappings.list()).items
    assert [one.destination_topic for one in made] == [topics[0][0], topics[1][1]]


async def test_a_mapping_is_paused_resumed_and_disabled_once(twice) -> None:  # type: ignore[no-untyped-def]
    await add_both(twice)
    await map_them(twice)
    await twice.press("🔀 Mappings", "1 in all")
    await twice.press("▶️ News → Copies", "Active")
    await twice.press("⏸ Pause", "Paused: by hand")
    await twice.press("▶️ Resume", "Active")
    await twice.press("⏹ Disable", "Disable #1")
    await twice.press("⏹ Yes, disable", "⏹ Disabled")
    await twice.type("/start", "Message forwarder")
    mapping = await twice.services.mappings.get(1)
    assert mapping.state is MappingState.DISABLED
    done = [action for action in await decisions(twice) if action.startswith("mapping.")]
    assert done == ["mapping.create", "mapping.pause", "mapping.resume", "mapping.disable"]


async def test_older_posts_are_asked_for_once(twice) -> None:  # type: ignore[no-untyped-def]
    await add_both(twice)
    await map_them(twice)
    async with twice.services.mappings._db.begin() as session:
        await session.execute(text("update mappings set start_after = 1000"))
    await twice.press("🔀 Mappings", "1 in all")
    await twice.press("▶️ News → Copies", "Mapping #1")
    await twice.press("🕰 Older posts", "Which of the posts")
    await twice.press("Last 100", "At most 100 messages")
    await twice.press("🕰 Bring them", "0 of 100 posts")
    await twice.press("⏸ Pause", "paused")
    await twice.press("▶️ Go on", "⏸ Pause")
    await twice.type("/start", "Message forwarder")
    done = [action for action in await decisions(twice) if action.startswith("backfill.")]
    assert done == ["backfill.start", "backfill.pause", "backfill.resume"]
