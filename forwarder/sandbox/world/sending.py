"""Sending: texts, media and albums."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from . import ids, rights
from .chats import GENERAL_TOPIC
from .content import checked
from .errors import TelegramError
from .media import Dice, Media, Poll, album_class
from .membership import Membership
from .messages import PLAIN, Content, Message, Options
from .posting import Draft

_DICE_SIDES = {"\N{BASKETBALL AND HOOP}": 5, "\N{SOCCER BALL}": 5, "\N{SLOT MACHINE}": 64}


class Sending(Membership):
    """Layer: new messages."""

    def send(
        self,
        actor: int,
        chat_id: int,
        content: Content | str,
        *,
        random_id: int | None = None,
        options: Options = PLAIN,
    ) -> Message:
        """Send one message; a known ``random_id`` sends nothing and returns what the first call sent.

        Raises `TelegramError` with the name that messages.sendMessage and messages.sendMedia would give.
        """
        if (earlier := self.replayed(actor, chat_id, random_id)) is not None:
            return earlier
        whole = Content(content) if isinstance(content, str) else content
        whole = checked(whole, self.rules, premium=self.account(actor).premium)
        self.check_send(actor, chat_id, [whole.media])
        draft = Draft(self._rolled(whole), self._usable(actor, chat_id, options), random_id=random_id)
        message = self._place(actor, chat_id, draft)
        self._sent(actor, chat_id, "send", [message])
        return message

    def send_album(
        self,
        actor: int,
        chat_id: int,
        items: Sequence[Content],
        *,
        random_ids: Sequence[int] | None = None,
        options: Options = PLAIN,
    ) -> list[Message]:
        """Send 2-10 media as one album. Raises MULTI_MEDIA_TOO_LONG, MEDIA_GROUPED_INVALID and those of
        `send`.
        """
        if not 2 <= len(items) <= 10:
            raise TelegramError(400, "MULTI_MEDIA_TOO_LONG" if items else "MEDIA_EMPTY")
        keys: Sequence[int | None] = random_ids if random_ids is not None else [None] * len(items)
        known = [self.replayed(actor, chat_id, key) for key in keys]
        if all(known):
            return [message for message in known if message is not None]
        premium = self.account(actor).premium
        parts = [checked(item, self.rules, premium=premium) for item in items]
        classes = {album_class(part.media) for part in parts}
        if len(classes) != 1 or None in classes:
            raise TelegramError(400, "MEDIA_GROUPED_INVALID")
        self.check_send(actor, chat_id, [part.media for part in parts])
        usable, group = self._usable(actor, chat_id, options), self.big_id()
        sent = [
            earlier or self._place(actor, chat_id, Draft(part, usable, grouped_id=group, random_id=key))
            for part, key, earlier in zip(parts, keys, known, strict=True)
        ]
        self._sent(actor, chat_id, "send_album", sent)
        return sent

    def check_send(self, actor: int, chat_id: int, media: Sequence[Media | None]) -> None:
        """Raises what Telegram answers when the actor may not send these media there now."""
        if ids.is_user(chat_id):
            if actor != chat_id:
                self.check_private(actor, chat_id)
            return
        chat = self.chat(chat_id)
        rights.check_send(chat, self.account(actor), media, self.clock.now())
        rights.check_slow_mode(chat, actor, len(media), self.clock.monotonic())
        if chat.broadcast and any(isinstance(one, Poll) and one.public_voters for one in media):
            raise TelegramError(400, "BROADCAST_PUBLIC_VOTERS_FORBIDDEN")

    def _usable(self, actor: int, chat_id: int, options: Options) -> Options:
        """Options as they take effect: a person has no keyboards to give, replies must have a target."""
        options = self._in_topic(actor, chat_id, options)
        if options.send_as is not None:
            self._check_send_as(actor, chat_id, options.send_as)
        if options.markup is not None and self.account(actor).bot is None:
            return replace(options, markup=None)
        return options

    def _in_topic(self, actor: int, chat_id: int, options: Options) -> Options:
        """A message lies in the topic of what it answers, else in the one that was named, else in General.

        General is never named: its id is no thread (BAS answers "message thread not found").
        """
        answered = None
        if options.reply_to is not None:
            answered = self.message(actor, chat_id, options.reply_to)
            if answered is None:
                raise TelegramError(400, "REPLY_MESSAGE_ID_INVALID")
            if options.quote is not None and options.quote.text not in answered.text:
                raise TelegramError(400, "QUOTE_TEXT_INVALID")
        chat = self.memory.chats.get(chat_id)
        if chat is None or (not chat.forum and options.topic is None):
            return options
        if options.topic == GENERAL_TOPIC:
            raise TelegramError(400, "TOPIC_ID_INVALID")
        number = options.topic if answered is None else answered.topic
        topic = self.topic(chat, number or GENERAL_TOPIC)
        rights.check_topic(chat, topic, actor)
        # To answer a topic's first message is to write into the topic.
        reply_to = None if options.reply_to == number else options.reply_to
        return replace(options, topic=number, reply_to=reply_to)

    def _check_send_as(self, actor: int, chat_id: int, name: int) -> None:
        """In supergroups a person may write in the name of a channel of their own.

        Source: https://core.telegram.org/api/send-as
        """
        chat, channel = self.memory.chats.get(chat_id), self.memory.chats.get(name)
        if chat is None or chat.kind != "supergroup" or channel is None or channel.kind != "channel":
            raise TelegramError(400, "SEND_AS_PEER_INVALID")
        if channel.creator != actor:
            raise TelegramError(400, "SEND_AS_PEER_INVALID")

    def _rolled(self, content: Content) -> Content:
        if isinstance(content.media, Dice) and not content.media.value:
            value = self.random.randint(1, _DICE_SIDES.get(content.media.emoji, 6))
            return replace(content, media=replace(content.media, value=value))
        return content

    def _sent(self, actor: int, chat_id: int, operation: str, sent: Sequence[Message]) -> None:
        chat = self.memory.chats.get(chat_id)
        if chat is not None and chat.slow_mode:
            chat.last_sent[actor] = self.clock.monotonic()
        self._note(actor, operation, chat_id, tuple(message.id for message in sent))
