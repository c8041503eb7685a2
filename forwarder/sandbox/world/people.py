"""Accounts: made, found by name, phone or token; and who may write to whom in private."""

from __future__ import annotations

import hashlib
import re

from . import ids
from .accounts import Account, BotProfile
from .boxes import Box
from .errors import TelegramError
from .events import BotStopped
from .state import State

_USERNAME = re.compile(r"[A-Za-z][A-Za-z0-9_]{3,31}")


class People(State):
    """Layer: persons and bots."""

    def create_user(
        self,
        first_name: str,
        *,
        last_name: str = "",
        username: str | None = None,
        phone: str | None = None,
        password: str | None = None,
        premium: bool = False,
        language: str = "en",
        account_id: int | None = None,
    ) -> Account:
        """A person. Without a phone number one is made up. ``password`` switches 2FA on."""
        number = account_id or self._free_id(100_000_001)
        account = Account(
            id=number,
            first_name=first_name,
            last_name=last_name,
            username=username,
            phone=(phone or f"99966{number % 10_000_000:07d}").lstrip("+"),
            password=password,
            premium=premium,
            language=language,
        )
        return self._add_account(account)

    def create_bot(
        self,
        name: str,
        *,
        username: str | None = None,
        owner: int | None = None,
        token: str | None = None,
        privacy: bool = True,
        account_id: int | None = None,
    ) -> Account:
        """A bot with its token (``<id>:<35 characters>``), as @BotFather would give it."""
        number = account_id or (int(token.split(":")[0]) if token else self._free_id(700_000_001))
        if token is None:
            token = (
                f"{number}:AA{hashlib.sha256(f'{number}/{self.random.random()}'.encode()).hexdigest()[:33]}"
            )
        profile = BotProfile(token=token, owner=owner, privacy=privacy)
        handle = username or f"sandbox_{number}_bot"
        return self._add_account(Account(id=number, first_name=name, username=handle, bot=profile))

    def _free_id(self, first: int) -> int:
        number = first
        while number in self.memory.accounts:
            number += 1
        return number

    def _add_account(self, account: Account) -> Account:
        if account.id in self.memory.accounts:
            raise ValueError(f"There is an account {account.id} already.")
        if account.username:
            self._claim_username(account.username, account.id)
        self.memory.accounts[account.id] = account
        self.memory.boxes[account.id] = Box(account.id, self.rules.keep_account_log)
        self.memory.members_of.setdefault(account.id, set())
        return account

    def replace_account(self, account: Account) -> None:
        """Put other values (password, premium, privacy) in the place of an account's present ones."""
        self.memory.accounts[account.id] = account

    def _claim_username(self, username: str, owner: int) -> None:
        if not _USERNAME.fullmatch(username):
            raise TelegramError(400, "USERNAME_INVALID")
        if self.memory.usernames.get(username.lower(), owner) != owner:
            raise TelegramError(400, "USERNAME_OCCUPIED")
        self.memory.usernames[username.lower()] = owner

    def by_phone(self, phone: str) -> Account | None:
        digits = "".join(char for char in phone if char.isdigit())
        return next((a for a in self.memory.accounts.values() if a.phone == digits), None)

    def by_token(self, token: str) -> Account | None:
        head = token.split(":", 1)[0]
        account = self.memory.accounts.get(int(head)) if head.isdigit() else None
        return account if account and account.bot and account.bot.token == token else None

    def resolve_username(self, username: str) -> int:
        """The marked id behind a name (with or without @). Raises USERNAME_INVALID or
        USERNAME_NOT_OCCUPIED.
        """
        name = username.removeprefix("@")
        if not _USERNAME.fullmatch(name):
            raise TelegramError(400, "USERNAME_INVALID")
        found = self.memory.usernames.get(name.lower())
        if found is None:
            raise TelegramError(400, "USERNAME_NOT_OCCUPIED")
        return found

    # -- private chats -----------------------------------------------------------------------------------

    def block(self, user: int, bot: int, *, blocked: bool = True) -> None:
        """A person blocks somebody, or lets them write again."""
        pair = (user, bot)
        if (pair in self.memory.blocked) == blocked:
            return
        (self.memory.blocked.add if blocked else self.memory.blocked.discard)(pair)
        if self.account(bot).bot:
            self._emit(BotStopped(self.clock.now(), user, bot, blocked))

    def check_private(self, actor: int, other: int) -> None:
        """Raises when ``actor`` may not write to ``other``: blocked, bot to bot, or a bot that writes
        first.
        """
        sender, receiver = self.account(actor), self.account(other)
        if (other, actor) in self.memory.blocked:
            raise TelegramError(403 if sender.bot else 400, "USER_IS_BLOCKED")
        if (actor, other) in self.memory.blocked:
            raise TelegramError(400, "YOU_BLOCKED_USER")
        if sender.bot and receiver.bot:
            raise TelegramError(400, "USER_BOT_TO_BOT_DISABLED")
        if sender.bot and (other, actor) not in self.memory.started:
            raise TelegramError(400, "PEER_ID_INVALID")

    def _remember_private(self, actor: int, other: int) -> None:
        if self.account(other).bot and not self.account(actor).bot:
            self.memory.started.add((actor, other))

    def peer_name(self, chat_id: int) -> str:
        """Title or name of any chat, for headers and reports."""
        return self.account(chat_id).name if ids.is_user(chat_id) else self.chat(chat_id).title
