"""Copies that answer the copy of what their post answers, as far as each API lets them."""

from __future__ import annotations

import pytest

from forwarder.errors import TelegramError
from forwarder.message import AccountKind, Mode, SendOrder
from forwarder.retry import Verdict, decide
from forwarder.sandbox.faults import FaultRule
from forwarder.sandbox.world import (
    Contact,
    Content,
    Dice,
    Document,
    Edit,
    Entity,
    Location,
    Message,
    Options,
    Poll,
    Quote,
)
from forwarder.telegram.bot_sender import BotSender
from forwarder.telegram.user_sender import UserSender

from .conftest import Town


def order(town: Town, *ids: int, reply_to: int, mode: Mode = Mode.COPY) -> SendOrder:
    randoms = tuple(9000 + number for number in ids)
    return SendOrder(town.source, ids, town.target, mode, randoms, album=len(ids) > 1, reply_to=reply_to)


def there(town: Town, message_id: int | None) -> Message:
    message = town.world.message(town.owner, town.target, message_id or 0)
    assert message is not None
    return message


def contents(town: Town) -> dict[str, Content]:
    world = town.world
    song = world.add_document(b"song", "song.mp3", kind="audio", mime_type="audio/mpeg")
    return {
        "text": Content(
            "bold words", (Entity("bold", 0, 4), Entity("text_link", 5, 5, url="https://example.org/"))
        ),
        "photo": Content("caption", (Entity("italic", 0, 7),), world.add_photo(b"picture")),
        "audio": Content("", media=song),
        "contact": Content(media=Contact("+4930123", "Ada", "L")),
        "location": Content(media=Location(52.5, 13.4)),
        "venue": Content(media=Location(52.5, 13.4, "Café", "Some street 1")),
    }


@pytest.mark.parametrize("kind", ["text", "photo", "audio", "contact", "location", "venue"])
@pytest.mark.parametrize("route", ["bot", "user"])
async def test_a_copy_answers_and_is_otherwise_the_same(town: Town, route: str, kind: str) -> None:
    content = contents(town)[kind]
    first = town.post("first", town.target)
    number = town.post(content)
    if route == "bot":
        async with town.bot() as bot:
            (copy,) = await BotSender(bot, 2).send(order(town, number, reply_to=first))
    else:
        async with town.client("sender", town.user) as client:
            (copy,) = await UserSender(client, 1).send(order(town, number, reply_to=first))
    made = there(town, copy)
    assert (made.reply_to, made.content, made.forward) == (first, content, None)


async def test_an_album_of_the_user_answers_as_a_whole(town: Town) -> None:
    first = town.post("first", town.target)
    ids = town.album(["a", "b", "c"])
    async with town.client("sender", town.user) as client:
        sender = UserSender(client, 1)
        sent = await sender.send(order(town, *ids, reply_to=first))
        assert await sender.send(order(town, *ids, reply_to=first)) == sent, "a repeat sends nothing"
    made = [there(town, copy) for copy in sent]
    assert [message.text for message in made] == ["a", "b", "c"]
    assert {message.reply_to for message in made} == {first}
    assert len({message.grouped_id for message in made} - {None}) == 1
    assert len(town.texts(town.target)) == 4


async def test_an_album_of_the_bot_is_whole_and_answers_nothing(town: Town) -> None:
    first = town.post("first", town.target)
    ids = town.album(["a", "b"])
    async with town.bot() as bot:
        sent = await BotSender(bot, 2).send(order(town, *ids, reply_to=first))
    assert [there(town, copy).reply_to for copy in sent] == [None, None]


@pytest.mark.parametrize(
    "content",
    [
        Content("smile", (Entity("custom_emoji", 0, 5, custom_emoji=77),)),
        Content(media=Poll(1, "Why?", ("this", "that"))),
        Content(media=Dice()),
    ],
    ids=["custom emoji", "poll", "dice"],
)
async def test_what_would_lose_something_as_an_answer_is_copied_whole(town: Town, content: Content) -> None:
    first = town.post("first", town.target)
    number = town.post(content)
    async with town.client("sender", town.user) as client:
        (copy,) = await UserSender(client, 1).send(order(town, number, reply_to=first))
    assert there(town, copy).reply_to is None
    assert there(town, copy).entities == content.entities


@pytest.mark.parametrize("lost", ["before", "after"])
async def test_a_lost_answer_repeated_another_way_sends_nothing_twice(town: Town, lost: str) -> None:
    first = town.post("first", town.target)
    number = town.post("words")
    async with town.client("sender", town.user) as client:
        sender = UserSender(client, 1)
        await client.ready()
        client.call_timeout = 0.5
        town.fault(FaultRule("drop", lost, method="messages.sendMessage"))  # type: ignore[arg-type]
        with pytest.raises(TelegramError):
            await sender.send(order(town, number, reply_to=first))
        alone = SendOrder(town.source, (number,), town.target, Mode.COPY, (9000 + number,))
        await sender.send(alone)
        await sender.send(order(town, number, reply_to=first))
    assert list(town.texts(town.target).values()) == ["first", "words"]


async def test_an_answer_to_a_copy_that_was_deleted_is_refused_to_the_user_and_none_for_the_bot(
    town: Town,
) -> None:
    first = town.post("first", town.target)
    number = town.post("words")
    town.world.delete(town.owner, town.target, [first])
    async with town.client("sender", town.user) as client:
        with pytest.raises(TelegramError, match="REPLY_MESSAGE_ID_INVALID"):
            await UserSender(client, 1).send(order(town, number, reply_to=first))
    async with town.bot() as bot:
        (copy,) = await BotSender(bot, 2).send(order(town, number, reply_to=first))
    assert there(town, copy).reply_to is None


async def test_a_sticker_answers_as_the_sticker_it_is(town: Town) -> None:
    first = town.post("first", town.target)
    number = town.post(Content(media=town.world.add_document(b"sticker", "", kind="sticker")))
    async with town.client("sender", town.user) as client:
        (copy,) = await UserSender(client, 1).send(order(town, number, reply_to=first))
    made = there(town, copy)
    assert made.reply_to == first
    assert isinstance(made.media, Document)
    assert made.media.kind == "sticker"


async def test_a_users_copy_quotes_what_its_post_quotes(town: Town) -> None:
    question, first = town.post("one two three"), town.post("one two three", town.target)
    quote = Quote("two", (Entity("bold", 0, 3),), 4)
    options = Options(reply_to=question, quote=quote)
    number = town.world.send(town.owner, town.source, "of these", options=options).id
    async with town.client("sender", town.user) as client:
        (copy,) = await UserSender(client, 1).send(order(town, number, reply_to=first))
        made = there(town, copy)
        assert (made.reply_to, made.quote, made.text) == (first, quote, "of these")
        town.world.edit(town.owner, town.target, first, Edit("other words"))
        again = town.world.send(town.owner, town.source, "of these again", options=options).id
        with pytest.raises(TelegramError) as met:
            await UserSender(client, 1).send(order(town, again, reply_to=first))
    assert decide(met.value, api=AccountKind.USER).verdict is Verdict.FALL_BACK
