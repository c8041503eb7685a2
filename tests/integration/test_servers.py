"""The embedded servers start anywhere, keep what is to be kept, and never outlive their owner."""

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest
import redis

from forwarder.errors import ForwarderError, SettingsError
from forwarder.servers import (
    binaries,
    database_url_for_tools,
    embedded,
    redis_url_for_tools,
    running_servers,
    start_postgres,
    start_redis,
)
from forwarder.servers.identity import server_identity
from forwarder.settings import Settings, load_settings

ROOT = Path(__file__).resolve().parents[2]
OWNER = """
import sys, json
from pathlib import Path
from forwarder.servers import embedded
from forwarder.settings import load_settings
with embedded(load_settings(data_dir=Path(sys.argv[1])), throwaway=sys.argv[2] == "throwaway") as urls:
    print(json.dumps([urls.database_url, urls.redis_url, [s.warden_pid for s in urls.servers]]), flush=True)
    sys.stdin.read()
"""


def until(true: Callable[[], object], seconds: float = 5.0) -> None:
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, f"not true within {seconds} s"
        time.sleep(0.02)


@pytest.fixture(autouse=True)
def nothing_is_set(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in Settings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)


@pytest.fixture
def data_dir() -> Iterator[Path]:
    # Not tmp_path: pytest makes its parents private, and under root the servers run as somebody else.
    with tempfile.TemporaryDirectory(prefix="forwarder-test-") as name:
        Path(name).chmod(0o755)
        yield Path(name) / "data"


class Owner:
    """A process of its own that owns embedded servers."""

    def __init__(self, data_dir: Path, kind: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", OWNER, str(data_dir), kind],
            cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line, "the owner ended before its servers ran; its traceback is on standard error"
        self.database_url, self.redis_url, wardens = json.loads(line)
        self.pids = [pid for warden in wardens for pid in (warden, *children(warden))]
        assert len(self.pids) == 2 * len(wardens)

    def end(self, number: int) -> None:
        self.process.send_signal(number)
        self.process.wait(20)

    def __enter__(self) -> "Owner":
        return self

    def __exit__(self, *exc: object) -> None:
        self.process.kill()
        for pipe in (self.process.stdin, self.process.stdout):
            assert pipe is not None
            pipe.close()
        self.process.wait(20)
        # They write until they end, also into the directory that goes next.
        until(lambda: not any(alive(pid) for pid in self.pids), 20)


def children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def connect(url: str) -> psycopg.Connection[tuple[object, ...]]:
    return psycopg.connect(url.replace("+psycopg", "", 1), autocommit=True, connect_timeout=3)


def test_both_servers_work_and_end_with_the_block_leaving_nothing(data_dir: Path) -> None:
    with embedded(load_settings(data_dir=data_dir), throwaway=True) as urls:
        with connect(urls.database_url) as connection:
            assert connection.execute("SELECT lower('ПОСТ'), current_setting('TimeZone')").fetchone() == (
                "пост", "UTC",
            )  # fmt: skip
        with redis.Redis.from_url(urls.redis_url) as client:
            assert client.set("a", 1)
        assert len(urls.notes) == 2
        assert "PostgreSQL" in urls.notes[0]
        assert all(part not in repr(urls) for part in (urls.database_url, urls.redis_url))
        places = [server.log_file.parent for server in urls.servers]
        assert all(server.is_running() for server in urls.servers)
    assert not any(server.is_running() for server in urls.servers)
    assert not any(place.exists() for place in places)
    assert not data_dir.exists()


def test_what_the_settings_name_is_not_started(data_dir: Path) -> None:
    given = {"database_url": "postgresql://u:p@db/x", "redis_url": "redis://r/0"}
    with embedded(load_settings(data_dir=data_dir, **given), throwaway=False) as urls:
        assert (urls.database_url, urls.redis_url) == ("postgresql+psycopg://u:p@db/x", "redis://r/0")
        assert urls.servers == ()
    del given["redis_url"]
    with embedded(load_settings(data_dir=data_dir, **given), throwaway=True) as urls:
        assert [server.name for server in urls.servers] == ["redis"]


def test_redis_asks_for_its_password_and_listens_on_the_loopback_alone() -> None:
    server = start_redis(None, throwaway=True)
    try:
        with redis.Redis.from_url(server.url) as client:
            assert client.config_get("bind") == {"bind": "127.0.0.1"}
        with redis.Redis.from_url("redis://" + server.url.split("@")[1]) as stranger:
            with pytest.raises(redis.AuthenticationError):
                stranger.ping()
    finally:
        server.stop()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root has somebody else to run as")
def test_under_root_the_servers_run_as_an_unprivileged_user(data_dir: Path) -> None:
    with Owner(data_dir, "kept") as owner:
        uids = {Path(f"/proc/{pid}").stat().st_uid for pid in owner.pids[1::2]}
    assert uids == {server_identity().uid}
    assert 0 not in uids


@pytest.mark.parametrize("kind", ["kept", "throwaway"])
def test_a_killed_owner_takes_its_servers_along(data_dir: Path, kind: str) -> None:
    with Owner(data_dir, kind) as owner:
        owner.end(signal.SIGKILL)
        until(lambda: not any(alive(pid) for pid in owner.pids))


def test_a_killed_warden_takes_its_server_along(data_dir: Path) -> None:
    with Owner(data_dir, "throwaway") as owner:
        warden, server = owner.pids[:2]
        os.kill(warden, signal.SIGKILL)
        until(lambda: not alive(server))
        assert owner.process.stdin is not None
        owner.process.stdin.close()
        assert owner.process.wait(20) == 0


def test_kept_data_is_there_again_after_a_kill(data_dir: Path) -> None:
    with Owner(data_dir, "kept") as owner:
        with connect(owner.database_url) as connection:
            connection.execute("CREATE TABLE kept AS SELECT 42 AS answer")
        with redis.Redis.from_url(owner.redis_url) as client:
            client.set("kept", "42")
        owner.end(signal.SIGKILL)
    with Owner(data_dir, "kept") as owner:
        with connect(owner.database_url) as connection:
            assert connection.execute("SELECT answer FROM kept").fetchone() == (42,)
        with redis.Redis.from_url(owner.redis_url) as client:
            assert client.get("kept") == b"42"


def test_a_second_owner_is_told_who_has_the_data_and_a_command_may_join(data_dir: Path) -> None:
    settings = load_settings(data_dir=data_dir)
    assert running_servers(settings) is None
    with pytest.raises(SettingsError, match="DATABASE_URL is missing .* start manage.py run first"):
        database_url_for_tools(settings)
    with Owner(data_dir, "kept") as owner:
        with (
            pytest.raises(ForwarderError, match=f"already run on .*process {owner.process.pid}.*DATA_DIR"),
            embedded(settings, throwaway=False),
        ):
            pass
        with embedded(settings, throwaway=False, join=True) as urls:
            assert urls.database_url == owner.database_url
            assert str(owner.process.pid) in urls.notes[0]
        assert database_url_for_tools(settings) == owner.database_url
        assert redis_url_for_tools(settings) == owner.redis_url
        with redis.Redis.from_url(urls.redis_url) as client:
            assert client.ping()
        assert (data_dir / "servers.json").stat().st_mode & 0o777 == 0o600
    until(lambda: running_servers(settings) is None)


def test_an_unusable_place_is_a_sentence_with_a_remedy(data_dir: Path) -> None:
    data_dir.parent.mkdir(exist_ok=True)
    data_dir.write_text("a file")
    with pytest.raises(ForwarderError, match="cannot keep their data in .*set DATA_DIR"):
        with embedded(load_settings(data_dir=data_dir), throwaway=False):
            pass


@pytest.mark.skipif(os.geteuid() != 0, reason="only root has somebody else to run as")
def test_a_place_hidden_from_the_servers_user_is_a_sentence_with_a_remedy(data_dir: Path) -> None:
    data_dir.parent.chmod(0o700)
    with pytest.raises(ForwarderError, match="may not enter .*as an ordinary user, or set DATABASE_URL"):
        start_postgres(data_dir, throwaway=False)
    assert data_dir.parent.stat().st_mode & 0o777 == 0o700


def test_a_server_that_does_not_start_shows_its_last_words(data_dir: Path) -> None:
    start_redis(data_dir, throwaway=False).stop()
    for part in (data_dir / "redis" / "appendonlydir").glob("*.manifest"):
        part.write_text("nonsense\n")
    with pytest.raises(ForwarderError, match="ended at once. The last words of its log:\n"):
        start_redis(data_dir, throwaway=False)


def test_data_of_a_version_that_is_not_here_is_named(data_dir: Path) -> None:
    main = data_dir / "postgres" / "main"
    main.mkdir(parents=True)
    (main / "PG_VERSION").write_text("9\n")
    with pytest.raises(ForwarderError, match=r"kept data is of PostgreSQL 9, but .* PG_BIN"):
        start_postgres(data_dir, throwaway=False)


def test_a_machine_without_servers_uses_those_of_the_packages(monkeypatch: pytest.MonkeyPatch) -> None:
    everywhere = list(binaries._postgres_directories())
    packaged = [place for place in everywhere if place[1]]
    assert packaged, "requirements-embedded.txt is not installed"
    monkeypatch.setattr(binaries, "_postgres_directories", lambda: iter(packaged))
    monkeypatch.setattr(binaries.shutil, "which", lambda name: None)
    for start in (start_postgres, start_redis):
        server = start(None, throwaway=True)
        assert server.is_running()
        server.stop()


def test_a_machine_with_nothing_at_all_gets_the_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(binaries, "_postgres_directories", lambda: iter(()))
    monkeypatch.setattr(binaries, "_redis_programs", lambda: iter(()))
    with pytest.raises(ForwarderError, match="set DATABASE_URL, install PostgreSQL, or run pip install"):
        binaries.find_postgres()
    with pytest.raises(ForwarderError, match="set REDIS_URL, install redis-server"):
        binaries.find_redis()


def test_tests_get_fresh_databases_of_their_own(empty_database_url: str, redis_db: str) -> None:
    with connect(empty_database_url) as connection:
        connection.execute("CREATE TABLE here ()")
    with redis.Redis.from_url(redis_db) as client:
        assert client.dbsize() == 0
