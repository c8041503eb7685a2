"""Becomes another program that is sent SIGTERM when its parent dies, however the parent dies.

Run as ``python -I -S tether.py <parent's pid> -- argv...``. PR_SET_PDEATHSIG (prctl(2)) must be set in the
child itself and survives exec; setting it in a hook between fork and exec of a process with threads may
deadlock, so this small program stands between. It fires when the *thread* that forked ends: the supervisor
forks from one thread that lives until all children have ended. Elsewhere than on Linux it does nothing.

Standard library only, and no import of the forwarder: it starts in 30 ms and runs isolated.
"""

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1
PR_SET_NAME = 15


def main(arguments: list[str]) -> None:
    """Never returns: it execs, or exits with 127 and a sentence where the program cannot be run."""
    command = arguments[arguments.index("--") + 1 :]
    tie(int(arguments[0]))
    try:
        os.execvp(command[0], command)
    except OSError as error:
        sys.exit(f"{command[0]} cannot be run: {error.strerror}.")


def tie(parent: int) -> None:
    """Order SIGTERM for this process at the end of its parent's thread; ends it where the parent is gone already."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
        if os.getppid() != parent:  # it died before the signal was ordered
            sys.exit(1)


def name_in_lists(name: str) -> None:
    """Give this process a name for ``top`` and ``ps``; Linux keeps its first 15 bytes."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_NAME, name.encode(), 0, 0, 0)


if __name__ == "__main__":
    main(sys.argv[1:])
