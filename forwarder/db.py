"""The one way to PostgreSQL: short transactions, notifications, and leases.

Statements are bounded: a session that waits longer than ``lock_timeout`` for a lock, or runs one
statement longer than ``statement_timeout``, is a bug that must show itself, not hold up a lane.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import psycopg
import sqlalchemy
from sqlalchemy import text
from sqlalchemy.engine import make_url
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine

from forwarder.errors import Unavailable

STATEMENT_TIMEOUT_MS = 30_000
LOCK_TIMEOUT_MS = 10_000


class Database:
    """An engine with its sessions. ``url`` is ``postgresql+psycopg://…`` (a plain ``postgresql://`` works too)."""

    def __init__(self, url: str, *, pool_size: int = 5, name: str = "forwarder") -> None:
        self.url = make_url(url).set(drivername="postgresql+psycopg")
        self._engine = create_async_engine(
            self.url,
            pool_size=pool_size,
            max_overflow=5,
            pool_pre_ping=True,
            # Parameters hold message texts; they must not reach a log line or an error report.
            hide_parameters=True,
            connect_args={
                "application_name": name,
                "connect_timeout": 10,
                "options": f"-c statement_timeout={STATEMENT_TIMEOUT_MS} -c lock_timeout={LOCK_TIMEOUT_MS}",
            },
        )
        self._sessions = async_sessionmaker(self._engine, expire_on_commit=False)

    @asynccontextmanager
    async def begin(self) -> AsyncIterator[AsyncSession]:
        """One transaction: committed at the end of the block, rolled back by an exception.

        Raises :class:`~forwarder.errors.Unavailable` when PostgreSQL does not answer or went away.
        """
        try:
            async with self._sessions() as session, session.begin():
                yield session
        except sqlalchemy.exc.OperationalError as error:
            raise Unavailable(unavailable_sentence(self.url.render_as_string(), error)) from error

    async def check(self) -> None:
        """Raise :class:`~forwarder.errors.Unavailable` unless PostgreSQL answers."""
        async with self.begin() as session:
            await session.execute(text("select 1"))

    async def listen(self, channel: str) -> AsyncIterator[str]:
        """Yield the payload of every notification, and '' after each (re)connection.

        The empty payload says "look at the table": notifications sent while the connection was down
        are gone for ever.
        """
        pause = 0.2
        while True:
            try:
                async with await psycopg.AsyncConnection.connect(
                    self.url.set(drivername="postgresql").render_as_string(hide_password=False),
                    autocommit=True,
                ) as connection:
                    await connection.execute(f"listen {channel}")
                    pause = 0.2
                    yield ""
                    async for notification in connection.notifies():
                        yield notification.payload
            except psycopg.OperationalError:
                await asyncio.sleep(pause)
                pause = min(pause * 2, 5.0)

    async def close(self) -> None:
        await self._engine.dispose()


async def notify(session: AsyncSession, channel: str, payload: str = "") -> None:
    """Wake the listeners of ``channel`` when this transaction commits."""
    await session.execute(
        text("select pg_notify(:channel, :payload)"), {"channel": channel, "payload": payload}
    )


def unavailable_sentence(where: str, error: Exception) -> str:
    first_line = str(getattr(error, "orig", None) or error).strip().splitlines()[0]
    return (
        f"PostgreSQL at {where} does not answer ({first_line}). "
        "Start it, or correct DATABASE_URL; nothing is lost, waiting posts go on when it is back."
    )


@dataclass(frozen=True, slots=True)
class Held:
    """A lease that was taken: only the holder of the newest fence may act."""

    name: str
    holder: str
    fence: int


async def take_lease(db: Database, name: str, holder: str, seconds: float) -> Held | None:
    """Take a free or expired lease, or renew one's own; None when somebody else holds it."""
    async with db.begin() as session:
        fence = await session.scalar(
            text(
                """
                insert into leases as l (name, holder, fence, until)
                values (:name, :holder, 1, clock_timestamp() + make_interval(secs => :seconds))
                on conflict (name) do update
                   set holder = excluded.holder, until = excluded.until,
                       fence = l.fence + case when l.holder = excluded.holder then 0 else 1 end
                 where l.holder = excluded.holder or l.until < clock_timestamp()
                returning fence
                """
            ),
            {"name": name, "holder": holder, "seconds": seconds},
        )
    return Held(name, holder, fence) if fence is not None else None


async def release_lease(db: Database, held: Held) -> None:
    async with db.begin() as session:
        await session.execute(
            text(
                "update leases set until = clock_timestamp() where name = :name and holder = :holder and fence = :fence"
            ),
            {"name": held.name, "holder": held.holder, "fence": held.fence},
        )
