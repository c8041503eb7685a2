"""The demo from the outside: a real run of all processes, judged by the local Telegram's world."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
MANY, FEW = 60, 20
"""Posts: enough to kill among them, and enough for each way of a post."""

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]


def demo(folder: Path, posts: int, *arguments: str, **env: str) -> tuple[dict[str, Any], str]:
    """A run of ``demo --once`` and what it wrote: the report and the screen."""
    report, logs = folder / "verdict.json", folder / "logs"
    done = subprocess.run(
        [
            *(sys.executable, str(ROOT / "manage.py"), "demo", "--once", "--posts", str(posts)),
            *("--report", str(report), "--logs", str(logs), *arguments),
        ],
        cwd=folder,
        env={name: value for name, value in os.environ.items() if name not in ("DATABASE_URL", "REDIS_URL")}
        | env,
        capture_output=True,
        text=True,
        check=False,
        timeout=230,
    )
    said = done.stdout + done.stderr
    assert done.returncode == 0, said
    found: dict[str, Any] = json.loads(report.read_text())
    return found, said


def assert_good(verdict: dict[str, Any], posts: int) -> None:
    assert verdict["posted"] == posts
    assert verdict["expected"] == verdict["delivered"] > posts
    for fault in ("lost", "doubled", "out_of_order", "wrong_content", "wrong_place", "album_split"):
        assert verdict[fault] == 0, verdict["faults"]
    assert verdict["stale_edit"] == verdict["undeleted"] == 0, verdict["faults"]
    assert verdict["unknown_methods"] == []
    assert set(verdict["messages_by_route"]) == {"bot", "user"}
    assert set(verdict["messages_by_mode"]) == {"forward", "copy"}


def test_every_post_arrives_though_worker_user_worker_ingest_and_bot_are_killed(tmp_path: Path) -> None:
    kills = [("worker", 3), ("ingest", 6), ("user-worker", 9), ("bot", 12)]
    verdict, said = demo(
        tmp_path, MANY, "--seed", "11", *(w for n, at in kills for w in ("--kill", f"{n}@{at}"))
    )
    assert_good(verdict, MANY)
    assert verdict["flood_waits_met"] >= 1
    for name, _ in kills:
        assert f"! kill -9 {name} (process" in said
        assert f"! {name} (process" in said


def test_on_named_servers_the_demo_leaves_nothing_behind(
    tmp_path: Path, postgres_url: str, redis_url: str
) -> None:
    import psycopg
    import redis

    def databases() -> set[str]:
        with psycopg.connect(postgres_url.replace("+psycopg", "", 1)) as connection:
            return {row[0] for row in connection.execute("select datname from pg_database").fetchall()}

    def numbers() -> set[str]:
        with redis.Redis.from_url(redis_url) as client:
            return set(client.info("keyspace"))

    before, taken = databases(), numbers()
    verdict, said = demo(tmp_path, FEW, "--seed", "12", DATABASE_URL=postgres_url, REDIS_URL=redis_url)
    assert_good(verdict, FEW)
    assert "servers you set" in said
    assert {name for name in databases() - before if "demo" in name} == set()
    assert numbers() <= taken
