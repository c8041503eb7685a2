"""What a snapshot keeps of the updates that a bot has not read."""

from __future__ import annotations

from collections.abc import Sequence

from forwarder.sandbox.bot_api.updates import Update, Updates
from forwarder.sandbox.faults import FaultRule
from forwarder.sandbox.guard import Guard
from forwarder.sandbox.snapshot import decode, encode, inbox_from, inbox_state
from forwarder.sandbox.world import ManualClock, World

POSTER = frozenset({"post_messages"})


def texts(updates: Sequence[Update]) -> list[object]:
    return [body["text"] for update in updates if isinstance(body := update.body, dict) and "text" in body]


async def test_updates_that_a_fault_keeps_from_the_bot_can_be_read_after_a_restart() -> None:
    world = World(clock=ManualClock(), seed=7)
    owner = world.create_user("Olga").id
    bot = world.create_bot("Helper", owner=owner).id
    slow, slower, prompt = (world.create_channel(owner, name).id for name in ("Slow", "Slower", "Prompt"))
    guard = Guard(world)
    updates = Updates(world, guard)
    for chat in (slow, slower, prompt):
        world.promote(owner, chat, bot, POSTER)
    for chat, seconds in ((slow, 100.0), (slower, 200.0)):
        guard.faults.add(FaultRule("delay", "push", chat=chat, method="channel_post", seconds=seconds))
    guard.faults.add(FaultRule("swap", "push", chat=prompt, method="channel_post", skip=1))
    for chat, words in (
        (slower, "slower"), (slow, "slow"), (slow, "slow too"), (prompt, "prompt"), (prompt, "held back"),
    ):  # fmt: skip
        world.send(owner, chat, words)
    assert texts(updates.inbox(bot).unread) == ["prompt"]

    inbox = inbox_from(decode(encode(inbox_state(updates.inbox(bot)))))  # type: ignore[arg-type]
    updates.close()
    assert texts(inbox.unread) == ["prompt", "held back", "slow", "slow too", "slower"]
    numbers = [update.id for update in inbox.unread]
    assert numbers == sorted({*numbers})
    again = Updates(world, Guard(world))
    again.restore(inbox)
    world.send(owner, prompt, "next")
    again.close()
    assert texts(inbox.unread)[-1] == "next"
    assert inbox.unread[-1].id > numbers[-1]
