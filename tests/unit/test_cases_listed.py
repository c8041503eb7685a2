"""docs/cases.md names a test for every case, and each of them exists."""

from __future__ import annotations

import ast
import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
NAMED = re.compile(r"`(tests/[\w/]+\.py)::(test_\w+)`")
ROW = re.compile(r"^\| (?!case |---)", re.MULTILINE)


def defined_in(path: Path) -> set[str]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return {node.name for node in tree.body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}


def test_every_case_names_a_test_that_exists() -> None:
    listed = (ROOT / "docs/cases.md").read_text(encoding="utf-8")
    named = NAMED.findall(listed)
    assert len(named) == len(ROW.findall(listed)) > 0, "each case has its test"
    missing = [f"{file}::{name}" for file, name in named if name not in defined_in(ROOT / file)]
    assert missing == []
