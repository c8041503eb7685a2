"""What a task did for one lane, as admins read it in Flower."""

from __future__ import annotations

from dataclasses import dataclass, field

from forwarder.message import DeliveryKind, State
from forwarder.outbox import Job, Result

LONGEST_RETRY = 60.0
"""A wait up to this long is a Celery retry, so that admins see it; a longer one is left to the relay."""


@dataclass(slots=True)
class Outcome:
    """What a task did for one lane, in words that read well in Flower; no names, no texts."""

    mapping_id: int
    destination: int | None = None
    by: str = ""
    sent: list[int] = field(default_factory=list)
    edited: int = 0
    deleted: int = 0
    other: dict[str, int] = field(default_factory=dict)
    wait: float | None = None
    note: str = ""

    def __str__(self) -> str:
        said: list[str] = []
        if self.sent:
            ids = (
                str(self.sent[0])
                if len(self.sent) == 1
                else f"{len(self.sent)} messages ({self.sent[0]}…{self.sent[-1]})"
            )
            said.append(f"sent {ids} to {self.destination} by {self.by}")
        if self.edited:
            said.append(f"edited {self.edited} in {self.destination}")
        if self.deleted:
            said.append(f"deleted {self.deleted} in {self.destination}")
        said += [f"{count} {what}" for what, count in self.other.items()]
        if self.wait is not None:
            said.append(f"waiting {self.wait:.0f} s")
        if self.note:
            said.append(self.note)
        return f"lane {self.mapping_id}: " + ("; ".join(said) or "nothing to do")

    @property
    def retry_in(self) -> float | None:
        """Seconds, where Celery is to show this wait as a retry."""
        return self.wait if self.wait is not None and self.wait <= LONGEST_RETRY else None


def note(outcome: Outcome, job: Job, result: Result, *, refused: bool) -> None:
    """Count a job's result; ``refused`` by Telegram, or put off by our own pace."""
    if result.state is State.SENT and job.kind is DeliveryKind.POST:
        outcome.sent.extend(i for i in result.sent_ids if i)
    elif result.state is State.SENT and job.kind is DeliveryKind.EDIT:
        outcome.edited += 1
    elif result.state is State.SENT:
        outcome.deleted += 1
    elif result.state is not State.QUEUED:
        outcome.other[result.state.value] = outcome.other.get(result.state.value, 0) + 1
    elif result.wait is not None and not refused:
        outcome.note = "the pace puts it off"
