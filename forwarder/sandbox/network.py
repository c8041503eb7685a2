"""The way between the sandbox and its clients: how long everything takes on it."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

T = TypeVar("T")


@dataclass(slots=True)
class Network:
    """``delay``: seconds that everything spends on the way, each way. 0 is this machine's own loopback."""

    delay: float = 0.0


class Line(Generic[T]):
    """One direction of one connection: hands things on after the network's delay, in order, holding up nobody."""

    def __init__(self, network: Network, deliver: Callable[[T], None]) -> None:
        self._network = network
        self._deliver = deliver
        self._under_way: deque[tuple[float, T]] = deque()
        self._timer: asyncio.TimerHandle | None = None

    def send(self, thing: T) -> None:
        """Put something on the way."""
        if not self._network.delay and not self._under_way:
            self._deliver(thing)
            return
        loop = asyncio.get_running_loop()
        self._under_way.append((loop.time() + self._network.delay, thing))
        if self._timer is None:
            self._timer = loop.call_at(self._under_way[0][0], self._arrive)

    def cut(self) -> None:
        """What is under way is lost."""
        self._under_way.clear()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _arrive(self) -> None:
        self._timer = None
        loop = asyncio.get_running_loop()
        while self._under_way and self._under_way[0][0] <= loop.time():
            self._deliver(self._under_way.popleft()[1])
        if self._under_way:
            self._timer = loop.call_at(self._under_way[0][0], self._arrive)
