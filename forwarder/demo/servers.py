"""A database and a Redis number for the demo alone: on throwaway servers, or on those of the settings."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from urllib.parse import urlsplit

import psycopg
import redis
from psycopg import sql

from forwarder.db import unavailable_sentence
from forwarder.errors import ForwarderError, Unavailable
from forwarder.servers import ServerUrls, embedded
from forwarder.settings import Need, Settings, load_settings, public_url

MARK = "demo:owner"
REDIS_NUMBERS = 16


def server_settings() -> Settings:
    """DATABASE_URL and REDIS_URL as set; no other setting of the user's concerns the demo."""
    return load_settings(
        Need.NOTHING, **{name: value for name, value in defaults().items() if name not in OF_SERVERS}
    )


OF_SERVERS = ("database_url", "redis_url")


def defaults() -> dict[str, object]:
    """Every setting as if none were set."""
    return {name: field.get_default() for name, field in Settings.model_fields.items()}


@contextmanager
def own_servers(settings: Settings) -> Iterator[ServerUrls]:
    """Addresses that nobody else's data is behind; all of it is gone at the end.

    Raises Unavailable where a named server does not answer, ForwarderError where it has no room for us.
    """
    with ExitStack() as stack:
        urls = stack.enter_context(embedded(settings, throwaway=True))
        database_url, redis_url = urls.database_url, urls.redis_url
        if settings.database_url is not None:
            database_url = stack.enter_context(fresh_database(database_url))
        if settings.redis_url is not None:
            redis_url = stack.enter_context(free_redis_number(redis_url))
        yield ServerUrls(database_url, redis_url, urls.notes, urls.servers)


@contextmanager
def fresh_database(url: str) -> Iterator[str]:
    """A new database on the server of ``url``, dropped at the end."""
    name = f"forwarder_demo_{secrets.token_hex(4)}"
    _execute(url, sql.SQL("create database {}").format(sql.Identifier(name)))
    try:
        yield urlsplit(url)._replace(path=f"/{name}").geturl()
    finally:
        _execute(url, sql.SQL("drop database if exists {} with (force)").format(sql.Identifier(name)))


@contextmanager
def free_redis_number(url: str) -> Iterator[str]:
    """An empty database number on the server of ``url``, marked as ours and emptied at the end."""
    for number in reversed(range(1, REDIS_NUMBERS)):
        own = urlsplit(url)._replace(path=f"/{number}").geturl()
        if url.startswith("unix:"):
            own = urlsplit(url)._replace(query=f"db={number}").geturl()
        try:
            with redis.Redis.from_url(own) as client:
                if client.dbsize() or not client.set(MARK, secrets.token_hex(8), nx=True):
                    continue
                try:
                    yield own
                finally:
                    client.flushdb()
                return
        except redis.ResponseError:  # the server has fewer numbers
            continue
        except redis.RedisError as error:
            raise Unavailable(
                f"Redis at {public_url(url)} does not answer ({type(error).__name__}). Start it, or correct "
                "REDIS_URL, or unset it: the demo then uses a throwaway Redis."
            ) from error
    raise ForwarderError(
        f"Redis at {public_url(url)} has no empty database number for the demo: unset REDIS_URL, "
        "and the demo uses a throwaway Redis."
    )


def _execute(url: str, statement: sql.Composed) -> None:
    try:
        with psycopg.connect(
            url.replace("+psycopg", "", 1), autocommit=True, connect_timeout=10
        ) as connection:
            connection.execute(statement)
    except psycopg.OperationalError as error:
        raise Unavailable(unavailable_sentence(public_url(url), error)) from error
    except psycopg.errors.InsufficientPrivilege as error:
        raise ForwarderError(
            f"The user of {public_url(url)} may not create a database for the demo: grant CREATEDB, or unset "
            "DATABASE_URL, and the demo uses a throwaway PostgreSQL."
        ) from error
