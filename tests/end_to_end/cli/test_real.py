"""Login, run, set up and ask why: the whole program by its commands, against a local Telegram."""

from __future__ import annotations

import asyncio
import signal
import stat
from pathlib import Path

import pytest
from cryptography.fernet import Fernet

from forwarder.demo import stage
from forwarder.demo.house import Telegram
from forwarder.sandbox.client import ControlError
from tests.copies import Finished
from tests.end_to_end.cli.conftest import Manage, until

pytestmark = pytest.mark.timeout(240)


def refused(done: Finished, status: int, *words: str) -> None:
    assert done.returncode == status, done.stdout + done.stderr
    assert "Traceback" not in done.stdout + done.stderr
    for word in words:
        assert word in done.stderr


def did(done: Finished, *words: str) -> None:
    assert done.returncode == 0, done.stdout + done.stderr
    for word in words:
        assert word in done.stdout


async def waits(manage: Manage, *words: str, command: str = "ingest", **env: str) -> None:
    """It says this in one line, and waits until it is asked to stop."""
    process = await manage.start(command, **env)
    assert process.stdout is not None
    try:
        async with asyncio.timeout(60):
            line = ""
            while not all(word in line for word in words):
                line = (await process.stdout.readline()).decode()
                assert line, "it has ended"
    finally:
        process.terminate()
    rest, _ = await asyncio.wait_for(process.communicate(), 30)
    assert process.returncode == (0 if command != "run" else -signal.SIGTERM)
    assert "Traceback" not in rest.decode()


async def log_in(manage: Manage, telegram: Telegram) -> str:
    """Answer the questions of ``login`` as the account's owner; returns what it said."""
    login = await manage.start("login")
    assert login.stdin is not None
    login.stdin.write(f"{stage.PHONE}\n".encode())
    codes: list[str] = []

    async def code_has_come() -> bool:
        try:
            codes.append(await telegram.control.login_code(stage.PHONE))
        except ControlError:
            return False
        return True

    await until(code_has_come)
    login.stdin.write(f"{codes[0]}\n{stage.PASSWORD}\n".encode())
    said, _ = await asyncio.wait_for(login.communicate(), 60)
    assert login.returncode == 0, said.decode()
    return said.decode()


async def texts(telegram: Telegram, chat: str) -> list[str]:
    history = await telegram.control.history(telegram.chats[chat])
    return [message["text"] for message in history["messages"] if message["service"] is None]


async def test_a_person_logs_in_sets_up_and_watches_a_post_travel(manage: Manage, local: Telegram) -> None:
    owner, control = local.users[stage.OWNER], local.control
    await control.call(
        "promote", account=owner, chat=local.chats["front"], who=local.bot,
        rights=["post_messages", "edit_messages", "delete_messages", "other"],
    )  # fmt: skip
    did(await manage("db", "upgrade"), "up to date")
    said = await log_in(manage, local)
    assert said.count("is made") == 3
    sessions = sorted((manage.folder / "sessions").iterdir())
    assert [path.name for path in sessions] == ["bot.session", "user.sender.session", "user.session"]
    assert {stat.S_IMODE(path.stat().st_mode) for path in sessions} == {0o600}
    did(await manage("login"), "there already")

    running = await manage.start("run")
    try:
        await set_up_and_try(manage, local)
        refused(await manage("login"), 1, "stop `manage.py run`")
    finally:
        running.send_signal(signal.SIGTERM)
        output, _ = await asyncio.wait_for(running.communicate(), 30)
    assert running.returncode == 0
    assert "Everything has stopped in order." in output.decode()
    for secret in (local.bot_token, stage.API_HASH, stage.PASSWORD, stage.PHONE, "Good morning"):
        assert secret not in output.decode()


async def set_up_and_try(manage: Manage, local: Telegram) -> None:
    owner, control = local.users[stage.OWNER], local.control
    source, front = local.chats["markets"], local.chats["front"]

    async def source_is_added() -> bool:
        return (await manage("channel", "add", local.invites["markets"], "--source")).returncode == 0

    await until(source_is_added)  # the user worker answers as soon as it is up
    did(await manage("channel", "add", "@demo_city_news", "--source"), "is a source now", "The bot may read")
    did(await manage("channel", "add", str(front), "--destination"), "Front page is a destination now")
    refused(await manage("channel", "add", "@nobody_here", "--source"), 1, "No chat is found by @nobody_here")
    refused(await manage("channel", "add", "what is this?", "--source"), 1, "names no chat")
    refused(
        await manage("channel", "add", local.invites["weather"], "--source"), 1, "read"
    )  # the bot is in it, but cannot follow an invite
    refused(await manage("channel", "add", "@demo_city_news", "--destination"), 1, "may post")

    refused(await manage("mapping", "add", str(source), str(front)), 1)  # nobody can carry it
    did(await manage("mapping", "add", "@demo_city_news", str(front), "--mode", "copy"), "copy by the bot")
    refused(await manage("mapping", "add", "@demo_city_news", str(front)), 1, "already")
    [number] = await control.post(owner, local.chats["city"], {"text": "Good morning"})

    async def arrived() -> bool:
        return await texts(local, "front") == ["Good morning"]

    await until(arrived)
    told = await manage("why", f"https://t.me/demo_city_news/{number}")
    did(told, "City news (@demo_city_news), text", "Front page", "was sent", "copy by @demo_forwarder_bot")
    did(await manage("mapping", "set", "1", "--lag", "skip:6h", "--after-outage", "send"), "older than 6 h")
    did(await manage("mapping", "outage", "1", "all"), "No posts of mapping 1 wait")
    did(await manage("mapping", "pause", "1"), "is paused")
    await control.post(owner, local.chats["city"], {"text": "Good night"})

    async def held() -> bool:
        return "\t1\t0\n" in (await manage("mapping", "list")).stdout

    await until(held)
    refused(await manage("mapping", "resume", "1"), 2, "1 posts are held: say --send or --skip")
    did(await manage("mapping", "resume", "1", "--send"), "is active")

    async def arrived_too() -> bool:
        return await texts(local, "front") == ["Good morning", "Good night"]

    await until(arrived_too)
    refused(await manage("channel", "remove", "@demo_city_news"), 1, "is used by the mappings #1")
    did(await manage("mapping", "disable", "1", "--yes"), "is disabled")
    did(await manage("channel", "remove", "@demo_city_news"), "is forgotten")
    assert (await manage("channel", "list")).stdout.splitlines()[0].split("\t")[:3] == ["id", "title", "name"]


async def test_what_telegram_refuses_is_a_sentence(manage: Manage, local: Telegram) -> None:
    wrong = f"{local.bot}:{'A' * 35}"
    refused(await manage("bot", BOT_TOKEN=wrong), 1, "Telegram refuses BOT_TOKEN")
    await waits(manage, "signed out", "manage.py login")


async def test_broken_logins_are_sentences_and_nothing_is_destroyed(manage: Manage, local: Telegram) -> None:
    await log_in(manage, local)
    path = manage.folder / "sessions" / "user.session"
    kept = path.read_bytes()
    refused(await manage("ingest", ENCRYPTION_KEY=Fernet.generate_key().decode()), 1, "ENCRYPTION_KEY")
    assert path.read_bytes() == kept
    await waits(manage, "Telegram at", "does not answer", TELEGRAM_MTPROTO_ADDRESS="127.0.0.1:1")
    path.write_bytes(b"garbage")
    refused(await manage("ingest"), 1, "damaged", "user.session")
    assert path.read_bytes() == b"garbage"


async def test_processes_wait_for_their_servers_and_commands_say_what_is_away(manage: Manage) -> None:
    away = {"DATABASE_URL": "postgresql://nobody@127.0.0.1:1/none"}
    for command in ("run", "bot"):
        await waits(manage, "PostgreSQL at", "does not answer", command=command, **away)
    await waits(manage, "Redis at", "does not answer", REDIS_URL="redis://127.0.0.1:1/0")
    refused(await manage("channel", "list", **away), 1, "PostgreSQL at", "does not answer")


async def test_the_sandbox_is_a_command_too(manage: Manage, tmp_path: Path) -> None:
    announced = tmp_path / "announced.json"
    process = await manage.start("sandbox", "--announce", str(announced))
    await until(announced.exists)
    process.terminate()
    said, _ = await asyncio.wait_for(process.communicate(), 20)
    assert process.returncode == 0
    assert "TELEGRAM_BOT_API_URL=http://127.0.0.1:" in said.decode()
