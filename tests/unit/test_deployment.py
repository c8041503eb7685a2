"""docker-compose.yml, Dockerfile and the requirements say what the program needs, no more."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text(encoding="utf-8"))
SERVICES: dict[str, Any] = COMPOSE["services"]
OURS = {"migrate", "bot", "ingest", "worker", "worker-user", "beat", "flower"}


def test_every_process_has_its_service() -> None:
    assert set(SERVICES) == OURS | {"postgres", "redis"}
    commands = {name: SERVICES[name]["command"] for name in OURS}
    assert commands == {
        "migrate": ["db", "upgrade", "--wait"],
        "bot": ["bot"],
        "ingest": ["ingest"],
        "worker": ["worker"],
        "worker-user": ["worker", "--user"],
        "beat": ["beat"],
        "flower": ["flower"],
    }


@pytest.mark.parametrize("name", sorted(OURS - {"migrate"}))
def test_processes_wait_for_healthy_servers_and_a_migrated_database(name: str) -> None:
    service = SERVICES[name]
    assert {who: wait["condition"] for who, wait in service["depends_on"].items()} == {
        "postgres": "service_healthy",
        "redis": "service_healthy",
        "migrate": "service_completed_successfully",
    }
    assert service["restart"] == "unless-stopped"
    assert service["environment"]["DATABASE_URL"].startswith("postgresql://")


def test_the_servers_have_health_checks_and_keep_their_data() -> None:
    for name in ("postgres", "redis"):
        assert SERVICES[name]["healthcheck"]["test"]
        assert SERVICES[name]["volumes"][0].split(":")[0] in COMPOSE["volumes"]


def test_the_logins_are_kept_in_a_volume() -> None:
    for name in ("ingest", "worker-user", "bot"):
        assert "sessions:/app/sessions" in SERVICES[name]["volumes"]
        assert SERVICES[name]["environment"]["USER_SESSION_FILE_PATH"].startswith("/app/sessions/")


def test_flower_asks_for_a_password_and_is_not_shown_to_the_world() -> None:
    flower = SERVICES["flower"]
    assert flower["environment"]["FLOWER_BASIC_AUTH"].startswith("${FLOWER_BASIC_AUTH:?")
    assert all(port.startswith("127.0.0.1:") for port in flower["ports"])


def test_the_image_holds_what_it_copies_and_does_not_run_as_root() -> None:
    text = (ROOT / "Dockerfile").read_text(encoding="utf-8")
    sources = [word for line in re.findall(r"^COPY (.+)$", text, re.MULTILINE) for word in line.split()[:-1]]
    assert [source for source in sources if not (ROOT / source).exists()] == []
    assert re.search(r"^USER forwarder$", text, re.MULTILINE)
    ignored = (ROOT / ".dockerignore").read_text(encoding="utf-8").split()
    assert {".env", "sessions", "data"} <= set(ignored)


@pytest.mark.parametrize("name", ["requirements", "requirements-embedded", "requirements-dev"])
def test_requirements_are_pinned_and_name_no_place_to_get_them_from(name: str) -> None:
    pinned = (ROOT / f"{name}.txt").read_text(encoding="utf-8")
    lines = [line for line in pinned.splitlines() if line and not line.lstrip().startswith("#")]
    assert lines
    assert [line for line in lines if not re.fullmatch(r"[A-Za-z0-9._-]+==[^\s;]+( ; .+)?", line)] == []
    wished = (ROOT / f"{name}.in").read_text(encoding="utf-8").splitlines()
    reasonless = [line for line in wished if line and not line.startswith(("#", "-c")) and "  # " not in line]
    assert reasonless == []


def test_the_three_requirements_agree_with_each_other() -> None:
    versions: dict[str, set[str]] = {}
    for name in ("requirements", "requirements-embedded", "requirements-dev"):
        for package, version in re.findall(
            r"^([\w.-]+)==(\S+)", (ROOT / f"{name}.txt").read_text(), re.MULTILINE
        ):
            versions.setdefault(package.lower(), set()).add(version)
    assert {package: found for package, found in versions.items() if len(found) > 1} == {}
