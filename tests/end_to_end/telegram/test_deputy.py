"""What a bot may not delete after 48 hours the user account deletes, or the bot's refusal says why not."""

from __future__ import annotations

from dataclasses import replace

import pytest

from forwarder.deputy import WithDeputy
from forwarder.errors import OutcomeUnknown, TelegramError, Unavailable
from forwarder.message import AccountKind, DeleteOrder, Mode, SendOrder
from forwarder.retry import decide
from forwarder.sandbox.faults import FaultRule
from forwarder.telegram.bot_sender import BotSender
from forwarder.telegram.chats import InTurn, MtprotoChats

from .conftest import Town


async def two_days_old_album(town: Town, sender: BotSender) -> DeleteOrder:
    ids = town.album(["one", "two"])
    copies = await sender.send(SendOrder(town.source, tuple(ids), town.target, Mode.COPY, album=True))
    town.world.rules = replace(town.world.rules, bot_delete_window=0)
    return DeleteOrder(town.target, tuple(copy for copy in copies if copy is not None))


async def test_the_user_account_deletes_what_the_bot_may_not_any_more(town: Town) -> None:
    async with town.bot() as bot, town.client("deputy", town.user) as client:
        sender = BotSender(bot, 1)
        old = await two_days_old_album(town, sender)
        await WithDeputy(sender, MtprotoChats(client)).delete(old)
        assert town.texts(town.target) == {}
        await WithDeputy(sender, MtprotoChats(client)).delete(old)  # what is gone is a success


async def test_where_nobody_has_the_right_the_bots_refusal_is_the_reason(town: Town) -> None:
    town.world.promote(town.owner, town.target, town.user, frozenset({"post_messages"}))
    async with town.bot() as bot, town.client("deputy", town.user) as client:
        sender = BotSender(bot, 1)
        old = await two_days_old_album(town, sender)
        with pytest.raises(TelegramError) as refusal:
            await WithDeputy(sender, MtprotoChats(client)).delete(old)
    assert decide(refusal.value, api=AccountKind.BOT, order="delete").reason == "cannot_delete"
    assert list(town.texts(town.target).values()) == ["one", "two"]


@pytest.mark.parametrize("seconds", [None, 7])
async def test_a_deputy_that_must_wait_lets_the_deletion_be_tried_again(
    town: Town, seconds: float | None
) -> None:
    name = "FLOOD_WAIT_X" if seconds else "WORKER_BUSY_TOO_LONG_RETRY"
    town.fault(FaultRule("error", method="channels.deleteMessages", error=name, seconds=seconds))
    async with town.bot() as bot, town.client("deputy", town.user) as client:
        sender = BotSender(bot, 1)
        old = await two_days_old_album(town, sender)
        with pytest.raises(OutcomeUnknown) as away:
            await WithDeputy(sender, MtprotoChats(client)).delete(old)
    decision = decide(away.value, api=AccountKind.BOT, order="delete")
    assert (decision.verdict.value, decision.reason) == ("retry", "deputy_away")
    assert (away.value.seconds or 0) >= (seconds or 0)


async def test_what_is_closed_to_the_first_login_is_asked_of_the_second(town: Town) -> None:
    number = town.post("only the bot is here", town.target)
    town.world.leave(town.user, town.target)
    async with town.client("user", town.user) as user, town.client("bot", town.robot) as robot:
        chats = InTurn(MtprotoChats(user), MtprotoChats(robot))
        fetched = await chats.fetch(town.target, [number])
        assert [message.text for message in fetched.messages] == ["only the bot is here"]
        await chats.delete(DeleteOrder(town.target, (number,)))
    assert town.texts(town.target) == {}


async def test_an_outage_is_not_taken_for_a_closed_chat(town: Town) -> None:
    async with town.client("user", town.user) as user, town.client("bot", town.robot) as robot:
        chats = InTurn(MtprotoChats(user), MtprotoChats(robot))
        town.fault(FaultRule("error", method="channels.getMessages", error="RPC_CALL_FAIL", code=500))
        with pytest.raises((TelegramError, Unavailable)):
            await chats.fetch(town.target, [1])
