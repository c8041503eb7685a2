"""Older messages over MTProto: by a user's history and by a bot's ids, the range as a person means it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from forwarder.message import Kind, Span, Wish
from forwarder.sandbox.world import Content
from forwarder.seam import Historian
from forwarder.telegram.history import BotHistory, UserHistory

from .conftest import Town


async def all_ids(history: Historian, chat: int, after: int, last: int) -> list[int]:
    found: list[int] = []
    while after < last:
        page = await history.page(chat, after)
        found += [m.message_id for m in page.messages if m.message_id <= last and m.kind is not Kind.SERVICE]
        after = page.through if page.through is not None else last
    return found


def fill(town: Town, posts: int) -> list[int]:
    """Posts with a gap in the middle; answers the ids that are left."""
    ids = [town.world.send(town.owner, town.source, f"old {number}").id for number in range(posts)]
    gone = ids[posts // 2 : posts // 2 + 3]
    town.world.delete(town.owner, town.source, gone)
    return [number for number in ids if number not in gone]


@pytest.mark.parametrize("kind", ["user", "bot"])
async def test_pages_bring_every_message_once_oldest_first(town: Town, kind: str) -> None:
    ids = fill(town, 230)
    account = town.user if kind == "user" else town.robot
    async with town.client(kind, account) as client:
        history = UserHistory(client) if kind == "user" else BotHistory(client)
        assert await all_ids(history, town.source, ids[0] - 1, ids[-1]) == ids
        assert await all_ids(history, town.source, ids[9], ids[20]) == ids[10:21]


@pytest.mark.parametrize("kind", ["user", "bot"])
async def test_the_last_so_many_and_a_start_by_date_or_id(town: Town, kind: str) -> None:
    ids = fill(town, 30)
    later = datetime.now(UTC) + timedelta(days=1)
    account = town.user if kind == "user" else town.robot
    async with town.client(kind, account) as client:
        history = UserHistory(client) if kind == "user" else BotHistory(client)
        top = ids[-1]
        assert await history.span(town.source, Wish(last=5), top) == Span(ids[-5], top, 5)
        assert (await history.span(town.source, Wish(last=3, until_id=ids[10]), top)).first == ids[8]
        assert (await history.span(town.source, Wish(last=999), top)).first <= ids[0]
        assert (await history.span(town.source, Wish(from_id=ids[3]), top)).first == ids[3]
        since_always = await history.span(town.source, Wish(since=later - timedelta(days=9)), top)
        assert (since_always.first, since_always.last) == (1, top)
        nothing = await history.span(town.source, Wish(since=later), top)
        assert nothing.last < nothing.first
        until_always = await history.span(town.source, Wish(until=later - timedelta(days=9)), top)
        assert until_always.last < until_always.first


@pytest.mark.parametrize("kind", ["user", "bot"])
async def test_albums_at_both_ends_of_a_range_are_whole(town: Town, kind: str) -> None:
    def album() -> list[int]:
        items = [Content(str(n), media=town.world.add_photo(f"{n}".encode())) for n in range(4)]
        return [message.id for message in town.world.send_album(town.owner, town.source, items)]

    first, _, second = album(), fill(town, 9), album()
    account = town.user if kind == "user" else town.robot
    async with town.client(kind, account) as client:
        history = UserHistory(client) if kind == "user" else BotHistory(client)
        span = await history.span(town.source, Wish(from_id=first[2], until_id=second[1]), second[-1])
        assert (span.first, span.last) == (first[0], second[-1])
        capped = await history.span(town.source, Wish(from_id=first[2], until_id=second[1]), second[2])
        assert capped.last == second[2]
