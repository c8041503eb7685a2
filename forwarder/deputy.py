"""Deletions that one account may not carry out go to another: a bot cannot delete after 48 hours, a user can."""

from __future__ import annotations

from dataclasses import dataclass

from forwarder.errors import AccountNotReady, OutcomeUnknown, TelegramError
from forwarder.message import AccountKind, DeleteOrder, EditOrder, SendOrder
from forwarder.retry import CANNOT_DELETE, Verdict, decide
from forwarder.seam import Chats, Sender

AWAY = "DEPUTY_AWAY"
"""The deputy does not answer now, or has to wait: the deletion is tried again."""

AWAY_SECONDS = 30.0
"""Seconds until a deputy is asked again who did not answer: what he deletes is two days old."""


@dataclass(frozen=True, slots=True)
class WithDeputy:
    """A :class:`~forwarder.seam.Sender` whose refused deletions the deputy tries."""

    sender: Sender
    deputy: Chats

    @property
    def kind(self) -> AccountKind:
        return self.sender.kind

    @property
    def account_id(self) -> int:
        return self.sender.account_id

    async def send(self, order: SendOrder) -> tuple[int | None, ...]:
        return await self.sender.send(order)

    async def edit(self, order: EditOrder) -> None:
        await self.sender.edit(order)

    async def delete(self, order: DeleteOrder) -> None:
        """Raises the sender's own refusal where the deputy is refused too; OutcomeUnknown ``DEPUTY_AWAY``
        where he cannot be asked now."""
        try:
            await self.sender.delete(order)
        except TelegramError as refusal:
            if decide(refusal, api=self.kind, order="delete").reason != CANNOT_DELETE.reason:
                raise
            await self._by_deputy(order, refusal)

    async def _by_deputy(self, order: DeleteOrder, refusal: TelegramError) -> None:
        try:
            await self.deputy.delete(order)
        except AccountNotReady as error:
            raise OutcomeUnknown(AWAY, seconds=AWAY_SECONDS) from error
        except TelegramError as error:
            decision = decide(error, api=AccountKind.USER, order="delete")
            if decision.verdict in (Verdict.WAIT, Verdict.RETRY):
                raise OutcomeUnknown(AWAY, seconds=decision.seconds or AWAY_SECONDS) from error
            if decision.verdict is not Verdict.DONE:
                raise refusal from error
