"""A server that runs for us, with its warden between us and it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from forwarder.errors import ForwarderError
from forwarder.servers.identity import Identity

START_SECONDS = 60.0
STOP_GRACE_SECONDS = 10.0
_POLL_SECONDS = 0.02
_WARDEN = Path(__file__).with_name("warden.py")


@dataclass(slots=True)
class RunningServer:
    """A server that ends with :meth:`stop`, or with this process however that ends.

    ``url`` contains the password, so it is not in the ``repr``. ``note`` is a sentence for the user.
    """

    name: str
    url: str = field(repr=False)
    note: str
    log_file: Path
    _warden: subprocess.Popen[bytes] = field(repr=False)
    _run_directory: Path = field(repr=False)

    @property
    def warden_pid(self) -> int:
        """The process that watches over the server and is its parent."""
        return self._warden.pid

    def is_running(self) -> bool:
        """Whether the server still runs."""
        return self._warden.poll() is None

    def stop(self) -> None:
        """Stops the server and waits for its end; harmless when it has ended already."""
        if self._warden.stdin is not None and not self._warden.stdin.closed:
            self._warden.stdin.close()
        self._warden.wait(STOP_GRACE_SECONDS + 5)
        # The warden does this, unless it was killed itself.
        shutil.rmtree(self._run_directory, ignore_errors=True)


def start_under_warden(
    argv: Sequence[str],
    *,
    identity: Identity,
    stop_signal: int,
    log_file: Path,
    remove: Sequence[Path],
    keep_open: Sequence[int] = (),
    environment: dict[str, str] | None = None,
) -> subprocess.Popen[bytes]:
    """Starts ``argv`` as ``identity`` under a warden, in a session of its own (Ctrl-C reaches only us).

    ``remove`` are directories that go when the server has gone. ``keep_open`` are descriptors the warden
    holds as long as it lives: a lock on the data directory thus lasts until the server has really ended.
    """
    order = {
        "user": identity.uid,
        "group": identity.gid,
        "stop_signal": int(stop_signal),
        "grace": STOP_GRACE_SECONDS,
        "remove": [str(path) for path in remove],
    }
    with log_file.open("ab") as log:
        return subprocess.Popen(
            [sys.executable, "-I", "-S", str(_WARDEN), json.dumps(order), "--", *argv],
            stdin=subprocess.PIPE,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            pass_fds=tuple(keep_open),
            env=os.environ | {"LC_ALL": "C", "TZ": "UTC"} | (environment or {}),
        )


def wait_until_ready(
    name: str, warden: subprocess.Popen[bytes], log_file: Path, answers: Callable[[], bool]
) -> None:
    """Returns when ``answers()`` is true.

    Raises ForwarderError with the log's last lines when the server ends first or START_SECONDS have passed.
    """
    deadline = time.monotonic() + START_SECONDS
    # Opened now, because a throwaway server's log goes with its directory.
    with log_file.open(encoding="utf-8", errors="replace") as log:
        while not answers():
            ended = warden.poll() is not None
            if ended or time.monotonic() > deadline:
                if warden.stdin is not None:
                    warden.stdin.close()
                warden.wait(STOP_GRACE_SECONDS + 5)
                what = "ended at once" if ended else f"did not answer within {START_SECONDS:.0f} s"
                words = "".join(f"\n  {line.rstrip()}" for line in log.readlines()[-8:]) or "\n  (nothing)"
                raise ForwarderError(f"The embedded {name} {what}. The last words of its log:{words}")
            time.sleep(_POLL_SECONDS)


def fresh_log(path: Path) -> Path:
    """Puts the previous run's log aside, so that logs hold two runs at most."""
    if path.exists():
        path.replace(path.with_name(path.name + ".old"))
    return path
