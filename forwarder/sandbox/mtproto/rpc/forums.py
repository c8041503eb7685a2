"""Topics of forums (https://core.telegram.org/api/forum)."""

from __future__ import annotations

from typing import Any

from telethon.tl import functions, types

from forwarder.sandbox.mtproto.tl.peers import write_peer
from forwarder.sandbox.world import Chat, TelegramError, Topic

from .registry import Caller, answers

MAX_TOPICS = 100


@answers(functions.channels.ToggleForumRequest, bots=False)
def toggle_forum(caller: Caller, request: Any) -> Any:
    chat = caller.channel(request.channel)
    caller.world.toggle_forum(caller.viewer, chat, enabled=bool(request.enabled))
    return caller.updates((), name=[chat])


@answers(functions.messages.CreateForumTopicRequest)
def create_forum_topic(caller: Caller, request: Any) -> Any:
    with caller.world.capture() as events:
        caller.world.create_topic(caller.viewer, caller.peer(request.peer), request.title)
    return caller.updates(events)


@answers(functions.messages.EditForumTopicRequest)
def edit_forum_topic(caller: Caller, request: Any) -> Any:
    with caller.world.capture() as events:
        caller.world.edit_topic(
            caller.viewer,
            caller.peer(request.peer),
            request.topic_id,
            title=request.title,
            closed=request.closed,
        )
    return caller.updates(events)


@answers(functions.messages.DeleteTopicHistoryRequest)
def delete_topic_history(caller: Caller, request: Any) -> Any:
    chat = caller.peer(request.peer)
    gone = caller.world.delete_topic(caller.viewer, chat, request.top_msg_id)
    return types.messages.AffectedHistory(caller.world.memory.boxes[chat].pts, len(gone), 0)


@answers(functions.messages.GetForumTopicsRequest, bots=False)
def get_forum_topics(caller: Caller, request: Any) -> Any:
    """A page, the topic with the newest message first; ``offset_id`` is the newest message of the last one shown.

    ``q`` keeps the topics whose title has it.
    """
    chat = _readable(caller, request.peer)
    wanted = (request.q or "").casefold()
    found = [one for one in caller.world.topics_of(chat.id) if wanted in one.title.casefold()]
    left = found
    if request.offset_id:
        left = [one for one in found if caller.world.top_of_topic(chat.id, one.id) < request.offset_id]
    return _topics(caller, chat, left[: max(0, min(request.limit, MAX_TOPICS))], len(found))


@answers(functions.messages.GetForumTopicsByIDRequest)
def get_forum_topics_by_id(caller: Caller, request: Any) -> Any:
    """Each id is answered: what is gone, or never was, is a forumTopicDeleted."""
    chat = _readable(caller, request.peer)
    if not request.topics:
        raise TelegramError(400, "TOPICS_EMPTY")
    named = {number: chat.topics.get(number) for number in request.topics}
    living = [topic for topic in named.values() if topic is not None and not topic.deleted]
    answer = _topics(caller, chat, living, len(named))
    gone = [number for number, topic in named.items() if topic is None or topic.deleted]
    answer.topics.extend(types.ForumTopicDeleted(number) for number in gone)
    return answer


def _readable(caller: Caller, peer: Any) -> Chat:
    chat = caller.world.forum(caller.peer(peer))
    caller.world.check_readable(caller.viewer, chat.id)
    return chat


def _topics(caller: Caller, chat: Chat, topics: list[Topic], count: int) -> Any:
    sight = caller.sight()
    sight.name(chat.id, *(topic.creator for topic in topics))
    tops = [caller.world.top_of_topic(chat.id, topic.id) for topic in topics]
    messages = [caller.world.message(caller.viewer, chat.id, number) for number in tops]
    return types.messages.ForumTopics(
        count,
        [_write(caller, chat, topic, top) for topic, top in zip(topics, tops, strict=True)],
        sight.messages([message for message in messages if message is not None]),
        sight.chats(),
        sight.users(),
        caller.world.memory.boxes[chat.id].pts,
    )


def _write(caller: Caller, chat: Chat, topic: Topic, top: int) -> Any:
    return types.ForumTopic(
        topic.id,
        topic.created,
        write_peer(chat.id),
        topic.title,
        topic.icon_color,
        top,
        0,
        0,
        0,
        0,
        0,
        0,
        write_peer(topic.creator),
        types.PeerNotifySettings(),
        my=True if topic.creator == caller.viewer else None,
        closed=topic.closed or None,
    )
