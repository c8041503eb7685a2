"""The topics of a forum, as a user account can list them; a bot has no method for it."""

from __future__ import annotations

from typing import Any

from telethon.tl import functions, types

from forwarder.message import Topic
from forwarder.telegram.client import Client

PAGE = 100
MOST_TOPICS = 1000


async def list_topics(client: Client, peer: Any) -> tuple[Topic, ...]:
    """The living topics of a forum, the one with the newest message first.

    Raises :class:`~forwarder.errors.TelegramError` ``CHANNEL_FORUM_MISSING`` where the chat is no forum.
    """
    found: dict[int, Topic] = {}
    date, top, last = None, 0, 0
    while len(found) < MOST_TOPICS:
        answer = await client.ask(functions.messages.GetForumTopicsRequest(peer, date, top, last, PAGE))
        living = [topic for topic in answer.topics if isinstance(topic, types.ForumTopic)]
        fresh = [topic for topic in living if topic.id not in found]
        found |= {topic.id: Topic(topic.id, topic.title, bool(topic.closed)) for topic in fresh}
        if not fresh or len(found) >= answer.count:
            break
        # Pages go on below the newest message of the last topic (core.telegram.org/api/offsets).
        last, top = fresh[-1].id, fresh[-1].top_message
        date = next((message.date for message in answer.messages if message.id == top), fresh[-1].date)
    return tuple(found.values())
