"""The story of one post, from its link or from the link of a copy."""

from __future__ import annotations

import pytest
from sqlalchemy import text

from forwarder.errors import InvalidRequest, NotFound
from forwarder.message import Mode
from forwarder.services.why import explain
from tests.integration.services.house import House, chat


async def posted(house: House, message_id: int, *, state: str = "ready") -> tuple[int, int]:
    """A mapping from @news to @copies, and a post heard in the source; answers the mapping and the post."""
    for number, title, name in ((-1001000000001, "News", "news"), (-1001000000002, "Copies", "copies")):
        house.user.sees(chat(number, title, username=name))
        house.bot.sees(chat(number, title, username=name))
    source = (await house.channels.add("@news", as_source=True)).id
    destination = (await house.channels.add("@copies", as_destination=True)).id
    mapping = (await house.mappings.create(source, destination, mode=Mode.COPY, start_after=10)).id
    async with house.db.begin() as session:
        post = await session.scalar(
            text(
                "insert into posts (channel_id, position, state)"
                " values (:source, :position, :state) returning id"
            ),
            {"source": source, "position": message_id, "state": state},
        )
        await session.execute(
            text(
                "insert into messages (channel_id, message_id, post_id, kind, heard, date)"
                " values (:source, :message, :post, 'text', 'push', clock_timestamp())"
            ),
            {"source": source, "message": message_id, "post": post},
        )
    assert isinstance(post, int)
    return mapping, post


async def sent(house: House, mapping: int, post: int, message_id: int, copy: int) -> None:
    async with house.db.begin() as session:
        await session.execute(
            text(
                """
                insert into deliveries (mapping_id, post_id, kind, class, position, state, route, mode,
                                        account_id, sent_ids, done_at)
                values (:mapping, :post, 'post', 1, :message, 'sent', 'bot', 'copy',
                        :bot, array[:copy]::bigint[], clock_timestamp())
                """
            ),
            {"mapping": mapping, "post": post, "message": message_id, "bot": house.bot_id, "copy": copy},
        )
        await session.execute(
            text(
                "insert into copies (channel_id, message_id, mapping_id, source_id, source_message_id, mode, route)"
                " select destination_id, :copy, id, source_id, :message, 'copy', 'bot' from mappings"
                " where id = :mapping"
            ),
            {"mapping": mapping, "message": message_id, "copy": copy},
        )


async def test_a_sent_post_tells_who_carried_it_and_where_its_copy_is(house: House) -> None:
    mapping, post = await posted(house, 50)
    await sent(house, mapping, post, 50, 7)
    told = await explain(house.db, "https://t.me/news/50")
    assert (told.source.title, told.message_id, told.note, told.heard) == ("News", 50, None, "push")
    story = told.deliveries[0]
    assert (story.state, story.route, story.account, story.copies) == ("sent", "bot", "@carrier_bot", (7,))
    assert story.destination.title == "Copies"


async def test_a_copy_leads_to_the_story_of_its_source(house: House) -> None:
    mapping, post = await posted(house, 50)
    await sent(house, mapping, post, 50, 7)
    told = await explain(house.db, "https://t.me/c/1000000002/7")
    assert told.copy_in is not None
    assert (told.copy_in.title, told.source.title, told.message_id) == ("Copies", "News", 50)


async def test_a_post_older_than_the_mapping_says_so(house: House) -> None:
    await posted(house, 9)
    told = await explain(house.db, "t.me/news/9")
    assert [(story.reason, story.destination.title) for story in told.without] == [("before_start", "Copies")]


async def test_a_post_that_is_not_whole_yet_says_so(house: House) -> None:
    await posted(house, 50, state="collecting")
    assert (await explain(house.db, "t.me/news/50")).note == "collecting"


async def test_a_post_never_heard_is_told_from_one_that_was_passed_over(house: House) -> None:
    await posted(house, 50)
    assert (await explain(house.db, "t.me/news/51")).note == "not_heard"
    assert (await explain(house.db, "t.me/news/3")).note == "passed_over"
    assert (await explain(house.db, "t.me/copies/3")).note == "not_a_source"


@pytest.mark.parametrize(
    ("link", "code"),
    [
        ("t.me/news", "not_a_message_link"),
        ("@news", "not_a_message_link"),
        ("t.me/elsewhere/5", "channel_not_found"),
        ("nonsense!", "bad_reference"),
    ],
)
async def test_what_is_no_link_to_a_post_of_ours_is_refused(house: House, link: str, code: str) -> None:
    await posted(house, 50)
    with pytest.raises(InvalidRequest) as refused:
        await explain(house.db, link)
    assert refused.value.code == code
    assert isinstance(refused.value, NotFound) is (code == "channel_not_found")
