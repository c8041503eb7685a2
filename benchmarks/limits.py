"""At which pace posts go where Telegram limits, for what the limits allow.

``steady``: a backlog over many chats, for ten minutes, by the bot. ``user``: the same by the user account, whose pace
is set to what this Telegram allows it. ``lower``: Telegram allows the bot half of what the pace believes.
``crowd``: 50 lanes, of which 40 wait, and room for two sends at once.
"""

from __future__ import annotations

import asyncio
import time
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass

from benchmarks.contest import announce
from benchmarks.drain import stored
from benchmarks.measure import Figures, Wishes
from benchmarks.town import FREE, OURS, PACED, Plan, Side, Town, town
from benchmarks.work import Stopwatch, post
from forwarder.demo import stage
from forwarder.services.mappings import MappingService

SECONDS = 600.0
WARM_UP = 60.0
LOOK = 10.0
CHATS = 120
"""20 a minute in each are more than the bot's 30 a second: the account's limit is the one that counts."""
PER_SECOND = 30.0
BY_USER = 200 / 60
"""What the local Telegram lets a user account send in a second, over a minute."""
AS_ALLOWED = {"PACE_USER_ACCOUNT": "30/1s,200/60s", "PACE_USER_CHAT": "60/60s"}
LOWER = 0.5
BACKLOGS = (
    ("steady", CHATS, PER_SECOND, 1.0),
    ("user", 0, BY_USER, 1.0),
    ("lower", CHATS, PER_SECOND * LOWER, LOWER),
)
ENOUGH = 0.85
CROWD, WAITING, AT_ONCE = 50, 40, 2
EACH = 500
HOLD_SECONDS = 3600


async def run(wishes: Wishes) -> Figures:
    figures = Figures({}, to_reach=TO_REACH)
    seconds = wishes.seconds or SECONDS
    for name, by_bot, allowed, scale in BACKLOGS:
        given = PACED if by_bot else {**PACED, **AS_ALLOWED}
        async with town(Plan(CHATS, by_bot=by_bot, limits=True, given=given)) as place:
            await place.telegram.control.call("limits", scale=scale)
            paced = await backlog(place, seconds, allowed)
            if name == "lower":
                add_lower(figures, paced)
            else:
                add_steady(figures, paced, name)
            announce("limits", 0, name, f"{paced.share(paced.warm) * 100:.1f} % of what the limits allow")
    for by_bot, name in ((0, "chats wait"), (WAITING, "account waits")):
        given = {**FREE, "MAX_CONCURRENT_FORWARDS": str(AT_ONCE)}
        async with town(Plan(CROWD, by_bot=by_bot, given=given)) as place:
            await crowd(place, figures, name, wishes)
    return figures


TO_REACH = {
    "steady: of what is allowed": "at least 95",
    "steady: waits after warm-up": "0",
    "user: of what is allowed": "at least 95",
    "user: waits after warm-up": "0",
    "lower: waits until 85 %": "at most 6",
    "lower: waits after that": "at most 1 in ten minutes",
    "crowd, chats wait": "at least 95",
    "crowd, account waits": "at least 95",
}


@dataclass(frozen=True, slots=True)
class Paced:
    """Arrivals and waits by their times (seconds from the beginning, rising); ``allowed`` is per second."""

    arrivals: Sequence[float]
    waits: Sequence[float]
    seconds: float
    allowed: float

    @property
    def warm(self) -> float:
        """When the warm-up is over; half of a short run is one."""
        return min(WARM_UP, self.seconds / 2)

    def share(self, begin: float, end: float | None = None) -> float:
        """What arrived in this time, of what the limits allow in it."""
        until = self.seconds if end is None else end
        arrived = bisect_left(self.arrivals, until) - bisect_left(self.arrivals, begin)
        return arrived / (self.allowed * (until - begin))

    def waits_in(self, begin: float, end: float) -> int:
        return bisect_left(self.waits, end) - bisect_left(self.waits, begin)

    def settled(self) -> float:
        """From when on the pace has once been at 85 % for ten seconds; the end when it never was."""
        looks = range(int((self.seconds - LOOK) / LOOK) + 1)
        return next((n * LOOK for n in looks if self.share(n * LOOK, (n + 1) * LOOK) >= ENOUGH), self.seconds)


async def backlog(place: Town, seconds: float, allowed: float) -> Paced:
    """More posts than the limits let through in ``seconds``, that waited in paused mappings, and what came of them."""
    service, side = MappingService(place.house.db), place.side(OURS)
    for mapping in place.mappings:
        await service.pause(mapping)
    posts = int(seconds * allowed * 1.1) + 10 * CHATS
    await post(place, side, posts)
    await stored(place, posts)
    began = time.time()
    for mapping in place.mappings:
        await service.resume(mapping, send=True)
    await asyncio.sleep(began + seconds - time.time())
    control = place.telegram.control
    rows = await control.call("arrivals", chats=side.destinations, since=began)
    times = sorted(at - began for *_, at in rows)
    waits = sorted(at - began for at, *_ in await control.call("waits") if at >= began)
    return Paced(times, waits, seconds, allowed)


def add_steady(figures: Figures, paced: Paced, name: str) -> None:
    figures.add(f"{name}: of what is allowed", paced.share(paced.warm) * 100, "%")
    figures.add(f"{name}: waits after warm-up", paced.waits_in(paced.warm, paced.seconds), "waits")


def add_lower(figures: Figures, paced: Paced) -> None:
    at = paced.settled()
    figures.add("lower: waits until 85 %", paced.waits_in(0.0, at + LOOK), "waits")
    figures.add("lower: seconds until 85 %", at, "s")
    figures.add("lower: waits after that", paced.waits_in(at + LOOK, paced.seconds), "waits")
    figures.add("lower: of what is allowed after that", paced.share(min(at, paced.seconds - LOOK)) * 100, "%")


async def crowd(place: Town, figures: Figures, name: str, wishes: Wishes) -> None:
    """The ten that need not wait: alone, and then beside forty that wait until the end."""
    whole, few = place.side(OURS), CROWD - WAITING
    ten = Side(OURS, whole.sources[WAITING:], whole.destinations[WAITING:], whole.parts)
    forty = Side(OURS, whole.sources[:WAITING], whole.destinations[:WAITING], whole.parts)
    posts = few * wishes.part(EACH, 10)
    await _carried(place, ten, few)
    alone = [await _carried(place, ten, posts) for _ in range(wishes.runs)]
    account, chats = (
        (place.telegram.bot, (None,)) if place.plan.by_bot else (_sender(place), forty.destinations)
    )
    for chat in chats:
        await place.telegram.control.call("hold", account=account, chat=chat, seconds=HOLD_SECONDS)
    await post(place, forty, WAITING * 5)
    for number, before in enumerate(alone):
        beside = await _carried(place, ten, posts)
        figures.add(f"crowd, {name}", beside / before * 100, "%")
        announce("limits", number, name, f"{beside:,.0f} posts/s beside those that wait, {before:,.0f} alone")


def _sender(place: Town) -> int:
    return place.telegram.users[stage.ACCOUNT]


async def _carried(place: Town, side: Side, posts: int) -> float:
    watch = await Stopwatch.begin(place, side, posts)
    await post(place, side, posts)
    return (await watch.done()).rate
