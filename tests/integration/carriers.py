"""A scripted Telegram behind the seam, and carriers over real PostgreSQL and Redis."""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from redis.asyncio import Redis
from sqlalchemy.ext.asyncio import AsyncSession

from forwarder.deliver import Carrier
from forwarder.hooks import Hooks
from forwarder.ingest.rows import stored_parts
from forwarder.message import AccountKind, DeleteOrder, EditOrder, FindOrder, SendOrder
from forwarder.outbox import Worker
from forwarder.outcome import Outcome
from forwarder.pace import Limits, Pace, Window
from forwarder.seam import Finder, Sender
from forwarder.services.dedup import DeduplicationService
from forwarder.services.mappings import pause_by_program
from forwarder.services.migration import move
from forwarder.services.places import Places
from forwarder.services.queue import Bell, QueueManager
from tests.builders import House

LOCKED = "select 1 from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'"
WIDE = Limits(account=(Window(10_000, 1.0),), chat=(Window(10_000, 1.0),), edits=(Window(10_000, 1.0),))


@dataclass
class Chat:
    """What arrived in the destinations: Telegram's memory, with its permanent memory of random ids."""

    arrived: list[tuple[int, int, int]] = field(default_factory=list)  # destination, source message, copy
    random_ids: dict[tuple[int, int], int] = field(default_factory=dict)

    def take(self, order: SendOrder, *, remembers: bool) -> tuple[int | None, ...]:
        ids: list[int] = []
        for index, message_id in enumerate(order.message_ids):
            key = (order.destination, order.random_ids[index] if order.random_ids else 0)
            if remembers and key in self.random_ids:
                ids.append(self.random_ids[key])
                continue
            copy = 500 + len(self.arrived)
            self.arrived.append((order.destination, message_id, copy))
            self.random_ids[key] = copy
            ids.append(copy)
        return tuple(ids)

    def posts(self, destination: int) -> list[int]:
        return [message for chat, message, _ in self.arrived if chat == destination]

    @property
    def doubled(self) -> list[tuple[int, int]]:
        counted = Counter((chat, message) for chat, message, _ in self.arrived)
        return [key for key, count in counted.items() if count > 1]


Answer = Exception | Callable[[SendOrder], Awaitable[None]] | None


@dataclass
class ScriptedSender:
    """Executes orders in a Chat; ``before`` and ``after`` are what happens instead of, or after, executing."""

    chat: Chat
    kind: AccountKind
    account_id: int
    before: deque[Answer] = field(default_factory=deque)
    after: deque[Answer] = field(default_factory=deque)
    orders: list[SendOrder] = field(default_factory=list)
    edits: list[EditOrder] = field(default_factory=list)
    deletions: list[DeleteOrder] = field(default_factory=list)
    fix_answers: deque[Exception | Callable[[], Awaitable[None]]] = field(default_factory=deque)

    async def send(self, order: SendOrder) -> tuple[int | None, ...]:
        self.orders.append(order)
        await play(self.before, order)
        ids = self.chat.take(order, remembers=self.kind is AccountKind.USER)
        await play(self.after, order)
        return ids

    async def edit(self, order: EditOrder) -> None:
        self.edits.append(order)
        await self._fix()

    async def delete(self, order: DeleteOrder) -> None:
        self.deletions.append(order)
        await self._fix()

    async def _fix(self) -> None:
        if self.fix_answers:
            answer = self.fix_answers.popleft()
            if isinstance(answer, Exception):
                raise answer
            await answer()


async def play(script: deque[Answer], order: SendOrder) -> None:
    answer = script.popleft() if script else None
    if isinstance(answer, Exception):
        raise answer
    if answer is not None:
        await answer(order)


@dataclass
class ScriptedFinder:
    """Looks into the Chat as a reader would, unless it has an error to raise."""

    chat: Chat
    error: Exception | None = None
    asked: list[FindOrder] = field(default_factory=list)

    async def find(self, order: FindOrder) -> tuple[int, ...] | None:
        self.asked.append(order)
        if self.error is not None:
            raise self.error
        copies = {
            message: copy
            for chat, message, copy in self.chat.arrived
            if chat == order.destination and copy > order.after_id and copy not in order.known_ids
        }
        if all(message in copies for message in order.message_ids):
            return tuple(copies[message] for message in order.message_ids)
        return None


@dataclass
class Street:
    """Workers side by side: each has a process's worth of its own, all share the Chat, the rows and Redis."""

    house: House
    redis: Redis
    chat: Chat = field(default_factory=Chat)
    limits: Limits = WIDE
    bells: list[Bell] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.pace = Pace(self.redis, bot=self.limits, user=self.limits)
        self.places = Places(DeduplicationService(), stored_parts)
        self.queue = QueueManager(self.house.db, self.redis, self.bells.extend, self.places)

    def sender(self, kind: AccountKind) -> ScriptedSender:
        return ScriptedSender(self.chat, kind, self.house.account(kind))

    def carrier(
        self,
        sender: Sender,
        *,
        holder: str = "w1",
        finder: Finder | None = None,
        concurrency: int = 10,
    ) -> Carrier:
        hooks = Hooks(
            pause_mapping=pause_by_program,
            migrate=migrate,
            feed_own=self.house.ingest.feed_own,
            ring=self.queue.ring,
            clear_bell=self.queue.clear_bell,
            bell_again=self.queue.bell_again,
            leave_mark=self.queue.leave_mark,
        )
        worker = Worker(holder, sender.kind, sender.account_id)
        return Carrier(
            self.house.db, self.pace, worker, sender, hooks, finder=finder, concurrency=concurrency
        )

    async def due_now(self) -> None:
        """Let every wait that a row has be over."""
        await self.house.run(
            "update deliveries set not_before = clock_timestamp() where not_before is not null"
        )

    async def lease_runs_out(self) -> None:
        await self.house.run(
            "update lanes set lease_until = clock_timestamp() - interval '1 second' where holder is not null"
        )

    async def called_long_ago(self, seconds: float = 40) -> None:
        await self.house.run(
            "update deliveries set claimed_at = claimed_at - make_interval(secs => :seconds)"
            " where claimed_at is not null",
            seconds=seconds,
        )


async def migrate(session: AsyncSession, old: int, new: int) -> None:
    await move(session, old, new)


@asynccontextmanager
async def killed_in_the_middle(
    street: Street, carrier: Carrier, sender: ScriptedSender, mapping: int, *, executed: bool
) -> AsyncIterator[None]:
    """Cancel the carrier while its call is under way, as a kill does; then its lease runs out."""
    under_way = asyncio.Event()

    async def hang(_: SendOrder) -> None:
        under_way.set()
        await asyncio.Event().wait()

    (sender.after if executed else sender.before).append(hang)
    task = asyncio.create_task(carrier.carry(mapping))
    async with asyncio.timeout(10):
        await under_way.wait()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    await street.lease_runs_out()
    yield


def words(outcomes: Sequence[Outcome]) -> list[str]:
    return [str(outcome) for outcome in outcomes]


async def wait_for_lock(house: House, sessions: int = 1) -> None:
    """Until so many other sessions of this database wait for a lock."""
    async with asyncio.timeout(10):
        while len(await house.run(LOCKED)) < sessions:  # noqa: ASYNC110 - the condition is in the database
            await asyncio.sleep(0.02)
