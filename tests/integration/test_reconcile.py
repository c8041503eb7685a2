"""What pushes miss is found: by the top of each source, by its holes, and by reading again."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import pytest

from forwarder import reconcile
from forwarder.errors import AccountNotReady, NotUnderstood, OutcomeUnknown, TelegramError
from forwarder.message import AccountKind, Deleted, Edited, Fetched, News, SourceMessage, Unreadable
from forwarder.reconcile import Reconciler
from tests.builders import NEWS, OTHER, House, post


@dataclass
class Shelf:
    """A Reader over messages in memory, the same in every chat."""

    account_id: int
    messages: dict[int, SourceMessage] = field(default_factory=dict)
    asked: list[tuple[int, ...]] = field(default_factory=list)
    elsewhere: set[int] = field(default_factory=set)
    looked: int = 0
    chats_looked_at: tuple[int, ...] = ()
    refused: dict[int, TelegramError] = field(default_factory=dict)
    unreadable: dict[int, bytes] = field(default_factory=dict)

    def put(self, *messages: SourceMessage) -> None:
        self.messages |= {message.message_id: message for message in messages}

    async def tops(self, chat_ids: Sequence[int]) -> dict[int, int]:
        self.looked += 1
        self.chats_looked_at = tuple(chat_ids)
        return dict.fromkeys(chat_ids, max(self.messages, default=0))

    async def fetch(self, chat_id: int, message_ids: Sequence[int]) -> Fetched:
        self.asked.append(tuple(message_ids))
        if chat_id in self.refused:
            raise self.refused[chat_id]
        found = tuple(replace(self.messages[i], chat_id=chat_id) for i in message_ids if i in self.messages)
        odd = tuple(Unreadable(i, self.unreadable[i]) for i in message_ids if i in self.unreadable)
        missing = [i for i in message_ids if i not in self.messages and i not in self.unreadable]
        elsewhere = tuple(i for i in missing if i in self.elsewhere)
        return Fetched(found, tuple(i for i in missing if i not in self.elsewhere), elsewhere, odd)


@dataclass
class Listening:
    """A reconciler for the user account of a house, and all that it handed on."""

    core: House
    shelf: Shelf
    news: list[News] = field(default_factory=list)
    kept: list[tuple[bytes, str]] = field(default_factory=list)

    async def store(self, news: Sequence[News]) -> None:
        await self.core.hear(*news)
        self.news += news

    async def quarantine(self, raw: bytes, error: Exception) -> None:
        self.kept.append((raw, str(error)))

    @property
    def posts(self) -> list[SourceMessage]:
        return [item for item in self.news if isinstance(item, SourceMessage)]

    def reconciler(self) -> Reconciler:
        return Reconciler(self.core.db, self.shelf, self.core.user, self.store, self.quarantine)


async def listening(core: House, start_after: int = 0) -> tuple[Listening, int]:
    mapping = await core.mapping(start_after=start_after)
    return Listening(core, Shelf(core.user)), mapping


async def test_only_what_lies_above_the_mark_is_fetched(core: House) -> None:
    here, mapping = await listening(core, start_after=3)
    here.shelf.put(*(post(number) for number in range(1, 7)))
    await core.hear(post(4))

    assert await here.reconciler().compare() == {NEWS: 2}
    assert here.shelf.asked == [(5, 6)]
    assert await core.states(mapping) == [(4, "queued"), (5, "queued"), (6, "queued")]

    here.shelf.asked.clear()
    assert await here.reconciler().compare() == {}
    assert here.shelf.asked == []


async def test_a_young_empty_id_is_asked_again_before_it_counts_as_empty(
    core: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    here, mapping = await listening(core)
    here.shelf.put(post(1), post(3))
    reconciler = here.reconciler()
    await reconciler.compare()
    assert await core.states(mapping) == [(1, "queued")], "3 waits for 2"

    here.shelf.put(post(2))  # it was only late
    await reconciler.compare()
    assert await core.states(mapping) == [(1, "queued"), (2, "queued"), (3, "queued")]

    here.shelf.put(post(5))  # 4 stays empty
    await reconciler.compare()
    assert len(await core.deliveries(mapping)) == 3
    monkeypatch.setattr(reconcile, "YOUNG", 0.0)
    await reconciler.compare()
    assert (await core.states(mapping))[-1] == (5, "queued")


async def test_edits_and_deletions_that_nobody_heard_are_found(core: House) -> None:
    here, mapping = await listening(core)
    await core.hear(post(1), post(2), post(3))
    await core.set_state(mapping, "sent")
    stamp = post(2).date
    here.shelf.put(post(1), post(2, "in other words", edit_date=stamp))

    await here.reconciler().read_again()

    assert await core.states(mapping, "edit") == [(2, "queued")]
    assert await core.states(mapping, "delete") == [(3, "queued")]
    assert [type(item) for item in here.news] == [Edited, Edited, Deleted]


async def test_what_was_read_does_not_undo_a_younger_edit_that_was_pushed(core: House) -> None:
    here, mapping = await listening(core)
    old = post(1, "first words")
    here.shelf.put(old)
    await core.hear(old)
    await core.set_state(mapping, "sent")
    await core.hear(Edited(post(1, "second words", edit_date=old.date)))

    await here.reconciler().read_again()

    assert [row["text"] for row in await core.run("select text from messages")] == ["second words"]


async def test_sources_that_the_account_cannot_read_are_left_alone(core: House) -> None:
    here, _ = await listening(core)
    await core.run("update channel_access set may_read = false where account_id = :user", user=core.user)
    here.shelf.put(post(1))
    assert await here.reconciler().compare() == {}
    await core.hear(post(1), by=AccountKind.BOT)
    await here.reconciler().read_again()
    assert here.shelf.asked == []


async def test_an_id_that_another_chat_has_is_proven_at_once(core: House) -> None:
    here, mapping = await listening(core)
    here.shelf.put(post(1), post(4))
    here.shelf.elsewhere = {2, 3}
    await here.reconciler().compare()
    assert await core.states(mapping) == [(1, "queued"), (4, "queued")]


async def test_the_timer_reads_fresh_messages_again_and_leaves_old_ones(core: House) -> None:
    here, mapping = await listening(core)
    await core.hear(post(1), post(2))
    await core.set_state(mapping, "sent")
    await core.run("update messages set heard_at = heard_at - interval '1 hour' where message_id = 1")
    await here.reconciler().read_again(reconcile.STILL_FRESH_HOURS)
    assert here.shelf.asked == [(2,)]
    await here.reconciler().read_again()
    assert here.shelf.asked == [(2,), (1,)], "2 was found deleted, and 1 is not too old for a reconnect"


async def test_what_waits_to_be_sent_is_read_again_however_old_it_is(core: House) -> None:
    here, mapping = await listening(core)
    await core.hear(post(1), post(2), post(3))
    await core.run("update messages set heard_at = heard_at - interval '3 hours'")
    await core.run("update deliveries set state = 'sent', done_at = now() where position = 1")
    here.shelf.put(post(2, "in other words", edit_date=post(2).date))
    await here.reconciler().read_again(reconcile.STILL_FRESH_HOURS)
    assert here.shelf.asked == [(2, 3)]
    assert await core.states(mapping) == [(1, "sent"), (2, "queued"), (3, "withdrawn")]
    texts = await core.run("select text from messages where message_id = 2")
    assert [row["text"] for row in texts] == ["in other words"]


async def test_a_source_that_cannot_be_read_again_keeps_nobody_waiting(core: House) -> None:
    here, mapping = await listening(core)
    await core.mapping(OTHER)
    await core.hear(post(1), post(1, chat=OTHER))
    here.shelf.refused[OTHER] = TelegramError("CHANNEL_PRIVATE")
    await here.reconciler().read_again()
    assert await core.states(mapping) == [(1, "withdrawn")]


async def test_of_a_long_queue_only_the_head_is_read_again(
    core: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reconcile, "WAITING", 2)
    here, _ = await listening(core)
    here.shelf.put(post(1), post(2))
    await core.hear(post(1), post(2), post(3))
    await core.run("update messages set heard_at = heard_at - interval '3 hours'")
    await here.reconciler().read_again(reconcile.STILL_FRESH_HOURS)
    assert here.shelf.asked == [(1, 2)]


async def test_a_deletion_that_was_withheld_is_found_on_the_timer(
    core: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    here, mapping = await listening(core)
    here.shelf.put(post(1))
    await core.hear(post(1))
    await core.set_state(mapping, "sent")
    monkeypatch.setattr(reconcile, "EVERY", 0.05)
    running = asyncio.create_task(here.reconciler().run())
    try:
        async with asyncio.timeout(10):
            await poll(lambda: len(here.shelf.asked) >= 2)  # once for the start, once by the timer
            del here.shelf.messages[1]
            await poll(lambda: any(isinstance(item, Deleted) for item in here.news))
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
    assert await core.states(mapping, "delete") == [(1, "queued")]


async def test_a_source_whose_posts_are_not_pushed_is_looked_at_more_often(
    core: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    here, mapping = await listening(core)
    monkeypatch.setattr(reconcile, "EVERY", 0.05)
    monkeypatch.setattr(reconcile, "POLL_EVERY", 0.05)
    reconciler = here.reconciler()
    running = asyncio.create_task(reconciler.run())
    try:
        async with asyncio.timeout(10):
            await poll(lambda: here.shelf.looked > 1)
            here.shelf.put(post(1))
            await poll(lambda: len(here.posts) == 1)
            monkeypatch.setattr(reconcile, "EVERY", 3600.0)
            here.shelf.put(post(2))
            await poll(lambda: len(here.posts) == 2)
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
    assert await core.states(mapping) == [(1, "queued"), (2, "queued")]


async def test_a_source_that_is_pushed_in_time_is_looked_at_on_the_timer_only(
    core: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    here, _ = await listening(core)
    monkeypatch.setattr(reconcile, "POLL_EVERY", 0.01)
    reconciler = here.reconciler()
    here.shelf.put(post(1))
    reconciler.was_away()
    running = asyncio.create_task(reconciler.run())
    try:
        async with asyncio.timeout(10):
            await poll(lambda: len(here.posts) == 1)  # missed before the start: nobody was late
            here.shelf.put(post(2))
            await core.hear(post(2))
            reconciler.fill(NEWS, [2])
            await poll(lambda: here.shelf.asked[-1:] == [(2,)])
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
    assert here.shelf.looked == 1


async def test_no_more_than_ten_sources_are_polled(core: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reconcile, "EVERY", 0.05)
    monkeypatch.setattr(reconcile, "POLL_EVERY", 0.05)
    here = Listening(core, Shelf(core.user))
    for number in range(12):
        await core.mapping(-5000 - number)
    running = asyncio.create_task(here.reconciler().run())
    try:
        async with asyncio.timeout(20):
            await poll(lambda: here.shelf.looked > 1)
            here.shelf.put(post(1))
            await poll(lambda: len(here.posts) >= 12)
            monkeypatch.setattr(reconcile, "EVERY", 3600.0)
            await poll(lambda: len(here.shelf.chats_looked_at) < 12)
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
    assert len(here.shelf.chats_looked_at) == 10


@pytest.mark.parametrize(
    ("error", "others"),
    [
        (TelegramError("CHANNEL_PRIVATE"), 1),
        (OutcomeUnknown("TIMEOUT"), 1),
        (TelegramError("FLOOD_WAIT_X", seconds=9), 0),
    ],
)
async def test_a_source_that_cannot_be_read_keeps_the_others_waiting_only_for_a_flood_wait(
    core: House, error: TelegramError, others: int
) -> None:
    here, _ = await listening(core)
    second = await core.mapping(OTHER)
    here.shelf.put(post(1))
    here.shelf.refused[NEWS] = error
    with pytest.raises(type(error)):
        await here.reconciler().compare()
    assert len(await core.states(second)) == others


async def poll(condition: Callable[[], bool]) -> None:
    while not condition():  # noqa: ASYNC110 - the caller has a deadline
        await asyncio.sleep(0.01)


async def test_a_message_that_cannot_be_read_is_kept_raw_once_and_holds_up_nobody(core: House) -> None:
    here, mapping = await listening(core)
    here.shelf.put(post(1), post(4))
    here.shelf.unreadable = {2: b"\x01\x02", 3: b""}
    reconciler = here.reconciler()
    await reconciler.compare()
    await reconciler.compare()
    assert await core.states(mapping) == [(1, "queued"), (4, "queued")]
    assert [raw for raw, _ in here.kept] == [
        b"\x01\x02",
        str(NotUnderstood(NEWS, 3)).encode(),
    ]


async def test_a_long_span_of_a_basic_group_is_asked_for_in_few_questions(core: House) -> None:
    group = -77
    await core.mapping(group, start_after=0)
    here = Listening(core, Shelf(core.user))
    here.shelf.put(post(15_000, chat=group))
    here.shelf.elsewhere = set(range(1, 15_000))
    await here.reconciler().compare()
    assert [len(ids) for ids in here.shelf.asked] == [10_000, 5_000]


async def test_after_a_start_and_each_reconnect_it_is_said_that_all_was_compared(core: House) -> None:
    here, _ = await listening(core)
    here.shelf.put(post(1))
    caught_up: list[int] = []

    async def on_caught_up() -> None:
        caught_up.append(len(here.posts))

    reconciler = here.reconciler()
    reconciler.on_caught_up = on_caught_up
    reconciler.was_away()
    running = asyncio.create_task(reconciler.run())
    try:
        async with asyncio.timeout(10):
            await poll(lambda: caught_up == [1])
            here.shelf.put(post(2))
            reconciler.look_at_all()
            await poll(lambda: len(here.posts) == 2)
            reconciler.was_away()
            await poll(lambda: len(caught_up) == 2)
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
    assert caught_up == [1, 2], "what was missed is stored by then"


@pytest.mark.parametrize("name", ["AUTH_KEY_UNREGISTERED", "SESSION_REVOKED", "USER_DEACTIVATED"])
async def test_a_login_that_has_ended_ends_the_work_at_the_first_refusal(core: House, name: str) -> None:
    here, _ = await listening(core)
    here.shelf.put(post(1))
    here.shelf.refused[NEWS] = TelegramError(name, code=401)
    reconciler = here.reconciler()
    reconciler.look_at_all()
    with pytest.raises(AccountNotReady, match=name):
        await asyncio.wait_for(reconciler.run(), 5)
    assert len(here.shelf.asked) == 1
