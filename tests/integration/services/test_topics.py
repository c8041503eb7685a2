"""Which topics of a forum are offered, and which are refused."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

import pytest
from sqlalchemy import text

from forwarder.errors import InvalidRequest, NobodyAnswers
from forwarder.message import ChatKind, Mode, Topic
from forwarder.services.reopening import Reopening
from tests.integration.services.house import House, chat

FORUM, PLAIN = -1005, -1006
LISTED = (Topic(7, "News"), Topic(1, "General"), Topic(9, "Old", closed=True))


async def forum(house: House, *, bot: bool = True) -> int:
    card = chat(FORUM, "Forum", kind=ChatKind.SUPERGROUP, forum=True)
    house.user.sees(card)
    if bot:
        house.bot.sees(card)
    return (await house.channels.add(str(FORUM), as_source=True, as_destination=True)).id


async def heard_in(house: House, channel: int, *topics: int) -> None:
    async with house.db.begin() as session:
        for number, topic in enumerate(topics, 1):
            await session.execute(
                text(
                    "insert into posts (channel_id, position, state, last_part_at) values (:c, :n, 'ready', :at)"
                ),
                {"c": channel, "n": number, "at": datetime.now(UTC)},
            )
            await session.execute(
                text(
                    "insert into messages (channel_id, message_id, post_id, kind, heard, date, topic_id)"
                    " select :c, :n, id, 'text', 'bot', :at, :t from posts where channel_id = :c and position = :n"
                ),
                {"c": channel, "n": number, "t": topic, "at": datetime.now(UTC)},
            )


async def refusal(house: House, channel: int, topic: int) -> str:
    with pytest.raises(InvalidRequest) as refused:
        await house.channels.topic(channel, topic)
    return refused.value.code


async def test_the_account_that_can_list_topics_tells_them_all(house: House) -> None:
    house.user.forums[FORUM] = LISTED
    channel = await forum(house)
    assert await house.channels.topics(channel) == LISTED
    assert await house.channels.topic(channel, 9) == LISTED[2]
    assert await refusal(house, channel, 8) == "no_such_topic"


async def test_the_bot_alone_offers_topics_it_has_heard_and_believes_in_others(house: House) -> None:
    channel = await forum(house)
    await heard_in(house, channel, 7, 0, 9, 7)
    assert await house.channels.topics(channel) == (Topic(7), Topic(9), Topic(1))
    assert await house.channels.topic(channel, 4711) == Topic(4711)


async def test_what_was_heard_is_offered_while_the_account_does_not_answer(house: House) -> None:
    channel = await forum(house)
    await heard_in(house, channel, 7)

    async def nobody(chat_id: int) -> tuple[Topic, ...]:
        raise NobodyAnswers("nobody")

    house.user.topics = nobody  # type: ignore[method-assign]
    assert await house.channels.topics(channel) == (Topic(7),)


async def test_a_chat_without_topics_is_looked_at_again_before_a_topic_is_refused(house: House) -> None:
    channel = await house.source(PLAIN)
    assert await house.channels.topics(channel) == ()
    assert await refusal(house, channel, 7) == "not_a_forum"
    house.user.sees(chat(PLAIN, "Source", posts=False, forum=True))
    house.user.forums[PLAIN] = LISTED
    assert (await house.channels.topic(channel, 7)).title == "News"


async def test_topics_of_one_source_may_go_to_one_destination(house: House) -> None:
    source, target = await forum(house), await house.destination(-1007)
    made = [
        await house.mappings.create(source, target, mode=Mode.COPY, start_after=0, source_topic=topic)
        for topic in (7, 9, 0)
    ]
    assert len({mapping.id for mapping in made}) == 3


async def test_general_is_no_topic_to_send_into_and_a_plain_chat_has_none(house: House) -> None:
    source, target = await house.source(PLAIN), await forum(house)
    made = await house.mappings.create(source, target, mode=Mode.COPY, start_after=0, destination_topic=1)
    assert made.destination_topic == 0
    with pytest.raises(InvalidRequest) as refused:
        await house.mappings.create(source, target, mode=Mode.COPY, start_after=0, source_topic=7)
    assert refused.value.code == "not_a_forum"


async def test_paused_mappings_go_on_when_the_account_sees_their_topics_open(house: House) -> None:
    target, source = await forum(house), await house.source(PLAIN)
    made = {
        topic: (
            await house.mappings.create(
                source, target, mode=Mode.COPY, start_after=0, destination_topic=topic
            )
        ).id
        for topic in (0, 7, 8, 9)
    }
    for mapping in made.values():
        await house.mappings.pause(mapping, reason="topic_closed")
    house.user.forums[FORUM] = LISTED
    rung: list[int] = []

    async def ring(lanes: Sequence[int]) -> None:
        rung.extend(lanes)

    resumed = await Reopening(house.db, ring).look(house.user)
    assert set(resumed) == {made[0], made[7]}, "9 is closed, and 8 was deleted"
    assert {(await house.mappings.get(made[topic])).reason for topic in (8, 9)} == {"topic_closed"}
    assert sorted(rung) == [made[0], made[7]]


async def test_what_a_person_paused_stays_paused_when_its_topic_opens(house: House) -> None:
    target, source = await forum(house), await house.source(PLAIN)
    mapping = await house.mappings.create(source, target, mode=Mode.COPY, start_after=0, destination_topic=7)
    await house.mappings.pause(mapping.id)
    assert await Reopening(house.db).opened(FORUM, 7) == []
