"""Keeps a set of processes running on one machine, and stops them in the right order.

One thread starts, watches and restarts, the main one in ``run``; everything else only leaves wishes for it. The
children write to our standard output themselves, live in sessions of their own (so that Ctrl-C reaches only us, and
the order of stopping is ours), and are tethered: they get SIGTERM even when we are killed.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import groupby
from pathlib import Path
from types import FrameType
from typing import Protocol

FIRST_PAUSE_SECONDS = 1.0
LONGEST_PAUSE_SECONDS = 30.0
STEADY_SECONDS = 60.0
"""A child that lived this long has its pause forgotten."""
STOP_GRACE_SECONDS = 15.0
BAD_SETTINGS = 2
"""The exit status of a process that refused its settings: starting it again would not help."""

_TICK_SECONDS = 0.05
TETHER = Path(__file__).with_name("tether.py")
"""The program that ties a child to its parent; see there."""


@dataclass(frozen=True, slots=True)
class ProcessSpec:
    """A process to keep running. ``env`` is added to our own environment.

    ``output`` is a file for what it prints, appended to; without one it prints where we do. ``stop_group``:
    lower groups are stopped first, and the next one only when they have ended.
    """

    name: str
    argv: Sequence[str]
    env: Mapping[str, str] = field(default_factory=dict, repr=False)
    stop_group: int = 0
    output: Path | None = None


class Running(Protocol):
    """A process that was started, with the few words of ``subprocess.Popen`` that are needed here."""

    @property
    def pid(self) -> int: ...

    def poll(self) -> int | None:
        """Its exit status, negative for a signal; None while it runs."""

    def wait(self, timeout: float | None = None) -> int:
        """The same when it has ended. Raises subprocess.TimeoutExpired."""


Launch = Callable[[ProcessSpec], Running]


def tethered(spec: ProcessSpec) -> Running:
    """Start a program of its own, whatever it is."""
    with nullcontext() if spec.output is None else spec.output.open("ab") as output:
        return subprocess.Popen(
            [sys.executable, "-I", "-S", str(TETHER), str(os.getpid()), "--", *spec.argv],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            env=os.environ | spec.env,
            start_new_session=True,
        )


class What(StrEnum):
    """What can happen to a child."""

    STARTED = "started"
    EXITED = "exited"
    REFUSED = "refused its settings"
    STOPPING = "stopping"
    STOPPED = "stopped"
    KILLED = "killed after its grace"


@dataclass(frozen=True, slots=True)
class Event:
    """Something happened to a child. ``status``: its exit status, negative for a signal; ``pause``: seconds
    until it is started again."""

    name: str
    what: What
    pid: int
    status: int | None = None
    pause: float | None = None

    def __str__(self) -> str:
        told = f"{self.name} (process {self.pid}) {self.what}"
        if self.what is What.EXITED and self.status is not None:
            how = (
                f"by {signal.Signals(-self.status).name}" if self.status < 0 else f"with status {self.status}"
            )
            told = f"{self.name} (process {self.pid}) ended {how}"
        if self.pause is not None:
            told += f"; starts again in {self.pause:g} s"
        return told


@dataclass(slots=True)
class _Child:
    spec: ProcessSpec
    process: Running | None = None
    started_at: float = 0.0
    pause: float = FIRST_PAUSE_SECONDS
    due_at: float | None = 0.0
    """When to start it (monotonic), None while it runs or when it is not to be started again."""


class Supervisor:
    """Runs processes, started in the given order; ``on_event`` and ``launch`` are the supervising thread's."""

    def __init__(
        self,
        specs: Sequence[ProcessSpec],
        *,
        on_event: Callable[[Event], None] | None = None,
        stop_grace: float = STOP_GRACE_SECONDS,
        first_pause: float = FIRST_PAUSE_SECONDS,
        launch: Launch = tethered,
    ) -> None:
        if len({spec.name for spec in specs}) != len(specs):
            raise ValueError("two processes have the same name")
        self._children = {spec.name: _Child(spec, pause=first_pause) for spec in specs}
        self._on_event = on_event or (lambda event: None)
        self._stop_grace = stop_grace
        self._first_pause = first_pause
        self._launch = launch
        # A plain word, for a signal's handler must not take the lock of an Event that it may have interrupted.
        self._stop_asked = False
        self._first_round = threading.Event()
        self._lock = threading.Lock()
        self._refused = False
        # Not a daemon: the interpreter then waits for the children's ordered end, whatever ends it.
        self._thread = threading.Thread(target=self._supervise, name="supervisor")

    def run(self) -> int:
        """Runs in the main thread, with no other beside it, until SIGTERM or SIGINT, then stops all in order.

        Returns 0 after an ordered stop, and 2 when no child is left that accepts its settings. Further signals while
        stopping change nothing: the children are already on their way, and their work is not cut short.
        """

        def asked(number: int, frame: FrameType | None) -> None:
            self._stop_asked = True

        before = {number: signal.signal(number, asked) for number in (signal.SIGTERM, signal.SIGINT)}
        try:
            self._supervise()
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)
        return 0 if self._stop_asked or not self._refused else BAD_SETTINGS

    def start(self) -> None:
        """Starts all children and returns when each has been started once."""
        self._thread.start()
        self._first_round.wait()

    def stop(self) -> None:
        """Stops all children in order and returns when all have ended; harmless when called twice."""
        self._stop_asked = True
        if self._thread.ident is not None:
            self._thread.join()

    def kill(self, name: str, number: int = signal.SIGKILL) -> int:
        """Sends a signal to one child, which is restarted like any other that dies. Returns its process id.

        Raises KeyError for an unknown name and ProcessLookupError when it does not run at this moment.
        """
        with self._lock:
            process = self._children[name].process
            if process is None or process.poll() is not None:
                raise ProcessLookupError(f"{name} does not run at this moment")
            os.kill(process.pid, number)
            return process.pid

    def pids(self) -> dict[str, int]:
        """The process ids of those that run."""
        with self._lock:
            return {
                name: child.process.pid
                for name, child in self._children.items()
                if child.process is not None and child.process.poll() is None
            }

    def _supervise(self) -> None:
        try:
            while not self._stop_asked:
                for child in self._children.values():
                    self._look_at(child)
                self._first_round.set()
                if all(child.process is None and child.due_at is None for child in self._children.values()):
                    return
                time.sleep(_TICK_SECONDS)
        finally:
            self._first_round.set()
            self._stop_in_order()

    def _look_at(self, child: _Child) -> None:
        with self._lock:
            event = self._ended(child) or self._started(child)
        if event is not None:
            self._on_event(event)

    def _started(self, child: _Child) -> Event | None:
        if child.due_at is None or time.monotonic() < child.due_at:
            return None
        child.process = self._launch(child.spec)
        child.started_at, child.due_at = time.monotonic(), None
        return Event(child.spec.name, What.STARTED, child.process.pid)

    def _ended(self, child: _Child) -> Event | None:
        """Notes an end and when to start again. A clean exit nobody asked for is an end like any other."""
        if child.process is None or (status := child.process.poll()) is None:
            return None
        pid, child.process = child.process.pid, None
        if status == BAD_SETTINGS:
            self._refused = True
            return Event(child.spec.name, What.REFUSED, pid, status)
        now = time.monotonic()
        if now - child.started_at >= STEADY_SECONDS:
            child.pause = self._first_pause
        pause = child.pause
        child.due_at, child.pause = now + pause, min(pause * 2, LONGEST_PAUSE_SECONDS)
        return Event(child.spec.name, What.EXITED, pid, status, pause)

    def _stop_in_order(self) -> None:
        children = sorted(self._children.values(), key=lambda child: child.spec.stop_group)
        for _, group in groupby(children, key=lambda child: child.spec.stop_group):
            running = [(child, child.process) for child in group if child.process is not None]
            for child, process in running:
                if process.poll() is None:
                    os.kill(process.pid, signal.SIGTERM)
                self._on_event(Event(child.spec.name, What.STOPPING, process.pid))
            deadline = time.monotonic() + self._stop_grace
            for child, process in running:
                self._await_end(child, process, deadline)

    def _await_end(self, child: _Child, process: Running, deadline: float) -> None:
        what = What.STOPPED
        try:
            status = process.wait(max(0.0, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            what = What.KILLED
            # Its whole session, for a killed parent leaves its children behind.
            os.killpg(process.pid, signal.SIGKILL)
            status = process.wait()
        with self._lock:
            child.process = None
        self._on_event(Event(child.spec.name, what, process.pid, status))
