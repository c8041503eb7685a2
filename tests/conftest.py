"""What every test stands on: no way beyond the loopback, and real PostgreSQL and Redis where asked for."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
import pytest
import redis
from psycopg import sql

from forwarder.models import Base
from forwarder.servers import start_postgres, start_redis

ROOT = Path(__file__).resolve().parents[1]
LOOPBACK_NAMES = {"localhost", "ip6-localhost", "", None}

EMPTY = ";\n".join(
    [
        # A test that cut its work off may leave a server process behind that still holds locks: it ends first.
        (
            "select pg_terminate_backend(pid, 10000) from pg_stat_activity"
            " where datname = current_database() and backend_type = 'client backend' and pid <> pg_backend_pid()"
        ),
        *(f"delete from {table.name}" for table in reversed(Base.metadata.sorted_tables)),
        "select setval(format('%I.%I', schemaname, sequencename)::regclass, start_value, false) from pg_sequences",
    ]
)

# No test may read the settings of the person who runs it.
os.environ["ENV_FILE"] = ""


class BeyondLoopback(OSError):
    """A test tried to reach something that is not this machine."""


def is_loopback(host: object) -> bool:
    if isinstance(host, bytes):
        host = host.decode("ascii", "replace")
    if host in LOOPBACK_NAMES:
        return True
    return isinstance(host, str) and (host == "::1" or host.startswith(("127.", "::ffff:127.")))


def refuse_beyond_loopback(address: object) -> None:
    # Unix sockets have a path (str or bytes) for an address, the internet families a tuple.
    if isinstance(address, tuple) and address and not is_loopback(address[0]):
        raise BeyondLoopback(
            f"tests may not reach beyond loopback, but one tried {address[0]}:{address[1:2]}"
        )


LONG = (
    "chaos/test_short.py",
    "end_to_end/test_demo.py",
    "end_to_end/way/test_recovery.py",
    "end_to_end/way/test_restored.py",
    "end_to_end/cli",
    "end_to_end/way",
)
"""What starts the whole program, the longest before the others."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What takes long begins first, or one worker would be left with it at the end; else the order is chance's."""
    places = [ROOT / "tests" / name for name in LONG]

    def rank(item: pytest.Item) -> int:
        return next((n for n, place in enumerate(places) if item.path.is_relative_to(place)), len(places))

    items.sort(key=rank)
    for item in items:
        # Several processes in a row, on a machine with other work.
        if rank(item) < len(places) and item.get_closest_marker("timeout") is None:
            item.add_marker(pytest.mark.timeout(240))


@pytest.fixture(scope="session", autouse=True)
def no_network() -> Iterator[None]:
    """Refuses connections, datagrams and name look-ups that would leave this machine."""
    patch = pytest.MonkeyPatch()
    for name, where in (("connect", 0), ("connect_ex", 0), ("sendto", -1)):
        patch.setattr(socket.socket, name, _guarded(getattr(socket.socket, name), where))
    look_up = socket.getaddrinfo

    def getaddrinfo(host: object, *args: object, **kwargs: object) -> object:
        if not is_loopback(host):
            raise BeyondLoopback(f"tests may not look names up, but one asked for {host!r}")
        return look_up(host, *args, **kwargs)  # type: ignore[arg-type]

    patch.setattr(socket, "getaddrinfo", getaddrinfo)
    yield
    patch.undo()


def _guarded(method: Callable[..., object], where: int) -> Callable[..., object]:
    def guarded(self: socket.socket, *args: object) -> object:
        refuse_beyond_loopback(args[where])
        return method(self, *args)

    return guarded


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    """A PostgreSQL server: TEST_DATABASE_URL, or a throwaway one. Its user may create databases."""
    if given := os.environ.get("TEST_DATABASE_URL"):
        yield "postgresql+psycopg://" + given.split("://", 1)[1]
        return
    server = start_postgres(None, throwaway=True)
    yield server.url
    server.stop()


@pytest.fixture(scope="session")
def redis_url() -> Iterator[str]:
    """A Redis server: TEST_REDIS_URL (one database number per worker), or a throwaway one."""
    if given := os.environ.get("TEST_REDIS_URL"):
        worker = os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")
        yield given if worker == "0" else urlsplit(given)._replace(path=f"/{worker}").geturl()
        return
    server = start_redis(None, throwaway=True)
    yield server.url
    server.stop()


class Databases:
    """Creates and drops databases on one server, by URL."""

    def __init__(self, server_url: str) -> None:
        self.server_url = server_url
        self._numbers = count(1)

    def create(self, template: str = "template1") -> str:
        """A fresh database; takes 0.05 s. Returns its URL."""
        name = f"test_{os.getpid()}_{next(self._numbers)}"
        self._execute(
            sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(sql.Identifier(name), sql.Identifier(template))
        )
        return urlsplit(self.server_url)._replace(path=f"/{name}").geturl()

    def drop(self, url: str) -> None:
        self._execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name_of(url))))

    def _execute(self, statement: sql.Composed) -> None:
        with psycopg.connect(self.server_url.replace("+psycopg", "", 1), autocommit=True) as connection:
            connection.execute(statement)


def name_of(database_url: str) -> str:
    return urlsplit(database_url).path.removeprefix("/")


def migrate(url: str) -> None:
    """Give an empty database the schema of head."""
    done = subprocess.run(
        [sys.executable, "-m", "alembic", "upgrade", "head"],
        cwd=ROOT,
        env=os.environ | {"DATABASE_URL": url},
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, f"alembic upgrade head failed:\n{done.stdout}{done.stderr}"


@pytest.fixture(scope="session")
def databases(postgres_url: str) -> Databases:
    """For tests that need several databases, or empty ones at their own time."""
    return Databases(postgres_url)


@pytest.fixture(scope="session")
def migrated_template(databases: Databases) -> Iterator[str]:
    """The name of a database migrated to head, once per run; others are copied from it."""
    url = databases.create()
    migrate(url)
    yield name_of(url)
    databases.drop(url)


@pytest.fixture
def empty_database_url(databases: Databases) -> Iterator[str]:
    """A fresh database without tables."""
    url = databases.create()
    yield url
    databases.drop(url)


@pytest.fixture
def database_url(databases: Databases, migrated_template: str) -> Iterator[str]:
    """A fresh database with the schema of head, for one test."""
    url = databases.create(migrated_template)
    yield url
    databases.drop(url)


@pytest.fixture(scope="module")
def module_database_url(databases: Databases, migrated_template: str) -> Iterator[str]:
    """The same for all tests of a module that keep out of each other's rows."""
    url = databases.create(migrated_template)
    yield url
    databases.drop(url)


@pytest.fixture
def emptied_database_url(module_database_url: str) -> str:
    """The module's database without a row in it, and with ids that begin anew: a fresh one costs ten times as much."""
    with psycopg.connect(module_database_url.replace("+psycopg", "", 1)) as connection:
        connection.execute(EMPTY)
    return module_database_url


@pytest.fixture
def redis_db(redis_url: str) -> Iterator[str]:
    """The URL of an emptied Redis database."""
    with redis.Redis.from_url(redis_url) as client:
        client.flushdb()
        yield redis_url
        client.flushdb()
