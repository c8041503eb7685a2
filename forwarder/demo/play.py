"""Performs a script in the local Telegram, and remembers what was really posted."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from forwarder.demo import stage
from forwarder.demo.house import Telegram
from forwarder.demo.observe import content, seen
from forwarder.demo.script import Act, Delete, Edit, Post, Step
from forwarder.demo.verdict import Expected, Seen, Verdict, Way, judge


@dataclass(slots=True)
class Made:
    """A post that was made: the numbers it got, and the texts its first message had."""

    post: Post
    chat: int
    messages: tuple[int, ...]
    edits: list[str] = field(default_factory=list)
    deleted: bool = False


class Play:
    """One performance. ``baseline`` is the newest message of each chat before it began."""

    def __init__(self, telegram: Telegram, baseline: Mapping[int, int]) -> None:
        self._telegram = telegram
        self._owner = telegram.users[stage.OWNER]
        self._baseline = baseline
        self.made: dict[int, Made] = {}

    @classmethod
    async def begin(cls, telegram: Telegram) -> Play:
        """Note what stands in the chats already: it is not ours to judge, and must not travel."""
        baseline = {}
        for chat in telegram.chats.values():
            exported = await telegram.control.history(chat)
            numbers = [message["id"] for part in exported.values() for message in part]
            baseline[chat] = max(numbers, default=0)
        return cls(telegram, baseline)

    async def perform(self, steps: Sequence[Step], on_act: Callable[[Act], None] | None = None) -> None:
        """Do each step at its time; a machine that cannot keep up is late, and leaves nothing out."""
        loop = asyncio.get_running_loop()
        began = loop.time()
        for step in steps:
            await asyncio.sleep(max(0.0, began + step.at - loop.time()))
            await self._act(step.act)
            if on_act is not None:
                on_act(step.act)

    async def _act(self, act: Act) -> None:
        control = self._telegram.control
        if isinstance(act, Post):
            chat = self._telegram.chats[act.source]
            numbers = await control.post(self._owner, chat, act.to_json())
            self.made[act.number] = Made(act, chat, tuple(numbers))
            return
        made = self.made[act.number]
        if isinstance(act, Edit):
            await control.edit(self._owner, made.chat, made.messages[0], act.text)
            made.edits.append(act.text)
        elif isinstance(act, Delete):
            await control.delete(self._owner, made.chat, made.messages)
            made.deleted = True

    async def verdict(self) -> tuple[Verdict, dict[int, list[Seen]]]:
        """Look at every chat of the stage and judge."""
        world = await self.world()
        return judge(self.expected(world), ways(self._telegram), world), world

    async def world(self) -> dict[int, list[Seen]]:
        """Every message that ever stood in each chat since the performance began."""
        return {
            chat: seen(await self._telegram.control.history(chat), self._baseline[chat])
            for chat in self._telegram.chats.values()
        }

    def expected(self, world: Mapping[int, Sequence[Seen]]) -> list[Expected]:
        """What was posted, as the world has it."""
        standing = {(chat, message.id): message for chat, messages in world.items() for message in messages}
        return [_expected(made, standing) for made in self.made.values()]


def _expected(made: Made, standing: Mapping[tuple[int, int], Seen]) -> Expected:
    """The post with its messages as the world has them, and the contents its first one had before."""
    messages = tuple(replace(standing[made.chat, number], deleted=False) for number in made.messages)
    versions: tuple[str, ...] = ()
    if made.edits:
        first = made.post.parts[0]
        media = _medium_in(messages[0].content)
        earlier = [content(first.text, first.entities, media)]
        earlier += [content(text, (), media) for text in made.edits]
        # The last one is what the world says, not what we think we asked for.
        versions = (*earlier[:-1], messages[0].content)
    return Expected(made.post.number, made.chat, messages, versions, made.deleted)


def _medium_in(written: str) -> object:
    return json.loads(written)[2]


def ways(telegram: Telegram) -> list[Way]:
    """The stage's mappings by ids."""
    return [
        Way(telegram.chats[one.source], telegram.chats[one.destination], one.mode) for one in stage.MAPPINGS
    ]
