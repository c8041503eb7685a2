"""docs/kinds.md, cell by cell, against a Telegram that enforces its rules."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
import telegram

from forwarder.calls import Called, Caller
from forwarder.message import AccountKind, DeliveryKind, Kind, Mode, SendOrder, SourceMessage, State, look_of
from forwarder.models import WhenUnsure
from forwarder.outbox import CopyOf, Job, LaneHeld, Part
from forwarder.outbox.runs import may_answer, mode_for
from forwarder.pace import Place
from forwarder.sandbox.world import (
    Contact,
    Content,
    Dice,
    Edit,
    Entity,
    Game,
    Location,
    Media,
    Message,
    Options,
    Photo,
    Poll,
    Special,
    WebPage,
)
from forwarder.seam import Sender
from forwarder.telegram.bot_sender import BotSender
from forwarder.telegram.bot_values import to_source
from forwarder.telegram.reader import MtprotoReader
from forwarder.telegram.user_sender import UserSender

from .conftest import Town

SITE = "https://example.org/a"
AT_SITE = Entity("url", 4, len(SITE))

DOCS = Path(__file__).resolve().parents[3] / "docs" / "kinds.md"
WAYS = ("bot, forward", "bot, copy", "user, forward", "user, copy")
BOT, USER = AccountKind.BOT, AccountKind.USER


def table(heading: str) -> dict[str, dict[str, str]]:
    """The table below a heading: row name to column name to cell."""
    section = DOCS.read_text().split(f"## {heading}\n")[1].split("\n## ")[0]
    lines = [line.strip("|").split("|") for line in section.splitlines() if line.startswith("|")]
    names, _, *rows = ([cell.strip() for cell in line] for line in lines)
    return {row[0]: dict(zip(names[1:], row[1:], strict=True)) for row in rows}


def column(heading: str, name: str) -> dict[str, str]:
    return {row: cells[name] for row, cells in table(heading).items()}


@dataclass
class Sources:
    """Who posts what: each method answers the chat and the ids of one post."""

    town: Town
    group: int = 0
    anonymous: int = 0
    own_channel: int = 0
    posts: dict[str, tuple[int, list[int]]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        town, world = self.town, self.town.world
        self.group = world.create_supergroup(town.owner, "Talk").id
        world.add_member(town.owner, self.group, town.user)
        world.promote(town.owner, self.group, town.robot, frozenset({"delete_messages"}))
        self.anonymous = world.create_user("Anna").id
        world.add_member(town.owner, self.group, self.anonymous)
        world.promote(town.owner, self.group, self.anonymous, frozenset({"anonymous"}))
        self.own_channel = world.create_channel(town.owner, "Olga's own").id

    def add_all(self) -> None:
        for name, what in self._singles().items():
            content = what if isinstance(what, Content) else Content(media=what)
            self.posts[name] = (self.town.source, [self.town.post(content)])
        self._albums()
        self._forwards()
        self._in_the_group()
        self._others()
        pinned = self.town.world.pin(self.town.owner, self.town.source, self.posts["video"][1][0])
        self.posts["service message"] = (self.town.source, [pinned.id])

    def _singles(self) -> dict[str, Content | Media]:
        bold, link = Entity("bold", 0, 4), Entity("text_link", 5, 4, url="https://example.org/")
        return {
            "text with formatting": Content("Very \N{GRINNING FACE} new", (bold, link)),
            "text with custom emoji": Content("smile", (Entity("custom_emoji", 0, 5, custom_emoji=77),)),
            "photo with caption": Content("caption", (bold,), self.photo("one")),
            "video": self.file("video"),
            "animation": self.file("animation"),
            "voice message": self.file("voice"),
            "video note": self.file("video_note"),
            "audio": self.file("audio"),
            "document": Content("caption", (), self.file("document")),
            "sticker": self.file("sticker"),
            "poll": Poll(1, "Why?", ("this", "that")),
            "quiz that we have not answered": Poll(2, "What?", ("this", "that"), quiz=True, correct=(1,)),
            "location": Location(52.5, 13.4),
            "venue": Location(52.5, 13.4, "Café", "Some street 1"),
            "contact": Contact("+4930123", "Ada", "Lovelace"),
            "dice": Dice(),
            "game (of no kind that we copy)": Game(3, "Snake"),
            "text with a link preview": Content(f"see {SITE}", (AT_SITE,), page=WebPage(SITE)),
            "text whose link preview was taken away": Content(f"see {SITE}", (AT_SITE,)),
            "text with a large preview above it": Content(
                f"see {SITE}", (AT_SITE,), page=WebPage(SITE, large=True), inverted=True
            ),
            "text with the preview of a link that it does not show": Content(
                "no link", page=WebPage("https://example.net/b")
            ),
            "photo under its caption": Content("caption", (), self.photo("under"), inverted=True),
            "photo behind a spoiler": Photo(self.town.world.add_photo(b"hidden").file, spoiler=True),
            "location that moves": Location(52.5, 13.4, live_period=900),
            "giveaway": Special("giveaway", 5, self.town.source),
            "paid media": Special("paid_media", 6, self.town.source),
            "story": Special("story", 7, self.town.source),
        }

    def photo(self, name: str) -> Media:
        return self.town.world.add_photo(name.encode())

    def file(self, kind: str, name: str = "") -> Media:
        add = self.town.world.add_document
        return add(f"{kind} {name}".encode(), f"{name or kind}.bin", kind=kind, mime_type="video/mp4")

    def _albums(self) -> None:
        for name, media in {
            "album of photos": [self.photo("a"), self.photo("b"), self.photo("c")],
            "album of photos and videos": [self.photo("d"), self.file("video", "e")],
            "album of documents": [self.file("document", "f"), self.file("document", "g")],
        }.items():
            items = [Content(f"part {index}", (), one) for index, one in enumerate(media)]
            sent = self.town.world.send_album(self.town.owner, self.town.source, items)
            self.posts[name] = (self.town.source, [message.id for message in sent])

    def _forwards(self) -> None:
        world, owner, source = self.town.world, self.town.owner, self.town.source
        elsewhere = world.send(owner, self.own_channel, "first seen elsewhere").id
        said = world.send(owner, self.group, "said by a person").id
        shy = world.create_user("Sven").id
        world.replace_account(replace(world.account(shy), hides_name=True))
        world.add_member(owner, self.group, shy)
        hidden = world.send(shy, self.group, "said by somebody").id
        for name, chat, number in (
            ("forward of a channel's post", self.own_channel, elsewhere),
            ("forward of a person's message", self.group, said),
            ("forward of a person who hides the name", self.group, hidden),
        ):
            (made,) = world.forward(owner, chat, [number], source)
            assert made is not None
            self.posts[name] = (source, [made.id])
        silent = world.send(owner, source, "hush", options=Options(silent=True))
        self.posts["post that was sent silently"] = (source, [silent.id])
        quiet = [Content(f"part {name}", (), self.photo(name)) for name in ("h", "i")]
        sent = world.send_album(owner, source, quiet, options=Options(silent=True))
        self.posts["album that was sent silently"] = (source, [message.id for message in sent])
        helper = world.create_bot("Gifs", username="gifs_bot", owner=owner).id
        via = world.send(owner, source, "by way of a bot", options=Options(via_bot=helper))
        self.posts["message that an inline bot wrote"] = (source, [via.id])

    def _others(self) -> None:
        """Posts that need a channel, or an author, of their own."""
        world, town = self.town.world, self.town
        signed = world.create_channel(town.owner, "Signed").id
        world.change_chat(town.owner, signed, signatures=True)
        rich = world.create_user("Petra", premium=True).id
        for chat, account in ((signed, town.user), (signed, town.robot), (town.source, rich)):
            if account != town.robot:
                world.add_member(town.owner, chat, account)
            world.promote(town.owner, chat, account, frozenset({"post_messages"}))
        long = Content("long " * 400, (), self.photo("long"))
        self.posts |= {
            "post signed by its author": (signed, [world.send(town.owner, signed, "signed").id]),
            "caption that only Premium allows": (town.source, [world.send(rich, town.source, long).id]),
        }

    def _in_the_group(self) -> None:
        send, group = self.town.world.send, self.group
        named = send(self.town.owner, group, "in its name", options=Options(send_as=self.own_channel))
        public = Content(media=Poll(4, "Who?", ("I", "you"), public_voters=True))
        self.posts |= {
            "poll with visible votes, from a group": (group, [send(self.town.owner, group, public).id]),
            "message of an anonymous admin": (group, [send(self.anonymous, group, "from nobody").id]),
            "message in the name of a channel": (group, [named.id]),
        }


def lane(town: Town, source: int, mode: Mode) -> LaneHeld:
    return LaneHeld(
        mapping_id=1, fence=1, source_id=1, source=source, source_protected=False, destination_id=2,
        destination=town.target, destination_topic=0, destination_is_source=False, mode=mode, copy_fallback=True,
        auto_route=False, silent=False, when_unsure=WhenUnsure.HOLD, revision=1,
    )  # fmt: skip


def job(source: int, ids: tuple[int, ...], kind: DeliveryKind = DeliveryKind.POST) -> Job:
    return Job(
        delivery_id=1, post_id=1, source_id=1, source=source, kind=kind, klass=1, state=State.QUEUED, position=1,
        attempts=0, epoch=0, place=Place.NONE, reason=None, mode=None, route=None, account_id=None, message_ids=(),
        random_ids=(), seen_id=0, parts=ids, age=0.0,
    )  # fmt: skip


def part(message: SourceMessage) -> Part:
    return Part(
        message.message_id,
        message.kind,
        message.protected,
        message.text,
        message.entities,
        look=look_of(message.facts),
    )


async def anyway(_: SendOrder) -> bool:
    return True


@dataclass
class Carried:
    """One way through the town: what was sent, and what became of it."""

    town: Town
    sender: Sender
    mode: Mode
    reader: MtprotoReader
    calls: int = 0

    async def send(self, chat: int, ids: list[int], reply_to: int | None = None) -> tuple[Called, list[Part]]:
        self.calls += 1
        messages = (await self.reader.fetch(chat, ids)).messages
        parts = [part(message) for message in messages]
        mode = mode_for(self.mode, parts)
        order = SendOrder(
            chat,
            tuple(ids),
            self.town.target,
            mode,
            random_ids=tuple(self.calls * 1000 + number for number in range(len(ids))),
            silent=all(message.facts.silent for message in messages),
            album=len(ids) > 1,
            reply_to=reply_to if may_answer(mode, parts) else None,
        )
        caller = Caller(self.sender, random.Random(1))
        called = await caller.send(job(chat, tuple(ids)), lane(self.town, chat, self.mode), order, anyway)
        assert called is not None
        return called, parts

    def made(self, called: Called) -> list[Message]:
        found = [
            self.town.world.message(self.town.owner, self.town.target, i or 0) for i in called.result.sent_ids
        ]
        return [message for message in found if message is not None]


@asynccontextmanager
async def carried(town: Town, way: str) -> AsyncIterator[Carried]:
    route, mode = way.split(", ")
    async with town.client("sender", town.user) as client, town.bot() as bot:
        sender: Sender = UserSender(client, 1) if route == "user" else BotSender(bot, 2)
        yield Carried(town, sender, Mode(mode), MtprotoReader(client, 1))


def word_for(town: Town, called: Called, originals: list[Message]) -> str:
    """What arrived, in the words of the table."""
    if called.result.state is not State.SENT:
        return f"({called.result.reason})"
    made = [town.world.message(town.owner, town.target, i or 0) for i in called.result.sent_ids]
    there = [message for message in made if message is not None]
    assert len(there) == len(originals)
    assert [message.silent for message in there] == [original.silent for original in originals]
    if len(there) > 1:
        assert len({message.grouped_id for message in there} - {None}) == 1, "one album"
    if all(message.forward is not None for message in there):
        assert [message.content for message in there] == [original.content for original in originals]
        return "forward"
    assert all(message.forward is None for message in there)
    if isinstance(there[0].media, Poll):
        fresh, first = there[0].media, originals[0].media
        assert isinstance(first, Poll)
        assert replace(fresh, id=first.id) == first
        return "new poll" if fresh.id != first.id else "copy"
    assert [message.content for message in there] == [original.content for original in originals]
    return "copy"


def originals_of(town: Town, chat: int, ids: list[int]) -> list[Message]:
    found = [town.world.message(town.owner, chat, number) for number in ids]
    return [message for message in found if message is not None]


@pytest.mark.parametrize("way", WAYS)
async def test_what_arrives(town: Town, way: str) -> None:
    sources = Sources(town)
    sources.add_all()
    seen: dict[str, str] = {}
    async with carried(town, way) as carrier:
        for name, (chat, ids) in sources.posts.items():
            messages = (await carrier.reader.fetch(chat, ids)).messages
            if all(message.kind is Kind.SERVICE for message in messages):
                seen[name] = "nothing"
                continue
            called, _ = await carrier.send(chat, ids)
            seen[name] = word_for(town, called, originals_of(town, chat, ids))
    assert seen == column("What arrives", way)


@pytest.mark.parametrize("route", ["bot", "user"])
async def test_whose_copies_answer(town: Town, route: str) -> None:
    sources = Sources(town)
    sources.add_all()
    first = town.post("answered", town.target)
    seen: dict[str, str] = {}
    async with carried(town, f"{route}, copy") as carrier:
        for name, (chat, ids) in sources.posts.items():
            called, _ = await carrier.send(chat, ids, reply_to=first)
            made = carrier.made(called)
            answers = bool(made) and all(message.reply_to == first for message in made)
            assert answers or all(message.reply_to is None for message in made)
            seen[name] = "yes" if answers else "no"
            if made:
                word = word_for(town, called, originals_of(town, chat, ids))
                assert word == table("What arrives")[name][f"{route}, copy"], f"{name} is otherwise the same"
    assert seen == column("What arrives", f"{route}'s copy answers")


async def test_every_kind_is_heard_the_same_by_bot_and_user(town: Town) -> None:
    async with telegram.Bot(town.token, base_url=f"{town.bot_api.url}/bot") as ears:
        sources = Sources(town)
        sources.add_all()
        heard: dict[tuple[int, int], str] = {}
        offset = 0
        while updates := await ears.get_updates(offset=offset, timeout=0):
            offset = updates[-1].update_id + 1
            for update in updates:
                if (message := update.channel_post or update.message) is not None:
                    heard[message.chat.id, message.message_id] = to_source(message).kind
    by_bot = {name: heard[chat, ids[0]] for name, (chat, ids) in sources.posts.items()}
    async with town.client("reader", town.user) as client:
        reader = MtprotoReader(client, 1)
        by_user = {
            name: (await reader.fetch(chat, ids)).messages[0].kind
            for name, (chat, ids) in sources.posts.items()
        }
    assert by_user == by_bot == column("What arrives", "heard as")


# --- edits


@dataclass(frozen=True)
class Change:
    """A post, and its ``index``-th part after an edit."""

    before: list[Content]
    after: Content
    index: int = 0
    heard: bool = True


def changes(sources: Sources) -> dict[str, Change]:
    photo, file = sources.photo, sources.file
    captions = {
        "a photo": photo("p"), "a video": file("video"), "an animation": file("animation"),
        "a voice message": file("voice"), "an audio": file("audio"), "a document": file("document"),
    }  # fmt: skip
    newer = Entity("italic", 0, 5)
    found = {"text": Change([Content("old words")], Content("newer words", (newer,)))}
    for what, medium in captions.items():
        found[f"caption of {what}"] = Change(
            [Content("old words", (), medium)], Content("newer words", (newer,), medium)
        )
    album = [Content("one", (), photo("a")), Content("two", (), photo("b")), Content("three", (), photo("c"))]
    found["caption in the middle of an album"] = Change(album, Content("newer", (), album[1].media), 1)
    for what, old, new in (
        ("another photo", photo("q"), photo("r")),
        ("a video in place of a photo", photo("s"), file("video", "t")),
        ("another document", file("document", "u"), file("document", "v")),
        ("another audio", file("audio", "w"), file("audio", "x")),
    ):
        found[what] = Change([Content("old", (), old)], Content("newer", (), new))
    before, newer_text = f"see {SITE}", f"now {SITE}"
    found |= {
        "text with a preview": Change(
            [Content(before, (AT_SITE,), page=WebPage(SITE))],
            Content(newer_text, (AT_SITE,), page=WebPage(SITE, large=False), inverted=True),
        ),
        "text, and its preview taken away": Change(
            [Content(before, (AT_SITE,), page=WebPage(SITE))], Content(newer_text, (AT_SITE,))
        ),
        "caption above a photo": Change(
            [Content("old", (), photo("y"), inverted=True)],
            Content("newer", (), photo("y"), inverted=True),
        ),
    }
    found["another photo, which the bot has not heard"] = replace(found["another photo"], heard=False)
    return found


@pytest.mark.parametrize("way", WAYS)
async def test_what_an_edit_changes(town: Town, way: str) -> None:
    sources = Sources(town)
    seen: dict[str, str] = {}
    async with (
        carried(town, way) as carrier,
        telegram.Bot(town.token, base_url=f"{town.bot_api.url}/bot") as ears,
    ):
        for name, change in changes(sources).items():
            seen[name] = await edited(carrier, change, ears)
    assert seen == column("What an edit changes", way)


async def edited(carrier: Carried, change: Change, ears: telegram.Bot) -> str:
    """Send a post, edit it, apply the edit to its copies; answer what became of them."""
    town = carrier.town
    if len(change.before) > 1:
        ids = [message.id for message in town.world.send_album(town.owner, town.source, change.before)]
    else:
        ids = [town.post(change.before[0])]
    called, _ = await carrier.send(town.source, ids)
    number, after = ids[change.index], change.after
    replaced = after.media != change.before[change.index].media
    edit = Edit(
        after.text,
        after.entities,
        after.media if replaced else None,
        page=after.page,
        inverted=after.inverted,
    )
    town.world.edit(town.owner, town.source, number, edit)
    (now,) = (await carrier.reader.fetch(town.source, [number])).messages
    file_id = await name_of(ears, number) if replaced and change.heard else None
    copies = tuple(
        CopyOf(copy or 0, source, called.result.mode or carrier.mode)
        for source, copy in zip(ids, called.result.sent_ids, strict=True)
    )
    fix = job(town.source, (number,), DeliveryKind.EDIT)
    parts = (replace(part(now), replaced=replaced, file_id=file_id),)
    edited = await Caller(carrier.sender).edit(
        fix, lane(town, town.source, carrier.mode), parts, copies, lambda: True
    )
    assert edited is not None
    result = edited.result
    shown = carrier.made(called)[change.index].content
    if result.state is State.SENT:
        assert shown == after
        return "follows"
    assert shown.media == change.before[change.index].media
    assert shown.text == (
        after.text if result.reason == "medium_not_heard" else change.before[change.index].text
    )
    return f"({result.reason})"


async def name_of(ears: telegram.Bot, number: int) -> str | None:
    """What the bot calls the medium of an edited post."""
    updates = await ears.get_updates(offset=-1, timeout=0)
    post = updates[-1].edited_channel_post
    assert post is not None
    assert post.message_id == number
    return to_source(post).file_id
