"""What a bot was not there to hear is fetched by who can read it, before the bot polls again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import pytest

from forwarder import missed
from forwarder.errors import NobodyAnswers, TelegramError
from forwarder.message import AccountKind, DeleteOrder, Fetched, News, SourceMessage, Unreadable
from forwarder.missed import MissedPosts
from tests.builders import NEWS, OTHER, House, post

BOT = AccountKind.BOT


@dataclass
class Shelf:
    """Somebody who reads chats; ``may_ask_tops`` as a user may and a bot may not."""

    may_ask_tops: bool = True
    messages: dict[int, list[SourceMessage]] = field(default_factory=dict)
    closed: dict[int, TelegramError] = field(default_factory=dict)
    nobody: int = 0
    asked: list[int] = field(default_factory=list)
    odd: set[int] = field(default_factory=set)
    kept: list[tuple[bytes, str]] = field(default_factory=list)

    def put(self, *messages: SourceMessage) -> None:
        for message in messages:
            self.messages.setdefault(message.chat_id, []).append(message)

    async def tops(self, chat_ids: Sequence[int]) -> dict[int, int]:
        if self.nobody:
            self.nobody -= 1
            raise NobodyAnswers("Nobody answers.")
        readable = [chat for chat in chat_ids if chat in self.messages] if self.may_ask_tops else []
        return {chat: max(m.message_id for m in self.messages[chat]) for chat in readable}

    async def fetch(self, chat_id: int, message_ids: Sequence[int]) -> Fetched:
        self.asked.append(chat_id)
        if chat_id in self.closed:
            raise self.closed[chat_id]
        return Fetched(
            tuple(m for m in self.messages.get(chat_id, ()) if m.message_id in message_ids),
            unreadable=tuple(Unreadable(i, b"raw") for i in message_ids if i in self.odd),
        )

    async def quarantine(self, raw: bytes, error: Exception) -> None:
        self.kept.append((raw, str(error)))

    async def delete(self, order: DeleteOrder) -> None:
        raise AssertionError(f"nothing is to be deleted: {order}")


async def quiet(core: House, *, chat: int = NEWS, hours: int = 30) -> int:
    """A mapping of a source that only the bot hears, and that it has not heard for so long."""
    mapping = await core.mapping(chat, listener=BOT, by=BOT, after_outage="send")
    await core.run("update marks set checked_at = clock_timestamp() - make_interval(hours => :h)", h=hours)
    return mapping


def missed_posts(core: House, shelf: Shelf) -> MissedPosts:
    async def store(news: Sequence[News]) -> None:
        await core.hear(*news, by=BOT)

    return MissedPosts(core.db, shelf, core.bot, store, shelf.quarantine)


@pytest.mark.parametrize("may_ask_tops", [True, False], ids=["by a user", "by the bot's second login"])
async def test_posts_that_telegram_no_longer_keeps_for_the_bot_arrive_in_order(
    core: House, may_ask_tops: bool
) -> None:
    mapping = await quiet(core)
    shelf = Shelf(may_ask_tops)
    old = [post(number) for number in (1, 2, 150, 390)]
    shelf.put(*(replace(m, date=m.date.replace(year=m.date.year - 1)) for m in old))
    assert await missed_posts(core, shelf).fetch() == 4
    await core.hear(post(391), by=BOT)
    assert await core.states(mapping) == [(number, "queued") for number in (1, 2, 150, 390, 391)]


async def test_a_source_that_was_heard_lately_is_not_asked_about(core: House) -> None:
    await quiet(core, hours=10)
    shelf = Shelf()
    shelf.put(post(1))
    assert await missed_posts(core, shelf).fetch() == 0
    assert shelf.asked == []


async def test_a_source_that_was_only_quiet_is_asked_about_once(core: House) -> None:
    await quiet(core)
    shelf = Shelf(may_ask_tops=False)
    await missed_posts(core, shelf).fetch()
    await missed_posts(core, shelf).fetch()
    assert shelf.asked == [NEWS]


async def test_a_source_that_the_user_account_hears_is_left_to_it(core: House) -> None:
    await core.mapping()
    await core.run("update marks set checked_at = clock_timestamp() - interval '30 hours'")
    shelf = Shelf()
    shelf.put(post(1))
    assert await missed_posts(core, shelf).fetch() == 0


async def test_one_source_that_cannot_be_read_does_not_keep_the_others_back(core: House) -> None:
    await quiet(core)
    mapping = await quiet(core, chat=OTHER)
    shelf = Shelf(closed={NEWS: TelegramError("CHANNEL_PRIVATE", code=400)})
    shelf.put(post(1), post(1, chat=OTHER))
    assert await missed_posts(core, shelf).fetch() == 1
    assert await core.states(mapping) == [(1, "queued")]


@pytest.mark.parametrize(("patience", "found"), [(30.0, 1), (0.0, 0)])
async def test_who_reads_may_come_a_little_later_than_the_bot(
    core: House, monkeypatch: pytest.MonkeyPatch, patience: float, found: int
) -> None:
    await quiet(core)
    monkeypatch.setattr(missed, "TRY_AGAIN", 0.01)
    monkeypatch.setattr(missed, "PATIENCE", patience)
    shelf = Shelf(nobody=2)
    shelf.put(post(1))
    assert await missed_posts(core, shelf).fetch() == found


async def test_a_message_that_cannot_be_read_does_not_keep_those_behind_it_back(core: House) -> None:
    mapping = await quiet(core)
    shelf = Shelf()
    shelf.put(post(1), post(3))
    shelf.odd = {2}
    assert await missed_posts(core, shelf).fetch() == 2
    assert await core.states(mapping) == [(1, "queued"), (3, "queued")]
    assert [raw for raw, _ in shelf.kept] == [b"raw"]
