"""Messages as a viewer sees them, with the users and chats that they name."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from telethon.tl import types

from forwarder.sandbox.world import Contact, Message, Service, World
from forwarder.sandbox.world import ids as marked

from .entities import write_entity
from .markup import write_markup
from .media import write_media
from .peers import write_chat, write_peer, write_user


class Sight:
    """Collects what one answer or update shows to one viewer, and whom it names."""

    def __init__(self, world: World, viewer: int) -> None:
        self.world = world
        self.viewer = viewer
        self._named: dict[int, None] = {}

    def name(self, *chat_ids: int | None) -> None:
        """These accounts and chats must be described beside the answer."""
        for chat_id in chat_ids:
            if chat_id is not None:
                self._named[chat_id] = None

    def users(self) -> list[Any]:
        return [
            write_user(self.world, self.viewer, self.world.account(one))
            for one in self._named
            if marked.is_user(one)
        ]

    def chats(self) -> list[Any]:
        return [
            write_chat(self.world, self.viewer, self.world.chat(one))
            for one in self._named
            if not marked.is_user(one)
        ]

    def messages(self, messages: Iterable[Message]) -> list[Any]:
        return [self.message(message) for message in messages]

    def message(self, message: Message) -> Any:
        self.name(message.chat, message.from_id, message.via_bot)
        common = {
            "out": True if self._is_out(message) else None,
            "silent": message.silent or None,
            "post": message.post or None,
            "from_id": self._from(message),
            "reply_to": _reply_header(message),
        }
        if message.service is not None:
            action = self._action(message, message.service)
            return types.MessageService(
                message.id, write_peer(message.chat), date=message.date, action=action, **common
            )
        if isinstance(message.media, Contact) and message.media.user_id in self.world.memory.accounts:
            self.name(message.media.user_id)
        return types.Message(
            message.id,
            write_peer(message.chat),
            date=message.date,
            message=message.text,
            noforwards=message.noforwards or None,
            fwd_from=self._header(message),
            invert_media=message.inverted or None,
            via_bot_id=message.via_bot,
            media=write_media(self.world, self.viewer, message),
            reply_markup=write_markup(message.markup),
            entities=[write_entity(entity) for entity in message.entities] or None,
            views=message.views,
            forwards=0 if message.views is not None else None,
            edit_date=message.edit_date,
            post_author=message.post_author or None,
            grouped_id=message.grouped_id,
            **common,
        )

    def _is_out(self, message: Message) -> bool:
        """Whether the viewer wrote it; broadcast posts are nobody's, but for the one who posted."""
        return message.sent_by == self.viewer

    def _from(self, message: Message) -> Any:
        if message.from_id is None or (marked.is_user(message.chat) and message.sent_by != self.viewer):
            return None
        return write_peer(message.from_id)

    def _header(self, message: Message) -> Any:
        header = message.forward
        if header is None:
            return None
        self.name(header.author)
        return types.MessageFwdHeader(
            date=header.date,
            from_id=write_peer(header.author) if header.author is not None else None,
            from_name=header.name or None,
            channel_post=header.channel_post,
            post_author=header.post_author or None,
        )

    def _action(self, message: Message, service: Service) -> Any:
        self.name(*service.accounts)
        accounts = list(service.accounts)
        match service.kind:
            case "channel_created":
                return types.MessageActionChannelCreate(service.title)
            case "chat_created":
                return types.MessageActionChatCreate(service.title, [message.sent_by])
            case "member_added" | "member_joined":
                return types.MessageActionChatAddUser(accounts)
            case "member_left":
                return types.MessageActionChatDeleteUser(accounts[0])
            case "message_pinned":
                return types.MessageActionPinMessage()
            case "title_changed":
                return types.MessageActionChatEditTitle(service.title)
            case "topic_created":
                return types.MessageActionTopicCreate(service.title, service.icon_color)
            case "topic_edited":
                return types.MessageActionTopicEdit(title=service.title)
            case "topic_closed" | "topic_reopened":
                return types.MessageActionTopicEdit(closed=service.kind == "topic_closed")
            case "migrated_to":
                self.name(service.chat)
                return types.MessageActionChatMigrateTo(marked.bare(service.chat))
            case "migrated_from":
                return types.MessageActionChannelMigrateFrom(service.title, marked.bare(service.chat))
            case "chat_shared":
                return self._shared(message, service)

    def _shared(self, message: Message, service: Service) -> Any:
        if message.sent_by == self.viewer:
            self.name(service.chat)
            return types.MessageActionRequestedPeer(service.button_id, [write_peer(service.chat)])
        number, title = marked.bare(service.chat), service.title or None
        if marked.is_channel(service.chat):
            shared = types.RequestedPeerChannel(number, title=title, username=service.username or None)
        else:
            shared = types.RequestedPeerChat(number, title=title)
        return types.MessageActionRequestedPeerSentMe(service.button_id, [shared])


def _reply_header(message: Message) -> Any:
    """What a message answers, and its topic: what answers nothing there names the topic's first message."""
    topic = message.topic if message.topic != message.id else None
    if topic is None and message.reply_to is None:
        return None
    quote = message.quote
    return types.MessageReplyHeader(
        quote=True if quote is not None else None,
        quote_text=quote.text if quote is not None else None,
        quote_entities=[write_entity(entity) for entity in quote.entities] or None
        if quote is not None
        else None,
        quote_offset=quote.offset if quote is not None else None,
        forum_topic=True if topic is not None else None,
        reply_to_msg_id=message.reply_to if message.reply_to is not None else topic,
        reply_to_top_id=topic if message.reply_to is not None else None,
    )
