"""One post to 1,000 destinations by the bot, whom Telegram lets send 30 a second: the limit is the bound."""

from __future__ import annotations

from benchmarks.contest import announce
from benchmarks.measure import Figures, Wishes
from benchmarks.town import OURS, PACED, Plan, town
from benchmarks.work import Stopwatch, post
from forwarder.pace import BOT_LIMITS

DESTINATIONS = 1000


async def run(wishes: Wishes) -> Figures:
    figures = Figures({}, to_reach={"to the bound": "at most 1.05"})
    many = wishes.part(DESTINATIONS, 60)
    async with town(Plan(many, by_bot=many, limits=True, fan_out=True, given=PACED)) as place:
        for number in range(wishes.runs):
            side = place.side(OURS)
            watch = await Stopwatch.begin(place, side, many)
            await post(place, side, 1, text=f"run {number}")
            done = await watch.done()
            figures.add("seconds", done.seconds, "s")
            figures.add("the limit's bound", bound(many), "s")
            figures.add("to the bound", done.seconds / bound(many), "times")
            figures.add("lost", done.lost, "copies")
            waits = [wait for wait in await place.telegram.control.call("waits") if wait[0] >= watch.since]
            figures.add("flood waits", len(waits), "waits")
            announce("fanout", number, OURS, f"{done.seconds:.1f} s, the limit allows {bound(many):.1f} s")
    return figures


def bound(messages: int) -> float:
    """Seconds from the first to the last of so many messages, each to a chat of its own."""
    window = BOT_LIMITS.account[0]
    return (messages - 1) // window.limit * window.seconds
