"""What is asked at the same time is done together, and one that is bad fails alone."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from forwarder.errors import Unavailable
from forwarder.together import Together


class Work:
    """Doubles numbers; refuses negative ones as bad data; ``gate`` holds it up."""

    def __init__(self) -> None:
        self.batches: list[list[int]] = []
        self.gate = asyncio.Event()
        self.gate.set()
        self.away = False

    async def __call__(self, numbers: Sequence[int]) -> list[int]:
        self.batches.append(list(numbers))
        await self.gate.wait()
        if self.away:
            raise Unavailable("PostgreSQL does not answer")
        if any(number < 0 for number in numbers):
            raise ValueError("bad data")
        return [2 * number for number in numbers]


async def test_who_asks_alone_waits_for_no_company() -> None:
    work = Work()
    together = Together(work)
    assert await together.ask(1) == 2
    assert work.batches == [[1]]


async def test_what_comes_while_it_is_busy_goes_together_next_and_each_gets_its_own_answer() -> None:
    work = Work()
    together = Together(work, most=3)
    work.gate.clear()
    first = asyncio.create_task(together.ask(1))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    others = [asyncio.create_task(together.ask(number)) for number in (2, 3, 4, 5)]
    await asyncio.sleep(0)
    work.gate.set()
    assert await asyncio.gather(first, *others) == [2, 4, 6, 8, 10]
    assert work.batches == [[1], [2, 3, 4], [5]]


async def test_bad_data_fails_alone() -> None:
    work = Work()
    together = Together(work)
    answers = await asyncio.gather(*(together.ask(n) for n in (1, -1, 3)), return_exceptions=True)
    assert answers[0] == 2
    assert isinstance(answers[1], ValueError)
    assert answers[2] == 6


async def test_an_outage_is_told_to_everybody_and_tried_once() -> None:
    work = Work()
    work.away = True
    together = Together(work)
    answers = await asyncio.gather(*(together.ask(n) for n in (1, 2)), return_exceptions=True)
    assert [type(answer) for answer in answers] == [Unavailable, Unavailable]
    assert len(work.batches) == 1
    work.away = False
    assert await together.ask(4) == 8


async def test_who_has_stopped_waiting_is_passed_over() -> None:
    work = Work()
    together = Together(work)
    work.gate.clear()
    first = asyncio.create_task(together.ask(1))
    gone = asyncio.create_task(together.ask(2))
    stays = asyncio.create_task(together.ask(3))
    await asyncio.sleep(0)
    gone.cancel()
    with pytest.raises(asyncio.CancelledError):
        await gone
    work.gate.set()
    assert await first == 2
    assert await stays == 6
