"""What is asked for at the same time is done together; who asks alone waits for no company.

The cost of a transaction is per round trip, not per row: under load many lanes share one, and an idle process
answers at once.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar

from forwarder.errors import ForwarderError

Q = TypeVar("Q")
A = TypeVar("A")


class Together(Generic[Q, A]):
    """``work`` does what came while it was busy, at most ``most`` at a time, and answers in the same order.

    Where it fails by something that is no :class:`~forwarder.errors.ForwarderError` (bad data in one row), each
    is done alone, so that the bad one fails alone.
    """

    def __init__(self, work: Callable[[Sequence[Q]], Awaitable[Sequence[A]]], *, most: int = 50) -> None:
        self._work, self._most = work, most
        self._waiting: list[tuple[Q, asyncio.Future[A]]] = []
        self._busy: asyncio.Task[None] | None = None

    async def ask(self, question: Q) -> A:
        """The answer to ``question``. Raises what ``work`` raises."""
        answer: asyncio.Future[A] = asyncio.get_running_loop().create_future()
        self._waiting.append((question, answer))
        if self._busy is None:
            self._busy = asyncio.create_task(self._go_on())
        return await answer

    async def _go_on(self) -> None:
        try:
            while self._waiting:
                batch, self._waiting = self._waiting[: self._most], self._waiting[self._most :]
                # Who does not wait any more must not be answered with something that he then drops.
                batch = [(question, answer) for question, answer in batch if not answer.done()]
                if batch:
                    await self._answer(batch)
        finally:
            self._busy = None
            for _, answer in self._waiting:
                answer.cancel()
            self._waiting = []

    async def _answer(self, batch: list[tuple[Q, asyncio.Future[A]]]) -> None:
        try:
            answers = await self._work([question for question, _ in batch])
        except asyncio.CancelledError:
            for _, waiting in batch:
                waiting.cancel()
            raise
        except Exception as error:
            if len(batch) == 1 or isinstance(error, ForwarderError):
                for _, waiting in batch:
                    if not waiting.done():
                        waiting.set_exception(error)
                return
            for one in batch:
                await self._answer([one])
            return
        for (_, waiting), answer in zip(batch, answers, strict=True):
            if not waiting.done():
                waiting.set_result(answer)
