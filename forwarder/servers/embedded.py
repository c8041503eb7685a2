"""Starts those of PostgreSQL and Redis that no setting names, and stops them at the end."""

from __future__ import annotations

import fcntl
import json
import os
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from pydantic import SecretStr

from forwarder.errors import ForwarderError, SettingsError
from forwarder.servers.postgres import start_postgres
from forwarder.servers.redis import start_redis
from forwarder.servers.running import STOP_GRACE_SECONDS, RunningServer
from forwarder.settings import Settings, load_settings

_LOCK_FILE = "servers.lock"
_STATE_FILE = "servers.json"


@dataclass(frozen=True, slots=True)
class ServerUrls:
    """Where PostgreSQL and Redis are. The URLs hold passwords and are not in the ``repr``.

    ``notes`` are sentences for the user about what was started; ``servers`` is what this process started.
    """

    database_url: str = field(repr=False)
    redis_url: str = field(repr=False)
    notes: tuple[str, ...] = ()
    servers: tuple[RunningServer, ...] = ()

    def environment(self) -> dict[str, str]:
        """What child processes need in their environment to meet the same servers."""
        return {"DATABASE_URL": self.database_url, "REDIS_URL": self.redis_url}


@contextmanager
def embedded(settings: Settings, *, throwaway: bool, join: bool = False) -> Iterator[ServerUrls]:
    """The servers for the length of a ``with`` block: those the settings name, embedded ones for the rest.

    With ``join`` (commands beside a running ``manage.py run``) servers already running on the same DATA_DIR
    are used and left running. Raises ForwarderError: nothing found to run, already running, not ready.
    """
    if settings.database_url is not None and settings.redis_url is not None:
        yield ServerUrls(settings.database_url.get_secret_value(), settings.redis_url.get_secret_value())
        return
    with ExitStack() as stack:
        keep_open: tuple[int, ...] = ()
        if not throwaway:
            if join and (running := running_servers(settings)) is not None:
                yield running
                return
            keep_open = (stack.enter_context(_lock(settings.data_dir)),)
        urls = _start_missing(settings, throwaway, keep_open, stack)
        if not throwaway:
            _write_state(settings.data_dir, urls)
            stack.callback((settings.data_dir / _STATE_FILE).unlink, missing_ok=True)
        yield urls


def running_servers(settings: Settings) -> ServerUrls | None:
    """The servers that another process runs on the same DATA_DIR, or None."""
    state = _running_state(settings.data_dir)
    database_url = _given(settings.database_url) or state.get("database_url")
    redis_url = _given(settings.redis_url) or state.get("redis_url")
    if not (state and isinstance(database_url, str) and isinstance(redis_url, str)):
        return None
    note = f"The embedded servers of the program that already runs here (process {state['pid']}) are used."
    return ServerUrls(database_url, redis_url, (note,))


def database_url_for_tools(settings: Settings | None = None) -> str:
    """PostgreSQL's URL for a plain command (``alembic``, ``celery``), which starts no servers.

    DATABASE_URL, else the embedded server of the program that runs on DATA_DIR. Raises SettingsError.
    """
    return _url_for_tools("database_url", "DATABASE_URL", settings or load_settings())


def redis_url_for_tools(settings: Settings | None = None) -> str:
    """Redis's URL for a plain command, found in the same way. Raises SettingsError."""
    return _url_for_tools("redis_url", "REDIS_URL", settings or load_settings())


def service_urls(settings: Settings) -> tuple[str, str]:
    """PostgreSQL's and Redis's URL, each found in the same way. Raises SettingsError naming all that miss."""
    found, problems = [], []
    for find in (database_url_for_tools, redis_url_for_tools):
        try:
            found.append(find(settings))
        except SettingsError as error:
            problems.append(str(error))
    if problems:
        raise SettingsError("\n".join(problems))
    return found[0], found[1]


def _url_for_tools(field_name: str, name: str, settings: Settings) -> str:
    url = _given(getattr(settings, field_name)) or _running_state(settings.data_dir).get(field_name)
    if not isinstance(url, str):
        raise SettingsError(
            f"{name} is missing and no program with embedded servers runs on {settings.data_dir}: "
            f"set {name}, or start manage.py run first."
        )
    return url


def _running_state(data_dir: Path) -> dict[str, object]:
    """What the living owner of the data directory wrote down, or nothing."""
    try:
        descriptor = os.open(data_dir / _LOCK_FILE, os.O_RDWR)
    except OSError:
        return {}
    try:
        if _try_lock(descriptor):
            return {}
    finally:
        os.close(descriptor)
    state = _read_state(data_dir)
    pid = state.get("pid")
    return state if isinstance(pid, int) and _is_alive(pid) else {}


def _start_missing(
    settings: Settings, throwaway: bool, keep_open: tuple[int, ...], stack: ExitStack
) -> ServerUrls:
    servers: list[RunningServer] = []

    def url_of(given: SecretStr | None, start: Callable[..., RunningServer]) -> str:
        if given is not None:
            return given.get_secret_value()
        server = start(settings.data_dir, throwaway=throwaway, keep_open=keep_open)
        stack.callback(server.stop)
        servers.append(server)
        return server.url

    database_url = url_of(settings.database_url, start_postgres)
    redis_url = url_of(settings.redis_url, start_redis)
    return ServerUrls(database_url, redis_url, tuple(server.note for server in servers), tuple(servers))


@contextmanager
def _lock(data_dir: Path) -> Iterator[int]:
    """One owner per data directory. The wardens share the lock: it outlives a killed owner by their grace."""
    try:
        data_dir.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(data_dir / _LOCK_FILE, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise ForwarderError(
            f"The embedded servers cannot keep their data in {data_dir} ({error.strerror}): set DATA_DIR to "
            "a directory that this user may write to, or set DATABASE_URL and REDIS_URL."
        ) from None
    try:
        deadline = time.monotonic() + STOP_GRACE_SECONDS + 5
        while not _try_lock(descriptor):
            owner = _read_state(data_dir).get("pid")
            # A dead owner's servers are being stopped by their wardens: worth a moment's patience.
            if (isinstance(owner, int) and _is_alive(owner)) or time.monotonic() > deadline:
                who = f" (process {owner})" if isinstance(owner, int) else ""
                raise ForwarderError(
                    f"The embedded servers already run on {data_dir}{who}: stop the program that runs there, "
                    "or give this one another DATA_DIR, or set DATABASE_URL and REDIS_URL."
                )
            time.sleep(0.05)
        yield descriptor
    finally:
        os.close(descriptor)


def _try_lock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _write_state(data_dir: Path, urls: ServerUrls) -> None:
    started = {server.name for server in urls.servers}
    state = {
        "pid": os.getpid(),
        # Only what is embedded: the addresses of other servers belong in the settings.
        "database_url": urls.database_url if "postgres" in started else None,
        "redis_url": urls.redis_url if "redis" in started else None,
    }
    new = data_dir / f"{_STATE_FILE}.new"
    new.unlink(missing_ok=True)
    with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
        json.dump(state, file)
    new.replace(data_dir / _STATE_FILE)


def _read_state(data_dir: Path) -> dict[str, object]:
    try:
        state = json.loads((data_dir / _STATE_FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return state if isinstance(state, dict) else {}


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return not _is_zombie(pid)


def _is_zombie(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return False


def _given(secret: SecretStr | None) -> str | None:
    return None if secret is None else secret.get_secret_value()
