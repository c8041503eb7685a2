"""The shared clock of all workers: sliding windows and waits, kept in Redis, decided by scripts."""

from forwarder.pace.beat import Call
from forwarder.pace.learning import Lesson
from forwarder.pace.limits import (
    BOT_LIMITS,
    USER_LIMITS,
    Limits,
    Preset,
    Tempo,
    Window,
    tempo_of,
)
from forwarder.pace.refusals import LOOK_FROM, Refusal
from forwarder.pace.shared import Pace
from forwarder.pace.values import HORIZON, Learned, Memory, Place, Run, Sent, Wait, family_of

__all__ = [
    "BOT_LIMITS",
    "HORIZON",
    "LOOK_FROM",
    "USER_LIMITS",
    "Call",
    "Learned",
    "Lesson",
    "Limits",
    "Memory",
    "Pace",
    "Place",
    "Preset",
    "Refusal",
    "Run",
    "Sent",
    "Tempo",
    "Wait",
    "Window",
    "family_of",
    "tempo_of",
]
