"""The working set of deduplication: in Redis, which delivery took a place lately.

It says where to look, never what is so: PostgreSQL's row of that delivery does. What is asked for often is then found
beside what was written lately, and not on a random page of an index over all that is remembered. With Redis emptied,
away, or full of what is long untrue, a check finds the same, by that index.

Two hashes: what is new goes into one, and when that is full it takes the other's place; what is asked for in the
other goes into the first again. So the memory is bounded, and what nobody asks for leaves.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import structlog
from redis.asyncio import Redis
from redis.exceptions import RedisError

from forwarder.services.repeats import Place

log = structlog.get_logger(__name__)

SIZE = 20_000
"""Places in each of the two hashes: some 100 bytes each, 4 MB together."""

SILENT_SECONDS = 5.0
"""For how long nobody asks a Redis that did not answer: checks go on without."""

PATIENCE = 0.25
"""Seconds that an answer may take: a transaction is open meanwhile."""

NEW, OLD = "dedup:new", "dedup:old"

DELIVERY = re.compile(rb"[1-9][0-9]{0,17}")

# ARGV: how many places a hash may have; then each place with the delivery that asks for it.
# Answers the delivery that asked for each before, or nothing.
LOOK = """
local answers = {}
for i = 2, #ARGV, 2 do
  local owner = redis.call('HGET', KEYS[1], ARGV[i])
  if not owner then
    owner = redis.call('HGET', KEYS[2], ARGV[i])
    redis.call('HSET', KEYS[1], ARGV[i], owner or ARGV[i + 1])
  end
  answers[i / 2] = owner
end
if redis.call('HLEN', KEYS[1]) >= tonumber(ARGV[1]) then redis.call('RENAME', KEYS[1], KEYS[2]) end
return answers
"""


class WorkingSet:
    """Never raises: what it does not answer, PostgreSQL finds by itself. ``clock`` is monotonic, in seconds."""

    def __init__(
        self, redis: Redis, *, size: int = SIZE, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._redis, self._size, self._clock = redis, size, clock
        self._look = redis.register_script(LOOK)
        self._silent_until = 0.0

    async def look(self, asking: Mapping[Place, int]) -> dict[Place, int]:
        """Which deliveries had these places when they were last asked for.

        Those that nobody had are from now on known by the delivery that asks.
        """
        values = [value for place, delivery in asking.items() for value in (field_of(place), delivery)]
        answers = await self._asked(lambda: self._look(keys=[NEW, OLD], args=[self._size, *values]))
        return {
            place: int(answer)
            for place, answer in zip(asking, answers or (), strict=bool(answers))
            if answer is not None and DELIVERY.fullmatch(answer)
        }

    async def correct(self, owners: Mapping[Place, int]) -> None:
        """These places have other owners than the working set says."""
        told = [value for place, owner in owners.items() for value in (field_of(place), owner)]
        await self._asked(lambda: self._redis.hset(NEW, items=told))

    async def _asked(self, question: Callable[[], Awaitable[Any]]) -> Any:
        if self._clock() < self._silent_until:
            return None
        try:
            async with asyncio.timeout(PATIENCE):
                return await question()
        except (RedisError, OSError, TimeoutError) as error:
            self._silent_until = self._clock() + SILENT_SECONDS
            log.warning("working_set_silent", error=type(error).__name__)
            return None


def field_of(place: Place) -> bytes:
    """Half of a key is enough to tell places apart, and PostgreSQL compares the whole."""
    scope, topic, key = place
    return b"%d:%d:%b" % (scope, topic, key[:16])
