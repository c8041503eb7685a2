"""The closed sets that only the tables and the services speak of."""

from __future__ import annotations

from enum import StrEnum

CLASS_ORDER = {"fix": 0, "live": 1, "bulk": 2}
"""How ``deliveries.class`` is stored: what goes first sorts first."""


class Role(StrEnum):
    ADMINISTRATOR = "administrator"
    OPERATOR = "operator"
    VIEWER = "viewer"


class Language(StrEnum):
    RU = "ru"
    EN = "en"


class AccountState(StrEnum):
    ACTIVE = "active"
    STOPPED = "stopped"
    SIGNED_OUT = "signed_out"
    DELETED = "deleted"


class MappingState(StrEnum):
    ACTIVE = "active"
    PAUSED = "paused"
    DISABLED = "disabled"


class Dedup(StrEnum):
    """``off``; ``across`` different sources (the default); ``all``, a repeat in the same source too."""

    OFF = "off"
    ACROSS = "across"
    ALL = "all"


class WhenUnsure(StrEnum):
    """What to do with a bot send of unknown outcome that nobody can look up."""

    HOLD = "hold"
    AGAIN = "again"


class AfterOutage(StrEnum):
    """What to do with posts that were first heard long after they appeared, because nobody had listened."""

    ASK = "ask"
    SEND = "send"
    SKIP = "skip"


class PostState(StrEnum):
    COLLECTING = "collecting"
    READY = "ready"


class BackfillState(StrEnum):
    RUNNING = "running"
    PAUSED = "paused"
    STOPPED = "stopped"
    DONE = "done"


class NoticeKind(StrEnum):
    """What people are told unasked: a mapping's owner of its pause, administrators of the rest."""

    MAPPING_PAUSED = "mapping_paused"
    ACCOUNT_STOPPED = "account_stopped"
    QUARANTINED = "quarantined"
    HELD_UNSURE = "held_unsure"
    OUTAGE = "outage"
    REVIEW = "review"


class RequestState(StrEnum):
    ASKED = "asked"
    ANSWERED = "answered"
    REFUSED = "refused"


BEFORE_THE_MOVE = 10**15
"""Taken from the positions of posts that were heard in a group before it became a supergroup, whose message ids
begin at 1 again. More than any message id."""
