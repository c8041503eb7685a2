"""The whole sandbox in one JSON file, so that it can be killed and started again where it was.

Kept: the world, the server's RSA key, the auth keys with who is logged in by them, and the bots' unread
updates, also those that a fault keeps from a bot: after a restart they can be read.
Not kept: connections, fault rules, the call record, and running flood waits: a restarted server has new
windows.
"""

from __future__ import annotations

import base64
import json
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, fields, is_dataclass, replace
from datetime import datetime
from pathlib import Path

from .bot_api.request import CommandList
from .bot_api.updates import Inbox, Update
from .mtproto.keys import Login
from .world import Memory, World, accounts, boxes, chats, events, markup, media, messages, state

VERSION = 1

_KNOWN: dict[str, type] = {
    kind.__name__: kind
    for module in (accounts, boxes, chats, events, markup, media, messages, state)
    for kind in vars(module).values()
    if isinstance(kind, type) and is_dataclass(kind) and kind.__module__ == module.__name__
} | {kind.__name__: kind for kind in (Login, Update, CommandList)}


class BadSnapshot(ValueError):
    """A file that is no snapshot of this sandbox; the text says what to do."""


@dataclass(frozen=True, slots=True)
class InboxState:
    """A bot's inbox without what belongs to a running process."""

    bot: int
    next_id: int
    allowed: frozenset[str]
    webhook: str
    unread: tuple[Update, ...]


@dataclass(frozen=True, slots=True)
class Snapshot:
    """All that a restart needs. ``monotonic`` is the saved world's clock, by which slow mode counts."""

    memory: Memory
    chance: tuple[object, ...]
    log: tuple[state.Execution, ...]
    monotonic: float
    server_key: str
    logins: tuple[Login, ...]
    inboxes: tuple[InboxState, ...]
    ports: tuple[int, int, int]


_KNOWN |= {kind.__name__: kind for kind in (InboxState, Snapshot)}


def inbox_state(inbox: Inbox) -> InboxState:
    """What a snapshot keeps of an inbox. What was held back has its number, the latest one of all; what is late gets
    one when it comes."""
    late = sorted((one for line in inbox.late.values() for one in line), key=lambda one: one.due)
    held = () if inbox.held_back is None else (inbox.held_back,)
    coming = (replace(one.update, id=number) for number, one in enumerate(late, inbox.next_id))
    unread = (*inbox.unread, *held, *coming)
    return InboxState(inbox.bot, inbox.next_id + len(late), inbox.allowed, inbox.webhook, unread)


def inbox_from(saved: InboxState) -> Inbox:
    return Inbox(saved.bot, saved.next_id, saved.allowed, saved.webhook, deque(saved.unread))


def restore_world(world: World, snapshot: Snapshot) -> None:
    """Put the saved memory in the place of a fresh world's; before any door has opened."""
    world.memory = snapshot.memory
    shift = world.clock.monotonic() - snapshot.monotonic
    for chat in world.memory.chats.values():
        chat.last_sent = {account: at + shift for account, at in chat.last_sent.items()}
    world.log.extend(snapshot.log)
    version, numbers, gauss = snapshot.chance
    world.random.setstate((version, numbers, gauss))


def save(snapshot: Snapshot, path: Path) -> None:
    """Write the file whole or not at all; only its owner may read it."""
    text = json.dumps({"sandbox_snapshot": VERSION, "content": encode(snapshot)}, separators=(",", ":"))
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.new")
    draft.touch(mode=0o600)
    draft.write_text(text)
    draft.replace(path)


def load(path: Path) -> Snapshot:
    """Read a file of `save`. Raises BadSnapshot, OSError."""
    try:
        whole = json.loads(path.read_text())
        if not isinstance(whole, dict) or whole.get("sandbox_snapshot") != VERSION:
            raise BadSnapshot(
                f"{path} is no snapshot of this sandbox (version {VERSION}); remove it to start anew."
            )
        found = decode(whole["content"])
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        if isinstance(error, BadSnapshot):
            raise
        raise BadSnapshot(
            f"{path} can't be read as a snapshot ({error}); remove it to start anew."
        ) from error
    if not isinstance(found, Snapshot):
        raise BadSnapshot(f"{path} holds something else than a snapshot; remove it to start anew.")
    return found


# -- values as JSON: ["kind", ...] for everything that JSON has not got ------------------------------------


def encode(value: object) -> object:
    """Plain values of the world as JSON; only kinds that are listed here can travel."""
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, bytes):
        return ["bytes", base64.b64encode(value).decode()]
    if isinstance(value, datetime):
        return ["time", value.isoformat()]
    if isinstance(value, dict):
        return ["dict", [[encode(key), encode(item)] for key, item in value.items()]]
    if isinstance(value, tuple | list | set | frozenset | deque):
        return [type(value).__name__, [encode(item) for item in value]]
    name = type(value).__name__
    if _KNOWN.get(name) is not type(value) or not is_dataclass(value):
        raise TypeError(f"A snapshot can't keep a {name}.")
    return ["value", name, {one.name: encode(getattr(value, one.name)) for one in fields(value)}]


_PLURALS: dict[str, type] = {
    "tuple": tuple,
    "list": list,
    "set": set,
    "frozenset": frozenset,
    "deque": deque,
}


def decode(value: object) -> object:
    """The inverse of `encode`."""
    if not isinstance(value, list):
        return value
    name, *rest = value
    if name in _PLURALS:
        return _PLURALS[name](decode(item) for item in rest[0])
    reader = _READERS.get(str(name))
    if reader is None:
        raise ValueError(f"unknown kind {name!r}")
    return reader(*rest)


def _decode_value(name: str, values: dict[str, object]) -> object:
    return _KNOWN[name](**{field: decode(item) for field, item in values.items()})


_READERS: dict[str, Callable[..., object]] = {
    "bytes": base64.b64decode,
    "time": datetime.fromisoformat,
    "dict": lambda pairs: {decode(key): decode(item) for key, item in pairs},
    "value": _decode_value,
}
