"""One piece of work by one contender: posted in the world, seen to its end there, and what it cost."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from benchmarks.measure import quantile
from benchmarks.town import Side, Town
from benchmarks.usage import cpu_of

LOOK_EVERY = 0.1
PATIENCE = 30.0
"""Seconds without any arrival after which the rest counts as lost."""
AT_ONCE = 2000
LONGEST = 50.0
"""Posts and seconds of one request to the control port."""


@dataclass(frozen=True, slots=True)
class Done:
    """What became of ``posts`` posts, each for one destination, by the world's own clock.

    ``seconds`` from the beginning to the last arrival; ``latencies`` from post to copy. ``cpu``: processor seconds
    of each part of the contender; ``sandbox``: the share of one processor that the local Telegram used.
    """

    posts: int
    seconds: float
    latencies: tuple[float, ...]
    lost: int
    doubled: int
    disorder: int
    cpu: dict[str, float] = field(default_factory=dict)
    sandbox: float = 0.0

    @property
    def rate(self) -> float:
        """Copies per second."""
        return (self.posts - self.lost) / self.seconds

    def latency(self, share: float) -> float:
        """The quantile of the latencies, in milliseconds."""
        return quantile(self.latencies, share) * 1000

    @property
    def cost(self) -> float:
        """Processor milliseconds per post of all parts together."""
        return sum(self.cpu_ms().values())

    def cpu_ms(self) -> dict[str, float]:
        """Processor milliseconds per post of each part."""
        return {part: seconds * 1000 / self.posts for part, seconds in self.cpu.items()}


@dataclass(slots=True)
class Stopwatch:
    """Begins when it is made; ``done`` waits for so many copies and says what it took."""

    town: Town
    side: Side
    posts: int
    since: float
    before: int
    cpu: dict[str, float]
    sandbox: float

    @classmethod
    async def begin(cls, town: Town, side: Side, posts: int) -> Stopwatch:
        """``posts`` copies are to come from now on."""
        before = await town.telegram.control.call("count", chats=side.destinations)
        sandbox = cpu_of({"sandbox": town.sandbox_pid})["sandbox"]
        return cls(town, side, posts, time.time(), before, cpu_of(side.parts), sandbox)

    async def done(self, posted: float | None = None) -> Done:
        """Wait for the end. ``posted``: when the posts were made, where that was before the beginning."""
        await self._until_arrived()
        cpu = {name: used - self.cpu[name] for name, used in cpu_of(self.side.parts).items()}
        sandbox = cpu_of({"sandbox": self.town.sandbox_pid})["sandbox"] - self.sandbox
        took = time.time() - self.since
        control = self.town.telegram.control
        copies = await control.call("arrivals", chats=self.side.destinations, since=self.since)
        originals = await control.call("arrivals", chats=self.side.sources, since=posted or self.since)
        return judged(originals, copies, self.since, self.posts, cpu, sandbox / took)

    async def _until_arrived(self) -> None:
        loop = asyncio.get_running_loop()
        seen, changed = -1, loop.time()
        while True:
            there = await self.town.telegram.control.call("count", chats=self.side.destinations) - self.before
            if there >= self.posts or loop.time() - changed > PATIENCE:
                return
            if there != seen:
                seen, changed = there, loop.time()
            await asyncio.sleep(LOOK_EVERY)


Rows = Sequence[tuple[int, int, int, int, float]]
"""As the control port's ``arrivals`` gives them."""


def judged(
    originals: Rows, copies: Rows, since: float, posts: int, cpu: dict[str, float], sandbox: float
) -> Done:
    """The world's rows as a result. ``posts`` copies were to be made."""
    posted = {(chat, number): at for _, _, chat, number, at in originals}
    # What an earlier work has left under way is not of this one.
    copies = [row for row in copies if (row[0], row[1]) in posted]
    times = Counter((chat, number, there) for chat, number, there, _, _ in copies)
    lanes: dict[tuple[int, int], list[int]] = {}
    for chat, number, there, _, _ in copies:
        lanes.setdefault((chat, there), []).append(number)
    return Done(
        posts=posts,
        seconds=max((at for *_, at in copies), default=since) - since or 1e-9,
        latencies=tuple(sorted(at - posted[chat, number] for chat, number, _, _, at in copies)),
        lost=posts - len(times),
        doubled=len(copies) - len(times),
        disorder=sum(later < earlier for numbers in lanes.values() for earlier, later in pairwise(numbers)),
        cpu=cpu,
        sandbox=sandbox,
    )


async def post(town: Town, side: Side, posts: int, rate: float = 0.0, text: str = "post") -> None:
    """Posts in the contender's sources, one source after the other."""
    left = posts
    while left:
        some = min(left, int(rate * LONGEST) or AT_ONCE)
        await town.telegram.control.call(
            "stream", account=town.owner, chats=side.sources, posts=some, rate=rate, text=f"{text} {left}:"
        )
        left -= some


async def as_posted(town: Town, name: str, posts: int, rate: float = 0.0) -> Done:
    """Posts that are carried as they appear: ``rate`` a second, or as fast as they are heard."""
    side = town.side(name)
    watch = await Stopwatch.begin(town, side, posts)
    await post(town, side, posts, rate)
    return await watch.done()
