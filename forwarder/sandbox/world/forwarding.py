"""Forwarding, with the author shown or dropped, and copying with a new caption."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

from . import ids, rights
from .content import checked
from .errors import TelegramError
from .media import Dice, Game, Poll, Special, album_class, takes_caption
from .messages import PLAIN, Content, Forward, MadeFrom, Message, Options
from .posting import Draft
from .sending import Sending

MAX_FORWARDED = 100


class Forwarding(Sending):
    """Layer: messages made from messages."""

    def forward(
        self,
        actor: int,
        source: int,
        numbers: Sequence[int],
        target: int,
        *,
        random_ids: Sequence[int] | None = None,
        drop_author: bool = False,
        drop_captions: bool = False,
        options: Options = PLAIN,
    ) -> list[Message | None]:
        """Forward 1-100 messages in one call. The result has a message or None for each number, in order.

        Missing messages, service messages, and with ``drop_author`` uncopyable ones, are skipped; when
        nothing is left it raises MESSAGE_ID_INVALID. Albums stay albums under a new id. Raises
        MESSAGE_IDS_EMPTY, RANDOM_ID_INVALID, CHAT_FORWARDS_RESTRICTED, QUIZ_ANSWER_MISSING, those of reading
        the source and those of sending. Source: https://core.telegram.org/method/messages.forwardMessages
        """
        if not numbers:
            raise TelegramError(400, "MESSAGE_IDS_EMPTY")
        if len(numbers) > MAX_FORWARDED:
            raise TelegramError(400, "LIMIT_INVALID")
        keys: Sequence[int | None] = random_ids if random_ids is not None else [None] * len(numbers)
        if len(keys) != len(numbers):
            raise TelegramError(400, "RANDOM_ID_INVALID")
        known = [self.replayed(actor, target, key) for key in keys]
        if all(known):
            return list(known)
        originals = self._forwardable(actor, source, numbers, drop_author=drop_author)
        left = [one for one, old in zip(originals, known, strict=True) if one is not None and old is None]
        if not left:
            raise TelegramError(400, "MESSAGE_ID_INVALID")
        self.check_send(actor, target, [one.media for one in left])
        drafts = self._drafts(left, drop_author, drop_captions, self._usable(actor, target, options))
        sent: list[Message | None] = []
        for original, key, old in zip(originals, keys, known, strict=True):
            if old is not None or original is None:
                sent.append(old)
                continue
            draft = replace(drafts[original.id], random_id=key)
            sent.append(self._place(actor, target, self._inner_reply(draft, original, sent)))
        self._sent(actor, target, "forward", [one for one in sent if one is not None])
        return sent

    def copy(
        self,
        actor: int,
        source: int,
        number: int,
        target: int,
        *,
        caption: Content | None = None,
        options: Options = PLAIN,
        random_id: int | None = None,
    ) -> Message:
        """A copy without header; ``caption`` (text and entities) replaces the old one where there can be
        one.
        """
        if caption is None:
            keys = None if random_id is None else [random_id]
            made = self.forward(
                actor, source, [number], target, random_ids=keys, drop_author=True, options=options
            )[0]
            if made is None:
                raise TelegramError(400, "MESSAGE_ID_INVALID")
            return made
        if (earlier := self.replayed(actor, target, random_id)) is not None:
            return earlier
        original = self._forwardable(actor, source, [number], drop_author=True)[0]
        if original is None:
            raise TelegramError(400, "MESSAGE_ID_INVALID")
        content = original.content
        if takes_caption(content.media):
            content = replace(
                content, text=caption.text, entities=caption.entities, inverted=caption.inverted
            )
        content = checked(content, self.rules, premium=self.account(actor).premium)
        self.check_send(actor, target, [content.media])
        made_from = MadeFrom(original.box, original.chat, original.id)
        usable = self._usable(actor, target, options)
        message = self._place(actor, target, Draft(content, usable, made_from=made_from, random_id=random_id))
        self._sent(actor, target, "copy", [message])
        return message

    # -- what may be forwarded ---------------------------------------------------------------------------

    def _forwardable(
        self, actor: int, source: int, numbers: Sequence[int], *, drop_author: bool
    ) -> list[Message | None]:
        account = self.account(actor)
        lenient = account.bot is not None and drop_author  # Telegram lets bots copy out of protected chats
        if not ids.is_user(source):
            chat = self.chat(source)
            rights.check_read(chat, account, bots_read_public=self.rules.bots_read_public)
            if chat.protected and not lenient:
                raise TelegramError(400, "CHAT_FORWARDS_RESTRICTED")
        found: list[Message | None] = []
        for number in numbers:
            message = self.message(actor, source, number)
            if message is None or message.service is not None:
                found.append(None)
                continue
            if message.noforwards and not (lenient and message.sent_by == actor):
                raise TelegramError(400, "CHAT_FORWARDS_RESTRICTED")
            if drop_author and isinstance(message.media, Game | Special):
                found.append(None)
                continue
            if drop_author:
                self._check_quiz(actor, message)
            found.append(message)
        return found

    def _check_quiz(self, actor: int, message: Message) -> None:
        poll = message.media
        if isinstance(poll, Poll) and poll.quiz and not poll.closed and not self.knows_answer(actor, message):
            raise TelegramError(400, "QUIZ_ANSWER_MISSING")

    def knows_answer(self, actor: int, message: Message) -> bool:
        """Whether an account has been told a quiz's right answer: its sender, and those who voted."""
        poll = message.media
        return isinstance(poll, Poll) and (
            message.sent_by == actor or poll.closed or actor in self.memory.votes.get(poll.id, {})
        )

    # -- what becomes of them ----------------------------------------------------------------------------

    def _drafts(
        self, left: Sequence[Message], drop_author: bool, drop_captions: bool, options: Options
    ) -> dict[int, Draft]:
        groups = self._new_groups(left)
        drafts: dict[int, Draft] = {}
        for original in left:
            content = original.content
            keep_header = not drop_author or isinstance(content.media, Dice)
            if drop_author and drop_captions and takes_caption(content.media):
                content = Content(media=content.media)
            if drop_author and isinstance(content.media, Poll):
                content = replace(content, media=replace(content.media, id=self.big_id(), closed=False))
            via = original.via_bot if keep_header else None
            drafts[original.id] = Draft(
                content,
                options if options.via_bot == via else replace(options, via_bot=via),
                grouped_id=groups.get(original.id),
                forward=self._header(original) if keep_header else None,
                made_from=MadeFrom(original.box, original.chat, original.id),
            )
        return drafts

    def _new_groups(self, left: Sequence[Message]) -> dict[int, int]:
        """Album ids of the copies, by the original's number."""
        sizes = Counter(message.grouped_id for message in left if message.grouped_id is not None)
        fresh = {group: self.big_id() for group, size in sizes.items() if size > 1}
        groups = {message.id: fresh[message.grouped_id] for message in left if message.grouped_id in fresh}
        if not groups and self.rules.neighbours_become_album and 2 <= len(left) <= 10:
            classes = {album_class(message.media) for message in left}
            if len(classes) == 1 and None not in classes:
                group = self.big_id()
                return {message.id: group for message in left}
        return groups

    def _header(self, original: Message) -> Forward:
        if original.forward is not None:
            return original.forward
        if original.post:
            return Forward(
                original.chat, original.date, channel_post=original.id, post_author=original.post_author
            )
        author = self.memory.accounts.get(original.from_id or 0)
        if author is not None and author.hides_name:
            return Forward(None, original.date, name=author.name)
        return Forward(original.from_id, original.date)

    def _inner_reply(self, draft: Draft, original: Message, sent: Sequence[Message | None]) -> Draft:
        """Replies are kept inside one call: the copy replies to the copy of what the original replied to."""
        if original.reply_to is None or draft.options.reply_to is not None:
            return draft
        for made in sent:
            if made is not None and made.made_from == MadeFrom(
                original.box, original.chat, original.reply_to
            ):
                return replace(draft, options=replace(draft.options, reply_to=made.id))
        return draft
