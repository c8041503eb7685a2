"""Posts that wait for review, in the bot."""

from __future__ import annotations

from sqlalchemy import text

from forwarder.db import Database

from .test_rooms import add_both, map_them


async def posts_wait(database_url: str, *words: str) -> None:
    """Posts of the source with these texts wait for somebody's word."""
    db = Database(database_url)
    async with db.begin() as session:
        for number, said in enumerate(words, 1):
            await session.execute(
                text(
                    """
                    with p as (insert into posts (channel_id, position, state)
                               select source_id, :number, 'ready' from mappings returning id, channel_id),
                         m as (insert into messages (channel_id, message_id, post_id, kind, heard, date, text)
                               select channel_id, :number, id, 'text', 'bot', clock_timestamp(), :said from p),
                         d as (insert into deliveries (mapping_id, post_id, kind, class, position, state, reason,
                                                       not_before)
                               select m.id, p.id, 'post', 1, :number, 'held', 'review',
                                      clock_timestamp() + interval '5 hours' from mappings m, p returning id)
                    insert into reviews (delivery_id) select id from d
                    """
                ),
                {"number": number, "said": said},
            )
    await db.close()


async def states(database_url: str) -> list[str]:
    db = Database(database_url)
    async with db.begin() as session:
        rows = await session.scalars(text("select state from deliveries order by position"))
        found = list(rows)
    await db.close()
    return found


async def test_posts_are_reviewed_one_after_another_with_pages_between_them(town, database_url: str) -> None:  # type: ignore[no-untyped-def]
    await add_both(town)
    await map_them(town)
    await posts_wait(database_url, "first words", "second words", "third words")
    screen = await town.type("/start", "Mappings: 1")
    assert screen.has("🔎 For review: 3")
    await town.press("🔎 For review: 3", "first words")
    await town.press("›", "second words")
    await town.press("✅ Approve", "third words")
    await town.press("❌ Reject", "first words")
    await town.press("✅ Approve", "No post waits for review")
    assert await states(database_url) == ["queued", "queued", "withdrawn"]


async def test_a_card_that_somebody_else_has_answered_says_so_and_shows_the_next(
    town, database_url: str
) -> None:  # type: ignore[no-untyped-def]
    await add_both(town)
    await map_them(town)
    await posts_wait(database_url, "first words", "second words")
    await town.type("/review", "first words")
    [first, _] = (await town.services.reviews.list(None, 0, 2)).items
    await town.services.reviews.decide(first.delivery_id, approve=True)
    await town.press("❌ Reject", "second words")
    assert await states(database_url) == ["queued", "held"]


async def test_a_post_that_was_edited_meanwhile_is_shown_again_before_it_is_decided_about(
    town, database_url: str
) -> None:  # type: ignore[no-untyped-def]
    await add_both(town)
    await map_them(town)
    await posts_wait(database_url, "first words")
    await town.type("/review", "first words")
    db = Database(database_url)
    async with db.begin() as session:
        await session.execute(text("update messages set text = 'other words', edit_date = clock_timestamp()"))
    await db.close()
    await town.press("✅ Approve", "other words")
    assert await states(database_url) == ["held"]
    await town.press("✅ Approve", "No post waits for review")
    assert await states(database_url) == ["queued"]


async def test_the_mapping_says_how_many_of_its_posts_wait(town, database_url: str) -> None:  # type: ignore[no-untyped-def]
    await add_both(town)
    await map_them(town)
    await posts_wait(database_url, "first words")
    await town.press("🔀 Mappings", "1 in all")
    screen = await town.press("▶️ News → Copies", "1 post waits for review")
    assert screen.has("🔎 For review: 1")
