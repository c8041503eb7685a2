"""The one way to PostgreSQL: short transactions, notifications, and leases.

Statements are bounded: a session that waits longer than ``lock_timeout`` for a lock, or runs one
statement longer than ``statement_timeout``, is a bug that must show itself, not hold up a lane.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import psycopg
import sqlalchemy
from psycopg.rows import namedtuple_row
from psycopg_pool import AsyncConnectionPool
from sqlalchemy import TextClause, text
from sqlalchemy.dialects.postgresql.psycopg import PGDialect_psycopg
from sqlalchemy.engine import make_url
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine

from forwarder.errors import Unavailable

STATEMENT_TIMEOUT_MS = 30_000
LOCK_TIMEOUT_MS = 10_000
OPTIONS = f"-c statement_timeout={STATEMENT_TIMEOUT_MS} -c lock_timeout={LOCK_TIMEOUT_MS}"
TRIPS_AT_ONCE = 4
GAVE_WAY = (psycopg.errors.DeadlockDetected, psycopg.errors.LockNotAvailable)
"""PostgreSQL answers well, and ended what waited for others too long."""

PSYCOPG = PGDialect_psycopg()  # type: ignore[no-untyped-call]  # SQLAlchemy's dialects have no types


@dataclass(frozen=True, slots=True)
class Ask:
    """A statement with its values; its answer is a list of rows, read by their columns' names."""

    statement: TextClause
    values: Mapping[str, object]


class Database:
    """An engine with its sessions. ``url`` is ``postgresql+psycopg://…`` (a plain ``postgresql://`` works too).

    ``ping`` has each transaction begin with a look whether its connection lives. A process that tries again by itself
    when PostgreSQL was away needs none, and spares a round trip for each.
    """

    def __init__(self, url: str, *, pool_size: int = 5, name: str = "forwarder", ping: bool = True) -> None:
        self.url = make_url(url).set(drivername="postgresql+psycopg")
        self._engine = create_async_engine(
            self.url,
            pool_size=pool_size,
            max_overflow=5,
            pool_pre_ping=ping,
            # The connection used last knows the statements.
            pool_use_lifo=True,
            # Parameters hold message texts; they must not reach a log line or an error report.
            hide_parameters=True,
            connect_args={
                "application_name": name,
                "connect_timeout": 10,
                "options": OPTIONS,
            },
        )
        self._sessions = async_sessionmaker(self._engine, expire_on_commit=False)
        self._name = name
        self._trips: AsyncConnectionPool[psycopg.AsyncConnection[Any]] | None = None

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

    async def in_one_trip(self, *asks: Ask) -> list[Sequence[Any]]:
        """Several statements as one transaction in one round trip: they are sent together, and none can depend on
        another's answer, though each sees what those before it did. Answers the rows of each.

        For the few statements that every post passes through: what a trip costs is felt in each post's delay.
        Raises :class:`~forwarder.errors.Unavailable` like :meth:`begin`, and psycopg's own errors for bad data.
        """
        pool = await self._pool()
        try:
            async with pool.connection() as connection:
                if len(asks) == 1:
                    cursors = [await connection.execute(compiled(asks[0].statement), asks[0].values)]
                else:
                    # What is sent before one Sync is one transaction (PostgreSQL's manual, 34.5, "pipeline mode").
                    async with connection.pipeline():
                        cursors = [await connection.execute(compiled(a.statement), a.values) for a in asks]
                return [await cursor.fetchall() if cursor.description else () for cursor in cursors]
        except psycopg.OperationalError as error:
            # Connections that died with the server are thrown away together, not one for each try.
            await pool.check()
            raise Unavailable(unavailable_sentence(self.url.render_as_string(), error)) from error

    async def _pool(self) -> AsyncConnectionPool[psycopg.AsyncConnection[Any]]:
        if self._trips is None:
            self._trips = AsyncConnectionPool(
                self._plain_url(),
                kwargs={
                    "autocommit": True,
                    "row_factory": namedtuple_row,
                    "application_name": self._name,
                    "connect_timeout": 10,
                    "options": OPTIONS,
                },
                min_size=0,
                max_size=TRIPS_AT_ONCE,
                timeout=10,
                open=False,
                name=self._name,
            )
            await self._trips.open()
        return self._trips

    def _plain_url(self) -> str:
        return self.url.set(drivername="postgresql").render_as_string(hide_password=False)

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
                    self._plain_url(),
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
        if self._trips is not None:
            await self._trips.close()
        await self._engine.dispose()


@lru_cache(maxsize=100)
def compiled(statement: TextClause) -> bytes:
    """The statement as psycopg takes it."""
    return str(statement.compile(dialect=PSYCOPG)).encode()


async def in_session(session: AsyncSession, *asks: Ask) -> list[Sequence[Any]]:
    """The same statements within a transaction that has more to do, sent together too.

    Raises SQLAlchemy's errors, as its own statements do.
    """
    connection = await session.connection()
    driver = (await connection.get_raw_connection()).driver_connection
    assert isinstance(driver, psycopg.AsyncConnection)
    try:
        async with driver.pipeline():
            cursors = []
            for ask in asks:
                cursor = driver.cursor(row_factory=namedtuple_row)
                cursors.append(await cursor.execute(compiled(ask.statement), ask.values))
        return [await cursor.fetchall() if cursor.description else () for cursor in cursors]
    except psycopg.Error as error:
        raise sqlalchemy.exc.DBAPIError.instance(
            None, None, error, psycopg.Error, hide_parameters=True, dialect=PSYCOPG
        ) from error


async def notify(session: AsyncSession, channel: str, payload: str = "") -> None:
    """Wake the listeners of ``channel`` when this transaction commits."""
    await session.execute(
        text("select pg_notify(:channel, :payload)"), {"channel": channel, "payload": payload}
    )


def unavailable_sentence(where: str, error: Exception) -> str:
    cause = getattr(error, "orig", None) or error
    first_line = str(cause).strip().splitlines()[0]
    if isinstance(cause, GAVE_WAY):
        return (
            f"Somebody else was changing the same rows of PostgreSQL at {where} ({first_line}). "
            "Nothing of this change was stored; make it once more."
        )
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
