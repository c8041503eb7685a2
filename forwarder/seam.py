"""The one seam between the forwarder and Telegram: what the porch (``telegram/``) must be able to do.

Everything here speaks in the values of :mod:`forwarder.message`. Every failure that comes from
Telegram is raised as :class:`~forwarder.errors.TelegramError`, or as
:class:`~forwarder.errors.OutcomeUnknown` where the call may have been executed.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from forwarder.message import (
    AccountKind,
    ChatCard,
    DeleteOrder,
    EditOrder,
    Fetched,
    FindOrder,
    HistoryPage,
    SendOrder,
    Span,
    Topic,
    Wish,
)


class Sender(Protocol):
    """Carries out what a delivery asks for, by one account and one API."""

    @property
    def kind(self) -> AccountKind: ...

    @property
    def account_id(self) -> int: ...

    async def send(self, order: SendOrder) -> tuple[int | None, ...]:
        """Forward or copy; return the id of each copy, aligned with ``order.message_ids``.

        None stands for a message that Telegram passed over (deleted, or a service message).
        """
        ...

    async def edit(self, order: EditOrder) -> None:
        """Apply the newest text to a copy. A copy that already reads so is a success."""
        ...

    async def delete(self, order: DeleteOrder) -> None:
        """Delete copies. One that is already gone is a success."""
        ...


class Reader(Protocol):
    """Reads chats as one account."""

    account_id: int

    async def tops(self, chat_ids: Sequence[int]) -> dict[int, int]:
        """The newest message id of each chat that the account can read, many in one call."""
        ...

    async def fetch(self, chat_id: int, message_ids: Sequence[int]) -> Fetched:
        """What is under these ids; an id without a message is answered as empty. Any number of ids.

        A message that cannot be read does not keep the others from being answered.
        """
        ...


class Chats(Protocol):
    """Reads and tidies chats, by whichever login can, for somebody who holds none."""

    async def tops(self, chat_ids: Sequence[int]) -> dict[int, int]:
        """See :class:`Reader`. A chat that only a bot can read is left out: bots may not ask."""
        ...

    async def fetch(self, chat_id: int, message_ids: Sequence[int]) -> Fetched:
        """See :class:`Reader`."""
        ...

    async def delete(self, order: DeleteOrder) -> None:
        """See :class:`Sender`."""
        ...


class Finder(Protocol):
    """Looks for copies whose send had an unknown outcome."""

    async def find(self, order: FindOrder) -> tuple[int, ...] | None:
        """The ids of the copies, aligned with ``order.message_ids``; None when they are not there (yet).

        Raises :class:`~forwarder.errors.AccountNotReady` where nobody can read the destination.
        """
        ...


class Directory(Protocol):
    """Answers questions about chats as one account."""

    async def look_up(self, reference: str) -> ChatCard:
        """Resolve ``@name``, a t.me link, an invite link or a marked id, with this account's rights there.

        Raises :class:`~forwarder.errors.InvalidRequest` with code ``chat_not_found`` or
        ``chat_unreadable`` (known, but this account is not in it).
        """
        ...

    async def topics(self, chat_id: int) -> tuple[Topic, ...] | None:
        """The topics of a forum, the busiest first, General with them; None where this account cannot list them."""
        ...


class Historian(Protocol):
    """Reads what a chat held before anybody of ours listened, as one account."""

    async def span(self, chat_id: int, wish: Wish, ceiling: int) -> Span:
        """Where the wished messages are, none above the id ``ceiling``; albums at both ends are whole.

        Raises :class:`~forwarder.errors.InvalidRequest` where this account cannot find that out.
        """
        ...

    async def page(self, chat_id: int, after: int) -> HistoryPage:
        """The next messages above the id ``after``: one call, service messages included."""
        ...
