"""Brings a database to the newest schema, from the program or from tests."""

from __future__ import annotations

from pathlib import Path

import sqlalchemy
from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine
from sqlalchemy.engine import make_url

from forwarder.db import unavailable_sentence
from forwarder.errors import Unavailable

ROOT = Path(__file__).resolve().parent.parent


def alembic_config(url: str) -> Config:
    config = Config(ROOT / "alembic.ini")
    config.attributes["url"] = url
    return config


def upgrade(url: str, revision: str = "head") -> None:
    """Run the migrations up to ``revision``. Raises Unavailable when the database does not answer."""
    try:
        command.upgrade(alembic_config(url), revision)
    except sqlalchemy.exc.OperationalError as error:
        raise Unavailable(unavailable_sentence(make_url(url).render_as_string(), error)) from error


def is_current(url: str) -> bool:
    """Whether the database has the newest schema. Raises Unavailable when it does not answer."""
    engine = create_engine(make_url(url).set(drivername="postgresql+psycopg"))
    try:
        with engine.connect() as connection:
            current = MigrationContext.configure(connection).get_current_revision()
    except sqlalchemy.exc.OperationalError as error:
        raise Unavailable(unavailable_sentence(make_url(url).render_as_string(), error)) from error
    finally:
        engine.dispose()
    return current == ScriptDirectory.from_config(alembic_config(url)).get_current_head()
