"""Which processes a single machine runs with given settings, and what cannot be done without the others."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from forwarder.settings import Settings
from forwarder.supervisor import ProcessSpec

MANAGE = Path(__file__).resolve().parents[2] / "manage.py"
FLOWER_WAIT_SECONDS = 20


def processes(settings: Settings, env: Mapping[str, str]) -> list[ProcessSpec]:
    """What to start, in this order. First stops who takes work in, then the clock, then who does it."""
    specs = [process("bot", ["bot"], env, 0)]
    if may_listen(settings):
        specs.append(process("ingest", ["ingest"], env, 0))
    if may_send_as_user(settings):
        specs.append(process("user-worker", ["worker", "--user", "--name", "user"], env, 2))
    specs += [
        process("worker", ["worker", "--name", "bot"], env, 2),
        process("beat", ["beat"], env, 1),
        process("flower", ["flower", "--wait", str(FLOWER_WAIT_SECONDS)], env, 3),
    ]
    return specs


def process(name: str, arguments: Sequence[str], env: Mapping[str, str], stop_group: int) -> ProcessSpec:
    """One ``manage.py`` command as a child."""
    return ProcessSpec(name, [sys.executable, str(MANAGE), *arguments], env, stop_group)


def may_listen(settings: Settings) -> bool:
    """Whether there is a login to listen with."""
    return settings.has_user and settings.listener_session.is_file()


def may_send_as_user(settings: Settings) -> bool:
    """Whether there is a login to send with."""
    return settings.has_user and settings.sender_session.is_file()


def limits_of(settings: Settings) -> list[str]:
    """Sentences about what cannot be done with these settings, and what would change that."""
    without = (
        "posts come only from channels and groups that have the bot, deletions are not seen, and a downtime "
        "of more than a day loses posts"
    )
    if not settings.has_user:
        return [f"Without API_ID the bot works alone: {without}."]
    if not may_listen(settings):
        return [f"The user account is not logged in: {without}. Run `manage.py login`."]
    if not may_send_as_user(settings):
        told = "The user account has no login to send with: it only listens."
        return [f"{told} Run `manage.py login` again; it makes what is missing."]
    return []
