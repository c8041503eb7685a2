"""The world's events as updates for a viewer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from telethon.tl import types

from forwarder.sandbox.world import World
from forwarder.sandbox.world import ids as marked
from forwarder.sandbox.world.events import (
    BoxEvent,
    CallbackPressed,
    MessageEdited,
    MessagesDeleted,
    NewMessage,
)

from .messages import Sight
from .peers import write_peer


def write_box_event(sight: Sight, event: BoxEvent) -> Any:
    """One event of a box. Messages are shown as they stood at the event."""
    channel = marked.is_channel(event.box)
    if isinstance(event, NewMessage):
        make = types.UpdateNewChannelMessage if channel else types.UpdateNewMessage
        return make(sight.message(event.message), event.pts, event.pts_count)
    if isinstance(event, MessageEdited):
        make = types.UpdateEditChannelMessage if channel else types.UpdateEditMessage
        return make(sight.message(event.message), event.pts, event.pts_count)
    if channel:
        sight.name(event.box)
        return types.UpdateDeleteChannelMessages(
            marked.bare(event.box), list(event.ids), event.pts, event.pts_count
        )
    return types.UpdateDeleteMessages(list(event.ids), event.pts, event.pts_count)


def write_random_ids(viewer: int, events: Sequence[BoxEvent]) -> list[Any]:
    """updateMessageID for what the viewer itself has sent."""
    return [
        types.UpdateMessageID(event.message.id, event.random_id)
        for event in events
        if isinstance(event, NewMessage) and event.random_id is not None and event.message.sent_by == viewer
    ]


def write_updates(sight: Sight, updates: list[Any]) -> Any:
    """Updates with all they name; ``seq`` is 0, which means "in no sequence"."""
    date = sight.world.clock.now()
    return types.Updates(updates, sight.users(), sight.chats(), date, 0)


def write_callback(sight: Sight, event: CallbackPressed) -> Any:
    sight.name(event.user, event.message.chat)
    return types.UpdateBotCallbackQuery(
        event.query_id,
        event.user,
        write_peer(event.message.chat),
        event.message.id,
        event.chat_instance,
        data=event.data,
    )


def heard(world: World, viewer: int, events: Sequence[BoxEvent]) -> list[BoxEvent]:
    """Those events that are delivered to the viewer: people hear everything, bots not all messages."""
    if world.account(viewer).bot is None:
        return list(events)
    return [
        event for event in events if isinstance(event, MessagesDeleted) or world.hears(viewer, event.message)
    ]
