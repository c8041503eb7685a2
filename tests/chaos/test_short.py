"""A short chaos: some of everything in less than a minute, and a good verdict."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.chaos.plan import Kind

ROOT = Path(__file__).resolve().parents[2]

pytestmark = [pytest.mark.slow, pytest.mark.timeout(330)]


def test_nothing_is_lost_doubled_or_reordered_by_a_short_chaos(tmp_path: Path) -> None:
    report = tmp_path / "report.json"
    done = subprocess.run(
        [
            *(sys.executable, "-m", "tests.chaos", "--seconds", "50", "--every", "1.7", "--seed", "1"),
            *("--report", str(report), "--logs", str(tmp_path / "logs")),
        ],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=320,
    )
    said = done.stdout + done.stderr
    assert done.returncode == 0, said
    found = json.loads(report.read_text())
    assert found["lanes"] >= 30
    for route in ("user", "bot"):
        assert found[route]["expected"] == found[route]["delivered"] > 100, said
        assert found[route]["lost"] == found[route]["out_of_order"] == 0, said
    assert found["user"]["doubled"] == 0, said
    assert len({done["kind"] for done in found["done"]}) == len(Kind)
