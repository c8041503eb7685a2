"""What is under given ids: in few calls where an account numbers all its chats together, and past what is odd."""

from __future__ import annotations

import pytest

from forwarder.errors import OutcomeUnknown
from forwarder.sandbox.faults import FaultRule
from forwarder.telegram.reader import MtprotoReader

from .conftest import Town


def odd(town: Town, *numbers: int, method: str = "channels.getMessages") -> None:
    """Answers that hold these messages are in a layer that our client does not know."""
    town.fault(
        FaultRule(
            "odd", "after", method=method, times=None,
            predicate=lambda call: bool(set(numbers) & set(call.params["id"])),  # type: ignore[call-overload]
        )
    )  # fmt: skip


async def test_messages_that_cannot_be_decoded_stand_alone_and_the_others_are_read(town: Town) -> None:
    ids = [town.post(f"post {number}") for number in range(40)]
    odd(town, ids[7], ids[30])
    async with town.client("reader", town.user) as client:
        fetched = await MtprotoReader(client, 1).fetch(town.source, ids)
    assert [one.message_id for one in fetched.unreadable] == [ids[7], ids[30]]
    assert all(b"post" in one.raw for one in fetched.unreadable), "what there is of them is handed on"
    assert [one.message_id for one in fetched.messages] == [i for i in ids if i not in (ids[7], ids[30])]
    assert fetched.empty == ()


async def test_where_no_answer_is_understood_no_message_is_given_up(town: Town) -> None:
    ids = [town.post("one"), town.post("two")]
    town.fault(FaultRule("odd", "after", method="channels.getMessages", times=None))
    async with town.client("reader", town.user) as client:
        with pytest.raises(OutcomeUnknown, match="ANSWER_NOT_UNDERSTOOD"):
            await MtprotoReader(client, 1).fetch(town.source, ids)


async def test_a_long_span_of_a_basic_group_is_read_from_its_history(town: Town) -> None:
    group, other = (town.world.create_group(town.owner, name, (town.user,)).id for name in ("One", "Two"))
    ours = [town.world.send(town.user, group, "first").id]
    for number in range(450):
        town.world.send(town.user, other, f"elsewhere {number}")
    ours.append(town.world.send(town.user, group, "second").id)
    for number in range(450):
        town.world.send(town.user, other, f"elsewhere {number}")
    ours.append(town.world.send(town.user, group, "last").id)
    town.world.delete(town.user, group, [ours[1]])
    last = ours[-1]
    async with town.client("reader", town.user) as client:
        fetched = await MtprotoReader(client, 1).fetch(group, range(ours[0], last + 2))
    assert [one.text for one in fetched.messages] == ["first", "last"]
    assert fetched.empty == (last + 1,), "the newest ids may still become visible"
    assert set(fetched.elsewhere) == set(range(ours[0] + 1, last))
    calls = [call.method for call in town.guard.record.calls()]
    assert calls.count("messages.getMessages") == 1
    assert calls.count("messages.getHistory") == 1


async def test_an_odd_page_of_a_groups_history_is_read_by_ids(town: Town) -> None:
    group = town.world.create_group(town.owner, "One", (town.user,)).id
    ids = [town.world.send(town.user, group, f"post {number}").id for number in range(250)]
    odd(town, ids[20], method="messages.getMessages")
    town.fault(FaultRule("odd", "after", method="messages.getHistory"))
    async with town.client("reader", town.user) as client:
        fetched = await MtprotoReader(client, 1).fetch(group, ids)
    assert [one.message_id for one in fetched.unreadable] == [ids[20]]
    assert [one.message_id for one in fetched.messages] == [i for i in ids if i != ids[20]]
