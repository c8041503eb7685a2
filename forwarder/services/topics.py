"""Topics of forums: which there are, as far as an account can list them, else those that posts were heard in."""

from __future__ import annotations

from collections.abc import Mapping

from sqlalchemy import text

from forwarder.db import Database
from forwarder.errors import AccountNotReady, InvalidRequest, TelegramError
from forwarder.message import GENERAL_TOPIC, AccountKind, Topic
from forwarder.seam import Directory
from forwarder.services.values import ChannelView

SEEN = text(
    """
    select case when topic_id = 0 then :general else topic_id end as id, max(message_id) as newest
      from (select topic_id, message_id from messages where channel_id = :channel
             order by message_id desc limit 1000) m
     group by 1 order by 2 desc
    """
)


async def topics_of(
    db: Database, directories: Mapping[AccountKind, Directory], channel: ChannelView
) -> tuple[tuple[Topic, ...], bool]:
    """The topics of a forum, the busiest first, and whether these are all that there are.

    Without an account that can list them: those that posts were heard in lately, without their titles.
    """
    user = directories.get(AccountKind.USER)
    if user is not None:
        try:
            listed = await user.topics(channel.telegram_id)
        except (AccountNotReady, TelegramError):
            listed = None
        if listed is not None:
            return listed, True
    async with db.begin() as session:
        seen = await session.execute(SEEN, {"channel": channel.id, "general": GENERAL_TOPIC})
        return tuple(Topic(row.id) for row in seen), False


def chosen_topic(channel: ChannelView, topic_id: int, topics: tuple[Topic, ...], *, all_known: bool) -> Topic:
    """The topic with this id. Raises InvalidRequest ``not_a_forum`` or ``no_such_topic``."""
    if not channel.forum:
        raise no_forum(channel.title)
    found = next((topic for topic in topics if topic.id == topic_id), None)
    if found is None and all_known:
        raise InvalidRequest(
            "no_such_topic",
            f"{channel.title} has no topic {topic_id}. Open the topic in Telegram and copy its link.",
            title=channel.title,
            topic=topic_id,
        )
    return found or Topic(topic_id)


def no_forum(title: str) -> InvalidRequest:
    return InvalidRequest(
        "not_a_forum",
        f"{title} has no topics: it is not a forum. Leave the topic out, or switch topics on in the group and "
        "check the channel here again.",
        title=title,
    )
