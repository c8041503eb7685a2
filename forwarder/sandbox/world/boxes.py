"""A box: the numbered messages of one channel or one account, and the log of what changed in it.

pts rises by exactly ``pts_count`` with each event (https://core.telegram.org/api/updates). The log is
bounded: who asks for a state older than its beginning gets "difference too long".
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections import deque
from dataclasses import dataclass, field
from typing import TypeVar

from .events import BoxEvent, MessageEdited, MessagesDeleted, NewMessage
from .messages import Deleted, Message

_E = TypeVar("_E", NewMessage, MessageEdited, MessagesDeleted)


@dataclass(slots=True)
class Box:
    """``owner`` is a channel's marked id or an account's id. ``order`` lists the living ids of each chat."""

    owner: int
    log_size: int
    pts: int = 1
    next_id: int = 1
    messages: dict[int, Message] = field(default_factory=dict)
    deleted: dict[int, Deleted] = field(default_factory=dict)
    order: dict[int, list[int]] = field(default_factory=dict)
    log: deque[BoxEvent] = field(default_factory=deque)
    log_start: int = 1

    def take_id(self) -> int:
        """The next message number; numbers are never used twice."""
        number = self.next_id
        self.next_id += 1
        return number

    def add(self, message: Message, random_id: int | None) -> NewMessage:
        self.messages[message.id] = message
        insort(self.order.setdefault(message.chat, []), message.id)
        self.pts += 1
        return self._log(NewMessage(self.owner, self.pts, 1, message, random_id))

    def replace(self, message: Message) -> MessageEdited:
        self.messages[message.id] = message
        self.pts += 1
        return self._log(MessageEdited(self.owner, self.pts, 1, message))

    def remove(self, chat: int, gone: list[Deleted]) -> MessagesDeleted:
        """Take messages of one chat out; the world keeps them for its verdicts."""
        ids = self.order[chat]
        for entry in gone:
            del self.messages[entry.message.id]
            self.deleted[entry.message.id] = entry
            del ids[bisect_left(ids, entry.message.id)]
        self.pts += len(gone)
        numbers = tuple(entry.message.id for entry in gone)
        return self._log(MessagesDeleted(self.owner, self.pts, len(gone), chat, numbers))

    def _log(self, event: _E) -> _E:
        self.log.append(event)
        while len(self.log) > self.log_size:
            self.log_start = self.log.popleft().pts
        return event

    def since(self, pts: int, limit: int) -> list[BoxEvent] | None:
        """Events after a state, oldest first, at most ``limit``; None when the log no longer reaches back."""
        if pts < self.log_start:
            return None
        missed: list[BoxEvent] = []
        for event in reversed(self.log):
            if event.pts <= pts:
                break
            missed.append(event)
        missed.reverse()
        return missed[:limit]

    def get(self, message_id: int) -> Message | None:
        return self.messages.get(message_id)

    def get_or_deleted(self, message_id: int) -> Message | None:
        """The message, or what it was before it was deleted."""
        gone = self.deleted.get(message_id)
        return self.messages.get(message_id) or (gone.message if gone else None)

    def top(self, chat: int) -> Message | None:
        ids = self.order.get(chat)
        return self.messages[ids[-1]] if ids else None
