"""Pushes: the world's events on their way to every connection that has to hear of them.

Events of one turn of the loop are sent together, at most a hundred in one update, encoded once per account.
The connection whose own call caused an event gets it with the answer and not again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import groupby
from typing import TYPE_CHECKING, Any

from telethon.tl import types

from forwarder.sandbox.gate import GO, Gate
from forwarder.sandbox.world import ids as marked
from forwarder.sandbox.world.events import (
    BoxEvent,
    CallbackAnswered,
    CallbackPressed,
    ChatChanged,
    Event,
    MemberChanged,
    MessageEdited,
    MessagesDeleted,
    NewMessage,
)

from .envelope import of_no_layer
from .tl.messages import Sight
from .tl.updates import heard, write_box_event, write_callback, write_random_ids, write_updates

if TYPE_CHECKING:
    from .connection import Connection
    from .door import MtprotoDoor

BATCH = 100
SWAP_WAIT = 1.0


def kind_of(event: Event) -> str:
    """The name under which the gate knows an update of this event."""
    match event:
        case NewMessage():
            return "new_message"
        case MessageEdited():
            return "edit_message"
        case MessagesDeleted():
            return "delete_messages"
        case CallbackPressed():
            return "callback_query"
        case _:
            return "channel"


class Pushes:
    """Listens to the world and tells the connections."""

    def __init__(self, door: MtprotoDoor, gate: Gate) -> None:
        self._door = door
        self._gate = gate
        self._cause: Connection | None = None
        self._waiting: list[tuple[Event, Connection | None]] = []
        self._held: dict[Connection, tuple[bytes, dict[int, int]]] = {}
        self._answers: dict[int, asyncio.Future[CallbackAnswered]] = {}
        self._early: dict[int, CallbackAnswered] = {}
        self._timers: set[asyncio.TimerHandle] = set()

    @contextmanager
    def caused_by(self, connection: Connection) -> Iterator[None]:
        """What happens in the world inside the ``with`` was this connection's call."""
        self._cause = connection
        try:
            yield
        finally:
            self._cause = None

    def notice(self, event: Event) -> None:
        """The world's observer."""
        if isinstance(event, CallbackAnswered):
            self._answered(event)
            return
        if not self._waiting:
            self._door.loop.call_soon(self._flush)
        self._waiting.append((event, self._cause))

    async def callback_answer(self, query_id: int, timeout: float) -> CallbackAnswered | None:
        """The bot's answer to a pressed button, or None when it does not come in time (seconds)."""
        early = self._early.pop(query_id, None)
        if early is not None:
            return early
        answer: asyncio.Future[CallbackAnswered] = self._door.loop.create_future()
        self._answers[query_id] = answer
        try:
            return await asyncio.wait_for(answer, timeout)
        except TimeoutError:
            return None
        finally:
            self._answers.pop(query_id, None)

    def _answered(self, event: CallbackAnswered) -> None:
        answer = self._answers.pop(event.query_id, None)
        if answer is not None and not answer.done():
            answer.set_result(event)
            return
        # A bot in this very process may answer before the person's client has begun to wait.
        self._early[event.query_id] = event
        while len(self._early) > BATCH:
            del self._early[next(iter(self._early))]

    def stop(self) -> None:
        for timer in self._timers:
            timer.cancel()
        self._waiting.clear()
        self._held.clear()

    # -- sorting out -------------------------------------------------------------------------------------

    def _flush(self) -> None:
        waiting, self._waiting = self._waiting, []
        for (box, cause), group in groupby(waiting, key=lambda pair: (_box_of(pair[0]), pair[1])):
            events = [event for event, _ in group]
            if box is not None:
                boxed = [e for e in events if isinstance(e, NewMessage | MessageEdited | MessagesDeleted)]
                for start in range(0, len(boxed), BATCH):
                    self._push_box(box, boxed[start : start + BATCH], cause)
            else:
                for event in events:
                    self._push_other(event)

    def _push_box(self, box: int, events: list[BoxEvent], cause: Connection | None) -> None:
        if marked.is_channel(box):
            chat = self._door.world.chat(box)
            accounts = [account for account in self._door.online() if chat.inside(account)]
        else:
            accounts = [box]
        for account in accounts:
            targets = [one for one in self._door.listeners(account) if one is not cause]
            if targets:
                self._push_to(account, targets, heard(self._door.world, account, events))

    def _push_to(self, account: int, targets: list[Connection], events: list[BoxEvent]) -> None:
        """Events without orders travel together; one that a fault rule has an order for travels alone."""
        together: list[BoxEvent] = []
        for event in events:
            chat = event.chat if isinstance(event, MessagesDeleted) else event.message.chat
            order = self._gate.on_push("mtproto", account, kind_of(event), chat)
            if order == GO:
                together.append(event)
                continue
            self._send(account, targets, together)
            together = []
            if order.drop:
                continue
            if order.delay:
                self._after(order.delay, account, targets, [event])
            elif order.swap:
                self._hold(account, targets, event)
            elif order.odd:
                body, seen = self._encoded(account, [event])
                for target in targets:
                    target.push(of_no_layer(body), seen)
            else:
                self._send(account, targets, [event])
                if order.double:
                    self._send(account, targets, [event])
        self._send(account, targets, together)

    def _push_other(self, event: Event) -> None:
        world = self._door.world
        if isinstance(event, CallbackPressed):
            order = self._gate.on_push("mtproto", event.bot, "callback_query", event.message.chat)
            if not order.drop:
                sight = Sight(world, event.bot)
                body = bytes(write_updates(sight, [write_callback(sight, event)]))
                for target in self._door.listeners(event.bot):
                    target.push(body)
        elif isinstance(event, MemberChanged) and marked.is_channel(event.chat):
            self._push_channel(event.account, event.chat)
        elif isinstance(event, ChatChanged) and marked.is_channel(event.chat):
            chat = world.chat(event.chat)
            for account in self._door.online():
                if chat.inside(account):
                    self._push_channel(account, event.chat)

    def _push_channel(self, account: int, chat_id: int) -> None:
        """Something about the channel or about one's own place in it has changed."""
        targets = self._door.listeners(account)
        if not targets:
            return
        sight = Sight(self._door.world, account)
        sight.name(chat_id)
        body = bytes(write_updates(sight, [types.UpdateChannel(marked.bare(chat_id))]))
        for target in targets:
            target.push(body)

    # -- sending -----------------------------------------------------------------------------------------

    def _send(self, account: int, targets: list[Connection], events: list[BoxEvent]) -> None:
        if not events:
            return
        body, seen = self._encoded(account, events)
        for target in targets:
            target.push(body, seen)
            held = self._held.pop(target, None)
            if held is not None:
                target.push(*held)

    def _encoded(self, account: int, events: list[BoxEvent]) -> tuple[bytes, dict[int, int]]:
        sight = Sight(self._door.world, account)
        updates: list[Any] = [*write_random_ids(account, events)]
        updates.extend(write_box_event(sight, event) for event in events)
        box = events[-1].box
        seen = {box: events[-1].pts} if marked.is_channel(box) else {}
        return bytes(write_updates(sight, updates)), seen

    def _hold(self, account: int, targets: list[Connection], event: BoxEvent) -> None:
        """Keep an update back until the next one has overtaken it, or for a second at most."""
        body, seen = self._encoded(account, [event])
        for target in targets:
            self._held[target] = (body, seen)
            self._timer(SWAP_WAIT, self._release, target)

    def _release(self, target: Connection) -> None:
        held = self._held.pop(target, None)
        if held is not None:
            target.push(*held)

    def _after(self, delay: float, account: int, targets: list[Connection], events: list[BoxEvent]) -> None:
        self._timer(delay, self._send, account, targets, events)

    def _timer(self, delay: float, action: Any, *arguments: Any) -> None:
        handle = self._door.loop.call_later(delay, action, *arguments)
        self._timers = {timer for timer in self._timers if not timer.cancelled()}
        self._timers.add(handle)


def _box_of(event: Event) -> int | None:
    return event.box if isinstance(event, NewMessage | MessageEdited | MessagesDeleted) else None
