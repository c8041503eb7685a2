"""Logins are made once, each with a key of its own, and only the first needs a code."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field

import pytest

from forwarder.errors import AccountNotReady
from forwarder.sandbox.world import Account
from forwarder.telegram.client import Client
from forwarder.telegram.login import LoginName, Question, make_bot_login, make_user_logins, whoami

from .conftest import Town


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
