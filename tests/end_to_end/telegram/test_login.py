"""Logins are made once, each with a key of its own, and only the first needs a code."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field

import pytest
from telethon.tl import functions, types

from forwarder.errors import AccountNotReady, SessionInUse, TelegramError
from forwarder.sandbox.faults import FaultRule
from forwarder.sandbox.world import Account
from forwarder.telegram.client import Client
from forwarder.telegram.login import LoginName, Question, make_bot_login, make_user_logins, whoami

from .conftest import Town, eventually


@dataclass
class Person:
    """Somebody at a terminal."""

    town: Town
    phone: str = "+99966100001"
    password: str = "correct horse"
    wrong_first: frozenset[Question] = frozenset()
    asked: list[Question] = field(default_factory=list)
    told: list[str] = field(default_factory=list)

    async def ask(self, question: Question) -> str:
        first = question not in self.asked
        self.asked.append(question)
        if first and question in self.wrong_first:
            return {"phone": "+1", "code": "00000", "password": "wrong"}[question.value]
        if question is Question.PHONE:
            return self.phone
        if question is Question.CODE:
            return self.town.mtproto.logins.code_for(self.phone)
        return self.password

    async def tell(self, sentence: str) -> None:
        self.told.append(sentence)


def opener(town: Town, names: list[LoginName] | None = None):  # type: ignore[no-untyped-def]
    def open_client(name: LoginName) -> AbstractAsyncContextManager[Client]:
        if names is not None:
            names.append(name)
        return town.client(name.value, listens=True)

    return open_client


def with_password(town: Town) -> Account:
    return town.world.create_user("Vera", username="vera", phone="+99966100002", password="correct horse")


async def test_one_code_makes_two_logins_with_keys_of_their_own(town: Town) -> None:
    person = Person(town)
    first, second = await make_user_logins(opener(town), person.ask, person.tell)
    assert (first.telegram_id, second.telegram_id) == (town.user, town.user)
    assert (first.fresh, second.fresh, first.username) == (True, True, "uwe_user")
    assert person.asked == [Question.PHONE, Question.CODE]
    keys = {town.session(name).auth_key.key for name in ("listener", "sender")}
    assert len(keys) == 2
    for name in ("listener", "sender"):
        async with town.client(name) as client:
            me = await whoami(client)
            assert me is not None
            assert me.id == town.user


async def test_logins_that_are_there_are_not_made_again(town: Town) -> None:
    await make_user_logins(opener(town), Person(town).ask, Person(town).tell)
    person = Person(town)
    first, second = await make_user_logins(opener(town), person.ask, person.tell)
    assert (first.fresh, second.fresh, person.asked) == (False, False, [])
    assert any("already" in sentence for sentence in person.told)


async def test_only_the_missing_login_is_made(town: Town) -> None:
    await make_user_logins(opener(town), Person(town).ask, Person(town).tell)
    (town.folder / "sender.session").unlink()
    person = Person(town)
    first, second = await make_user_logins(opener(town), person.ask, person.tell)
    assert (first.fresh, second.fresh, person.asked) == (False, True, [])


async def test_the_second_factor_is_asked_once_for_both_logins(town: Town) -> None:
    user = with_password(town)
    person = Person(town, phone="+99966100002")
    first, second = await make_user_logins(opener(town), person.ask, person.tell)
    assert (first.telegram_id, second.telegram_id) == (user.id, user.id)
    assert person.asked == [Question.PHONE, Question.CODE, Question.PASSWORD]


async def test_slips_of_the_pen_are_asked_again(town: Town) -> None:
    with_password(town)
    person = Person(town, phone="+99966100002", wrong_first=frozenset(Question))
    await make_user_logins(opener(town), person.ask, person.tell)
    assert person.asked == [kind for kind in Question for _ in range(2)]
    assert len(person.told) == 3


async def test_a_password_that_stays_wrong_ends_with_a_sentence(town: Town) -> None:
    with_password(town)
    person = Person(town, phone="+99966100002", password="wrong")
    with pytest.raises(AccountNotReady, match="password was wrong"):
        await make_user_logins(opener(town), person.ask, person.tell)


async def test_the_bot_gets_a_login_of_its_own_by_its_token(town: Town) -> None:
    names: list[LoginName] = []
    made = await make_bot_login(opener(town, names), town.token)
    again = await make_bot_login(opener(town, names), town.token)
    assert (made.telegram_id, made.fresh, again.fresh) == (town.robot, True, False)
    assert names == [LoginName.BOT, LoginName.BOT]


async def test_a_refused_token_ends_with_a_sentence(town: Town) -> None:
    with pytest.raises(AccountNotReady, match="BotFather"):
        await make_bot_login(opener(town), "123456789:" + "A" * 35)


async def destroy(town: Town, name: str) -> None:
    """Use one login in two places at once, after which Telegram refuses its key."""
    copy = town.folder / "copy.session"
    copy.write_bytes((town.folder / f"{name}.session").read_bytes())
    async with town.client(name) as one, town.client("copy") as another:
        await whoami(one)
        await whoami(another)
        login = town.mtproto.keys.get(one.session.auth_key.key_id)
        assert login is not None
        await eventually(lambda: login.duplicated)
        with pytest.raises(TelegramError, match="AUTH_KEY_DUPLICATED"):
            await one.ask(functions.users.GetUsersRequest([types.InputUserSelf()]))


async def test_a_login_that_was_destroyed_by_two_connections_is_made_anew(town: Town) -> None:
    await make_user_logins(opener(town), Person(town).ask, Person(town).tell)
    for name in ("listener", "sender"):
        await destroy(town, name)
    person = Person(town)
    first, second = await make_user_logins(opener(town), person.ask, person.tell)
    assert (first.fresh, second.fresh, person.asked) == (True, True, [Question.PHONE, Question.CODE])
    for name in ("listener", "sender"):
        async with town.client(name) as client:
            assert await whoami(client) is not None


async def test_where_a_new_login_fails_the_old_one_stays_in_its_file(town: Town) -> None:
    """Telegram may have refused the old one by mistake."""
    await make_user_logins(opener(town), Person(town).ask, Person(town).tell)
    before = town.session("listener").auth_key.key
    town.fault(FaultRule("error", method="users.getUsers", error="AUTH_KEY_UNREGISTERED", times=1))

    async def wrong(question: Question) -> str:
        return "+99966100001" if question is Question.PHONE else "00000"

    with pytest.raises(AccountNotReady, match="code was wrong"):
        await make_user_logins(opener(town), wrong, Person(town).tell)
    assert town.session("listener").auth_key.key == before
    async with town.client("listener") as client:
        assert await whoami(client) is not None


@pytest.mark.parametrize("used", [LoginName.LISTENER, LoginName.SENDER])
async def test_a_login_that_is_in_use_is_left_alone_and_the_other_is_made(
    town: Town, used: LoginName
) -> None:
    def open_client(name: LoginName) -> AbstractAsyncContextManager[Client]:
        return in_use() if name is used else town.client(name.value, listens=True)

    person = Person(town)
    [made] = await make_user_logins(open_client, person.ask, person.tell)
    assert (made.name is not used, made.fresh, made.telegram_id) == (True, True, town.user)
    assert person.asked == [Question.PHONE, Question.CODE]
    assert "in use" in person.told[0]


async def test_where_both_are_in_use_nothing_is_made(town: Town) -> None:
    person = Person(town)
    with pytest.raises(SessionInUse):
        await make_user_logins(lambda _: in_use(), person.ask, person.tell)
    assert person.asked == []


@asynccontextmanager
async def in_use() -> AsyncIterator[Client]:
    raise SessionInUse("Another process uses the login.")
    yield
