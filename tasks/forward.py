"""The task that carries lanes. It takes ids, calls one function, and answers in words for Flower."""

from __future__ import annotations

import random
from typing import Any

from celery import Task

from forwarder.errors import AccountNotReady, Unavailable
from forwarder.outcome import Outcome
from tasks.app import app, house

BACK_OFF_CAP = 30.0


class FloodWait(Exception):
    """Telegram asked to wait, for so short a time that the task itself comes back: shown as RETRY."""

    def __init__(self, lanes: list[list[int]], seconds: float, said: str) -> None:
        super().__init__(lanes, seconds, said)
        self.lanes, self.seconds, self.said = lanes, seconds, said

    def __str__(self) -> str:
        return self.said


class LaneTask(Task):
    """Retries by itself: after a flood wait when the server's wait is over, else with back-off and jitter.

    The budget of attempts is in the rows: neither a wait nor an outage of ours may use up a task.
    """

    autoretry_for = (FloodWait, Unavailable, AccountNotReady)
    max_retries = None

    def retry(self, *args: Any, exc: BaseException | None = None, **kwargs: Any) -> Any:
        if isinstance(exc, FloodWait):
            kwargs |= {"args": (exc.lanes,), "countdown": exc.seconds}
        else:
            most = min(BACK_OFF_CAP, 2.0 ** min(self.request.retries, 5))
            kwargs["countdown"] = random.uniform(most / 2, most)
        return super().retry(*args, exc=exc, **kwargs)


@app.task(base=LaneTask, bind=True, name="forward")
def forward(self: LaneTask, lanes: list[list[int]]) -> str:
    """Carry lanes: each is (lane, the delivery that it was rung for)."""
    outcomes = house.run(house.worker.carry([lane for lane, _ in lanes]))
    said = "; ".join(str(outcome) for outcome in outcomes)
    if (wait := flood_wait(lanes, outcomes, said)) is not None:
        raise wait
    return said


def flood_wait(lanes: list[list[int]], outcomes: list[Outcome], said: str) -> FloodWait | None:
    """What is to be tried again after a wait: only the lanes that met one."""
    waiting = [(lane, o.retry_in) for lane, o in zip(lanes, outcomes, strict=True) if o.retry_in is not None]
    if not waiting:
        return None
    return FloodWait([lane for lane, _ in waiting], max(seconds for _, seconds in waiting) + 0.1, said)
