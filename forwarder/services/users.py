"""Who may use the control bot, in which language, and where each one's dialog stands."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from sqlalchemy import delete, select, update
from sqlalchemy.dialects.postgresql import insert

from forwarder.db import Database
from forwarder.errors import InvalidRequest, NotFound
from forwarder.message import without_nul
from forwarder.models import Language, Role, User
from forwarder.services import audit

RUSSIAN_READERS = frozenset({"ru", "uk", "be", "kk", "ky", "uz", "tg", "tt", "hy", "az"})
"""Language codes of Telegram clients whose owners read Russian rather than English, as a rule."""


@dataclass(frozen=True, slots=True)
class Person:
    telegram_id: int
    name: str
    role: Role
    language: Language
    alerts: bool = True

    @property
    def administrates(self) -> bool:
        return self.role is Role.ADMINISTRATOR

    @property
    def may_change(self) -> bool:
        return self.role is not Role.VIEWER


def guess_language(language_code: str | None) -> Language:
    """The language to begin with, from what the person's Telegram client says (IETF tag, may be absent)."""
    primary = (language_code or "").lower().partition("-")[0]
    return Language.RU if primary in RUSSIAN_READERS else Language.EN


class UserService:
    """Administrators are those named in ADMIN_IDS, and only they; everybody else needs a row."""

    def __init__(self, db: Database, admin_ids: Collection[int]) -> None:
        self._db = db
        self.admin_ids = frozenset(admin_ids)

    async def admit(
        self, telegram_id: int, name: str = "", language_code: str | None = None
    ) -> Person | None:
        """The person, if they may use the bot; None for a stranger. An administrator is remembered."""
        async with self._db.begin() as session:
            row = await session.get(User, telegram_id)
            if row is None and telegram_id in self.admin_ids:
                await session.execute(
                    insert(User)
                    .values(
                        telegram_id=telegram_id,
                        name=without_nul(name)[:128],
                        role=Role.ADMINISTRATOR,
                        language=guess_language(language_code),
                    )
                    .on_conflict_do_nothing()
                )
                row = await session.get(User, telegram_id)
            if row is None:
                return None
            if name and not row.name:  # the first contact of somebody who was let in by their id
                row.name = without_nul(name)[:128]
                row.language = guess_language(language_code)
            return self._person(row)

    async def allow(self, telegram_id: int, role: Role, *, actor: int | None) -> Person:
        """Let somebody use the bot, or change their role. Administrators come from ADMIN_IDS only."""
        if role is Role.ADMINISTRATOR:
            raise InvalidRequest(
                "admin_by_settings", "Administrators are named in ADMIN_IDS; change it and restart the bot."
            )
        if telegram_id in self.admin_ids:
            raise InvalidRequest(
                "is_admin",
                f"{telegram_id} is an administrator by ADMIN_IDS already.",
                telegram_id=telegram_id,
            )
        async with self._db.begin() as session:
            await session.execute(
                insert(User)
                .values(telegram_id=telegram_id, role=role)
                .on_conflict_do_update(index_elements=[User.telegram_id], set_={"role": role})
            )
            await audit.record(session, actor, "user.allow", f"user:{telegram_id}", role=role)
            row = await session.get(User, telegram_id)
            assert row is not None
            return self._person(row)

    async def deny(self, telegram_id: int, *, actor: int | None) -> None:
        """Take somebody's access away. Raises NotFound for one who has none, InvalidRequest for admins."""
        if telegram_id in self.admin_ids:
            raise InvalidRequest(
                "admin_by_settings", "Administrators are named in ADMIN_IDS; change it and restart the bot."
            )
        async with self._db.begin() as session:
            gone = await session.scalar(
                delete(User).where(User.telegram_id == telegram_id).returning(User.telegram_id)
            )
            if gone is None:
                raise NotFound(
                    "user_not_found", f"{telegram_id} has no access to the bot.", telegram_id=telegram_id
                )
            await audit.record(session, actor, "user.deny", f"user:{telegram_id}")

    async def list(self) -> tuple[Person, ...]:
        async with self._db.begin() as session:
            rows = await session.scalars(select(User).order_by(User.created_at, User.telegram_id))
            return tuple(self._person(row) for row in rows)

    async def set_language(self, telegram_id: int, language: Language) -> None:
        async with self._db.begin() as session:
            await session.execute(
                update(User).where(User.telegram_id == telegram_id).values(language=language)
            )

    async def set_alerts(self, telegram_id: int, on: bool) -> None:
        async with self._db.begin() as session:
            await session.execute(update(User).where(User.telegram_id == telegram_id).values(alerts=on))

    async def load_dialog(self, telegram_id: int) -> dict[str, Any] | None:
        """Where the person's dialog stands, as the bot saved it."""
        async with self._db.begin() as session:
            dialog: dict[str, Any] | None = await session.scalar(
                select(User.dialog).where(User.telegram_id == telegram_id)
            )
            return dialog

    async def save_dialog(self, telegram_id: int, dialog: dict[str, Any] | None) -> None:
        async with self._db.begin() as session:
            await session.execute(update(User).where(User.telegram_id == telegram_id).values(dialog=dialog))

    def _person(self, row: User) -> Person:
        role = Role(row.role)
        if row.telegram_id in self.admin_ids:
            role = Role.ADMINISTRATOR
        elif role is Role.ADMINISTRATOR:  # was named in ADMIN_IDS once, and no more
            role = Role.OPERATOR
        return Person(row.telegram_id, row.name, role, Language(row.language), row.alerts)
