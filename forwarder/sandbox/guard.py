"""The guard at the gate: flood limits, faults and the call record, behind the protocol of `gate.Gate`."""

from __future__ import annotations

import logging

from .faults import Faults
from .gate import GO, Call, Door, Order
from .limits import Limits, Quotas
from .record import Record, UnknownMethod
from .world.errors import TelegramError
from .world.world import World

_log = logging.getLogger("sandbox.gate")


class Guard:
    """A gate that limits, misbehaves as told, and remembers.

    A call that a limit or a fault stops is recorded at once, and the door does not come back with it; all
    others are recorded after they were executed, with what the world and the faults made of them.
    """

    def __init__(
        self,
        world: World,
        *,
        quotas: Quotas | None = None,
        scale: float = 1.0,
        seed: int = 0,
        record_size: int = 100_000,
    ) -> None:
        self._world = world
        self.faults = Faults(seed)
        self.limits = Limits(world.clock, self._is_bot, quotas=quotas, scale=scale)
        self.record = Record(record_size)

    def _is_bot(self, account: int) -> bool:
        found = self._world.memory.accounts.get(account)
        return found is not None and found.bot is not None

    def before(self, call: Call) -> Order:
        """Faults first (the network fails whatever the limits say), then limits, which raise FLOOD_WAIT_X."""
        order = self.faults.order("before", call)
        if order.error is not None or order.http_status is not None or order.cut or order.drop:
            self._stopped(call, order)
            return order
        try:
            self.limits.check(call)
        except TelegramError as error:
            self._add(call, error.name, error.seconds)
            raise
        return order

    def after(self, call: Call, error: TelegramError | None) -> Order:
        order = self.faults.order("after", call)
        outcome = error.name if error is not None else "ok"
        if order != GO:
            outcome = f"{outcome}, {_deed(order)}"
        self._add(call, outcome, error.seconds if error is not None else None)
        return order

    def on_push(self, door: Door, account: int, kind: str, chat: int | None) -> Order:
        return self.faults.order("push", Call(door, account, kind, chat))

    def unknown(self, door: Door, account: int | None, method: str) -> None:
        _log.error("The sandbox does not know %s (%s, account %s).", method, door, account)
        self.record.unknown.append(UnknownMethod(self._world.clock.now(), door, account, method))

    def _stopped(self, call: Call, order: Order) -> None:
        error = order.error
        outcome = error.name if error is not None else f"not executed, {_deed(order)}"
        self._add(call, outcome, error.seconds if error is not None else None)

    def _add(self, call: Call, outcome: str, seconds: int | None) -> None:
        self.record.add(self._world.clock.now(), call, outcome, seconds)


def _deed(order: Order) -> str:
    """What a fault did, in words for the record."""
    if order.cut:
        return "connection cut"
    if order.drop:
        return "answer dropped"
    if order.http_status is not None:
        return f"HTTP {order.http_status}"
    if order.error is not None:
        return f"answered {order.error.name}"
    if order.odd:
        return "answered in a newer layer"
    return f"delayed {order.delay:g} s"
