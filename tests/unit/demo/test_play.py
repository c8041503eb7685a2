"""The judge looking at a real world: a perfect forwarder is found good, and every tampering is noticed."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from forwarder.demo import stage
from forwarder.demo.house import Telegram
from forwarder.demo.play import Play
from forwarder.demo.script import Delete, Edit, Post, Step, write_script
from forwarder.demo.setup import batches
from forwarder.demo.verdict import Verdict
from forwarder.message import Mode
from forwarder.sandbox.client import ControlClient
from forwarder.sandbox.exports import deleted_json, message_json
from forwarder.sandbox.scripts import contents_from_json, plant, post
from forwarder.sandbox.world import Edit as NewText
from forwarder.sandbox.world import World

RIGHTS = frozenset({"post_messages", "edit_messages", "delete_messages", "other"})


class Theatre:
    """The stage in a world of its own, and a forwarder that does everything right at once."""

    def __init__(self) -> None:
        self.world = World(seed=1)
        made = plant(self.world, stage.seed())
        self.ids = made.ids
        self.owner = made.ids[stage.OWNER]
        for chat in stage.DESTINATIONS:
            if chat.bot:
                self.world.promote(self.owner, made.ids[chat.key], made.ids[stage.BOT], RIGHTS)
        self.copies: dict[tuple[int, int], list[tuple[int, int, Mode, int]]] = {}
        self.telegram = Telegram(
            control=cast("ControlClient", SimpleNamespace(
                post=self.post, edit=self.edit, delete=self.delete, history=self.history
            )),
            bot_api="", mtproto="", key_file=Path(), control_url="",
            users={key: made.ids[key] for key in (stage.OWNER, stage.ACCOUNT)},
            chats={chat.key: made.ids[chat.key] for chat in (*stage.SOURCES, *stage.DESTINATIONS)},
            invites={}, bot=made.ids[stage.BOT], bot_token="",
        )  # fmt: skip

    async def post(self, account: int, chat: int, what: Mapping[str, object]) -> list[int]:
        numbers = post(self.world, account, chat, contents_from_json(self.world, what))
        for one in stage.MAPPINGS:
            if self.ids[one.source] == chat:
                sender = self.ids[stage.BOT if one.route == "bot" else stage.ACCOUNT]
                there = self.ids[one.destination]
                sent = self.world.forward(sender, chat, numbers, there, drop_author=one.mode is Mode.COPY)
                for number, copy in zip(numbers, sent, strict=True):
                    assert copy is not None
                    self.copies.setdefault((chat, number), []).append((there, copy.id, one.mode, sender))
        return numbers

    async def edit(self, account: int, chat: int, message: int, text: str) -> None:
        self.world.edit(account, chat, message, NewText(text))
        for there, copy, mode, sender in self.copies[chat, message]:
            if mode is Mode.COPY:
                self.world.edit(sender, there, copy, NewText(text))

    async def delete(self, account: int, chat: int, messages: Sequence[int]) -> None:
        self.world.delete(account, chat, messages)
        for message in messages:
            for there, copy, _, sender in self.copies[chat, message]:
                self.world.delete(sender, there, [copy])

    async def history(self, chat: int) -> dict[str, list[dict[str, Any]]]:
        return {
            "messages": [message_json(self.world, one) for one in self.world.history(chat)],
            "deleted": [deleted_json(self.world, one) for one in self.world.deleted(chat)],
        }

    def newest(self, key: str) -> int:
        return self.world.history(self.ids[key])[-1].id


def at_once(posts: int) -> list[Step]:
    return [replace(step, at=0.0) for step in write_script(5, posts)]


async def played(posts: int = 100) -> tuple[Theatre, Play]:
    theatre = Theatre()
    await theatre.post(theatre.owner, theatre.ids["city"], {"text": "From before the mappings."})
    play = await Play.begin(theatre.telegram)
    await play.perform(at_once(posts))
    return theatre, play


async def test_a_perfect_forwarder_gets_a_good_verdict() -> None:
    _, play = await played(300)
    verdict, _ = await play.verdict()
    assert verdict.good, verdict.faults
    assert verdict.posted == 300
    acts = [step.act for step in at_once(300)]
    assert any(isinstance(act, Edit) for act in acts)
    assert any(isinstance(act, Delete) for act in acts)


async def remove(theatre: Theatre) -> None:
    theatre.world.delete(theatre.owner, theatre.ids["front"], [theatre.newest("front")])


async def send_again(theatre: Theatre) -> None:
    city = theatre.ids["city"]
    theatre.world.forward(theatre.owner, city, [theatre.newest("city")], theatre.ids["front"])


async def misplace(theatre: Theatre) -> None:
    city = theatre.ids["city"]
    theatre.world.forward(theatre.owner, city, [theatre.newest("city")], theatre.ids["night"])


async def change(theatre: Theatre) -> None:
    copy = next(
        one for one in reversed(theatre.world.history(theatre.ids["partner"])) if one.text and not one.media
    )
    sender = theatre.ids[stage.ACCOUNT]
    theatre.world.edit(sender, theatre.ids["partner"], copy.id, NewText(f"{copy.text} Or so."))


@pytest.mark.parametrize(
    ("tamper", "fault"),
    [(remove, "lost"), (send_again, "doubled"), (misplace, "wrong_place"), (change, "wrong_content")],
)
async def test_what_is_done_to_the_world_is_noticed(
    tamper: Callable[[Theatre], Awaitable[None]], fault: str
) -> None:
    theatre, play = await played()
    await tamper(theatre)
    verdict, _ = await play.verdict()
    assert not verdict.good
    assert {name for name, count in verdict.counts().items() if count} == {fault}


async def test_a_forwarder_that_misses_an_edit_or_a_deletion_is_noticed() -> None:
    for kind, fault in ((Edit, "stale_edit"), (Delete, "undeleted")):
        theatre = Theatre()
        play = await Play.begin(theatre.telegram)
        for step in at_once(100):
            if isinstance(step.act, kind):
                theatre.copies = {key: [] for key in theatre.copies}  # it forgets what it has sent
            elif not isinstance(step.act, Post):
                continue
            await play.perform([step])
        verdict: Verdict = (await play.verdict())[0]
        assert {name for name, count in verdict.counts().items() if count} == {fault}


def test_the_dialog_makes_exactly_the_stages_mappings() -> None:
    made = [
        (source, destination, mode)
        for sources, destinations, mode in batches()
        for source in sources
        for destination in destinations
    ]
    assert sorted(made) == sorted((one.source, one.destination, one.mode) for one in stage.MAPPINGS)
