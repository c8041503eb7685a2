"""What is on the way arrives after its delay, in order, and is lost when the line is cut."""

from __future__ import annotations

import asyncio

from forwarder.sandbox.network import Line, Network

DELAY = 0.03


async def test_without_a_delay_everything_arrives_at_once() -> None:
    arrived: list[int] = []
    Line(Network(), arrived.append).send(1)
    assert arrived == [1]


async def test_a_delay_holds_each_thing_as_long_and_none_behind_it_longer() -> None:
    loop = asyncio.get_running_loop()
    arrived: list[tuple[int, float]] = []
    everything = asyncio.Event()

    def deliver(sent: tuple[int, float]) -> None:
        arrived.append((sent[0], loop.time() - sent[1]))
        if len(arrived) == 50:
            everything.set()

    line = Line(Network(DELAY), deliver)
    for number in range(50):
        line.send((number, loop.time()))
        await asyncio.sleep(0.001)
    await asyncio.wait_for(everything.wait(), 5)
    assert [number for number, _ in arrived] == list(range(50))
    assert min(took for _, took in arrived) >= DELAY
    # One after the other they would need 50 times the delay.
    assert max(took for _, took in arrived) < 50 * DELAY / 2


async def test_what_follows_an_end_of_the_delay_does_not_overtake_what_is_under_way() -> None:
    network, arrived, everything = Network(DELAY), list[int](), asyncio.Event()

    def deliver(number: int) -> None:
        arrived.append(number)
        if number == 2:
            everything.set()

    line = Line(network, deliver)
    line.send(1)
    network.delay = 0.0
    line.send(2)
    await asyncio.wait_for(everything.wait(), 5)
    assert arrived == [1, 2]


async def test_a_cut_line_loses_what_is_under_way_and_nothing_that_comes_later() -> None:
    network, arrived = Network(DELAY), list[int]()
    line = Line(network, arrived.append)
    line.send(1)
    line.cut()
    network.delay = 0.0
    line.send(2)
    await asyncio.sleep(2 * DELAY)
    assert arrived == [2]
