"""The accounts that act for us: a bot and, where there is a login, a user account."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import case, func, literal, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from forwarder.db import Database, notify
from forwarder.message import AccountKind
from forwarder.models import Account, AccountState, NoticeKind
from forwarder.services import audit, notices

NOW = func.clock_timestamp()

ACCOUNTS = "accounts"
"""The notification that an account was stopped or signed out: whoever holds a login of it looks whether it lives."""

SESSION_LOST = "session_lost"
"""Why an account is signed out whose login Telegram does not know any more."""

LOGIN_GONE = frozenset({SESSION_LOST, "token_refused"})
"""Reasons after which a new login (or the right token) is all it takes: the account is signed out, not stopped."""


@dataclass(frozen=True, slots=True)
class AccountView:
    id: int
    kind: AccountKind
    telegram_id: int
    username: str | None
    state: AccountState
    reason: str | None
    wait_until: datetime | None
    seen_at: datetime | None


async def active_account(session: AsyncSession, kind: AccountKind) -> int | None:
    """The id of the account of this kind that acts now: the one that showed a sign of life last."""
    found: int | None = await session.scalar(
        select(Account.id)
        .where(Account.kind == kind, Account.state == AccountState.ACTIVE)
        .order_by(Account.seen_at.desc().nulls_last(), Account.id.desc())
        .limit(1)
    )
    return found


async def active_accounts(session: AsyncSession) -> dict[AccountKind, int]:
    found = {kind: await active_account(session, kind) for kind in AccountKind}
    return {kind: account_id for kind, account_id in found.items() if account_id is not None}


class AccountService:
    def __init__(self, db: Database) -> None:
        self._db = db

    async def register(self, kind: AccountKind, telegram_id: int, username: str | None) -> int:
        """Make the account known and seen; return its id.

        A login makes a signed-out account active again; one that was stopped stays so, because what
        stopped it (a spam limit, say) is not over when a process restarts: see :meth:`start`.
        """
        stmt = insert(Account).values(
            kind=kind, telegram_id=telegram_id, username=username, state=AccountState.ACTIVE, seen_at=NOW
        )
        stopped = Account.state == AccountState.STOPPED
        async with self._db.begin() as session:
            account_id: int | None = await session.scalar(
                stmt.on_conflict_do_update(
                    index_elements=[Account.telegram_id],
                    set_={
                        "username": stmt.excluded.username,
                        "seen_at": NOW,
                        "deleted_at": None,
                        "state": case((stopped, Account.state), else_=literal(AccountState.ACTIVE.value)),
                        "reason": case((stopped, Account.reason), else_=None),
                    },
                ).returning(Account.id)
            )
        assert account_id is not None
        return account_id

    async def seen(self, account_id: int) -> None:
        async with self._db.begin() as session:
            await session.execute(update(Account).where(Account.id == account_id).values(seen_at=NOW))

    async def stop(
        self, account_id: int, reason: str, *, signed_out: bool = False, actor: int | None = None
    ) -> None:
        """Let the account send nothing more. ``signed_out``: its login is gone, a new one makes it active."""
        async with self._db.begin() as session:
            await stop_in(session, account_id, reason, signed_out=signed_out, actor=actor)

    async def start(self, account_id: int, *, actor: int | None = None) -> None:
        """Let a stopped account work again."""
        async with self._db.begin() as session:
            await session.execute(
                update(Account).where(Account.id == account_id).values(state=AccountState.ACTIVE, reason=None)
            )
            await audit.record(session, actor, "account.active", f"account:{account_id}")

    async def active(self, kind: AccountKind) -> AccountView | None:
        async with self._db.begin() as session:
            account_id = await active_account(session, kind)
            row = await session.get(Account, account_id) if account_id is not None else None
        return view_of(row) if row is not None else None

    async def list(self) -> tuple[AccountView, ...]:
        async with self._db.begin() as session:
            rows = await session.scalars(
                select(Account).where(Account.state != AccountState.DELETED).order_by(Account.id)
            )
            return tuple(view_of(row) for row in rows)


async def stop_in(
    session: AsyncSession,
    account_id: int,
    reason: str,
    *,
    signed_out: bool = False,
    actor: int | None = None,
) -> bool:
    """Stop an active account in the caller's transaction; answer whether it was one.

    Where the program does it, administrators are told, once.
    """
    gone = signed_out or reason in LOGIN_GONE
    state = AccountState.SIGNED_OUT if gone else AccountState.STOPPED
    stopped = await session.scalar(
        update(Account)
        .where(Account.id == account_id, Account.state == AccountState.ACTIVE)
        .values(state=state, reason=reason)
        .returning(Account.id)
    )
    if stopped is None:
        return False
    await notify(session, ACCOUNTS)
    await audit.record(session, actor, f"account.{state}", f"account:{account_id}", reason=reason)
    if actor is None:
        await notices.leave(session, NoticeKind.ACCOUNT_STOPPED, account_id, reason)
    return True


def view_of(row: Account) -> AccountView:
    return AccountView(
        id=row.id,
        kind=AccountKind(row.kind),
        telegram_id=row.telegram_id,
        username=row.username,
        state=AccountState(row.state),
        reason=row.reason,
        wait_until=row.wait_until,
        seen_at=row.seen_at,
    )
