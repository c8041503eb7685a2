"""Editing, deleting, pinning and voting."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from . import ids, rights
from .accounts import Account
from .content import check_media_swap, checked
from .errors import TelegramError
from .forwarding import Forwarding
from .markup import Markup
from .media import Media, Poll, WebPage, takes_caption
from .messages import Content, Deleted, Entity, Message, Service


@dataclass(frozen=True, slots=True)
class Edit:
    """What an edit changes. ``text`` None keeps text and entities, ``media`` None keeps the medium.

    ``markup`` is what the message has afterwards: None takes a keyboard away, as Telegram does; so with ``page``
    and ``inverted`` of a new text.
    """

    text: str | None = None
    entities: tuple[Entity, ...] = ()
    media: Media | None = None
    markup: Markup | None = None
    page: WebPage | None = None
    inverted: bool = False


class Editing(Forwarding):
    """Layer: changes to messages that exist."""

    def edit(self, actor: int, chat_id: int, message_id: int, edit: Edit) -> Message:
        """Change a message. Returns the actor's copy.

        Raises MESSAGE_ID_INVALID, MESSAGE_AUTHOR_REQUIRED, MESSAGE_EDIT_TIME_EXPIRED, MESSAGE_NOT_MODIFIED,
        CHAT_ADMIN_REQUIRED, MEDIA_PREV_INVALID and the content's own errors.
        """
        message = self._own_view(actor, chat_id, message_id)
        if message is None or message.service is not None or message.forward is not None:
            raise TelegramError(400, "MESSAGE_ID_INVALID")
        self._check_editor(actor, chat_id, message)
        if message.media is not None and not takes_caption(message.media) and edit.text is not None:
            raise TelegramError(400, "MESSAGE_ID_INVALID")
        content = self._edited(message, edit, self.account(actor))
        if (content, edit.markup) == (message.content, message.markup):
            raise TelegramError(400, "MESSAGE_NOT_MODIFIED")
        own = message
        for twin in self.twins(message):
            changed = replace(
                twin,
                text=content.text,
                entities=content.entities,
                media=content.media,
                page=content.page,
                inverted=content.inverted,
                markup=edit.markup,
                edit_date=self.clock.now(),
                revision=twin.revision + 1,
            )
            self._emit(self.memory.boxes[twin.box].replace(changed))
            if twin.box == message.box:
                own = changed
        self._note(actor, "edit", chat_id, (message_id,))
        return own

    def _edited(self, message: Message, edit: Edit, account: Account) -> Content:
        content = message.content
        if edit.text is not None:
            content = replace(
                content, text=edit.text, entities=edit.entities, page=edit.page, inverted=edit.inverted
            )
        if edit.media is not None:
            content = replace(content, media=edit.media)
            check_media_swap(message.content, content)
        return checked(content, self.rules, premium=account.premium)

    def _own_view(self, actor: int, chat_id: int, message_id: int) -> Message | None:
        if not ids.is_user(chat_id):
            rights.check_read(
                self.chat(chat_id), self.account(actor), bots_read_public=self.rules.bots_read_public
            )
        return self.message(actor, chat_id, message_id)

    def _check_editor(self, actor: int, chat_id: int, message: Message) -> None:
        chat = self.memory.chats.get(chat_id)
        member = chat.member(actor) if chat else None
        mine = message.sent_by == actor
        if chat is not None and chat.broadcast:
            may_edit = member is not None and member.may("edit_messages")
            if not may_edit and not (mine and member is not None and member.may("post_messages")):
                raise TelegramError(400, "CHAT_ADMIN_REQUIRED" if not mine else "MESSAGE_AUTHOR_REQUIRED")
            timeless = may_edit
        else:
            if not mine:
                raise TelegramError(403, "MESSAGE_AUTHOR_REQUIRED")
            timeless = member is not None and member.may("pin_messages") and ids.is_channel(chat_id)
        age = (self.clock.now() - message.date).total_seconds()
        if age > self.rules.edit_window and not timeless and self.account(actor).bot is None:
            raise TelegramError(400, "MESSAGE_EDIT_TIME_EXPIRED")

    # -- deleting ----------------------------------------------------------------------------------------

    def delete(self, actor: int, chat_id: int, numbers: Sequence[int], *, revoke: bool = True) -> list[int]:
        """Delete messages; returns the numbers that were there. With ``revoke`` all copies go.

        Raises MESSAGE_DELETE_FORBIDDEN when one of them may not be deleted by the actor (then none is).
        """
        found = [
            m for m in (self._own_view(actor, chat_id, n) for n in dict.fromkeys(numbers)) if m is not None
        ]
        for message in found:
            self._check_deleter(actor, chat_id, message)
        gone: dict[tuple[int, int], list[Deleted]] = {}
        for message in found:
            for twin in self.twins(message) if revoke else [message]:
                gone.setdefault((twin.box, twin.chat), []).append(Deleted(twin, self.clock.now(), actor))
        for (box, chat), entries in gone.items():
            self._emit(self.memory.boxes[box].remove(chat, entries))
        removed = [message.id for message in found]
        if removed:
            self._note(actor, "delete", chat_id, tuple(removed))
        return removed

    def _check_deleter(self, actor: int, chat_id: int, message: Message) -> None:
        account = self.account(actor)
        age = (self.clock.now() - message.date).total_seconds()
        if account.bot is not None and age > self.rules.bot_delete_window:
            raise TelegramError(403, "MESSAGE_DELETE_FORBIDDEN")
        if ids.is_user(chat_id):
            if account.bot is not None and message.sent_by != actor and message.service is not None:
                raise TelegramError(403, "MESSAGE_DELETE_FORBIDDEN")
            return
        member = self.chat(chat_id).member(actor)
        if member is not None and member.may("delete_messages"):
            if message.service is not None and message.service.kind == "channel_created":
                raise TelegramError(403, "MESSAGE_DELETE_FORBIDDEN")
            return
        posting = not message.post or (member is not None and member.may("post_messages"))
        if message.sent_by != actor or not posting or member is None or not member.inside:
            raise TelegramError(403, "MESSAGE_DELETE_FORBIDDEN")

    # -- pins and votes ----------------------------------------------------------------------------------

    def pin(self, actor: int, chat_id: int, message_id: int) -> Message:
        """Pin a message; the chat gets a service message about it, which is returned."""
        chat = self.chat(chat_id)
        rights.need_admin(chat, actor, "edit_messages" if chat.broadcast else "pin_messages")
        if self.message(actor, chat_id, message_id) is None:
            raise TelegramError(400, "MESSAGE_ID_INVALID")
        chat.pinned = message_id
        return self.place_service(actor, chat_id, Service("message_pinned", message_id=message_id))

    def vote(self, actor: int, chat_id: int, message_id: int, options: tuple[int, ...]) -> None:
        """Vote in a poll, so that a quiz's answer becomes known to the voter."""
        message = self._own_view(actor, chat_id, message_id)
        if message is None or not isinstance(message.media, Poll):
            raise TelegramError(400, "MESSAGE_ID_INVALID")
        if message.media.closed:
            raise TelegramError(400, "MESSAGE_POLL_CLOSED")
        self.memory.votes.setdefault(message.media.id, {})[actor] = options
