"""Accounts and users: who acts, who may ask."""

from __future__ import annotations

import pytest

from forwarder.db import Database
from forwarder.errors import InvalidRequest, NotFound
from forwarder.message import AccountKind
from forwarder.models import Language, Role
from forwarder.services.accounts import AccountService
from forwarder.services.users import UserService, guess_language


async def test_an_account_keeps_its_number_over_logins(db: Database) -> None:
    accounts = AccountService(db)
    first = await accounts.register(AccountKind.BOT, 700, "old_name")
    assert await accounts.register(AccountKind.BOT, 700, "new_name") == first
    active = await accounts.active(AccountKind.BOT)
    assert active is not None
    assert (active.id, active.username) == (first, "new_name")
    assert await accounts.active(AccountKind.USER) is None


async def test_a_stopped_account_stays_stopped_through_a_restart(db: Database) -> None:
    accounts = AccountService(db)
    account = await accounts.register(AccountKind.USER, 800, None)
    await accounts.stop(account, "spam_limited")
    await accounts.register(AccountKind.USER, 800, None)
    assert await accounts.active(AccountKind.USER) is None
    await accounts.start(account, actor=5)
    assert await accounts.active(AccountKind.USER) is not None


async def test_a_new_login_revives_a_signed_out_account(db: Database) -> None:
    accounts = AccountService(db)
    account = await accounts.register(AccountKind.USER, 800, None)
    await accounts.stop(account, "session_lost", signed_out=True)
    assert [view.state for view in await accounts.list()] == ["signed_out"]
    await accounts.register(AccountKind.USER, 800, None)
    active = await accounts.active(AccountKind.USER)
    assert active is not None
    assert active.reason is None


async def test_the_account_seen_last_is_the_one_that_acts(db: Database) -> None:
    accounts = AccountService(db)
    old = await accounts.register(AccountKind.BOT, 700, "a_bot")
    await accounts.register(AccountKind.BOT, 701, "b_bot")
    await accounts.seen(old)
    active = await accounts.active(AccountKind.BOT)
    assert active is not None
    assert active.id == old


async def test_strangers_are_not_admitted_and_administrators_are(db: Database) -> None:
    users = UserService(db, [5])
    assert await users.admit(6, "Mallory", "en") is None
    admin = await users.admit(5, "Анна", "ru")
    assert admin is not None
    assert (admin.role, admin.language, admin.name, admin.administrates) == (
        "administrator",
        "ru",
        "Анна",
        True,
    )


async def test_somebody_allowed_is_admitted_until_denied(db: Database) -> None:
    users = UserService(db, [5])
    await users.allow(6, Role.VIEWER, actor=5)
    viewer = await users.admit(6, "Eve")
    assert viewer is not None
    assert (viewer.role, viewer.may_change, viewer.name) == ("viewer", False, "Eve")
    await users.deny(6, actor=5)
    assert await users.admit(6) is None
    with pytest.raises(NotFound):
        await users.deny(6, actor=5)


async def test_administrators_come_and_go_with_the_settings_only(db: Database) -> None:
    users = UserService(db, [5])
    await users.admit(5, "Ann", "en")
    for refused in (users.deny(5, actor=5), users.allow(6, Role.ADMINISTRATOR, actor=5)):
        with pytest.raises(InvalidRequest):
            await refused
    later = await UserService(db, [7]).admit(5)
    assert later is not None
    assert later.role is Role.OPERATOR


async def test_language_and_dialog_are_remembered(db: Database) -> None:
    users = UserService(db, [5])
    await users.admit(5, "Ann", "en")
    await users.set_language(5, Language.RU)
    await users.save_dialog(5, {"name": "adding", "side": "source"})
    person = await UserService(db, [5]).admit(5)
    assert person is not None
    assert person.language is Language.RU
    assert await users.load_dialog(5) == {"name": "adding", "side": "source"}
    await users.save_dialog(5, None)
    assert await users.load_dialog(5) is None


@pytest.mark.parametrize(
    ("code", "language"),
    [
        ("ru", "ru"),
        ("uk-UA", "ru"),
        ("be", "ru"),
        ("kk", "ru"),
        ("en-GB", "en"),
        ("de", "en"),
        (None, "en"),
        ("", "en"),
    ],
)
def test_the_first_language_follows_the_client(code: str | None, language: str) -> None:
    assert guess_language(code) == language
