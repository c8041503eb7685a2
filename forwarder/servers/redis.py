"""An embedded Redis (or Valkey): a random port on the loopback with a random password, ours alone.

A port and not a socket, because Redis, Celery and Flower then all understand one and the same URL.
"""

from __future__ import annotations

import secrets
import shutil
import signal
import socket
from collections.abc import Sequence
from pathlib import Path

import redis

from forwarder.errors import ForwarderError
from forwarder.servers.binaries import Program, find_redis
from forwarder.servers.identity import kept_directory, private_directory, reachable, server_identity
from forwarder.servers.running import RunningServer, fresh_log, start_under_warden, wait_until_ready

# Between choosing a free port and binding it another program may take it.
_PORT_TRIES = 5


def start_redis(data_dir: Path | None, *, throwaway: bool, keep_open: Sequence[int] = ()) -> RunningServer:
    """Starts Redis and returns when it answers.

    Kept: an append-only file in ``data_dir/redis``, written to disk every second. Throwaway: memory alone,
    gone with this process. Raises ForwarderError in sentences.
    """
    for tries_left in reversed(range(_PORT_TRIES)):
        try:
            return _start(data_dir, free_port(), throwaway=throwaway, keep_open=keep_open)
        except ForwarderError as error:
            if tries_left == 0 or "already in use" not in str(error):
                raise
    raise AssertionError("the last try returns or raises")


def _start(data_dir: Path | None, port: int, *, throwaway: bool, keep_open: Sequence[int]) -> RunningServer:
    identity = server_identity()
    program = find_redis()
    home = None if throwaway or data_dir is None else kept_directory(data_dir / "redis", identity)
    password = secrets.token_hex(24)
    run = private_directory(identity)
    try:
        path = reachable(program.path, program.carried, identity, run)
        # In a file and not among the arguments, which every user of the machine may read.
        config = run / "redis.conf"
        config.touch(mode=0o600)
        config.write_text(config_text(home or run, port, password, kept=home is not None), encoding="utf-8")
        identity.give(config)
        log_file = fresh_log((home or run) / "server.log")
        warden = start_under_warden(
            [str(path), str(config)],
            identity=identity,
            stop_signal=signal.SIGTERM,
            log_file=log_file,
            remove=[run],
            keep_open=keep_open,
        )
    except BaseException:
        shutil.rmtree(run, ignore_errors=True)
        raise
    url = f"redis://:{password}@127.0.0.1:{port}/0"
    with redis.Redis.from_url(url, socket_timeout=5, socket_connect_timeout=5) as client:
        wait_until_ready(program.name, warden, log_file, lambda: answers(client))
    return RunningServer("redis", url, _note(program, home), log_file, warden, run)


def _note(program: Program, home: Path | None) -> str:
    where = "its data is thrown away at the end" if home is None else f"its data is kept in {home}"
    return f"No REDIS_URL is set: {program.name} {program.major} runs for this program alone, {where}."


def config_text(directory: Path, port: int, password: str, *, kept: bool) -> str:
    return "\n".join(
        [
            "bind 127.0.0.1",
            f"port {port}",
            f"requirepass {password}",
            f'dir "{directory}"',
            "daemonize no",
            'save ""',
            f"appendonly {'yes' if kept else 'no'}",
            "appendfsync everysec",
            # Bells and reservations may be lost, but never silently pushed out while Redis runs.
            "maxmemory-policy noeviction",
            "",
        ]
    )


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def answers(client: redis.Redis) -> bool:
    try:
        return bool(client.ping())
    except redis.RedisError:  # not listening yet, or still loading its file
        return False
