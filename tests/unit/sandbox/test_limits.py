"""Flood limits count messages in sliding windows, and waits grow when they are ignored."""

from __future__ import annotations

import pytest

from forwarder.sandbox.gate import Call
from forwarder.sandbox.guard import Guard
from forwarder.sandbox.limits import NO_QUOTAS, Limit, Limits, Quotas
from forwarder.sandbox.world import ManualClock, TelegramError, World

BOT, USER = 7, 100
GROUP, PRIVATE = -1001, 55


def limits(quotas: Quotas | None = None, scale: float = 1.0) -> tuple[Limits, ManualClock]:
    clock = ManualClock()
    return Limits(clock, lambda account: account == BOT, quotas=quotas, scale=scale), clock


def send(chat: int = GROUP, messages: int = 1, account: int = BOT, method: str = "sendMessage") -> Call:
    return Call("bot_api", account, method, chat, messages)


def wait_of(checked: Limits, call: Call) -> int:
    """Seconds that the call is told to wait; 0 when it passes."""
    try:
        checked.check(call)
    except TelegramError as error:
        return error.seconds if error.name == "FLOOD_WAIT_X" and error.seconds else -1
    return 0


def test_a_bot_that_keeps_to_one_message_a_second_in_a_private_chat_is_never_stopped() -> None:
    checked, clock = limits()
    for _ in range(200):
        assert wait_of(checked, send(PRIVATE)) == 0
        clock.advance(1.0)


def test_a_burst_in_one_chat_is_stopped_and_other_chats_are_not() -> None:
    checked, _ = limits()
    assert [wait_of(checked, send(PRIVATE)) for _ in range(5)] == [0, 0, 0, 0, 3]
    assert wait_of(checked, send(PRIVATE + 1)) == 0


def test_a_group_takes_twenty_messages_a_minute() -> None:
    checked, clock = limits()
    for _ in range(20):
        assert wait_of(checked, send()) == 0
        clock.advance(1.0)
    assert wait_of(checked, send()) == 40
    clock.advance(40)
    assert wait_of(checked, send()) == 0


def test_a_batch_counts_its_messages_and_not_its_call() -> None:
    checked, clock = limits(Quotas(bot_chat=(), bot=()))
    assert wait_of(checked, send(messages=15, method="copyMessages")) == 0
    assert wait_of(checked, send(messages=6, method="copyMessages")) == 60
    clock.advance(61)
    assert wait_of(checked, send(messages=5)) == 0


def test_a_batch_larger_than_the_limit_passes_alone_and_is_paid_for_afterwards() -> None:
    checked, clock = limits(Quotas(bot_chat=(), bot=(), bot_group=(Limit(20, 60.0),), memory=0))
    assert wait_of(checked, send(messages=100, method="forwardMessages")) == 0
    assert wait_of(checked, send(messages=1)) > 240
    clock.advance(301)
    assert wait_of(checked, send()) == 0


def test_thirty_messages_a_second_are_all_that_a_bot_may_send_anywhere() -> None:
    checked, _ = limits()
    assert [wait_of(checked, send(1000 + number)) for number in range(31)] == [0] * 30 + [1]


def test_a_call_during_a_wait_makes_it_longer() -> None:
    checked, clock = limits(Quotas(bot_group=(Limit(1, 10.0),)))
    assert wait_of(checked, send()) == 0
    assert wait_of(checked, send()) == 10
    assert wait_of(checked, send()) == 10, "calls that were under way already are not punished"
    clock.advance(4)
    assert wait_of(checked, send()) == 7
    assert wait_of(checked, send()) == 9
    clock.advance(9)
    assert wait_of(checked, send()) == 0


def test_a_violation_soon_after_a_wait_costs_more() -> None:
    checked, clock = limits(Quotas(bot_group=(Limit(1, 10.0),)))
    wait_of(checked, send())
    assert wait_of(checked, send()) == 10
    clock.advance(10)
    assert wait_of(checked, send()) == 0
    assert wait_of(checked, send()) == 11


def test_edits_in_a_group_have_a_window_of_their_own() -> None:
    checked, _ = limits(Quotas(bot=(), bot_chat=()))
    edit = Call("bot_api", BOT, "editMessageText", GROUP)
    assert [wait_of(checked, edit) for _ in range(21)] == [0] * 20 + [60]
    assert wait_of(checked, send()) == 0
    assert wait_of(checked, Call("bot_api", BOT, "editMessageText", PRIVATE)) == 0


def test_reading_and_answering_are_not_counted() -> None:
    checked, _ = limits()
    for _ in range(500):
        assert wait_of(checked, Call("bot_api", BOT, "getUpdates")) == 0
        assert wait_of(checked, Call("bot_api", BOT, "answerCallbackQuery")) == 0


def test_some_methods_of_user_accounts_have_a_limit_of_their_own() -> None:
    checked, _ = limits()
    call = Call("mtproto", USER, "channels.joinChannel", GROUP)
    assert [wait_of(checked, call) for _ in range(11)][-1] == 300


def test_limits_may_be_scaled_for_a_demonstration() -> None:
    checked, _ = limits(scale=10)
    assert sum(wait_of(checked, send(PRIVATE)) == 0 for _ in range(50)) == 40


def test_peer_flood_stays_until_it_is_taken_away() -> None:
    checked, clock = limits(NO_QUOTAS)
    checked.set_peer_flood(USER)
    for _ in range(3):
        with pytest.raises(TelegramError, match="PEER_FLOOD"):
            checked.check(send(account=USER, method="messages.sendMessage"))
        clock.advance(1e6)
    checked.set_peer_flood(USER, False)
    assert wait_of(checked, send(account=USER)) == 0


def test_the_guard_records_every_call_and_counts_the_waits() -> None:
    world = World(clock=ManualClock())
    bot = world.create_bot("Bot")
    guard = Guard(world, quotas=Quotas(bot=(Limit(1, 1.0),)))
    call = send(account=bot.id)
    guard.before(call)
    guard.after(call, None)
    with pytest.raises(TelegramError):
        guard.before(call)
    guard.unknown("bot_api", bot.id, "sendSoup")
    assert [one.outcome for one in guard.record.calls()] == ["ok", "FLOOD_WAIT_X"]
    assert guard.record.flood_waits_met == 1
    assert [one.method for one in guard.record.unknown] == ["sendSoup"]
