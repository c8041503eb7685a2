"""The forwarder's processes as copies of one that has imported everything, as `manage.py run` makes them.

A program of its own takes seconds of processor until its libraries are read, and a test of the whole house starts
half a dozen; a copy takes a few hundredths. Whoever makes copies has one thread (`forwarder.processes.forked`), which
pytest has not: so that is a process of its own, one for all tests, which is asked over a socket.
"""

from __future__ import annotations

import json
import os
import select
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Lock
from typing import IO, Any

from forwarder.cli import main
from forwarder.cli.root import COMMANDS
from forwarder.processes.forked import OURS, by_fork
from forwarder.supervisor import ProcessSpec, Running

ROOT = Path(__file__).resolve().parents[1]
FOLDER, OUT, ERR = "COPY_FOLDER", "COPY_OUT", "COPY_ERR"
"""Tell a copy where it lives, and which files it prints into."""

Finished = subprocess.CompletedProcess[str]


class Copier:
    """The process that makes the copies, seen from the tests."""

    def __init__(self, line: IO[str]) -> None:
        self._line, self._lock = line, Lock()

    def launch(self, spec: ProcessSpec) -> Copy:
        """Start a ``manage.py`` command; this is what a Supervisor wants."""
        pid: int = self.ask({"name": spec.name, "argv": list(spec.argv), "env": dict(spec.env)})
        return Copy(self, spec.name, pid)

    def run(self, arguments: Sequence[str], env: Mapping[str, str], folder: Path) -> Finished:
        """Run a ``manage.py`` command to its end, as subprocess.run does, with nobody to answer its questions."""
        with TemporaryDirectory() as name:
            out, err = Path(name, "out"), Path(name, "err")
            told = {FOLDER: str(folder), OUT: str(out), ERR: str(err)}
            argv = [sys.executable, str(ROOT / "manage.py"), *arguments]
            copy = self.launch(ProcessSpec("manage", argv, {**env, **told}))
            try:
                return Finished(argv, copy.wait(120), out.read_text(), err.read_text())
            except subprocess.TimeoutExpired:
                copy.kill()
                raise

    def ask(self, wish: dict[str, Any]) -> Any:
        with self._lock:
            self._line.write(json.dumps(wish) + "\n")
            self._line.flush()
            return json.loads(self._line.readline())


class Copy:
    """A process that somebody else started and knows the exit status of."""

    def __init__(self, copier: Copier, name: str, pid: int) -> None:
        self.pid = pid
        self._copier, self._name = copier, name
        self._end, self._over = os.pidfd_open(pid), select.poll()
        self._over.register(self._end, select.POLLIN)
        self._status: int | None = None
        self._lock = Lock()

    def __del__(self) -> None:
        os.close(self._end)

    def poll(self) -> int | None:
        return self._ended(0.0)

    def wait(self, timeout: float | None = None) -> int:
        if (status := self._ended(timeout)) is None:
            raise subprocess.TimeoutExpired(self._name, timeout or 0.0)
        return status

    def send_signal(self, number: int) -> None:
        if self.poll() is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)

    def _ended(self, timeout: float | None) -> int | None:
        over = self._over.poll(None if timeout is None else timeout * 1000)
        with self._lock:  # the status is told once
            if over and self._status is None:
                self._status = self._copier.ask({"ended": self.pid})
            return self._status


@contextmanager
def copier() -> Iterator[Copier]:
    """A process that makes copies; they end with it."""
    ours, its = socket.socketpair()
    with ours, its:
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.copies", str(its.fileno())],
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            pass_fds=[its.fileno()],
        )
        its.close()
        with ours.makefile("rw") as line:
            yield Copier(line)
        ours.close()
        process.wait(30)


def serve(number: int) -> None:
    """Make copies and tell how they ended, until nobody asks any more."""
    launch = by_fork(live, [*OURS, *(f"forwarder.cli.{module}" for module in COMMANDS.values())])
    running: dict[int, Running] = {}
    with socket.socket(fileno=number) as its, its.makefile("rw") as line:
        for wish in line:
            asked = json.loads(wish)
            if "ended" in asked:
                told = running.pop(asked["ended"]).wait()
            else:
                copy = launch(ProcessSpec(**asked))
                running[copy.pid] = copy
                told = copy.pid
            line.write(json.dumps(told) + "\n")
            line.flush()


def live(arguments: Sequence[str]) -> int:
    """The copy's own life: a ``manage.py`` command where it was told to be."""
    for number, name in ((1, OUT), (2, ERR)):
        if path := os.environ.pop(name, None):
            os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), number)
    if folder := os.environ.pop(FOLDER, None):
        os.chdir(folder)
    return main(arguments)


if __name__ == "__main__":
    serve(int(sys.argv[1]))
