"""What the bot alone hears arrives once and in order, however its updates come.

Telegram keeps an update for the bot until a later getUpdates confirms it: a lost answer means that it comes again,
a lost confirmation that it comes to the next process as well. Updates of one chat may be late while another's come.
"""

from __future__ import annotations

from sqlalchemy import text

from forwarder.message import Mode, Route
from forwarder.sandbox.faults import FaultRule
from forwarder.sandbox.person import Person
from forwarder.sandbox.world import Edit

from .conftest import Town, eventually, shown

PROCESSES = ("ingest", "bot", "worker", "user-worker", "beat")
LONGER_THAN_A_TEST = 3600.0
"""Seconds; what is late comes when the test lets it."""


async def heard_by_the_bot(town: Town, names: str = "A") -> dict[str, tuple[int, list[int]]]:
    """Sources that no account of ours can read, each with a destination by either route of copying."""
    chats = {name: town.channel(name, user=False) for name in names}
    targets = {name: [town.channel(f"{name} by {mode}") for mode in Mode] for name in names}
    await town.start(*PROCESSES)
    for name, source in chats.items():
        for mode, target in zip(Mode, targets[name], strict=True):
            await town.map(source, target, mode, Route.BOT)
    return {name: (chats[name], targets[name]) for name in names}


def arrived(town: Town, targets: list[int], wanted: list[str]) -> bool:
    return all(town.texts(chat) == wanted for chat in targets)


def unconfirmed(town: Town, chat: int) -> int:
    """How many posts of a chat Telegram still keeps for the bot."""
    unread = town.sandbox.bot_api.updates.inbox(town.robot).unread
    return sum(update.kind == "channel_post" and f"{chat}" in str(update.body) for update in unread)


def album_kept(town: Town, chat: int, parts: int) -> bool:
    groups = [message.grouped_id for message in town.world.history(chat) if message.grouped_id is not None]
    return len(groups) == parts and len(set(groups)) == 1


async def settled(town: Town, targets: list[int], wanted: list[str]) -> None:
    """It arrived, and nothing more comes."""
    await eventually(lambda: arrived(town, targets, wanted))
    await eventually(town.settled)
    assert [town.texts(chat) for chat in targets] == [wanted] * len(targets)


async def test_posts_whose_updates_are_withheld_arrive_in_order_and_hold_up_no_other_source(
    town: Town,
) -> None:
    heard = await heard_by_the_bot(town, "AB")
    (late, late_targets), (prompt, prompt_targets) = heard["A"], heard["B"]
    faults = town.sandbox.gate.faults
    rule = FaultRule(
        "delay", "push", door="bot_api", account=town.robot, chat=late, seconds=LONGER_THAN_A_TEST
    )
    withheld = faults.add(rule)
    town.post(late, "one")
    numbers = town.album(late, ["two", "three"])
    town.world.edit(town.owner, late, numbers[1], Edit("three, corrected"))
    town.post(late, "four")
    town.post(prompt, "another's")

    assert faults.struck(withheld) == 1
    await eventually(lambda: arrived(town, prompt_targets, ["another's"]))
    assert arrived(town, late_targets, []), "it is withheld"
    town.sandbox.bot_api.updates.release(town.robot, late)
    await settled(town, late_targets, ["one", "two", "three, corrected", "four"])
    assert all(album_kept(town, chat, 2) for chat in late_targets)


async def test_posts_of_an_answer_that_was_lost_come_again_and_arrive_once(town: Town) -> None:
    source, targets = (await heard_by_the_bot(town))["A"]
    lost = FaultRule("cut", "after", account=town.robot, method="getUpdates", times=3)
    rule = town.sandbox.gate.faults.add(lost)
    number = town.post(source, "a tpyo")
    town.album(source, ["two", "three"])
    town.world.edit(town.owner, source, number, Edit("a typo, corrected"))
    town.post(source, "four")

    await settled(town, targets, ["a typo, corrected", "two", "three", "four"])
    assert town.sandbox.gate.faults.struck(rule) == 3
    assert all(album_kept(town, chat, 2) for chat in targets)


async def test_posts_that_were_stored_and_not_confirmed_are_brought_once(town: Town) -> None:
    source, targets = (await heard_by_the_bot(town))["A"]
    lost = FaultRule("drop", "before", account=town.robot, method="getUpdates")
    rule = town.sandbox.gate.faults.add(lost)  # a poll waits already: the next one, which confirms, is lost
    number = town.post(source, "one")
    town.album(source, ["two", "three"])
    town.world.edit(town.owner, source, number, Edit("one, half"))
    town.world.edit(town.owner, source, number, Edit("one, corrected"))
    await eventually(lambda: bool(town.sandbox.gate.faults.struck(rule)))
    first = town.texts(targets[0])
    assert unconfirmed(town, source) > 0
    assert town.supervisor is not None
    town.supervisor.kill("bot")
    town.post(source, "four")

    await settled(town, targets, ["one, corrected", "two", "three", "four"])
    assert town.texts(targets[0])[: len(first)] == ["one, corrected", "two", "three"][: len(first)]
    await eventually(lambda: unconfirmed(town, source) == 0)
    assert all(album_kept(town, chat, 2) for chat in targets)


async def test_posts_that_come_twice_under_two_numbers_arrive_once(town: Town) -> None:
    source, targets = (await heard_by_the_bot(town))["A"]
    town.sandbox.gate.faults.add(FaultRule("double", "push", account=town.robot, chat=source, times=None))
    number = town.post(source, "one")
    album = town.album(source, ["two", "three"])
    town.post(source, "four")
    town.world.edit(town.owner, source, number, Edit("one, half"))
    town.world.edit(town.owner, source, number, Edit("one, corrected"))
    town.world.edit(town.owner, source, album[1], Edit("three, corrected"))

    await settled(town, targets, ["one, corrected", "two", "three, corrected", "four"])
    assert all(album_kept(town, chat, 2) for chat in targets)


async def test_posts_are_heard_when_the_numbers_of_updates_begin_anew(town: Town) -> None:
    """After a quiet week Telegram goes on with any number (core.telegram.org/bots/api#update)."""
    source, targets = (await heard_by_the_bot(town))["A"]
    town.post(source, "one")
    await eventually(lambda: arrived(town, targets, ["one"]) and unconfirmed(town, source) == 0)
    town.sandbox.bot_api.updates.inbox(town.robot).next_id -= 50_000_000
    town.post(source, "two")
    await eventually(lambda: arrived(town, targets, ["one", "two"]))
    town.post(source, "three")
    await settled(town, targets, ["one", "two", "three"])
    await eventually(lambda: unconfirmed(town, source) == 0)


async def test_a_tap_that_comes_again_to_the_next_process_is_one_decision(town: Town, olga: Person) -> None:
    source, targets = (await heard_by_the_bot(town))["A"]
    await olga.type(town.robot, "/start")
    await shown(town, olga, "Message forwarder")
    await olga.press(town.robot, "🔀 Mappings")
    await shown(town, olga, "2 in all")
    await olga.press(town.robot, "m:1:0")
    await shown(town, olga, "Mapping #1")
    lost = FaultRule("drop", "before", account=town.robot, method="getUpdates")
    rule = town.sandbox.gate.faults.add(lost)
    await olga.press(town.robot, "⏸ Pause")
    await shown(town, olga, "Paused: by hand")
    await eventually(lambda: bool(town.sandbox.gate.faults.struck(rule)))
    unread = town.sandbox.bot_api.updates.inbox(town.robot).unread
    assert [update.kind for update in unread] == ["callback_query"]
    assert town.supervisor is not None
    town.supervisor.kill("bot")
    await eventually(
        lambda: not unread or unread is not town.sandbox.bot_api.updates.inbox(town.robot).unread
    )
    town.post(source, "held")

    await eventually(lambda: arrived(town, targets[1:], ["held"]))
    await eventually(lambda: town.counted("deliveries where state = 'held'"))
    assert arrived(town, targets[:1], [])
    async with town.db.begin() as session:
        done = list(
            await session.scalars(
                text("select action from audit_log where action like 'mapping.%' order by id")
            )
        )
    assert done == ["mapping.create", "mapping.create", "mapping.pause"]
