"""Choosing a topic of a forum, in the control bot."""

from __future__ import annotations

import asyncio

from forwarder.message import Mode
from forwarder.models import MappingState


async def test_a_topic_is_chosen_by_its_button_or_its_link(town) -> None:  # type: ignore[no-untyped-def]
    world, owner = town.world, town.owner.id
    forum = world.create_forum(owner, "Forum").id
    world.promote(owner, forum, town.robot, frozenset({"delete_messages"}))
    news = world.create_topic(owner, forum, "News").id
    world.promote(owner, town.source, town.robot, frozenset({"delete_messages"}))
    source = await town.services.channels.add(str(town.source), as_source=True)
    await town.services.channels.add(str(forum), as_source=True, as_destination=True)

    await town.type("/start", "Message forwarder")
    await town.press("➕ New mapping", "1 of 4")
    await town.press("▫️ News @news_source", "☑️ News @news_source")
    await town.press("Next (1) ›", "2 of 4")
    await town.press("▫️ Forum", "☑️ Forum")
    await town.press("Next (1) ›", "Into which topic?")
    await town.press("‹ Back", "2 of 4")
    await town.press("Next (1) ›", "Into which topic?")
    await town.type("https://t.me/news_source/3", "no link of a topic in Forum")
    await town.type(f"https://t.me/c/{str(forum)[4:]}/{news}", "3 of 4")
    await town.press("📄 Copy", f"News → Forum, topic {news}")
    await town.press("‹ Back", "3 of 4")
    await town.press("📄 Copy", f"News → Forum, topic {news}")
    await town.press("✅ Create", "Created: 1 mapping.")

    await town.type("/start", "Message forwarder")
    await town.press("➕ New mapping", "1 of 4")
    await town.press("▫️ News @news_source", "☑️ News @news_source")
    await town.press("Next (1) ›", "2 of 4")
    await town.press("▫️ Forum", "☑️ Forum")
    await town.press("Next (1) ›", "Into which topic?")
    await town.press("💬 General", "3 of 4")
    await town.press("📄 Copy", "News → Forum")
    await town.press("✅ Create", "Created: 1 mapping.")
    made = (await town.services.mappings.list()).items
    assert [(one.source.id, one.destination_topic) for one in made] == [(source.id, news), (source.id, 0)]


async def test_a_mapping_goes_on_when_its_closed_topic_is_opened_again(town) -> None:  # type: ignore[no-untyped-def]
    world, owner, services = town.world, town.owner.id, town.services
    forum = world.create_forum(owner, "Forum").id
    for chat in (forum, town.source):
        world.promote(owner, chat, town.robot, frozenset({"delete_messages"}))
    news, talk = (world.create_topic(owner, forum, title).id for title in ("News", "Talk"))
    source = await services.channels.add(str(town.source), as_source=True)
    target = await services.channels.add(str(forum), as_destination=True)
    made = [
        await services.mappings.create(
            source.id, target.id, mode=Mode.COPY, start_after=0, destination_topic=topic
        )
        for topic in (news, talk)
    ]
    for mapping, topic in zip(made, (news, talk), strict=True):
        world.edit_topic(owner, forum, topic, closed=True)
        await services.mappings.pause(mapping.id, reason="topic_closed")
    world.edit_topic(owner, forum, news, closed=False)
    async with asyncio.timeout(20):
        while (await services.mappings.get(made[0].id)).state is not MappingState.ACTIVE:  # noqa: ASYNC110
            await asyncio.sleep(0.05)
    assert (await services.mappings.get(made[1].id)).reason == "topic_closed"
