"""The house has floors: imports only go down (docs/architecture.md).

A new room gets its line in FLOORS, on the lowest floor from which it still reaches all that it imports.
"""

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
HOUSE = ROOT / "forwarder"

# From the cellar upwards. A room may import from the floors below its own, never from its neighbours.
FLOORS: list[set[str]] = [
    {"errors", "redact", "tether"},  # words
    {"message", "settings", "log", "references"},  # values, fuse box
    {"models", "seam", "retry", "rules", "likeness"},  # tables, the seam to Telegram, pure decisions
    {"db", "pace", "together"},
    {"outbox", "schema"},
    {"services"},
    {"collect", "calls", "hooks", "account_wire", "deputy"},
    {"ingest", "outcome"},
    {
        "backfill",
        "deliver",
        "intake",
        "reconcile",
        "missed",
        "trial",
        "upkeep",
        "account_desk",
    },  # the one way through
    {"telegram", "metrics", "health", "legacy", "comparing"},  # the porch, barometers
    {"bot"},
    {"servers", "supervisor"},  # what stands under the processes of one machine
    {"broker"},
    {"wiring"},
    {"sandbox", "processes"},  # the sandbox stands apart: see below
    {"demo"},
    {"cli"},
]
FLOOR_OF = {room: number for number, rooms in enumerate(FLOORS) for room in rooms}

# Who may import what comes from outside; everybody else meets our own values only.
PORCHES = {
    "telethon": {"telegram", "sandbox"},
    "telegram": {"telegram", "sandbox", "bot"},
}
# Only these know the sandbox; it knows nobody (not even errors and log): it is a program in its own right.
GUESTS_OF_THE_SANDBOX = {"cli", "demo"}


@dataclass(frozen=True)
class Import:
    file: str
    line: int
    room: str
    module: str

    @property
    def target(self) -> str | None:
        """The room of ours that is imported, '' for the house itself, None for a foreign module."""
        parts = self.module.split(".")
        if parts[0] != "forwarder":
            return None
        return parts[1] if len(parts) > 1 else ""

    def __str__(self) -> str:
        return f"{self.file}:{self.line} imports {self.module}"


def room_of(path: Path) -> str:
    part = path.relative_to(HOUSE).parts[0]
    return part.removesuffix(".py")


def imports_of(source: str, path: Path) -> Iterator[Import]:
    package = ["forwarder", *path.relative_to(HOUSE).parts[:-1]]
    for node in ast.walk(ast.parse(source)):
        for module in modules_of(node, package):
            yield Import(str(path.relative_to(ROOT)), getattr(node, "lineno", 0), room_of(path), module)


def modules_of(node: ast.AST, package: list[str]) -> list[str]:
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if not isinstance(node, ast.ImportFrom):
        return []
    base = package[: len(package) - node.level + 1] if node.level else []
    module = ".".join([*base, *([node.module] if node.module else [])])
    # "from forwarder import outbox" names a room; "from forwarder import __version__" the house itself.
    if module == "forwarder":
        return [f"forwarder.{alias.name}" if is_room(alias.name) else module for alias in node.names]
    return [module]


def is_room(name: str) -> bool:
    return (HOUSE / name).is_dir() or (HOUSE / f"{name}.py").is_file()


def house() -> list[Import]:
    files = [path for path in HOUSE.rglob("*.py") if path.parent != HOUSE or path.name != "__init__.py"]
    return [found for path in files for found in imports_of(path.read_text(encoding="utf-8"), path)]


def wrong(found: Import) -> str | None:
    """What is wrong with an import, or None."""
    root = found.module.split(".")[0]
    if root in PORCHES and found.room not in PORCHES[root]:
        return f"{root} is met in {sorted(PORCHES[root])} only"
    if found.target in (None, "", found.room):
        return None
    assert found.target is not None
    if found.room == "sandbox":
        return "the sandbox knows nobody"
    if found.target == "sandbox":
        return None if found.room in GUESTS_OF_THE_SANDBOX else "nobody but the demo knows the sandbox"
    if FLOOR_OF.get(found.target, 99) >= FLOOR_OF.get(found.room, -1):
        return "imports only go down"
    return None


def test_every_room_has_its_floor() -> None:
    rooms = {room_of(path) for path in HOUSE.rglob("*.py")} - {"__init__"}
    assert rooms - FLOOR_OF.keys() == set(), "give the new room its line in FLOORS"


def test_no_room_has_two_floors() -> None:
    assert sum(map(len, FLOORS)) == len(FLOOR_OF)


def test_imports_only_go_down() -> None:
    assert [f"{found}: {why}" for found in house() if (why := wrong(found))] == []


@pytest.mark.parametrize(
    ("file", "source", "refused"),
    [
        ("outbox.py", "from forwarder.deliver import deliver", True),
        ("outbox.py", "from forwarder import deliver", True),
        ("outbox.py", "from forwarder import __version__", False),
        ("outbox.py", "from . import deliver", True),
        ("outbox.py", "def late():\n    import forwarder.deliver", True),
        ("deliver.py", "from forwarder.outbox import claim", False),
        ("services/channels.py", "from forwarder.services.users import x", False),
        ("services/channels.py", "from .users import x", False),
        ("services/channels.py", "from ..deliver import x", True),
        ("deliver.py", "import telethon.errors", True),
        ("telegram/user.py", "import telethon.errors", False),
        ("bot/app.py", "from telegram.ext import Application", False),
        ("bot/app.py", "from telethon import errors", True),
        ("sandbox/world/state.py", "from forwarder.errors import ForwarderError", True),
        ("sandbox/world/state.py", "from forwarder.sandbox.gate import Gate", False),
        ("wiring.py", "from forwarder.sandbox.gate import Gate", True),
        ("demo/run.py", "from forwarder.sandbox.gate import Gate", False),
    ],
)
def test_the_rule_itself_tells_right_from_wrong(file: str, source: str, refused: bool) -> None:
    found = [wrong(each) for each in imports_of(source, HOUSE / file)]
    assert (found != [None]) is refused
