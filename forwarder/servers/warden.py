"""Ties a server to the life of the process that started it, however that process ends.

Run as a program of its own: ``python -I -S warden.py '<json>' -- argv...``. Its standard input is a pipe
whose other end only the owner holds. When the owner closes it, or dies in any way (the kernel closes it
then), the warden stops the server politely, kills it after a grace, and removes what was to be thrown away.

Linux's PR_SET_PDEATHSIG alone would not do: it fires when the *thread* that started the child ends, and knows
one signal only. It is set here as the second rope, for the case that the warden itself is killed.

Standard library only, and no import of the forwarder: it starts in 20 ms and runs isolated.
"""

import ctypes
import json
import os
import select
import shutil
import signal
import subprocess
import sys
import time

PR_SET_PDEATHSIG = 1


def main(arguments: list[str]) -> int:
    """Runs the server until it ends or the owner does. Returns 0 after a stop, else the server's status."""
    order = json.loads(arguments[0])
    stop_signal, grace = int(order["stop_signal"]), float(order["grace"])
    wake_read, wake_write = os.pipe()
    os.set_blocking(wake_write, False)
    signal.set_wakeup_fd(wake_write, warn_on_full_buffer=False)
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGCHLD):
        signal.signal(number, _noted)
    server = subprocess.Popen(
        arguments[arguments.index("--") + 1 :],
        stdin=subprocess.DEVNULL,
        cwd="/",
        user=order["user"],
        group=order["group"],
        extra_groups=None if order["user"] is None else [],
        preexec_fn=lambda: _die_with_parent(stop_signal),  # noqa: PLW1509 - there is one thread
    )
    _wait_for_a_reason(server, wake_read)
    status = server.poll()
    if status is None:
        _stop(server, stop_signal, grace)
        status = 0
    for path in order["remove"]:
        shutil.rmtree(path, ignore_errors=True)
    return status if status >= 0 else 128 - status


_stop_asked = False


def _noted(number: int, frame: object) -> None:
    global _stop_asked  # noqa: PLW0603 - a signal handler has nothing else to write to
    if number != signal.SIGCHLD:
        _stop_asked = True


def _die_with_parent(number: int) -> None:
    # After setuid (which would clear it) and before exec (which keeps it). Elsewhere than on Linux there is
    # no such thing, and the pipe is the only rope.
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, number, 0, 0, 0)


def _wait_for_a_reason(server: "subprocess.Popen[bytes]", wake: int) -> None:
    """Returns when the owner has gone, a stop was asked for, or the server has ended."""
    lifeline = sys.stdin.fileno()
    while server.poll() is None and not _stop_asked:
        ready, _, _ = select.select([lifeline, wake], [], [])
        if wake in ready:
            os.read(wake, 4096)
        if lifeline in ready and not os.read(lifeline, 4096):
            return


def _stop(server: "subprocess.Popen[bytes]", stop_signal: int, grace: float) -> None:
    server.send_signal(stop_signal)
    deadline = time.monotonic() + grace
    while server.poll() is None and time.monotonic() < deadline:
        time.sleep(0.01)
    if server.poll() is None:
        server.kill()
    server.wait()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
