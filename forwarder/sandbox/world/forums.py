"""Forums: supergroups whose messages lie in topics (https://core.telegram.org/api/forum)."""

from __future__ import annotations

from dataclasses import replace

from . import rights
from .chats import GENERAL_TOPIC, Chat, Topic
from .errors import TelegramError
from .events import ChatChanged
from .messages import Deleted, Service
from .rooms import Rooms


class Forums(Rooms):
    """Layer: topics as such."""

    def create_forum(self, creator: int, title: str, *, username: str | None = None) -> Chat:
        """A supergroup that is a forum from the beginning."""
        chat = self.create_supergroup(creator, title, username=username)
        return self.toggle_forum(creator, chat.id, enabled=True)

    def toggle_forum(self, actor: int, chat_id: int, *, enabled: bool) -> Chat:
        """Make a forum of a supergroup, or an ordinary one again; its topics stay for the next time."""
        chat = self.chat(chat_id)
        if chat.kind != "supergroup":
            raise TelegramError(400, "CHANNEL_INVALID")
        if chat.creator != actor:
            raise TelegramError(400, "CHAT_ADMIN_REQUIRED")
        if chat.forum == enabled:
            raise TelegramError(400, "CHAT_NOT_MODIFIED")
        chat.forum = enabled
        if GENERAL_TOPIC not in chat.topics:
            chat.topics[GENERAL_TOPIC] = Topic(GENERAL_TOPIC, "General", chat.creator, chat.created)
        self._emit(ChatChanged(self.clock.now(), chat_id))
        return chat

    def create_topic(self, actor: int, chat_id: int, title: str, *, icon_color: int = 0x6FB9F0) -> Topic:
        """A new topic; the service message about it is its first, and gives it its id.

        Raises CHANNEL_FORUM_MISSING, TOPIC_TITLE_EMPTY, CHAT_ADMIN_REQUIRED.
        """
        chat = self.forum(chat_id)
        if not title.strip() or len(title) > 128:
            raise TelegramError(400, "TOPIC_TITLE_EMPTY")
        rights.check_topic_maker(chat, actor, self.clock.now())
        first = self.place_service(
            actor, chat_id, Service("topic_created", title=title, icon_color=icon_color)
        )
        topic = Topic(first.id, title, actor, first.date, icon_color)
        chat.topics[topic.id] = topic
        self._note(actor, "create_topic", chat_id, (topic.id,))
        return topic

    def edit_topic(
        self, actor: int, chat_id: int, topic_id: int, *, title: str | None = None, closed: bool | None = None
    ) -> Topic:
        """Rename, close or reopen a topic; a service message in it says so.

        Raises TOPIC_ID_INVALID, TOPIC_NOT_MODIFIED, CHAT_ADMIN_REQUIRED.
        """
        chat = self.forum(chat_id)
        topic = self.topic(chat, topic_id)
        rights.check_topic_owner(chat, topic, actor)
        changed = replace(
            topic,
            title=topic.title if title is None else title,
            closed=topic.closed if closed is None else closed,
        )
        if changed == topic:
            raise TelegramError(400, "TOPIC_NOT_MODIFIED")
        chat.topics[topic_id] = changed
        if closed is not None:
            what = Service("topic_closed" if closed else "topic_reopened")
        else:
            what = Service("topic_edited", title=changed.title)
        self.place_service(actor, chat_id, what, topic=topic_id)
        return changed

    def delete_topic(self, actor: int, chat_id: int, topic_id: int) -> list[int]:
        """Delete a topic with all its messages; returns their numbers. General stays for ever."""
        chat = self.forum(chat_id)
        topic = self.topic(chat, topic_id)
        if topic_id == GENERAL_TOPIC:
            raise TelegramError(400, "TOPIC_ID_INVALID")
        rights.need_admin(chat, actor, "delete_messages")
        chat.topics[topic_id] = replace(topic, deleted=True)
        box, now = self.memory.boxes[chat_id], self.clock.now()
        gone = [Deleted(one, now, actor) for one in box.messages.values() if one.topic == topic_id]
        if gone:
            self._emit(box.remove(chat_id, gone))
        self._note(actor, "delete_topic", chat_id, (topic_id,))
        return [entry.message.id for entry in gone]

    def forum(self, chat_id: int) -> Chat:
        """The chat, which is a forum. Raises CHANNEL_FORUM_MISSING."""
        chat = self.chat(chat_id)
        if not chat.forum:
            raise TelegramError(400, "CHANNEL_FORUM_MISSING")
        return chat

    def topic(self, chat: Chat, topic_id: int) -> Topic:
        """A living topic of a chat. Raises TOPIC_ID_INVALID where there never was one, TOPIC_DELETED."""
        topic = chat.topics.get(topic_id) if chat.forum else None
        if topic is None:
            raise TelegramError(400, "TOPIC_ID_INVALID")
        if topic.deleted:
            raise TelegramError(406, "TOPIC_DELETED")
        return topic

    def topics_of(self, chat_id: int) -> list[Topic]:
        """The living topics of a forum, the one with the newest message first."""
        chat = self.forum(chat_id)
        tops = {topic: number for number, topic in self._tops(chat_id)}
        living = [topic for topic in chat.topics.values() if not topic.deleted]
        return sorted(living, key=lambda topic: tops.get(topic.id, topic.id), reverse=True)

    def top_of_topic(self, chat_id: int, topic_id: int) -> int:
        """The number of the newest message of a topic."""
        return max((number for number, topic in self._tops(chat_id) if topic == topic_id), default=topic_id)

    def _tops(self, chat_id: int) -> list[tuple[int, int]]:
        messages = self.memory.boxes[chat_id].messages
        return [(number, one.topic or GENERAL_TOPIC) for number, one in messages.items()]
