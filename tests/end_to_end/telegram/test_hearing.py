"""Posts are heard over both APIs, stored before they are confirmed, and read again by id."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import pytest
import telegram
from telethon.tl import functions

from forwarder.errors import AccountNotReady, TelegramError
from forwarder.message import Deleted, Edited, Heard, Kind, News, SourceMessage
from forwarder.sandbox.faults import FaultRule
from forwarder.sandbox.world import Content, Edit, Poll
from forwarder.telegram.bot_updates import BotPoller
from forwarder.telegram.listener import Listener
from forwarder.telegram.peers import Peers
from forwarder.telegram.reader import MtprotoReader

from .conftest import Town

Wait = Callable[[Callable[[], bool]], Awaitable[None]]


@dataclass
class Heap:
    """Where everything that is heard ends up."""

    news: list[News] = field(default_factory=list)
    fed: list[telegram.Update] = field(default_factory=list)
    broken: list[tuple[bytes, Exception]] = field(default_factory=list)
    troubles: list[str] = field(default_factory=list)
    flags: list[dict[int, bool]] = field(default_factory=list)
    connections: int = 0
    failing: int = 0

    async def store(self, news: Sequence[News]) -> None:
        if self.failing:
            self.failing -= 1
            raise RuntimeError("the database is away")
        self.news.extend(news)

    async def feed(self, update: telegram.Update) -> None:
        self.fed.append(update)

    async def keep_broken(self, raw: bytes, error: Exception) -> None:
        self.broken.append((raw, error))

    async def tell(self, sentence: str) -> None:
        self.troubles.append(sentence)

    async def note_protection(self, flags: Mapping[int, bool]) -> None:
        self.flags.append(dict(flags))

    async def reconnected(self) -> None:
        self.connections += 1

    @property
    def posts(self) -> list[SourceMessage]:
        return [item for item in self.news if isinstance(item, SourceMessage)]

    def texts(self) -> list[str]:
        return [post.text for post in self.posts]


@asynccontextmanager
async def polling(town: Town, heap: Heap, token: str | None = None) -> AsyncIterator[asyncio.Task[None]]:
    async with town.bot(token) as bot:
        poller = BotPoller(bot, heap.store, heap.feed, heap.keep_broken, on_trouble=heap.tell)
        task = asyncio.create_task(poller.run())
        try:
            yield task
        finally:
            poller.stop()
            await asyncio.wait_for(asyncio.gather(task, return_exceptions=True), 3)


@asynccontextmanager
async def listening(town: Town, heap: Heap, name: str = "listener") -> AsyncIterator[asyncio.Task[None]]:
    async with town.client(name, town.user, listens=True) as client:
        listener = Listener(client, heap.store, heap.reconnected, heap.keep_broken, heap.note_protection)
        task = asyncio.create_task(listener.run())
        try:
            yield task
        finally:
            listener.stop()
            await asyncio.wait_for(asyncio.gather(task, return_exceptions=True), 10)


async def test_the_bot_hears_posts_and_edits_in_order(town: Town, wait_until: Wait) -> None:
    heap = Heap()
    async with polling(town, heap):
        first = town.post("one")
        town.post(Content("two", media=town.world.add_photo(b"picture")))
        town.world.edit(town.owner, town.source, first, Edit("one, corrected"))
        await wait_until(lambda: len(heap.news) == 3)
    assert [(post.text, post.kind, post.heard) for post in heap.posts] == [
        ("one", Kind.TEXT, Heard.BOT),
        ("two", Kind.PHOTO, Heard.BOT),
    ]
    edited = heap.news[2]
    assert isinstance(edited, Edited)
    assert edited.message.text == "one, corrected"


async def test_posts_that_were_not_stored_are_heard_again_by_the_next_process(
    town: Town, wait_until: Wait
) -> None:
    dying, next_one = Heap(failing=1000), Heap()
    async with polling(town, dying):
        town.post("one")
        await wait_until(lambda: dying.failing < 1000)
    async with polling(town, next_one):
        await wait_until(lambda: next_one.texts() == ["one"])


async def test_posts_that_were_stored_are_confirmed_when_the_poller_stops(
    town: Town, wait_until: Wait
) -> None:
    heap, next_one = Heap(), Heap()
    async with polling(town, heap):
        town.post("one")
        await wait_until(lambda: heap.texts() == ["one"])
    async with polling(town, next_one):
        town.post("two")
        await wait_until(lambda: bool(next_one.news))
    assert next_one.texts() == ["two"]


async def test_a_store_that_fails_is_asked_again_until_it_succeeds(town: Town, wait_until: Wait) -> None:
    heap = Heap(failing=1)
    async with polling(town, heap):
        town.post("one")
        await wait_until(lambda: heap.texts() == ["one"])


async def test_what_is_said_to_the_bot_in_private_is_fed_and_not_stored(town: Town, wait_until: Wait) -> None:
    heap = Heap()
    async with polling(town, heap):
        town.world.send(town.owner, town.robot, "/start")
        await wait_until(lambda: any(update.message is not None for update in heap.fed))
    assert heap.news == []


async def test_a_feed_that_fails_holds_up_nobody(town: Town, wait_until: Wait) -> None:
    heap = Heap()

    async def fail(update: telegram.Update) -> None:
        raise RuntimeError("a screen is broken")

    heap.feed = fail  # type: ignore[method-assign]
    async with polling(town, heap):
        town.world.send(town.owner, town.robot, "/start")
        town.post("one")
        await wait_until(lambda: heap.texts() == ["one"] and bool(heap.broken))


async def test_an_update_that_cannot_be_read_is_kept_raw_and_holds_up_nobody(
    town: Town, wait_until: Wait, monkeypatch: pytest.MonkeyPatch
) -> None:
    heap, real = Heap(), telegram.Update.de_json

    def brittle(data: dict[str, object], bot: telegram.Bot | None = None) -> telegram.Update:
        if "unreadable" in str(data):
            raise KeyError("a field of tomorrow")
        return real(data, bot)

    monkeypatch.setattr(telegram.Update, "de_json", brittle)
    async with polling(town, heap):
        town.post("unreadable")
        town.post("fine")
        await wait_until(lambda: heap.texts() == ["fine"])
    assert b"unreadable" in heap.broken[0][0]


async def test_a_second_program_with_the_token_is_named_and_polling_goes_on(
    town: Town, wait_until: Wait
) -> None:
    heap = Heap()
    town.fault(FaultRule("http", method="getUpdates", status=409, times=1))
    async with polling(town, heap):
        await wait_until(lambda: bool(heap.troubles))
        assert "Another program polls with this BOT_TOKEN" in heap.troubles[0]
        town.post("one")
        await wait_until(lambda: heap.texts() == ["one"])
    assert heap.troubles[1] == ""


async def test_a_webhook_is_named_and_left_alone(town: Town, wait_until: Wait) -> None:
    heap = Heap()
    async with town.bot() as bot:
        await bot.set_webhook("https://example.org/hook")
        async with polling(town, heap):
            await wait_until(lambda: bool(heap.troubles))
        assert "webhook" in heap.troubles[0]
        assert (await bot.get_webhook_info()).url == "https://example.org/hook"


async def test_a_refused_token_ends_polling_with_a_sentence(town: Town) -> None:
    async with polling(town, Heap(), token="123456789:" + "A" * 35) as task:
        with pytest.raises(AccountNotReady, match="BotFather"):
            await asyncio.wait_for(asyncio.shield(task), 5)


async def test_trouble_on_the_way_is_waited_out(town: Town, wait_until: Wait) -> None:
    heap = Heap()
    town.fault(FaultRule("http", method="getUpdates", status=502, times=1))
    async with polling(town, heap):
        town.post("one")
        await wait_until(lambda: heap.texts() == ["one"])


async def test_the_listener_hears_posts_edits_and_deletions(town: Town, wait_until: Wait) -> None:
    heap = Heap()
    async with listening(town, heap):
        await wait_until(lambda: heap.connections == 1)
        first = town.post("one")
        town.world.edit(town.owner, town.source, first, Edit("one, corrected"))
        town.world.delete(town.owner, town.source, [first])
        await wait_until(lambda: len(heap.news) == 3)
    post, edited, deleted = heap.news
    assert isinstance(post, SourceMessage)
    assert (post.chat_id, post.message_id, post.text, post.heard) == (town.source, first, "one", Heard.PUSH)
    assert isinstance(edited, Edited)
    assert edited.message.text == "one, corrected"
    assert deleted == Deleted(town.source, (first,))


async def test_the_accounts_own_posts_are_heard_too(town: Town, wait_until: Wait) -> None:
    heap = Heap()
    async with listening(town, heap):
        await wait_until(lambda: heap.connections == 1)
        town.world.send(town.user, town.source, "by ourselves")
        await wait_until(lambda: heap.texts() == ["by ourselves"])


async def test_albums_and_kinds_are_told_apart(town: Town, wait_until: Wait) -> None:
    heap = Heap()
    async with listening(town, heap):
        await wait_until(lambda: heap.connections == 1)
        town.album(["a", "b"])
        town.post(Content("", media=town.world.add_document(b"text", "notes.txt")))
        town.post(Content("", media=town.world.add_document(b"oggs", "v.ogg", kind="voice")))
        town.post(Content("", media=Poll(1, "Tea?", ("yes", "no"))))
        await wait_until(lambda: len(heap.news) == 5)
    assert [post.kind for post in heap.posts] == [
        Kind.PHOTO, Kind.PHOTO, Kind.DOCUMENT, Kind.VOICE, Kind.POLL,
    ]  # fmt: skip
    albums = [post.album_id for post in heap.posts]
    assert albums[0] == albums[1] is not None
    assert albums[2:] == [None, None, None]
    assert [(post.media_id or "none")[:7] for post in heap.posts] == [
        "mt:phot", "mt:phot", "mt:doc:", "mt:doc:", "none",
    ]  # fmt: skip


async def test_what_was_posted_while_nobody_listened_is_caught_up(town: Town, wait_until: Wait) -> None:
    heap, later = Heap(), Heap()
    async with listening(town, heap):
        await wait_until(lambda: heap.connections == 1)
        town.post("heard")
        await wait_until(lambda: heap.texts() == ["heard"])
    town.post("missed")
    async with listening(town, later):
        await wait_until(lambda: "missed" in later.texts())


async def test_a_cut_connection_is_made_again_and_said_so(town: Town, wait_until: Wait) -> None:
    heap = Heap()
    async with listening(town, heap):
        await wait_until(lambda: heap.connections == 1)
        town.mtproto.cut(town.user)
        await wait_until(lambda: heap.connections == 2)
        town.post("after the cut")
        await wait_until(lambda: "after the cut" in heap.texts())


async def test_a_store_that_fails_loses_nothing_that_was_pushed(town: Town, wait_until: Wait) -> None:
    heap = Heap(failing=1)
    async with listening(town, heap):
        await wait_until(lambda: heap.connections == 1)
        town.post("one")
        town.post("two")
        await wait_until(lambda: heap.texts() == ["one", "two"])


async def test_a_dead_login_ends_listening_with_a_sentence(town: Town) -> None:
    town.fault(FaultRule("error", method="users.getUsers", error="SESSION_REVOKED", times=None))
    async with listening(town, Heap()) as task:
        with pytest.raises(AccountNotReady, match=r"manage\.py login") as caught:
            await asyncio.wait_for(asyncio.shield(task), 10)
    assert caught.value.reason == "session_lost"


async def test_protection_is_noticed_when_it_changes_and_no_oftener(town: Town, wait_until: Wait) -> None:
    heap = Heap()
    async with listening(town, heap):
        await wait_until(lambda: heap.connections == 1)
        town.post("one")
        town.post("two")
        await wait_until(lambda: heap.texts() == ["one", "two"])
        town.world.change_chat(town.owner, town.source, protected=True)
        await wait_until(lambda: {town.source: True} in heap.flags)
        town.world.change_chat(town.owner, town.source, protected=False)
        await wait_until(lambda: len(heap.flags) == 3)
    assert heap.flags == [{town.source: False}, {town.source: True}, {town.source: False}]


async def test_a_look_at_the_newest_ids_shows_protection_too(town: Town) -> None:
    heap = Heap()
    town.world.change_chat(town.owner, town.source, protected=True)
    async with town.client("reader", town.user) as client:
        reader = MtprotoReader(client, 1, on_protection=heap.note_protection)
        await reader.tops([town.source, town.target])
    assert heap.flags == [{town.source: True, town.target: False}]


async def test_the_newest_ids_of_many_chats_come_in_one_call(town: Town) -> None:
    source_top, target_top = town.post("one"), town.post("two", town.target)
    stranger = town.world.create_channel(town.owner, "Private").id
    async with town.client("reader", town.user) as client:
        tops = await MtprotoReader(client, 1).tops([town.source, stranger, town.target])
    assert tops == {town.source: source_top, town.target: target_top}
    assert len(list(town.guard.record.calls(method="messages.getPeerDialogs"))) == 1


@pytest.mark.parametrize("who", ["user", "robot"])
async def test_every_id_asked_for_is_a_message_or_proven_empty(town: Town, who: str) -> None:
    ids = [town.post(f"post {number}") for number in range(250)]
    town.world.delete(town.owner, town.source, [ids[10]])
    async with town.client("reader", getattr(town, who)) as client:
        fetched = await MtprotoReader(client, 1).fetch(town.source, [*ids, ids[-1] + 1])
    assert fetched.empty == (ids[10], ids[-1] + 1)
    assert [message.text for message in fetched.messages] == [
        f"post {number}" for number in range(250) if number != 10
    ]
    assert len(list(town.guard.record.calls(method="channels.getMessages"))) == 2


async def test_a_chat_that_was_left_is_refused_by_name(town: Town) -> None:
    async with town.client("reader", town.user) as client:
        reader = MtprotoReader(client, 1)
        await reader.fetch(town.source, [1])
        town.world.ban(town.owner, town.source, town.user)
        with pytest.raises(TelegramError, match="CHANNEL_PRIVATE"):
            await reader.fetch(town.source, [1])
        assert set(await reader.tops([town.source, town.target])) == {town.target}


async def test_outside_channels_an_id_may_be_another_chats(town: Town) -> None:
    group, other = (town.world.create_group(town.owner, name, (town.user,)).id for name in ("One", "Two"))
    for number, chat in enumerate((group, other, group)):
        town.world.send(town.user, chat, f"words {number}")
    first, last = (m.id for m in town.world.history(group, town.user) if m.service is None)
    async with town.client("reader", town.user) as client:
        fetched = await MtprotoReader(client, 1).fetch(group, range(first, last + 2))
    assert [message.message_id for message in fetched.messages] == [first, last]
    assert (fetched.elsewhere, fetched.empty) == ((first + 1,), (last + 1,))


async def test_what_the_account_itself_posts_is_heard_like_any_other_post(
    town: Town, wait_until: Wait
) -> None:
    heap = Heap()
    async with listening(town, heap), town.client("another", town.user) as other:
        await wait_until(lambda: heap.connections == 1)
        town.world.send(town.user, town.source, "from the phone")
        peer = await Peers(other).input_peer(town.source)
        await other.ask(functions.messages.SendMessageRequest(peer, "by another login", random_id=5))
        town.post("by somebody else")
        await wait_until(lambda: len(heap.posts) == 3)
    assert heap.texts() == ["from the phone", "by another login", "by somebody else"]


async def test_what_the_listeners_own_login_posts_is_not_pushed_to_it_but_found(
    town: Town, wait_until: Wait
) -> None:
    heap = Heap()
    async with town.client("listener", town.user, listens=True) as client:
        listener = Listener(client, heap.store, heap.reconnected, heap.keep_broken, heap.note_protection)
        task = asyncio.create_task(listener.run())
        await wait_until(lambda: heap.connections == 1)
        peer = await Peers(client).input_peer(town.source)
        await client.ask(functions.messages.SendMessageRequest(peer, "by this very login", random_id=5))
        reader = MtprotoReader(client, 1)
        top = (await reader.tops([town.source]))[town.source]
        found = (await reader.fetch(town.source, [top])).messages
        town.post("after it")
        await wait_until(lambda: "after it" in heap.texts())
        listener.stop()
        await asyncio.wait_for(task, 10)
    assert [one.text for one in found] == ["by this very login"], "reconciliation fills what was not pushed"
    assert heap.texts()[-1] == "after it"
