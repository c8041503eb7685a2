"""An embedded PostgreSQL: one private Unix socket, no network, no password, ours alone."""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Sequence
from pathlib import Path

import psycopg
from psycopg import sql

from forwarder.errors import ForwarderError
from forwarder.servers.binaries import Program, find_postgres
from forwarder.servers.identity import (
    Identity,
    kept_directory,
    private_directory,
    reachable,
    server_identity,
)
from forwarder.servers.running import RunningServer, fresh_log, start_under_warden, wait_until_ready

USER = "postgres"
DATABASE = "forwarder"


def start_postgres(data_dir: Path | None, *, throwaway: bool, keep_open: Sequence[int] = ()) -> RunningServer:
    """Starts PostgreSQL and returns when it answers, with an empty or kept database ``forwarder``.

    Kept: the data lives in ``data_dir/postgres`` and every commit reaches the disk. Throwaway: in the
    system's temporary directory, without fsync, gone with this process. Raises ForwarderError in sentences.
    """
    identity = server_identity()
    home = None if throwaway or data_dir is None else kept_directory(data_dir / "postgres", identity)
    version = None if home is None else _kept_version(home)
    program = find_postgres(version)
    run = private_directory(identity)
    try:
        path = reachable(program.path, program.carried, identity, run)
        data = (home or run) / "main"
        if version is None:
            make_cluster(path, data, identity)
        log_file = fresh_log((home or run) / "server.log")
        warden = start_under_warden(
            command_line(path, data, run, throwaway=home is None),
            identity=identity,
            # Fast shutdown writes everything down; immediate is enough for what is thrown away.
            stop_signal=signal.SIGQUIT if home is None else signal.SIGINT,
            log_file=log_file,
            remove=[run],
            keep_open=keep_open,
        )
    except BaseException:
        shutil.rmtree(run, ignore_errors=True)
        raise
    wait_until_ready(f"PostgreSQL {program.major}", warden, log_file, lambda: answers(run))
    server = RunningServer("postgres", url_of(run), _note(program, home), log_file, warden, run)
    try:
        make_database(run)
    except psycopg.Error as error:
        server.stop()
        raise ForwarderError(f"The embedded PostgreSQL did not make its database: {error}") from None
    return server


def url_of(run: Path) -> str:
    return f"postgresql+psycopg://{USER}@/{DATABASE}?host={run}"


def _note(program: Program, home: Path | None) -> str:
    where = "its data is thrown away at the end" if home is None else f"its data is kept in {home}"
    return f"No DATABASE_URL is set: PostgreSQL {program.major} runs for this program alone, {where}."


def _kept_version(home: Path) -> int | None:
    try:
        return int((home / "main" / "PG_VERSION").read_text(encoding="ascii").split(".")[0])
    except FileNotFoundError:
        return None
    except ValueError:
        raise ForwarderError(
            f"{home / 'main'} is not a PostgreSQL directory (PG_VERSION is unreadable): "
            "move it away, or set DATABASE_URL."
        ) from None


def make_cluster(path: Path, data: Path, identity: Identity) -> None:
    """Runs initdb beside the final place and renames: a cluster is there whole or not at all."""
    new = data.with_name("main.new")
    shutil.rmtree(new, ignore_errors=True)
    command = [
        str(path.with_name("initdb")), "-D", str(new), "-U", USER,
        "--auth=trust", "--encoding=UTF8", "--no-sync", "--no-instructions",
    ]  # fmt: skip
    # C.UTF-8 knows upper and lower case of every script and sorts alike everywhere; musl lacks the name.
    for locale in ("C.UTF-8", "C"):
        done = identity.run([*command, f"--locale={locale}"])
        if done.returncode == 0:
            new.rename(data)
            return
        shutil.rmtree(new, ignore_errors=True)
    words = "\n".join(f"  {line}" for line in (done.stderr or done.stdout).splitlines()[-8:])
    raise ForwarderError(f"The embedded PostgreSQL could not be set up. initdb said:\n{words}")


def command_line(path: Path, data: Path, run: Path, *, throwaway: bool) -> list[str]:
    options = {
        "listen_addresses": "",
        "unix_socket_directories": str(run),
        "unix_socket_permissions": "0700",
        "max_connections": "200",
        # Memory that it takes step by step as tables grow, and then keeps; the system's own cache holds the rest.
        "shared_buffers": "32MB",
        # A compiler in each connection that meets one large question, for questions that are all small.
        "jit": "off",
        "timezone": "UTC",
        "log_timezone": "UTC",
        "log_min_messages": "warning",
        # The parameters of a failed statement may hold message texts.
        "log_min_error_statement": "panic",
        "log_error_verbosity": "terse",
    }
    if throwaway:
        options |= {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}
    return [str(path), "-D", str(data), *(f"--{name}={value}" for name, value in options.items())]


def _connect(run: Path) -> psycopg.Connection[tuple[object, ...]]:
    return psycopg.connect(host=str(run), user=USER, dbname="postgres", connect_timeout=5, autocommit=True)


def answers(run: Path) -> bool:
    if not os.path.lexists(run / ".s.PGSQL.5432"):
        return False
    try:
        _connect(run).close()
    except psycopg.OperationalError:
        return False
    return True


def make_database(run: Path) -> None:
    with _connect(run) as connection:
        if connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [DATABASE]).fetchone() is None:
            connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(DATABASE)))
