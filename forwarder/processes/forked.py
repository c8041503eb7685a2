"""The processes of one machine by fork: what all of them import is in memory once.

``manage.py run`` imports the libraries, keeps the garbage collector away from them, and makes each process a copy of
itself, at the start and whenever one has died. It does so with one thread and without an event loop, so that no lock
is copied that nobody would ever open.
"""

from __future__ import annotations

import atexit
import gc
import multiprocessing
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from importlib import import_module
from multiprocessing.context import ForkProcess
from pathlib import Path

from forwarder import log
from forwarder.supervisor import Launch, ProcessSpec, Running
from forwarder.tether import name_in_lists, tie

Main = Callable[[Sequence[str]], int]
"""The command line: runs one command and returns its exit status."""

OURS = (
    "celery.apps.beat",
    "celery.apps.worker",
    "celery.bin.celery",
    "kombu.transport.redis",
    "telethon.tl.alltlobjects",
    "forwarder.processes.bot",
    "forwarder.processes.ingest",
    "forwarder.processes.worker",
)
"""What the processes import, but for Flower's own."""

STOPS = {signal.SIGTERM, signal.SIGINT}


def by_fork(main: Main, modules: Sequence[str] = OURS) -> Launch:
    """Import the modules, and start ``manage.py`` commands as copies of this process, which run ``main``.

    For Linux, and for processes that print where we do.
    """
    for module in modules:
        import_module(module)

    def launch(spec: ProcessSpec) -> Running:
        if threading.active_count() > 1:
            raise AssertionError("a fork copies the locks that other threads hold")
        # A child must not clear away what had a file open here; and frozen pages are not written to, so stay shared.
        gc.collect()
        gc.freeze()
        child = multiprocessing.get_context("fork").Process(
            target=_live, args=(main, spec, os.getpid()), name=spec.name
        )
        # A signal that comes meanwhile is heard by us, and by the child when it listens for itself.
        signal.pthread_sigmask(signal.SIG_BLOCK, STOPS)
        try:
            child.start()
        finally:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, STOPS)
        return _Forked(child)

    return launch


class _Forked:
    """A copy of this process, in the supervisor's words."""

    def __init__(self, process: ForkProcess) -> None:
        assert process.pid is not None, "it was started"
        self._process, self.pid = process, process.pid

    def poll(self) -> int | None:
        return self._process.exitcode

    def wait(self, timeout: float | None = None) -> int:
        self._process.join(timeout)
        if (status := self.poll()) is None:
            raise subprocess.TimeoutExpired(self._process.name, timeout or 0.0)
        return status


def _live(main: Main, spec: ProcessSpec, parent: int) -> None:
    """The child's whole life; ends by SystemExit, after which multiprocessing leaves without our parent's frames."""
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, STOPS)
    os.setsid()
    tie(parent)
    name_in_lists(spec.name)
    log.configure(process=spec.name)  # the parent's log file is closed, and the command opens its own
    _close_inherited()
    os.environ |= spec.env
    _, _, *arguments = spec.argv
    try:
        sys.exit(main(arguments))
    finally:
        # multiprocessing leaves these out before Python 3.14.
        atexit._run_exitfuncs()


def _close_inherited() -> None:
    """Close the servers' lifelines and the lock on their data: held here, they would outlive their owner."""
    for number in sorted(int(path.name) for path in Path("/proc/self/fd").iterdir()):
        with suppress(OSError):  # the listing's own
            if number > sys.stderr.fileno():
                os.close(number)
