"""Migrations and models agree, and the database refuses states that cannot be."""

from __future__ import annotations

import asyncio
import hashlib

import pytest
import sqlalchemy
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import create_engine, inspect
from sqlalchemy.engine import make_url

from forwarder import schema
from forwarder.db import Database
from forwarder.errors import Unavailable
from forwarder.message import Empty, Origin
from forwarder.models import Base
from tests.builders import ARCHIVE, DIGEST, NEWS, OTHER, House, post


def engine_of(url: str) -> sqlalchemy.Engine:
    return create_engine(make_url(url).set(drivername="postgresql+psycopg"))


def test_migrations_and_models_agree(database_url: str) -> None:
    engine = engine_of(database_url)
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_server_default": True})
        assert compare_metadata(context, Base.metadata) == []
    engine.dispose()


def checks_of(engine: sqlalchemy.Engine) -> set[tuple[str, str, str]]:
    found = inspect(engine)
    return {
        (table, str(check["name"]), check["sqltext"])
        for table in found.get_table_names()
        if table != "alembic_version"
        for check in found.get_check_constraints(table)
    }


def indexes_of(engine: sqlalchemy.Engine) -> set[str]:
    with engine.connect() as connection:
        rows = connection.execute(
            sqlalchemy.text("select indexdef from pg_indexes where tablename <> 'alembic_version'"
                            " and schemaname = 'public'")
        )  # fmt: skip
        return set(rows.scalars())


def test_checks_and_partial_indexes_agree_too(database_url: str, empty_database_url: str) -> None:
    migrated, made = engine_of(database_url), engine_of(empty_database_url)
    Base.metadata.create_all(made)
    assert checks_of(migrated) == checks_of(made)
    assert indexes_of(migrated) == indexes_of(made)
    migrated.dispose()
    made.dispose()


def test_the_way_down_leaves_nothing_and_the_way_up_works_again(empty_database_url: str) -> None:
    schema.upgrade(empty_database_url)
    assert schema.is_current(empty_database_url)
    command.downgrade(schema.alembic_config(empty_database_url), "base")
    engine = engine_of(empty_database_url)
    assert set(inspect(engine).get_table_names()) <= {"alembic_version"}
    engine.dispose()
    assert not schema.is_current(empty_database_url)
    schema.upgrade(empty_database_url)
    assert schema.is_current(empty_database_url)


def test_lists_that_are_called_the_same_get_names_of_their_own(empty_database_url: str) -> None:
    schema.upgrade(empty_database_url, "0010")
    engine = engine_of(empty_database_url)
    with engine.begin() as connection:
        names = ", ".join(f"('{name}')" for name in ("News", "news", "NEWS (2)", "News", "other"))
        connection.execute(sqlalchemy.text(f"insert into lists (name) values {names}"))
    schema.upgrade(empty_database_url)
    with engine.begin() as connection:
        found = connection.execute(sqlalchemy.text("select name from lists order by id")).scalars().all()
    engine.dispose()
    assert found == ["News", "news (2)*", "NEWS (2)", "News (4)", "other"]


async def test_what_is_remembered_of_origins_is_found_after_their_keys_have_changed(
    empty_database_url: str,
) -> None:
    await asyncio.to_thread(schema.upgrade, empty_database_url)
    db = Database(empty_database_url)
    house = await House(db).open()
    for source in (NEWS, OTHER, ARCHIVE):
        await house.mapping(source, DIGEST)
    await house.hear(post(7, "first"), Empty(NEWS, tuple(range(1, 7))))
    await house.hear(post(1, "told on", chat=OTHER, origin=Origin(-100555, 3)))
    hashed = {hashlib.sha256(f"origin:{name}".encode()).digest() for name in (f"{NEWS}:7", "-100555:3")}
    await db.close()
    config = schema.alembic_config(empty_database_url)
    await asyncio.to_thread(command.downgrade, config, "0011")
    assert hashed < {bytes(row["key"]) for row in await house.run("select key from fingerprints")}
    await db.close()
    await asyncio.to_thread(schema.upgrade, empty_database_url)
    await house.hear(post(1, "other words", chat=ARCHIVE, origin=Origin(NEWS, 7)))
    await house.hear(post(2, "and others", chat=ARCHIVE, origin=Origin(-100555, 3)))
    states = await house.run("select state from deliveries order by id")
    assert [row["state"] for row in states] == ["queued", "queued", "duplicate", "duplicate"]
    await db.close()


def test_a_dead_database_gets_a_sentence() -> None:
    nowhere = "postgresql://nobody:secret@127.0.0.1:1/none"
    with pytest.raises(Unavailable, match="does not answer") as caught:
        schema.is_current(nowhere)
    assert "secret" not in str(caught.value)
    with pytest.raises(Unavailable):
        schema.upgrade(nowhere)


@pytest.mark.parametrize(
    ("change", "constraint"),
    [
        ("state = 'sent'", "done_is_final"),
        ("done_at = now()", "done_is_final"),
        ("state = 'elsewhere', reason = 'x'", "state_known"),
        ("state = 'sending', account_id = null", "sending_by_someone"),
        ("state = 'held'", "explained"),
        ("state = 'unsure'", "explained"),
        ("state = 'failed', done_at = now()", "explained"),
        ("state = 'duplicate', done_at = now(), reason = 'same_content'", "duplicate_of_something"),
        ("class = 3", "class_known"),
        ("kind = 'poke'", "kind_known"),
        ("route = 'auto'", "route_known"),
        ("mode = 'quote'", "mode_known"),
    ],
)
async def test_a_delivery_cannot_be_in_a_wrong_state(core: House, change: str, constraint: str) -> None:
    await core.mapping()
    await core.hear(post(1))
    with pytest.raises(sqlalchemy.exc.IntegrityError, match=constraint):
        await core.run(f"update deliveries set {change}")


@pytest.mark.parametrize(
    ("statement", "constraint"),
    [
        ("update lanes set holder = 'w1'", "lease_whole"),
        ("update lanes set lease_until = now()", "lease_whole"),
        ("update mappings set state = 'asleep'", "state_known"),
        ("update mappings set destination_id = source_id", "not_onto_itself"),
        ("update messages set kind = 'song'", "kind_known"),
        (
            (
                "insert into deliveries (mapping_id, post_id, kind, class, position)"
                " select mapping_id, post_id, kind, class, position from deliveries"
            ),
            "uq_deliveries",
        ),
        (
            (
                "insert into messages (channel_id, message_id, kind, heard, date)"
                " select channel_id, message_id, kind, heard, date from messages"
            ),
            "uq_messages",
        ),
    ],
)
async def test_other_wrong_rows_are_refused(core: House, statement: str, constraint: str) -> None:
    await core.mapping()
    await core.hear(post(1))
    with pytest.raises(sqlalchemy.exc.IntegrityError, match=constraint):
        await core.run(statement)


async def test_a_channel_with_mappings_cannot_be_removed_under_them(core: House) -> None:
    await core.mapping(NEWS, DIGEST)
    with pytest.raises(sqlalchemy.exc.IntegrityError):
        await core.run("delete from channels")
