"""On servers that hold real data the demo takes room of its own, and gives it back."""

from __future__ import annotations

import psycopg
import pytest
import redis

from forwarder.demo.servers import free_redis_number, fresh_database
from forwarder.errors import ForwarderError, Unavailable

DEMOS = "select datname from pg_database where datname like 'forwarder_demo%'"


def names(url: str) -> set[str]:
    """The demo's databases; other tests may make and drop theirs meanwhile."""
    with psycopg.connect(url.replace("+psycopg", "", 1)) as connection:
        return {row[0] for row in connection.execute(DEMOS).fetchall()}


def test_a_database_of_its_own_is_gone_afterwards(postgres_url: str) -> None:
    before = names(postgres_url)
    with fresh_database(postgres_url) as url:
        with psycopg.connect(url.replace("+psycopg", "", 1)) as connection:
            connection.execute("create table t (id int)")
        assert len(names(postgres_url) - before) == 1
    assert names(postgres_url) <= before


def test_a_redis_number_with_data_is_never_taken(redis_url: str) -> None:
    occupied = redis_url.rsplit("/", 1)[0] + "/15"
    with redis.Redis.from_url(occupied) as client:
        client.set("precious", 1)
        try:
            with free_redis_number(redis_url) as own:
                assert own != occupied
                assert own != redis_url
                with free_redis_number(redis_url) as another, redis.Redis.from_url(another) as theirs:
                    assert another != own
                    theirs.set("work", 1)
            assert client.get("precious") == b"1"
            with redis.Redis.from_url(own) as left:
                assert left.dbsize() == 0
        finally:
            client.flushdb()


def test_servers_that_do_not_answer_are_sentences() -> None:
    with (
        pytest.raises(Unavailable, match="PostgreSQL"),
        fresh_database("postgresql+psycopg://x@127.0.0.1:1/x"),
    ):
        pass
    with pytest.raises(Unavailable, match="Redis"), free_redis_number("redis://127.0.0.1:1/0"):
        pass


def test_a_full_redis_is_a_sentence(redis_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("forwarder.demo.servers.REDIS_NUMBERS", 1)
    with pytest.raises(ForwarderError, match="unset REDIS_URL"), free_redis_number(redis_url):
        pass
