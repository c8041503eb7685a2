"""The sandbox as a process of its own: control port, a person's side, and a life after a kill."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from telegram import Bot, InlineKeyboardButton, InlineKeyboardMarkup
from telethon import TelegramClient
from telethon.crypto import AuthKey
from telethon.sessions import MemorySession

from forwarder.sandbox.client import ControlClient, ControlError

ROOT = Path(__file__).resolve().parents[3]
SEED = {
    "users": [{"key": "olga", "first_name": "Olga", "phone": "+99966110001"}],
    "bots": [{"key": "bot", "name": "Forwarder", "username": "forwarder_bot", "owner": "olga"}],
    "chats": [
        {"key": "news", "title": "News", "creator": "olga", "admins": {"bot": ["post_messages"]}},
        {"key": "other", "title": "Other", "creator": "olga"},
    ],
    "posts": [{"by": "olga", "to": "news", "text": "Hello"}],
    "started": [["olga", "bot"]],
}


@dataclass
class Running:
    """One sandbox process and what it announced."""

    process: asyncio.subprocess.Process
    facts: dict[str, Any]
    control: ControlClient

    @property
    def seeded(self) -> dict[str, dict[str, dict[str, Any]]]:
        found: dict[str, dict[str, dict[str, Any]]] = self.facts["seeded"]
        return found

    def bot(self, token: str) -> Bot:
        return Bot(token, base_url=f"{self.facts['bot_api']}/bot")


@asynccontextmanager
async def running(folder: Path, *options: str) -> AsyncIterator[Running]:
    announce = folder / "announce.json"
    announce.unlink(missing_ok=True)
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "forwarder.sandbox", "--announce", str(announce), *options, cwd=ROOT,
        stdout=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    try:
        for _ in range(1000):
            if announce.exists() or process.returncode is not None:
                break
            await asyncio.sleep(0.02)
        assert announce.exists(), "The sandbox did not start."
        facts = json.loads(announce.read_text())
        async with ControlClient(facts["control"]) as control:
            yield Running(process, facts, control)
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


@pytest.fixture
def seed_file(tmp_path: Path) -> Path:
    path = tmp_path / "seed.json"
    path.write_text(json.dumps(SEED))
    return path


async def test_it_announces_itself_and_stops_cleanly_on_sigterm(tmp_path: Path, seed_file: Path) -> None:
    async with running(tmp_path, "--seed-file", str(seed_file), "--limits-scale", "5") as sandbox:
        key = await asyncio.to_thread(Path(sandbox.facts["key_file"]).read_text)
        assert key.startswith("-----BEGIN RSA PUBLIC KEY-----")
        assert (await sandbox.control.status())["limit_scale"] == 5
        sandbox.process.send_signal(signal.SIGTERM)
        assert await asyncio.wait_for(sandbox.process.wait(), 10) == 0


async def test_a_person_talks_with_a_bot_through_the_control_port(tmp_path: Path, seed_file: Path) -> None:
    async with running(tmp_path, "--seed-file", str(seed_file)) as sandbox:
        olga, robot = sandbox.seeded["users"]["olga"]["id"], sandbox.seeded["bots"]["bot"]
        person = sandbox.control.person(olga)
        async with sandbox.bot(robot["token"]) as bot:
            keyboard = InlineKeyboardMarkup([[InlineKeyboardButton("Go", callback_data="go")]])
            question = await bot.send_message(olga, "Ready?", reply_markup=keyboard)
            screen = await person.wait_screen(robot["id"], "Ready?")
            assert screen.last is not None
            assert screen.last.labels() == ["Go"]
            await person.press(robot["id"], "Go")
            query = (await bot.get_updates())[-1].callback_query
            assert query is not None
            await query.answer("Gone")
            await bot.edit_message_text("Done", olga, question.message_id)
            screen = await person.wait_screen(robot["id"], "Done")
            assert screen.toast == "Gone"
            with pytest.raises(ControlError, match="There is no button 'Go'"):
                await person.press(robot["id"], "Go")


async def test_posts_and_verdicts_travel_over_the_control_port(tmp_path: Path, seed_file: Path) -> None:
    async with running(tmp_path, "--seed-file", str(seed_file)) as sandbox:
        olga, news = sandbox.seeded["users"]["olga"]["id"], sandbox.seeded["chats"]["news"]["id"]
        control = sandbox.control
        photo = {"text": "a", "media": {"kind": "photo", "seed": 1}}
        [text] = await control.post(olga, news, {"text": "first"})
        album = await control.post(olga, news, {"album": [photo, photo | {"text": "b"}]})
        await control.edit(olga, news, text, "second")
        await control.delete(olga, news, [album[1]])
        found = await control.history(news)
        assert [message["text"] for message in found["messages"]][-2:] == ["second", "a"]
        assert [gone["text"] for gone in found["deleted"]] == ["b"]
        assert found["messages"][-1]["media"]["kind"] == "photo"


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM], ids=["killed", "stopped"])
async def test_a_snapshot_survives_and_clients_of_both_kinds_go_on(
    tmp_path: Path, seed_file: Path, how: signal.Signals
) -> None:
    snapshot = tmp_path / "world.json"
    options = ("--seed-file", str(seed_file), "--snapshot", str(snapshot), "--snapshot-every", "60")
    async with running(tmp_path, *options) as sandbox:
        first = sandbox.facts
        olga, news = sandbox.seeded["users"]["olga"]["id"], sandbox.seeded["chats"]["news"]["id"]
        token = sandbox.seeded["bots"]["bot"]["token"]
        login = await sandbox.control.call("prepared_session", account=olga)
        await sandbox.control.post(olga, news, {"text": "before"})
        async with sandbox.bot(token) as bot:
            await bot.get_updates(offset=-1)
            await sandbox.control.call("snapshot")
            sandbox.process.send_signal(how)
            await sandbox.process.wait()
    async with running(tmp_path, *options) as sandbox:
        for address in ("mtproto", "bot_api", "control", "key"):
            assert sandbox.facts[address] == first[address]
        async with sandbox.bot(token) as bot:
            updates = await bot.get_updates()
            assert [update.channel_post.text for update in updates if update.channel_post] == ["before"]
            await bot.send_message(news, "after")
        TelegramClient._config = None
        session = MemorySession()
        session.set_dc(login["dc"], login["host"], login["port"])
        session.auth_key = AuthKey(bytes.fromhex(login["auth_key"]))
        client = TelegramClient(session, 1, "a" * 32)
        await client.connect()
        try:
            assert (await client.get_me()).id == olga
            texts = [message.message async for message in client.iter_messages(news, limit=2)]
            assert texts == ["after", "before"]
        finally:
            await client.disconnect()


async def test_a_broken_seed_or_snapshot_is_refused_in_one_sentence(tmp_path: Path) -> None:
    broken = tmp_path / "broken.json"
    broken.write_text('{"users": [{"key": "a"}, {"key": "a"}]}')
    for option, words in (("--seed-file", "have the key 'a'"), ("--snapshot", "is no snapshot")):
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "forwarder.sandbox", option, str(broken), cwd=ROOT,
            env=os.environ | {"PYTHONWARNINGS": "default"}, stderr=asyncio.subprocess.PIPE,
        )  # fmt: skip
        _, errors = await asyncio.wait_for(process.communicate(), 20)
        assert process.returncode == 1
        assert words in errors.decode()
        assert "Traceback" not in errors.decode()


async def test_a_stream_of_posts_is_told_by_its_arrivals_and_its_count(
    seed_file: Path, tmp_path: Path
) -> None:
    async with running(tmp_path, "--seed-file", str(seed_file), "--no-limits") as sandbox:
        olga = sandbox.seeded["users"]["olga"]["id"]
        chats = [sandbox.seeded["chats"][key]["id"] for key in ("news", "other")]
        before = await sandbox.control.call("count", chats=chats)
        sent = await sandbox.control.call("stream", account=olga, chats=chats, posts=5, rate=0, text="Number")
        assert sent == 5
        assert await sandbox.control.call("count", chats=chats) - before == 5
        arrived = await sandbox.control.call("arrivals", chats=chats, since=0)
        history = {chat: await sandbox.control.history(chat) for chat in chats}
        assert [(row[2], row[3]) for row in arrived] == [
            (chat, message["id"]) for chat in chats for message in history[chat]["messages"]
        ]
        assert await sandbox.control.call("arrivals", chats=chats, since=arrived[-1][4] + 60) == []


async def test_a_delay_takes_its_time_each_way_on_both_doors(seed_file: Path, tmp_path: Path) -> None:
    async with running(tmp_path, "--seed-file", str(seed_file), "--delay", "0.05") as sandbox:
        loop = asyncio.get_running_loop()
        TelegramClient._config = None
        login = await sandbox.control.call("prepared_session", account=sandbox.seeded["users"]["olga"]["id"])
        session = MemorySession()
        session.set_dc(login["dc"], login["host"], login["port"])
        session.auth_key = AuthKey(bytes.fromhex(login["auth_key"]))
        client = TelegramClient(session, 1, "0" * 32)
        await client.connect()
        async with sandbox.bot(sandbox.seeded["bots"]["bot"]["token"]) as bot:
            for ask in (client.get_me, bot.get_me):
                began = loop.time()
                await ask()
                assert loop.time() - began >= 0.1
        await client.disconnect()
