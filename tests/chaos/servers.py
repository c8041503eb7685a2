"""PostgreSQL and Redis that can be killed and come back under the same address.

The embedded servers of `forwarder.servers` go with their directory when they end; these keep theirs, so that
a restart is a restart: PostgreSQL recovers what was committed, Redis comes back with nothing.
"""

from __future__ import annotations

import shutil
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import redis

from forwarder.errors import ForwarderError
from forwarder.servers import ServerUrls
from forwarder.servers import postgres as pg
from forwarder.servers import redis as rd
from forwarder.servers.binaries import find_postgres, find_redis
from forwarder.servers.identity import Identity, private_directory, reachable, server_identity
from forwarder.servers.running import RunningServer, start_under_warden, wait_until_ready

STARTS = 20


@dataclass
class Restartable:
    """A server in a directory of its own. ``stop_signal`` is what it gets at each end."""

    name: str
    url: str = field(repr=False)
    run: Path
    argv: list[str]
    identity: Identity
    stop_signal: int
    answers: Callable[[], bool]
    _running: RunningServer | None = None

    def start(self) -> None:
        """Start it and wait until it answers; one that is still holding on to the old one's memory, again."""
        for left in reversed(range(STARTS)):
            log = self.run / "server.log"
            warden = start_under_warden(
                self.argv, identity=self.identity, stop_signal=self.stop_signal, log_file=log, remove=[]
            )
            try:
                wait_until_ready(self.name, warden, log, self.answers)
            except ForwarderError:
                if left == 0:
                    raise
                time.sleep(0.2)
            else:
                # Not its own directory: a RunningServer removes that when it is stopped.
                self._running = RunningServer(self.name, self.url, "", log, warden, self.run / "gone")
                return

    def end(self) -> None:
        """Make it end by its signal, and wait for that."""
        if self._running is not None:
            self._running.stop()
            self._running = None


@dataclass
class Servers:
    postgres: Restartable
    redis: Restartable

    @property
    def urls(self) -> ServerUrls:
        return ServerUrls(self.postgres.url, self.redis.url)

    def empty_redis(self) -> None:
        with redis.Redis.from_url(self.redis.url) as client:
            client.flushall()


@contextmanager
def servers() -> Iterator[Servers]:
    """Both at work; all of theirs is gone at the end."""
    identity = server_identity()
    with ExitStack() as stack:
        made = []
        for make in (_postgres, _redis):
            run = private_directory(identity)
            stack.callback(shutil.rmtree, run, ignore_errors=True)
            server = make(run, identity)
            stack.callback(server.end)
            server.start()
            made.append(server)
        pg.make_database(made[0].run)
        yield Servers(*made)


def _postgres(run: Path, identity: Identity) -> Restartable:
    program = find_postgres()
    path = reachable(program.path, program.carried, identity, run)
    data = run / "main"
    pg.make_cluster(path, data, identity)
    # It is the program that crashes here, not the machine: what it handed to the kernel is not lost.
    argv = [*pg.command_line(path, data, run, throwaway=False), "--fsync=off"]
    # SIGQUIT is PostgreSQL's immediate shutdown: no checkpoint, recovery at the next start, like a crash.
    return Restartable(
        "postgres", pg.url_of(run), run, argv, identity, signal.SIGQUIT, lambda: pg.answers(run)
    )


def _redis(run: Path, identity: Identity) -> Restartable:
    program = find_redis()
    path = reachable(program.path, program.carried, identity, run)
    port, password = rd.free_port(), "chaos"
    config = run / "redis.conf"
    config.write_text(rd.config_text(run, port, password, kept=False), encoding="utf-8")
    identity.give(config)
    url = f"redis://:{password}@127.0.0.1:{port}/0"

    def answers() -> bool:
        with redis.Redis.from_url(url, socket_timeout=5, socket_connect_timeout=5) as client:
            return rd.answers(client)

    return Restartable("redis", url, run, [str(path), str(config)], identity, signal.SIGKILL, answers)
