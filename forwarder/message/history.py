"""Older messages: which are wished for, and what is found under ids."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from forwarder.message.heard import SourceMessage


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A message that is there and that nobody here understands; ``raw`` is what there is of it as it came."""

    message_id: int
    raw: bytes


@dataclass(frozen=True, slots=True)
class Fetched:
    """The answer to "what is under these ids": messages found, ids that hold none, and ids that another chat has.

    Outside channels all chats of an account share one numbering: what is ``elsewhere`` will never be here.
    """

    messages: tuple[SourceMessage, ...] = ()
    empty: tuple[int, ...] = ()
    elsewhere: tuple[int, ...] = ()
    unreadable: tuple[Unreadable, ...] = ()


@dataclass(frozen=True, slots=True)
class Wish:
    """Which older messages a person asks for. At most one of ``last``, ``since`` and ``from_id`` is set, none means
    from the first; at most one of ``until`` and ``until_id``. Messages of the moment ``until`` are not meant."""

    last: int | None = None
    since: datetime | None = None
    from_id: int | None = None
    until: datetime | None = None
    until_id: int | None = None


@dataclass(frozen=True, slots=True)
class Span:
    """The ids from ``first`` to ``last``, under which there are at most ``total`` messages. Empty where ``last`` is
    below ``first``."""

    first: int
    last: int
    total: int


@dataclass(frozen=True, slots=True)
class HistoryPage:
    """Messages in source order, and the id up to which nothing is missing; None where nothing comes after them."""

    messages: tuple[SourceMessage, ...]
    through: int | None
