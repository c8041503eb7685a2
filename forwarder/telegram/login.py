"""Makes the logins: the listener's by code, the sender's from it by a login token, the bot's by its token.

Each process has a login of its own, because Telegram destroys a session that is used on two connections.
Only the first one needs a code from a person.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from typing import Any

from telethon.tl import functions, types

from forwarder.errors import AccountNotReady, SessionInUse, TelegramError
from forwarder.telegram.client import Client
from forwarder.telegram.errors import translated

TRIES = 3
TOKEN_TRIES = 10
TOKEN_PAUSE = 0.5


class Question(StrEnum):
    """What a person is asked for; ``password`` is the second factor and must not be shown."""

    PHONE = "phone"
    CODE = "code"
    PASSWORD = "password"  # noqa: S105 - the name of a question, not a secret


class LoginName(StrEnum):
    """The logins and whose they are; each has a session file of its own."""

    LISTENER = "listener"
    SENDER = "sender"
    BOT = "bot"


@dataclass(frozen=True, slots=True)
class LoggedIn:
    """``fresh`` is False where the login was there already."""

    name: LoginName
    telegram_id: int
    username: str | None
    fresh: bool


Ask = Callable[[Question], Awaitable[str]]
Tell = Callable[[str], Awaitable[None]]
OpenClient = Callable[[LoginName], AbstractAsyncContextManager[Client]]
"""Opens a client that holds the login's lease, and closes it; the client must listen (receive updates)."""


async def make_user_logins(open_client: OpenClient, ask: Ask, tell: Tell) -> tuple[LoggedIn, ...]:
    """The listener's and the sender's login; only those that are missing are made. One that a running process of
    ours uses is there, and left alone.

    Raises :class:`~forwarder.errors.AccountNotReady` with a sentence where the login fails, and SessionInUse where
    both are in use.
    """
    password = Password(ask)
    async with AsyncExitStack() as stack:
        try:
            listener = await stack.enter_async_context(open_client(LoginName.LISTENER))
        except SessionInUse:
            sender = await stack.enter_async_context(open_client(LoginName.SENDER))
            await tell("The listener's login is in use by a running process.")
            return (await log_in_by_code(sender, ask, tell, password, LoginName.SENDER),)
        first = await log_in_by_code(listener, ask, tell, password)
        try:
            sender = await stack.enter_async_context(open_client(LoginName.SENDER))
        except SessionInUse:
            await tell("The sender's login is in use by a running process.")
            return (first,)
        second = await log_in_by_token(listener, sender, tell, password)
    if first.telegram_id != second.telegram_id:
        raise AccountNotReady(
            f"The sender's session belongs to account {second.telegram_id}, the listener's to "
            f"{first.telegram_id}. Move the wrong session file away and run `manage.py login` again."
        )
    return first, second


async def make_bot_login(open_client: OpenClient, token: str) -> LoggedIn:
    """The bot's second login, over MTProto: for reading by id, never for updates."""
    async with open_client(LoginName.BOT) as client:
        return await log_in_bot(client, token)


async def log_in_bot(client: Client, token: str) -> LoggedIn:
    """Raises AccountNotReady where Telegram refuses the token."""
    known = await known_here(client)
    if known is not None:
        return facts(LoginName.BOT, known, fresh=False)
    try:
        me = await at_home(partial(client.sign_in, bot_token=token))
    except TelegramError as error:
        raise AccountNotReady(sentence(error)) from error
    return made(client, LoginName.BOT, me)


async def at_home(call: Callable[[], Awaitable[Any]]) -> Any:
    """Make a call again where Telegram named another data centre; Telethon has moved there meanwhile."""
    try:
        async with translated():
            return await call()
    except TelegramError as error:
        if not error.name.endswith("_MIGRATE"):
            raise
    async with translated():
        return await call()


class Password:
    """The second factor, asked once and kept in memory for the logins that follow."""

    def __init__(self, ask: Ask) -> None:
        self._ask = ask
        self._known: str | None = None

    async def give(self, client: Client, tell: Tell) -> Any:
        """Answer Telegram's question for it; a wrong one is asked again."""
        for _ in range(TRIES):
            password = self._known if self._known is not None else await self._ask(Question.PASSWORD)
            try:
                async with translated():
                    me = await client.sign_in(password=password)
            except TelegramError as error:
                if error.name != "PASSWORD_HASH_INVALID":
                    raise AccountNotReady(sentence(error)) from error
                self._known = None
                await tell("That password is wrong.")
                continue
            self._known = password
            return me
        raise AccountNotReady(f"The password was wrong {TRIES} times. Run `manage.py login` again.")


async def whoami(client: Client) -> Any | None:
    """The account of this session; None where it has no login (any more)."""
    try:
        users = await client.ask(functions.users.GetUsersRequest([types.InputUserSelf()]))
    except TelegramError as error:
        if is_refused(error):
            return None
        raise
    return users[0]


async def connected(client: Client) -> None:
    """Connect, also with a login that Telegram has ended: who asks ``whoami`` then is told. Raises as ``ready``."""
    try:
        await client.ready()
    except TelegramError as error:
        if not is_refused(error):
            raise


def is_refused(error: TelegramError) -> bool:
    """Whether it is the login that Telegram refuses."""
    return error.code in (401, 404) or error.name.startswith(("AUTH_KEY_", "SESSION_"))


async def known_here(client: Client) -> Any | None:
    """Like ``whoami``; where the login was ended, the client is made ready for a new one."""
    known = await whoami(client)
    if known is None and client.session.logged_in_once:
        await client.start_anew()
    return known


async def log_in_by_code(
    client: Client, ask: Ask, tell: Tell, password: Password, name: LoginName = LoginName.LISTENER
) -> LoggedIn:
    known = await known_here(client)
    if known is not None:
        await tell(f"The {name.value} is logged in already as {shown(known)}.")
        return facts(name, known, fresh=False)
    phone = await send_code(client, ask, tell)
    for _ in range(TRIES):
        code = await ask(Question.CODE)
        try:
            async with translated():
                me = await client.sign_in(phone, code.strip())
        except TelegramError as error:
            if error.name == "SESSION_PASSWORD_NEEDED":
                me = await password.give(client, tell)
            elif error.name in ("PHONE_CODE_INVALID", "PHONE_CODE_EMPTY"):
                await tell("That code is wrong.")
                continue
            else:
                raise AccountNotReady(sentence(error)) from error
        return made(client, name, me)
    raise AccountNotReady(f"The code was wrong {TRIES} times. Run `manage.py login` again for a new one.")


async def send_code(client: Client, ask: Ask, tell: Tell) -> str:
    """Ask for the phone number until Telegram accepts one, and have it send the code."""
    for _ in range(TRIES):
        phone = (await ask(Question.PHONE)).strip()
        try:
            await at_home(partial(client.send_code_request, phone))
        except TelegramError as error:
            if error.name != "PHONE_NUMBER_INVALID":
                raise AccountNotReady(sentence(error)) from error
            await tell(
                "Telegram does not know that number. Write it with the country code, like +49 151 2345678."
            )
            continue
        return phone
    raise AccountNotReady("No valid phone number was given. Run `manage.py login` again.")


async def log_in_by_token(logged_in: Client, new: Client, tell: Tell, password: Password) -> LoggedIn:
    """Log ``new`` in as the account of ``logged_in``, without a code: by a login token that it accepts.

    Source: core.telegram.org/api/qr-login.
    """
    known = await known_here(new)
    if known is not None:
        await tell(f"The sender is logged in already as {shown(known)}.")
        return facts(LoginName.SENDER, known, fresh=False)
    try:
        me = await exchange_token(logged_in, new, password, tell)
    except TelegramError as error:
        raise AccountNotReady(sentence(error)) from error
    return made(new, LoginName.SENDER, me)


async def exchange_token(logged_in: Client, new: Client, password: Password, tell: Tell) -> Any:
    export = functions.auth.ExportLoginTokenRequest(new.api_id, new.api_hash, except_ids=[])
    accepted: bytes | None = None
    for _ in range(TOKEN_TRIES):
        try:
            answer = await new.ask(export)
            if isinstance(answer, types.auth.LoginTokenMigrateTo):
                async with translated():
                    await new._switch_dc(answer.dc_id)
                answer = await new.ask(functions.auth.ImportLoginTokenRequest(answer.token))
        except TelegramError as error:
            if error.name != "SESSION_PASSWORD_NEEDED":
                raise
            return await password.give(new, tell)
        if isinstance(answer, types.auth.LoginTokenSuccess):
            me = answer.authorization.user
            async with translated():
                await new._on_login(me)
            return me
        if answer.token != accepted:
            await logged_in.ask(functions.auth.AcceptLoginTokenRequest(answer.token))
            accepted = answer.token
        else:
            await asyncio.sleep(TOKEN_PAUSE)
    raise AccountNotReady("Telegram did not confirm the sender's login in time. Run `manage.py login` again.")


def made(client: Client, name: LoginName, me: Any) -> LoggedIn:
    """A login that has just been made, and is kept."""
    client.session.keep_login()
    return facts(name, me, fresh=True)


def facts(name: LoginName, me: Any, *, fresh: bool) -> LoggedIn:
    return LoggedIn(name, me.id, me.username, fresh)


def shown(me: Any) -> str:
    return f"@{me.username}" if me.username else f"account {me.id}"


SENTENCES = {
    "PHONE_CODE_EXPIRED": "The code has expired. Run `manage.py login` again for a new one.",
    "PHONE_NUMBER_BANNED": "Telegram has banned this number. Write to recover@telegram.org.",
    "PHONE_NUMBER_UNOCCUPIED": "There is no account with this number. Make one in a Telegram app first.",
    "API_ID_INVALID": "Telegram refuses API_ID and API_HASH. Copy both again from https://my.telegram.org.",
    "API_ID_PUBLISHED_FLOOD": "This API_ID is published and refused. Take your own from my.telegram.org.",
    "ACCESS_TOKEN_INVALID": "Telegram refuses BOT_TOKEN. Take the current token from @BotFather.",
    "ACCESS_TOKEN_EXPIRED": "BOT_TOKEN was revoked. Take the current token from @BotFather.",
    "PHONE_PASSWORD_FLOOD": "Too many tries with this number. Wait a day, then run `manage.py login` again.",
    "CONNECT_FAILED": "Telegram does not answer. Check the network and TELEGRAM_MTPROTO_ADDRESS.",
}


def sentence(error: TelegramError) -> str:
    if error.seconds is not None:
        minutes = max(1, round(error.seconds / 60))
        return f"Telegram asks to wait {minutes} min before the next login. Run `manage.py login` again then."
    return SENTENCES.get(error.name, f"Telegram refuses the login ({error.name}). Try again later.")
