"""The gate every call passes, whichever door it came through.

A door builds a `Call`, asks ``before`` for permission, executes, tells ``after``, and does as it was told.
The gate decides about flood limits and faults and keeps the record; it never touches the world.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, Protocol

from .world.errors import TelegramError

Door = Literal["mtproto", "bot_api"]


@dataclass(frozen=True, slots=True)
class Call:
    """One call of a client.

    ``method`` is the method's own name (``messages.forwardMessages``, ``sendMessage``); ``messages`` how many
    messages it sends (0 for reading); ``params`` a few plain values that fault rules may look at.
    """

    door: Door
    account: int | None
    method: str
    chat: int | None = None
    messages: int = 0
    params: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Order:
    """What a door must do with a call or a push besides the usual. Delays in seconds.

    Of a call, before execution: ``error`` refuses it, ``cut`` closes the connection, ``drop`` never executes
    and never answers, ``delay`` waits first. After execution the same words concern the answer; ``odd``
    makes it one of a newer layer, which an MTProto client cannot decode.
    Of a push: ``drop`` loses it, ``double`` sends it twice, ``delay`` holds it back, ``swap`` lets the next
    one overtake it. ``http_status`` is for the Bot API door alone.
    """

    error: TelegramError | None = None
    cut: bool = False
    drop: bool = False
    delay: float = 0.0
    double: bool = False
    swap: bool = False
    odd: bool = False
    http_status: int | None = None


GO = Order()


class Gate(Protocol):
    """Flood limits, faults and record, as the doors see them."""

    def before(self, call: Call) -> Order:
        """Called before execution; raises `TelegramError` when a limit is met."""
        ...

    def after(self, call: Call, error: TelegramError | None) -> Order:
        """Called after execution, with the refusal if there was one; the order concerns the answer."""
        ...

    def on_push(self, door: Door, account: int, kind: str, chat: int | None) -> Order:
        """Called for each update that a door is about to hand to an account's connection."""
        ...

    def unknown(self, door: Door, account: int | None, method: str) -> None:
        """A client asked for something the sandbox does not know: a gap in the sandbox, said loudly."""
        ...


class OpenGate:
    """A gate without limits or faults; it only remembers what was unknown."""

    def __init__(self) -> None:
        self.unknown_methods: list[str] = []

    def before(self, call: Call) -> Order:
        return GO

    def after(self, call: Call, error: TelegramError | None) -> Order:
        return GO

    def on_push(self, door: Door, account: int, kind: str, chat: int | None) -> Order:
        return GO

    def unknown(self, door: Door, account: int | None, method: str) -> None:
        self.unknown_methods.append(method)
