"""Logging in: codes, 2FA passwords, login tokens."""

from __future__ import annotations

import os
import secrets
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from telethon.tl import types

from forwarder.sandbox.world import Account, TelegramError

from .keys import Login
from .srp import Challenge, Verifier

if TYPE_CHECKING:
    from .connection import Connection
    from .door import MtprotoDoor

TOKEN_LIFE = 30.0


@dataclass(frozen=True, slots=True)
class Code:
    """A login code on its way to a person."""

    phone: str
    hash: str
    digits: str


@dataclass(slots=True)
class Token:
    """A login token that waits to be accepted; ``expires`` in the world's monotonic seconds."""

    login: Login
    expires: float
    accepted_by: int | None = None


class Logins:
    """Who is about to log in, and how far they are."""

    def __init__(self, door: MtprotoDoor) -> None:
        self._door = door
        self._codes: dict[str, Code] = {}
        self._tokens: dict[bytes, Token] = {}
        self._verifiers: dict[int, tuple[str, Verifier]] = {}
        self._challenges: dict[int, tuple[int, Challenge]] = {}

    # -- codes -------------------------------------------------------------------------------------------

    def send_code(self, phone: str) -> Code:
        """Make a code; the person reads it by `code_for`. Raises PHONE_NUMBER_INVALID for unknown numbers."""
        account = self._door.world.by_phone(phone)
        if account is None or account.phone is None:
            raise TelegramError(400, "PHONE_NUMBER_INVALID")
        code = Code(account.phone, secrets.token_hex(9), f"{secrets.randbelow(90_000) + 10_000}")
        self._codes[account.phone] = code
        return code

    def code_for(self, phone: str) -> str:
        """The latest code sent to a number. Raises KeyError when none was asked for."""
        account = self._door.world.by_phone(phone)
        code = self._codes.get(account.phone or "") if account else None
        if code is None:
            raise KeyError(f"No login code was asked for {phone}.")
        return code.digits

    def sign_in(self, login: Login, phone: str, code_hash: str, digits: str) -> Account:
        """Raises PHONE_CODE_EMPTY, _INVALID, _EXPIRED, PHONE_NUMBER_INVALID, SESSION_PASSWORD_NEEDED."""
        account = self._door.world.by_phone(phone)
        if account is None:
            raise TelegramError(400, "PHONE_NUMBER_INVALID")
        code = self._codes.get(account.phone or "")
        if not digits:
            raise TelegramError(400, "PHONE_CODE_EMPTY")
        if code is None or code.hash != code_hash:
            raise TelegramError(400, "PHONE_CODE_EXPIRED")
        if code.digits != digits:
            raise TelegramError(400, "PHONE_CODE_INVALID")
        del self._codes[code.phone]
        return self._enter(login, account)

    def _enter(self, login: Login, account: Account) -> Account:
        if account.password is not None:
            login.pending = account.id
            raise TelegramError(401, "SESSION_PASSWORD_NEEDED")
        return self.authorize(login, account.id)

    def authorize(self, login: Login, account: int) -> Account:
        login.account, login.pending = account, None
        for connection in self._door.with_key(login.key_id):
            self._door.file(connection)
        return self._door.world.account(account)

    def log_out(self, login: Login) -> None:
        login.account, login.pending = None, None
        login.seen.clear()
        for connection in self._door.with_key(login.key_id):
            self._door.file(connection)
            connection.wants_updates = False

    # -- passwords ---------------------------------------------------------------------------------------

    def challenge(self, login: Login) -> Challenge | None:
        """A question about the 2FA password, or None when the account has none."""
        who = login.pending or login.account
        if who is None:
            raise TelegramError(401, "AUTH_KEY_UNREGISTERED")
        account = self._door.world.account(who)
        if account.password is None:
            return None
        known = self._verifiers.get(who)
        if known is None or known[0] != account.password:
            known = (account.password, Verifier.of(account.password))
            self._verifiers[who] = known
        challenge = Challenge.pose(known[1])
        self._challenges[login.key_id] = (who, challenge)
        return challenge

    def check_password(self, login: Login, srp_id: int, a_bytes: bytes, proof: bytes) -> Account:
        """Raises SRP_ID_INVALID, PASSWORD_HASH_INVALID."""
        who, challenge = self._challenges.pop(login.key_id, (0, None))
        if challenge is None or challenge.id != srp_id:
            raise TelegramError(400, "SRP_ID_INVALID")
        if not challenge.accepts(a_bytes, proof):
            raise TelegramError(400, "PASSWORD_HASH_INVALID")
        return self.authorize(login, who)

    # -- tokens ------------------------------------------------------------------------------------------

    def export_token(self, login: Login) -> bytes | Account:
        """A token to be accepted elsewhere, or the account once that has happened.

        Raises SESSION_PASSWORD_NEEDED when it was accepted for an account with a 2FA password.
        """
        for text, token in tuple(self._tokens.items()):
            if token.login is login and token.accepted_by is not None:
                del self._tokens[text]
                return self._enter(login, self._door.world.account(token.accepted_by))
        text = os.urandom(24)
        self._tokens[text] = Token(login, self._door.world.clock.monotonic() + TOKEN_LIFE)
        return text

    def accept_token(self, account: int, text: bytes) -> Login:
        """A logged-in client lets another in. Raises AUTH_TOKEN_INVALID, _EXPIRED, _ALREADY_ACCEPTED."""
        token = self._tokens.get(text)
        if token is None:
            raise TelegramError(400, "AUTH_TOKEN_INVALID")
        if token.accepted_by is not None:
            raise TelegramError(400, "AUTH_TOKEN_ALREADY_ACCEPTED")
        if self._door.world.clock.monotonic() > token.expires:
            raise TelegramError(400, "AUTH_TOKEN_EXPIRED")
        token.accepted_by = account
        news = bytes(types.UpdateShort(types.UpdateLoginToken(), self._door.world.clock.now()))
        for connection in self._door.with_key(token.login.key_id):
            connection.push(news)
        return token.login

    def token_expiry(self) -> timedelta:
        return timedelta(seconds=TOKEN_LIFE)

    def connections_of(self, login: Login) -> list[Connection]:
        return self._door.with_key(login.key_id)
