"""As whom a server runs, and where that user can reach.

PostgreSQL refuses to run as root. Under root an existing unprivileged user lends its id; nobody is created,
and no directory that is not ours has its mode changed.
"""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from forwarder.errors import ForwarderError

# sun_path holds 108 bytes with the closing NUL (unix(7)); PostgreSQL adds "/.s.PGSQL.5432".
LONGEST_SOCKET_DIRECTORY = 107 - len("/.s.PGSQL.5432")


@dataclass(frozen=True, slots=True)
class Identity:
    """The user a server runs as. ``uid`` and ``gid`` are None where it simply runs as we do."""

    uid: int | None
    gid: int | None

    def can_enter(self, directory: Path) -> bool:
        """Whether that user can walk into the directory, asked of the kernel and not guessed from modes."""
        return self.run(["/bin/sh", "-c", 'cd -- "$1"', "sh", str(directory)]).returncode == 0

    def give(self, path: Path) -> None:
        """Makes the path that user's own."""
        if self.uid is not None and self.gid is not None:
            os.chown(path, self.uid, self.gid)

    def run(self, argv: list[str], *, timeout: float = 120) -> subprocess.CompletedProcess[str]:
        """Runs a short program as that user, its output kept."""
        return subprocess.run(
            argv,
            check=False,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=timeout,
            cwd="/",
            stdin=subprocess.DEVNULL,
            env=os.environ | {"LC_ALL": "C", "TZ": "UTC"},
            user=self.uid,
            group=self.gid,
            extra_groups=None if self.uid is None else [],
        )


def server_identity() -> Identity:
    """Ourselves, or under root an unprivileged user. Raises ForwarderError where there is none."""
    if os.geteuid() != 0:
        return Identity(None, None)
    for name in ("postgres", "nobody"):
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        if entry.pw_uid != 0:
            return Identity(entry.pw_uid, entry.pw_gid)
    raise ForwarderError(
        "PostgreSQL refuses to run as root and there is no user postgres or nobody to run it as: "
        "run the program as an ordinary user, or set DATABASE_URL and REDIS_URL."
    )


def private_directory(identity: Identity) -> Path:
    """A fresh directory of mode 0700 that belongs to ``identity`` and is short enough for a socket's path.

    Raises ForwarderError where neither TMPDIR nor /tmp nor /var/tmp will do.
    """
    for parent in dict.fromkeys([tempfile.gettempdir(), "/tmp", "/var/tmp"]):  # noqa: S108 - mkdtemp makes it private
        if not os.access(parent, os.W_OK | os.X_OK) or len(parent) + 20 > LONGEST_SOCKET_DIRECTORY:
            continue
        path = Path(tempfile.mkdtemp(prefix="forwarder-", dir=parent))
        identity.give(path)
        if identity.can_enter(path):
            return path
        path.rmdir()
    raise ForwarderError(
        "The embedded servers find no directory for their sockets: set TMPDIR to a short path "
        f"(at most {LONGEST_SOCKET_DIRECTORY - 20} characters) that every user may enter, "
        "or set DATABASE_URL and REDIS_URL."
    )


def kept_directory(path: Path, identity: Identity) -> Path:
    """The directory for data that is kept, made when missing. Raises ForwarderError with the remedy."""
    path = path.absolute()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.mkdir(mode=0o700, exist_ok=True)
        owner = path.stat().st_uid
        if identity.uid is not None and owner == 0:
            identity.give(path)
    except OSError as error:
        raise ForwarderError(
            f"The embedded servers cannot keep their data in {path} ({error.strerror}): set DATA_DIR to a "
            "directory that this user may write to, or set DATABASE_URL and REDIS_URL."
        ) from None
    if not identity.can_enter(path):
        user = pwd.getpwuid(path.stat().st_uid if identity.uid is None else identity.uid).pw_name
        raise ForwarderError(
            f"The embedded servers run as the user {user} here, who may not enter {path}: set DATA_DIR to "
            "a directory that every user may pass (such as /var/lib/telegram-message-forwarder), run the "
            "program as an ordinary user, or set DATABASE_URL and REDIS_URL."
        )
    return path


def reachable(program: Path, carried: Sequence[Path], identity: Identity, copies: Path) -> Path:
    """``program``, or its copy (with all of ``carried``) under ``copies`` where ``identity`` cannot reach it.

    A checkout in root's home (mode 0700) hides the packages' binaries from everybody else. Their places
    relative to each other are kept, for programs find their libraries and files by them.
    """
    test = ["/bin/sh", "-c", '[ -x "$1" ]', "sh", str(program)]
    if not carried or identity.uid is None or identity.run(test).returncode == 0:
        return program
    root = Path(os.path.commonpath([path.parent for path in carried]))
    for path in carried:
        shutil.copytree(path, copies / path.relative_to(root), symlinks=True)
    return copies / program.relative_to(root)
