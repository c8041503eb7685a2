"""How real Telethon logs in to the sandbox."""

from __future__ import annotations

import asyncio

import pytest
from telethon import TelegramClient, errors, functions

from forwarder.sandbox.world import Account

from .conftest import Stage, eventually


async def test_a_person_logs_in_by_code(stage: Stage) -> None:
    client = stage.client(stage.fresh_session())
    await client.connect()
    assert not await client.is_user_authorized()
    await client.send_code_request(stage.owner.phone)
    me = await client.sign_in(stage.owner.phone, stage.sandbox.login_code(stage.owner.phone))
    assert (me.id, me.phone) == (stage.owner.id, stage.owner.phone)


async def test_a_wrong_code_is_refused(stage: Stage) -> None:
    client = stage.client(stage.fresh_session())
    await client.connect()
    await client.send_code_request(stage.owner.phone)
    with pytest.raises(errors.PhoneCodeInvalidError):
        await client.sign_in(stage.owner.phone, "00000")


async def test_a_2fa_account_needs_its_password_and_no_other(stage: Stage) -> None:
    careful = stage.world.create_user("Carl", phone="+15550003", password="correct horse")
    client = stage.client(stage.fresh_session())
    await client.connect()
    await client.send_code_request(careful.phone)
    with pytest.raises(errors.SessionPasswordNeededError):
        await client.sign_in(careful.phone, stage.sandbox.login_code(careful.phone))
    with pytest.raises(errors.PasswordHashInvalidError):
        await client.sign_in(password="wrong")
    assert (await client.sign_in(password="correct horse")).id == careful.id


async def test_a_bot_logs_in_by_its_token(stage: Stage) -> None:
    bot = stage.world.create_bot("Helper", owner=stage.owner.id)
    stage.world.promote(stage.owner.id, stage.channel.id, bot.id, frozenset({"post_messages"}))
    client = stage.client(stage.fresh_session())
    await client.start(bot_token=bot.bot.token)
    assert (await client.get_me()).bot
    with pytest.raises(errors.BotMethodInvalidError):
        await client.get_messages(stage.channel.id, limit=1)


async def test_a_wrong_bot_token_is_refused(stage: Stage) -> None:
    client = stage.client(stage.fresh_session())
    with pytest.raises(errors.AccessTokenInvalidError):
        await client.start(bot_token="12345:AAwrong")


async def accept(stage: Stage, account: Account, new: TelegramClient) -> asyncio.Task[object]:
    """A logged-in client lets ``new`` in; the task is the new client's waiting."""
    old = await stage.login(account)
    await new.connect()
    offer = await new.qr_login()
    waiting = asyncio.create_task(offer.wait(5))
    await eventually(lambda: new.list_event_handlers())
    await old(functions.auth.AcceptLoginTokenRequest(offer.token))
    return waiting


async def test_an_accepted_token_makes_a_second_login_with_a_key_of_its_own(stage: Stage) -> None:
    new = stage.client(stage.fresh_session())
    me = await (await accept(stage, stage.owner, new))
    assert me.id == stage.owner.id
    assert len(stage.sandbox.mtproto.keys.of_account(stage.owner.id)) == 2


async def test_an_accepted_token_of_a_2fa_account_still_asks_for_the_password(stage: Stage) -> None:
    careful = stage.world.create_user("Carl", phone="+15550003", password="correct horse")
    new = stage.client(stage.fresh_session())
    waiting = await accept(stage, careful, new)
    with pytest.raises(errors.SessionPasswordNeededError):
        await waiting
    assert (await new.sign_in(password="correct horse")).id == careful.id


async def test_one_key_on_two_connections_is_destroyed(stage: Stage) -> None:
    prepared = stage.sandbox.prepared_session(stage.reader.id)
    first, second = (stage.client(stage.session_of(prepared)) for _ in range(2))
    await first.connect()
    await first.get_me()
    await second.connect()
    login = stage.sandbox.mtproto.keys.of_account(stage.reader.id)[0]
    await eventually(lambda: login.duplicated)
    with pytest.raises(errors.AuthKeyDuplicatedError):
        await first(functions.updates.GetStateRequest())


async def test_an_unknown_key_is_answered_on_the_transport(stage: Stage) -> None:
    prepared = stage.sandbox.prepared_session(stage.reader.id)
    login = stage.sandbox.mtproto.keys.of_account(stage.reader.id)[0]
    stage.sandbox.mtproto.keys.forget(login.key_id)
    client = stage.client(stage.session_of(prepared))
    with pytest.raises(errors.AuthKeyNotFound):
        await client.connect()


async def test_a_logged_out_client_is_unregistered(stage: Stage) -> None:
    client = await stage.login(stage.owner)
    await client(functions.auth.LogOutRequest())
    with pytest.raises(errors.AuthKeyUnregisteredError):
        await client(functions.updates.GetStateRequest())
