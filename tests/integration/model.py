"""A source and a destination with what they say, as Telegram keeps them, and calls between them that fail by chance."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import count

from forwarder.errors import OutcomeUnknown, TelegramError
from forwarder.message import (
    AccountKind,
    DeleteOrder,
    EditOrder,
    FindOrder,
    Kind,
    Remembered,
    SendOrder,
    SourceMessage,
)
from tests.builders import House

BOT, USER = AccountKind.BOT, AccountKind.USER
LIMITS = {Kind.TEXT: 4096, Kind.PHOTO: 1024}


class Mishap(StrEnum):
    WAIT = "told to wait"
    LOST = "answer lost"
    KILLED = "killed"
    REFUSED = "refused for good"
    OVERTAKEN = "lane taken by another"


BEFORE = (Mishap.WAIT, *[Mishap.LOST] * 2, *[Mishap.KILLED] * 2, Mishap.REFUSED, Mishap.OVERTAKEN)
AFTER = (*[Mishap.LOST] * 2, *[Mishap.KILLED] * 2, Mishap.OVERTAKEN)
"""What may befall a call before it is executed, and after."""

TOLD_TO_WAIT = {BOT: "Too Many Requests: retry after 5", USER: "FLOOD_WAIT"}
NO_SOURCE = {BOT: "Bad Request: message to copy not found", USER: "MESSAGE_ID_INVALID"}
NO_COPY = {BOT: "Bad Request: message to edit not found", USER: "MESSAGE_ID_INVALID"}


@dataclass
class Copy:
    """A message in the destination, and which one of the source it was made of."""

    source: int
    kind: Kind
    text: str
    medium: str | None
    button: bool = False

    def __str__(self) -> str:
        return f"{self.kind} of {self.source} that reads {short(self.text)}"


@dataclass
class World:
    """Both chats by message ids, Telegram's memory of random ids, and all that has happened.

    ``unrest`` is how likely something happens at each moment of a call: ``meanwhile``, or a mishap.
    """

    core: House
    chance: random.Random
    meanwhile: Callable[[], Awaitable[None]]
    unrest: float = 0.25
    source: dict[int, SourceMessage] = field(default_factory=dict)
    copies: dict[int, Copy] = field(default_factory=dict)
    sent_under: dict[int, int] = field(default_factory=dict)
    ids: Iterator[int] = field(default_factory=lambda: count(500))
    log: list[str] = field(default_factory=list)
    impossible: list[str] = field(default_factory=list)
    """What Telegram would not have taken: said at the end, as an error here would count as one of the call's."""

    def note(self, *what: object) -> None:
        self.log.append(" ".join(map(str, what)))

    async def passes(self, by: AccountKind, mishaps: tuple[Mishap, ...]) -> None:
        """A moment of a call, in which the call may end."""
        if self.chance.random() < self.unrest:
            await self.meanwhile()
        if self.chance.random() >= self.unrest:
            return
        mishap = self.chance.choice(mishaps)
        self.note("  before:" if mishaps is not AFTER else "  after:", mishap)
        match mishap:
            case Mishap.WAIT:
                raise TelegramError(TOLD_TO_WAIT[by], code=429 if by is BOT else 420, seconds=5)
            case Mishap.REFUSED:
                raise TelegramError("Bad Request: something new", code=400)
            case Mishap.LOST:
                raise OutcomeUnknown("TIMEOUT")
            case Mishap.KILLED:
                raise asyncio.CancelledError
            case Mishap.OVERTAKEN:
                await self.core.run(
                    "update lanes set holder = 'another', fence = fence + 1,"
                    " lease_until = clock_timestamp() - interval '1 second' where holder is not null"
                )

    def put(self, copy: Copy) -> int:
        self.check(copy.kind, copy.text)
        number = next(self.ids)
        self.copies[number] = copy
        return number

    def check(self, kind: Kind, text: str) -> None:
        if len(text) > LIMITS[kind] or (kind is Kind.TEXT and not text):
            self.impossible.append(f"a {kind} of {len(text)} characters")


@dataclass
class ModelSender:
    """The :class:`~forwarder.seam.Sender` of an account in a World."""

    world: World
    kind: AccountKind
    account_id: int

    async def send(self, order: SendOrder) -> tuple[int | None, ...]:
        world = self.world
        repeated = self.kind is USER and any(number in world.sent_under for number in order.random_ids)
        # What Telegram has executed it does not refuse when it is asked again.
        possible = tuple(one for one in BEFORE if not (repeated and one is Mishap.REFUSED))
        await world.passes(self.kind, possible)
        self._look_at_source(order)
        pairs = zip(order.message_ids, order.random_ids, strict=True)
        ids = tuple(self._sent(order, message, number) for message, number in pairs)
        world.note(f"  {self.kind} sends {order.message_ids} as {ids}, by", changed(order))
        await world.passes(self.kind, AFTER)
        return ids

    def _look_at_source(self, order: SendOrder) -> None:
        """A text that rules have changed needs no source, and the account passes over what is gone from it."""
        if order.rewrite is None and self.kind is USER:
            return
        if order.rewrite is not None and all(part.kind is Kind.TEXT for part in order.rewrite.parts):
            return
        if any(message not in self.world.source for message in order.message_ids):
            raise TelegramError(NO_SOURCE[self.kind], code=400)

    def _sent(self, order: SendOrder, message: int, number: int) -> int | None:
        """The Bot API has no key against doubling; what was sent by a bot the account does not know."""
        world = self.world
        if self.kind is USER and number in world.sent_under:
            return world.sent_under[number]
        copy = self._copy(order, message)
        if copy is None:
            return None
        sent = world.put(copy)
        if self.kind is USER:
            world.sent_under[number] = sent
        return sent

    def _copy(self, order: SendOrder, message: int) -> Copy | None:
        heard = self.world.source.get(message)
        if order.rewrite is None:
            return Copy(message, heard.kind, heard.text, heard.media_id) if heard is not None else None
        button = order.rewrite.button is not None
        part = next(part for part in order.rewrite.parts if part.message_id == message)
        if part.kind is Kind.TEXT:
            return Copy(message, Kind.TEXT, part.text, None, button)
        assert heard is not None, "looked at before"
        text = "" if order.rewrite.captions_follow else part.text
        if self.kind is BOT and len(order.rewrite.parts) == 1 and not part.changed:
            # Copied by the server, with the caption that the source has now.
            text = heard.text
        return Copy(message, part.kind, text, heard.media_id, button)

    async def edit(self, order: EditOrder) -> None:
        world = self.world
        await world.passes(self.kind, BEFORE)
        copy = world.copies.get(order.message_id)
        if copy is None:
            world.note("  edit of", order.message_id, "which is gone")
            raise TelegramError(NO_COPY[self.kind], code=400)
        if (order.kind is Kind.TEXT) is not (copy.kind is Kind.TEXT):
            world.impossible.append(f"an edit of {order.message_id} as a {order.kind}")
        world.check(copy.kind, order.text)
        world.note(f"  {self.kind} edits {order.message_id}:", short(order.text))
        copy.text = order.text
        if self.kind is BOT:
            copy.button = order.button is not None
        await world.passes(self.kind, AFTER)

    async def delete(self, order: DeleteOrder) -> None:
        world = self.world
        await world.passes(self.kind, BEFORE)
        for number in order.message_ids:
            world.copies.pop(number, None)
        world.note(f"  {self.kind} deletes {order.message_ids}")
        await world.passes(self.kind, AFTER)


@dataclass
class ModelFinder:
    """The :class:`~forwarder.seam.Finder` that sees all of a World's destination."""

    world: World

    async def find(self, order: FindOrder) -> tuple[int, ...] | None:
        fresh = [n for n in sorted(self.world.copies) if n > order.after_id and n not in order.known_ids]
        found: list[int] = []
        for wanted in order.remembered:
            found += [n for n in fresh if n not in found and self._is(self.world.copies[n], wanted)][:1]
        self.world.note("  looked for", order.message_ids, "and found", found)
        if found and len(found) < len(order.message_ids):
            raise OutcomeUnknown("PARTIAL_ALBUM")
        return tuple(found) or None

    def _is(self, copy: Copy, wanted: Remembered) -> bool:
        medium = None if wanted.kind is Kind.TEXT else wanted.media_id
        return (copy.kind, copy.medium) == (wanted.kind, medium) and copy.text in wanted.texts


def changed(order: SendOrder) -> str:
    """Who made what a call carried."""
    if order.rewrite is None:
        return "the server"
    return " | ".join(short(part.text) for part in order.rewrite.parts)


def short(text: str) -> str:
    return repr(text) if len(text) < 30 else f"{text[:12]!r}..{text[-8:]!r} ({len(text)})"
