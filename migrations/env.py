"""Where Alembic finds the database and the models.

The program hands over a URL (``config.attributes["url"]``); the plain ``alembic`` command takes
DATABASE_URL from the settings, as every other process does.
"""

import sys

from alembic import context
from sqlalchemy import create_engine, pool, text
from sqlalchemy.engine import make_url

from forwarder.errors import ForwarderError
from forwarder.models import Base

config = context.config


def database_url() -> str:
    url = config.attributes.get("url")
    if url is None:
        from forwarder.servers import database_url_for_tools

        try:
            url = database_url_for_tools()
        except ForwarderError as error:
            sys.exit(str(error))
    return str(url)


def run_offline() -> None:
    context.configure(url=database_url(), target_metadata=Base.metadata, literal_binds=True)
    with context.begin_transaction():
        context.run_migrations()


def run_online() -> None:
    url = make_url(database_url()).set(drivername="postgresql+psycopg")
    engine = create_engine(url, poolclass=pool.NullPool, hide_parameters=True)
    with engine.connect() as connection:
        # A migration that cannot get its lock must fail at once instead of queueing all traffic behind it.
        connection.execute(text("set lock_timeout = '5s'"))
        connection.execute(text("set statement_timeout = '10min'"))
        connection.commit()
        context.configure(connection=connection, target_metadata=Base.metadata, compare_server_default=False)
        with context.begin_transaction():
            context.run_migrations()


if context.is_offline_mode():
    run_offline()
else:
    run_online()
