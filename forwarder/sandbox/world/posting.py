"""Putting messages into boxes: the one place where messages get their numbers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from . import ids
from .boxes import Box
from .chats import GENERAL_TOPIC, Chat
from .errors import TelegramError
from .messages import EMPTY, PLAIN, Content, Forward, MadeFrom, Message, Options, Service
from .people import People


@dataclass(frozen=True, slots=True)
class Draft:
    """A message before it has a number."""

    content: Content = EMPTY
    options: Options = PLAIN
    grouped_id: int | None = None
    forward: Forward | None = None
    made_from: MadeFrom | None = None
    service: Service | None = None
    random_id: int | None = None


class Posting(People):
    """Layer: numbering, copies in several boxes, and the memory of random ids."""

    def place_service(
        self, actor: int, chat_id: int, service: Service, *, topic: int | None = None
    ) -> Message:
        """Put a service message into a chat; it takes a number like any other."""
        options = Options(topic=None if topic == GENERAL_TOPIC else topic)
        return self._place(actor, chat_id, Draft(service=service, options=options))

    def _place(self, actor: int, chat_id: int, draft: Draft) -> Message:
        """Number a draft and put it into all boxes it belongs to. Returns the actor's own copy."""
        if ids.is_channel(chat_id):
            box = self.memory.boxes[chat_id]
            own = self._put(self._compose(actor, chat_id, draft, box.take_id(), chat_id), box, draft)
        elif ids.is_group(chat_id):
            members = [m.account for m in self.chat(chat_id).members.values() if m.inside]
            own = self._add_copies(
                self._compose(actor, chat_id, draft), dict.fromkeys(members, chat_id), draft
            )
        else:
            message = self._compose(actor, chat_id, draft)
            self._remember_private(actor, chat_id)
            own = self._add_copies(message, {actor: chat_id, chat_id: actor}, draft)
        if draft.random_id is not None:
            self.memory.random_ids[actor, chat_id, draft.random_id] = own.link
        return own

    def _compose(self, actor: int, chat_id: int, draft: Draft, number: int = 0, box: int = 0) -> Message:
        chat = self.memory.chats.get(chat_id)
        post = chat is not None and chat.broadcast
        content, options = draft.content, draft.options
        return Message(
            id=number,
            box=box,
            chat=chat_id,
            uid=self.take_uid(),
            sent_by=actor,
            from_id=options.send_as or self._shown_author(actor, chat),
            date=self.clock.now(),
            text=content.text,
            entities=content.entities,
            media=content.media,
            page=content.page,
            inverted=content.inverted,
            grouped_id=draft.grouped_id,
            reply_to=options.reply_to,
            quote=options.quote if options.reply_to is not None else None,
            topic=options.topic,
            forward=draft.forward,
            made_from=draft.made_from,
            post=post,
            post_author=self.account(actor).name if post and chat is not None and chat.signatures else "",
            views=1 if post and draft.service is None else None,
            markup=options.markup,
            service=draft.service,
            noforwards=options.noforwards,
            silent=options.silent,
            via_bot=options.via_bot,
        )

    def _shown_author(self, actor: int, chat: Chat | None) -> int | None:
        if chat is None:
            return actor
        if chat.broadcast:
            return None
        member = chat.member(actor)
        anonymous = member is not None and member.is_admin and "anonymous" in member.rights
        return chat.id if anonymous else actor

    def _add(self, message: Message, owner: int, chat_id: int, draft: Draft) -> Message:
        box = self.memory.boxes[owner]
        return self._put(replace(message, id=box.take_id(), box=owner, chat=chat_id), box, draft)

    def _put(self, message: Message, box: Box, draft: Draft) -> Message:
        if message.service is not None and message.service.kind == "topic_created":
            message = replace(message, topic=message.id)
        self._emit(box.add(message, draft.random_id))
        return message

    def _add_copies(self, message: Message, views: dict[int, int], draft: Draft) -> Message:
        """``views``: owner of the box to the chat's id as that owner sees it. The first is the actor's."""
        actor = message.sent_by
        twins: dict[int, int] = {}
        own: Message | None = None
        for owner in (actor, *(other for other in views if other != actor)):
            if owner not in views:
                continue
            twin = replace(message, reply_to=self._twin_id(actor, message.reply_to, owner))
            hidden = draft if owner == actor else replace(draft, random_id=None)
            placed = self._add(twin, owner, views[owner], hidden)
            twins[owner] = placed.id
            own = own or placed
        if own is None:
            raise TelegramError(400, "PEER_ID_INVALID")
        self.memory.twins[message.uid] = twins
        return own

    def _twin_id(self, actor: int, message_id: int | None, owner: int) -> int | None:
        """The number that another box gives to a message of the actor's box."""
        if message_id is None or owner == actor:
            return message_id
        message = self.memory.boxes[actor].get(message_id)
        return self.memory.twins.get(message.uid, {}).get(owner) if message else None

    def twins(self, message: Message) -> list[Message]:
        """All living copies of a message, itself among them."""
        if ids.is_channel(message.box):
            return [message]
        found = (self.memory.boxes[box].get(number) for box, number in self.memory.twins[message.uid].items())
        return [one for one in found if one is not None]

    # -- random ids --------------------------------------------------------------------------------------

    def replayed(self, actor: int, chat_id: int, random_id: int | None) -> Message | None:
        """The message that an earlier call with this random id made, be it deleted since.

        The memory is permanent and shared by all logins of the account
        (https://core.telegram.org/api/updates#updatemessageid-updates).
        """
        if random_id is None:
            return None
        link = self.memory.random_ids.get((actor, chat_id, random_id))
        return self.memory.boxes[link[0]].get_or_deleted(link[1]) if link else None

    def begin_random_ids(self, actor: int, chat_id: int, random_ids: Sequence[int]) -> None:
        """A door starts a call that may take long. Raises RANDOM_ID_DUPLICATE while another one runs."""
        keys = {(actor, chat_id, number) for number in random_ids}
        if keys & self.pending_random_ids:
            raise TelegramError(500, "RANDOM_ID_DUPLICATE")
        self.pending_random_ids |= keys

    def end_random_ids(self, actor: int, chat_id: int, random_ids: Sequence[int]) -> None:
        self.pending_random_ids -= {(actor, chat_id, number) for number in random_ids}
