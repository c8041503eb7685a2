"""What a bot has not read yet: a queue for each bot, filled by the world's events, read by getUpdates.

An update is made when the event happens, is kept until it is confirmed by a higher offset, and is thrown away
24 hours after the date of its message (``add_message`` in Client.cpp of telegram-bot-api).

An update that is late holds back those of its chat that come after it, and no others: the official server keeps a
queue for each chat (``new_message_queues_`` there) and takes a channel's messages in the order of their pts. So the
bot may hear of two chats in another order than they were written, of one chat only in its own. Its number is given
when it comes: numbers rise in the order in which they are served.
"""

from __future__ import annotations

import asyncio
import math
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from forwarder.sandbox.gate import Gate, Order
from forwarder.sandbox.world import Message, World
from forwarder.sandbox.world.events import (
    BotStopped,
    CallbackPressed,
    Event,
    MemberChanged,
    MessageEdited,
    NewMessage,
)
from forwarder.sandbox.world.ids import is_channel

from .views import chat_json, member_json, message_json, seconds, user_json

Json = dict[str, object]

KEPT = timedelta(hours=24)
MOST_AT_ONCE = 100
LONGEST_POLL = 50.0
FUTURE = 10
ALL_KINDS = frozenset(
    {
        "message",
        "edited_message",
        "channel_post",
        "edited_channel_post",
        "callback_query",
        "my_chat_member",
        "chat_member",
    }
)
DEFAULT_KINDS = ALL_KINDS - {"chat_member"}


@dataclass(frozen=True, slots=True)
class Update:
    """One update; ``expires`` is 24 hours after the message's date (or after the event)."""

    id: int
    kind: str
    body: Json
    expires: datetime

    def to_json(self) -> Json:
        return {"update_id": self.id, self.kind: self.body}


@dataclass(frozen=True, slots=True)
class Late:
    """An update that its chat is waiting for; ``due`` by the clock of the event loop."""

    update: Update
    order: Order
    due: float


@dataclass(slots=True)
class Inbox:
    """The unread updates of one bot, and who waits for them."""

    bot: int
    next_id: int
    allowed: frozenset[str] = DEFAULT_KINDS
    webhook: str = ""
    unread: deque[Update] = field(default_factory=deque)
    held_back: Update | None = None
    late: dict[int, deque[Late]] = field(default_factory=dict)
    bell: asyncio.Event = field(default_factory=asyncio.Event)
    poll: int = 0

    def put(self, update: Update) -> None:
        self.unread.append(update)
        self.bell.set()

    def expire(self, now: datetime) -> None:
        if any(update.expires <= now for update in self.unread):
            self.unread = deque(update for update in self.unread if update.expires > now)

    def confirm(self, offset: int) -> None:
        """Forget what the offset confirms; a negative one keeps only that many of the newest.

        One far beyond the newest number (a client's memory of numbers that began anew) confirms nothing, and is
        answered from the oldest update on (``get`` in TQueue.cpp of tdlib, ``do_get_updates`` in Client.cpp).
        """
        if offset < 0:
            while len(self.unread) > -offset:
                self.unread.popleft()
        elif 0 < offset <= self.next_id + FUTURE:
            while self.unread and self.unread[0].id < offset:
                self.unread.popleft()


class Updates:
    """The inboxes of all bots."""

    def __init__(self, world: World, gate: Gate) -> None:
        self._world = world
        self._gate = gate
        self._inboxes: dict[int, Inbox] = {}
        self._bots_in: dict[int, set[int]] = {}
        for chat in world.memory.chats.values():
            for member in chat.members.values():
                self._count_member(chat.id, member.account, member.inside)
        self._stop_listening = world.subscribe(self._on_event)

    def close(self) -> None:
        """Stop listening to the world."""
        self._stop_listening()

    def inbox(self, bot: int) -> Inbox:
        found = self._inboxes.get(bot)
        if found is None:
            found = self._inboxes[bot] = Inbox(bot, next_id=100_000_000 + bot % 1_000_000 + 1)
        return found

    def inboxes(self) -> Sequence[Inbox]:
        return tuple(self._inboxes.values())

    def release(self, bot: int, chat: int) -> None:
        """Let what is late of a chat come now."""
        self._release(self.inbox(bot), chat, math.inf)

    def restore(self, inbox: Inbox) -> None:
        """Put the inbox of an earlier run in place."""
        self._inboxes[inbox.bot] = inbox

    # -- from events to updates --------------------------------------------------------------------------

    def _on_event(self, event: Event) -> None:
        if isinstance(event, NewMessage | MessageEdited):
            self._on_message(event.message, edited=isinstance(event, MessageEdited))
        elif isinstance(event, CallbackPressed):
            self._on_callback(event)
        elif isinstance(event, MemberChanged):
            self._on_member(event)
        elif isinstance(event, BotStopped):
            self._on_stopped(event)

    def _on_message(self, message: Message, *, edited: bool) -> None:
        now = self._world.clock.now()
        moment = message.edit_date if edited and message.edit_date else message.date
        expires = message.date + KEPT
        if moment + KEPT <= now or expires <= now:
            return
        kind = "channel_post" if message.post else "message"
        for bot in self._listeners(message):
            # A bot's own messages are not echoed to it, nor are edits of them.
            if message.sent_by != bot and self._world.hears(bot, message):
                self._put(
                    bot,
                    f"edited_{kind}" if edited else kind,
                    message_json(self._world, bot, message),
                    expires,
                    message.chat,
                )

    def _listeners(self, message: Message) -> Iterable[int]:
        if is_channel(message.box):
            return sorted(self._bots_in.get(message.box, ()))
        account = self._world.memory.accounts.get(message.box)
        return (message.box,) if account is not None and account.bot is not None else ()

    def _on_callback(self, event: CallbackPressed) -> None:
        body: Json = {
            "id": str(event.query_id),
            "from": user_json(self._world.account(event.user)),
            "message": message_json(self._world, event.bot, event.message),
            "chat_instance": str(event.chat_instance),
            "data": event.data.decode(errors="replace"),
        }
        self._put(event.bot, "callback_query", body, event.at + KEPT, event.message.chat)

    def _on_member(self, event: MemberChanged) -> None:
        self._count_member(event.chat, event.account, event.after.inside)
        chat = self._world.chat(event.chat)
        for bot in {*self._bots_in.get(event.chat, ()), *self._own(event.account)}:
            own = bot == event.account
            admin = chat.member(bot)
            if not own and (admin is None or not admin.is_admin):
                continue
            body: Json = {
                "chat": chat_json(self._world, event.chat),
                "from": user_json(self._world.account(event.actor)),
                "date": seconds(event.at),
                "old_chat_member": member_json(self._world, chat, event.account, event.before, bot),
                "new_chat_member": member_json(self._world, chat, event.account, event.after, bot),
            }
            self._put(bot, "my_chat_member" if own else "chat_member", body, event.at + KEPT, event.chat)

    def _own(self, account: int) -> tuple[int, ...]:
        return (account,) if self._world.account(account).bot is not None else ()

    def _on_stopped(self, event: BotStopped) -> None:
        """A person blocked or unblocked the bot: its membership of the private chat."""
        bot = {"user": user_json(self._world.account(event.bot))}
        kicked: Json = {"status": "kicked", **bot, "until_date": 0}
        member: Json = {"status": "member", **bot}
        before, after = (member, kicked) if event.blocked else (kicked, member)
        body: Json = {
            "chat": chat_json(self._world, event.user),
            "from": user_json(self._world.account(event.user)),
            "date": seconds(event.at),
            "old_chat_member": before,
            "new_chat_member": after,
        }
        self._put(event.bot, "my_chat_member", body, event.at + KEPT, event.user)

    def _count_member(self, chat: int, account: int, inside: bool) -> None:
        if self._world.memory.accounts[account].bot is not None:
            bots = self._bots_in.setdefault(chat, set())
            (bots.add if inside else bots.discard)(account)

    def _put(self, bot: int, kind: str, body: Json, expires: datetime, chat: int) -> None:
        inbox = self.inbox(bot)
        if kind not in inbox.allowed:
            return
        order = self._gate.on_push("bot_api", bot, kind, chat)
        update = Update(inbox.next_id, kind, body, expires)
        if order.drop:
            inbox.next_id += 1
            return
        if order.delay or inbox.late.get(chat):
            self._hold(inbox, chat, update, order)
            return
        inbox.next_id += 1
        self._deliver(inbox, update, order)

    def _hold(self, inbox: Inbox, chat: int, update: Update, order: Order) -> None:
        """Let an update come later, and never before the earlier ones of its chat."""
        loop = asyncio.get_running_loop()
        line = inbox.late.setdefault(chat, deque())
        due = max(line[-1].due if line else 0.0, loop.time() + order.delay)
        line.append(Late(update, order, due))
        loop.call_at(due, self._release, inbox, chat, due)

    def _release(self, inbox: Inbox, chat: int, due: float) -> None:
        line = inbox.late.get(chat, deque())
        while line and line[0].due <= due:
            late = line.popleft()
            update = replace(late.update, id=inbox.next_id)
            inbox.next_id += 1
            self._deliver(inbox, update, late.order)
        if not line:
            inbox.late.pop(chat, None)

    def _again(self, inbox: Inbox, update: Update) -> None:
        """The same once more under a number of its own: what is read is always in rising order."""
        inbox.put(replace(update, id=inbox.next_id))
        inbox.next_id += 1

    def _deliver(self, inbox: Inbox, update: Update, order: Order) -> None:
        if order.swap and inbox.held_back is None:
            inbox.held_back = update
            return
        held, inbox.held_back = inbox.held_back, None
        if held is not None:
            # The later event goes first, under the earlier number.
            update, held = replace(update, id=held.id), replace(held, id=update.id)
        inbox.put(update)
        if order.double:
            self._again(inbox, update)
        if held is not None:
            inbox.put(held)
