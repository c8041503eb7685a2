"""What commands stand on: settings, the log, the servers, an open database."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import TypeVar

import click

from forwarder import log, schema
from forwarder.db import Database
from forwarder.errors import ForwarderError
from forwarder.servers import ServerUrls, embedded
from forwarder.settings import Need, Settings, load_settings

T = TypeVar("T")


def tool_settings(need: Need = Need.NOTHING) -> Settings:
    """The settings of a command that a person waits for: its log is stderr, and says only what is wrong."""
    settings = load_settings(need)
    log.register_secrets(settings.secrets())
    log.configure(
        level=settings.log_level if settings.debug_mode else "WARNING",
        debug=settings.debug_mode,
        log_file=settings.log_file,
        process="manage",
        stream=sys.stderr,
    )
    return settings


@contextmanager
def servers(settings: Settings) -> Iterator[ServerUrls]:
    """PostgreSQL and Redis for the length of a command: set, running beside us, or started by us."""
    with embedded(settings, throwaway=False, join=True) as urls:
        for note in urls.notes:
            click.echo(note, err=True)
        if urls.servers:
            # Ours alone: nobody else could bring it up to date.
            schema.upgrade(urls.database_url)
        yield urls


@asynccontextmanager
async def database(url: str) -> AsyncIterator[Database]:
    """An open database with the newest tables. Raises Unavailable, or ForwarderError for old tables."""
    if not await asyncio.to_thread(schema.is_current, url):
        raise ForwarderError("The database does not have the newest tables: run `manage.py db upgrade`.")
    db = Database(url, pool_size=2, name="forwarder manage")
    try:
        yield db
    finally:
        await db.close()


def with_database(settings: Settings, work: Callable[[Database], Awaitable[T]]) -> T:
    """Runs ``work`` on an open database and returns what it returns."""

    async def run(url: str) -> T:
        async with database(url) as db:
            return await work(db)

    with servers(settings) as urls:
        return asyncio.run(run(urls.database_url))
