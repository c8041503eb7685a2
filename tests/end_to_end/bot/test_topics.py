"""Choosing a topic of a forum, in the control bot."""

from __future__ import annotations


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
