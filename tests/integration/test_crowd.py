"""Everybody at once: listeners, workers that are killed, people who pause; and still once, whole, in order."""

from __future__ import annotations

import asyncio
import random

import pytest

from forwarder.errors import OutcomeUnknown, TelegramError
from forwarder.message import AccountKind, Edited
from forwarder.services.mappings import MappingService
from tests.builders import ARCHIVE, DIGEST, NEWS, OTHER, House, album, post
from tests.integration.carriers import ScriptedSender, Street

USER, BOT = AccountKind.USER, AccountKind.BOT
POSTS = 40
DAY = 90.0
"""Seconds that a day may take on a busy machine; alone it takes two or three."""


class Day:
    """One seeded day: two sources into two destinations, two workers, two listeners, one person."""

    def __init__(self, core: House, street: Street, seed: int) -> None:
        self.core, self.street, self.rng = core, street, random.Random(seed)
        self.mappings: list[int] = []
        self.over = False
        self.errors: list[Exception] = []

    async def listen(self, chat: int, by: AccountKind) -> None:
        number = 0
        while number < POSTS:
            size = self.rng.choice([1, 1, 1, 3])
            ids = range(number + 1, number + 1 + size)
            news = album(f"a{number}", *ids, chat=chat) if size > 1 else [post(ids[0], chat=chat)]
            await self.core.hear(*news, by=by)
            number += size
            if self.rng.random() < 0.2:
                await self.core.hear(Edited(post(number, f"edited {number} of {chat}", chat=chat)), by=by)

    def sender(self) -> ScriptedSender:
        sender = self.street.sender(USER)
        for _ in range(200):
            draw = self.rng.random()
            sender.before.append(OutcomeUnknown("DISCONNECTED") if draw < 0.05 else
                                 TelegramError("FLOOD_WAIT", code=420, seconds=1) if draw < 0.08 else None)  # fmt: skip
            sender.after.append(OutcomeUnknown("DISCONNECTED") if self.rng.random() < 0.1 else None)
        return sender

    async def work(self, holder: str) -> None:
        carrier = self.street.carrier(self.sender(), holder=holder)
        while not self.over or await self.core.run("select 1 from deliveries where done_at is null limit 1"):
            task = asyncio.create_task(carrier.carry(self.rng.choice(self.mappings)))
            if self.rng.random() < 0.1:
                await asyncio.sleep(self.rng.random() * 0.02)
                task.cancel()
            [ended] = await asyncio.gather(task, return_exceptions=True)
            if isinstance(ended, Exception):
                self.errors.append(ended)
            if task.cancelled():
                # A process that was killed rings no more bells either.
                await carrier.stop()
                carrier = self.street.carrier(self.sender(), holder=holder)
                await self.street.lease_runs_out()
            await self.street.due_now()
            await self.street.redis.flushdb()
        await carrier.stop()

    async def meddle(self) -> None:
        async def ring(_: object) -> None:
            return None

        service = MappingService(self.core.db, ring)
        for _ in range(10):
            mapping = self.rng.choice(self.mappings)
            await service.pause(mapping)
            await asyncio.sleep(0.02)
            await service.resume(mapping, send=True)


@pytest.mark.parametrize("seed", [1, 2])
async def test_a_wild_day_ends_with_every_post_once_whole_and_in_order(
    core: House, street: Street, seed: int
) -> None:
    day = Day(core, street, seed)
    for source in (NEWS, OTHER):
        for destination in (DIGEST, ARCHIVE):
            day.mappings.append(await core.mapping(source, destination, route="user"))

    async def listening() -> None:
        await asyncio.gather(*(day.listen(chat, USER) for chat in (NEWS, OTHER)), day.meddle())
        await core.run("update posts set last_part_at = last_part_at - interval '9 seconds'")
        await core.settle(NEWS, OTHER)
        day.over = True

    async with asyncio.timeout(DAY):
        await asyncio.gather(listening(), day.work("w1"), day.work("w2"))
    assert day.errors == [], "no deadlock, no surprise"
    assert await core.run("select id, state, reason from deliveries where done_at is null") == []
    for source in (NEWS, OTHER):
        expected = [
            row["message_id"]
            for row in await core.run(
                "select message_id from messages where channel_id = :id order by message_id",
                id=core.channels[source],
            )
        ]
        for mapping in day.mappings:
            rows = await core.run(
                "select source_message_id from copies where mapping_id = :id order by message_id", id=mapping
            )
            owner = await core.run("select source_id from mappings where id = :id", id=mapping)
            if owner[0]["source_id"] == core.channels[source]:
                assert [row["source_message_id"] for row in rows] == expected
    assert len(street.chat.arrived) == len(await core.run("select 1 from copies"))
