"""Topics of forums, heard and written to by both routes."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace

import pytest
import telegram

from forwarder.errors import TelegramError
from forwarder.message import AccountKind, FindOrder, Kind, Mode, NewPart, Rewrite, SendOrder, SourceMessage
from forwarder.retry import decide
from forwarder.sandbox.world import Content, Message, Options
from forwarder.seam import Sender
from forwarder.telegram.bot_sender import BotSender
from forwarder.telegram.bot_values import to_source
from forwarder.telegram.directory import UserDirectory
from forwarder.telegram.finder import MtprotoFinder
from forwarder.telegram.reader import MtprotoReader
from forwarder.telegram.user_sender import UserSender

from .conftest import Town

ROUTES = [AccountKind.BOT, AccountKind.USER]


@dataclass
class Forum:
    """A forum with two topics in which our bot and our user are ordinary administrators."""

    town: Town
    chat: int
    news: int
    talk: int

    def say(self, what: Content | str, topic: int | None = None, reply_to: int | None = None) -> int:
        options = Options(topic=topic, reply_to=reply_to)
        return self.town.world.send(self.town.owner, self.chat, what, options=options).id

    def album(self, topic: int | None) -> list[int]:
        world = self.town.world
        items = [Content(name, media=world.add_photo(name.encode())) for name in ("one", "two", "three")]
        sent = world.send_album(self.town.owner, self.chat, items, options=Options(topic=topic))
        return [message.id for message in sent]

    def shown(self, numbers: tuple[int | None, ...]) -> list[Message]:
        found = [self.town.world.message(self.town.owner, self.chat, number or 0) for number in numbers]
        return [message for message in found if message is not None]


@pytest.fixture
def forum(town: Town) -> Forum:
    world, owner = town.world, town.owner
    chat = world.create_forum(owner, "Forum").id
    world.add_member(owner, chat, town.user)
    world.promote(owner, chat, town.robot, frozenset({"delete_messages"}))
    news, talk = (world.create_topic(owner, chat, title).id for title in ("News", "Talk"))
    return Forum(town, chat, news, talk)


@asynccontextmanager
async def sending(town: Town, route: AccountKind) -> AsyncIterator[Sender]:
    if route is AccountKind.USER:
        async with town.client("sender", town.user) as client:
            yield UserSender(client, 1)
    else:
        async with town.bot() as bot:
            yield BotSender(bot, 2)


def order(town: Town, forum: Forum, ids: list[int], topic: int, mode: Mode = Mode.COPY) -> SendOrder:
    randoms = tuple(range(1000 + ids[0], 1000 + ids[0] + len(ids)))
    return SendOrder(town.source, tuple(ids), forum.chat, mode, randoms, topic, album=len(ids) > 1)


async def test_both_hear_the_same_topic_and_the_same_answer(town: Town, forum: Forum) -> None:
    question = forum.say("why?", forum.news)
    numbers = [
        question,
        forum.say("because", reply_to=question),
        forum.say("in general"),
        forum.say("an answer in general", reply_to=forum.say("a question in general")),
        *forum.album(forum.talk),
    ]
    async with town.client("reader", town.user) as client:
        fetched = (await MtprotoReader(client, 1).fetch(forum.chat, numbers)).messages
    async with telegram.Bot(town.token, base_url=f"{town.bot_api.url}/bot") as ears:
        heard = {
            update.message.message_id: to_source(update.message)
            for update in await ears.get_updates(timeout=0)
            if update.message is not None
        }

    def places(messages: list[SourceMessage]) -> list[tuple[int, int, int | None]]:
        return [(one.message_id, one.topic_id, one.reply_to) for one in messages]

    assert places(list(fetched)) == places([heard[number] for number in numbers])
    assert [(one.topic_id, one.reply_to) for one in fetched] == [
        (forum.news, None), (forum.news, question), (0, None), (0, numbers[3] - 1), *[(forum.talk, None)] * 3,
    ]  # fmt: skip


@pytest.mark.parametrize("route", ROUTES)
@pytest.mark.parametrize("mode", list(Mode))
async def test_a_post_and_an_album_arrive_in_the_topic(
    town: Town, forum: Forum, route: AccountKind, mode: Mode
) -> None:
    single, album = [town.post("hello")], town.album(["a", "b"])
    async with sending(town, route) as sender:
        made = [await sender.send(order(town, forum, ids, forum.news, mode)) for ids in (single, album)]
        (general,) = await sender.send(order(town, forum, [town.post("to all")], 0, mode))
    assert [message.topic for ids in made for message in forum.shown(ids)] == [forum.news] * 3
    assert len({message.grouped_id for message in forum.shown(made[1])} - {None}) == 1
    assert [message.topic for message in forum.shown((general,))] == [None]


@pytest.mark.parametrize("route", ROUTES)
async def test_what_rules_have_changed_arrives_in_the_topic(
    town: Town, forum: Forum, route: AccountKind
) -> None:
    single, album = [town.post("hello")], town.album(["a", "b"])
    text = Rewrite((NewPart(single[0], Kind.TEXT, "bye", changed=True),))
    parts = tuple(NewPart(number, Kind.PHOTO, "new", changed=True) for number in album)
    pictures = Rewrite(parts, captions_follow=route is AccountKind.BOT)
    async with sending(town, route) as sender:
        made = [
            await sender.send(replace(order(town, forum, ids, forum.news), rewrite=rewrite))
            for ids, rewrite in ((single, text), (album, pictures))
        ]
    assert [message.topic for ids in made for message in forum.shown(ids)] == [forum.news] * 3
    assert forum.shown(made[0])[0].text == "bye"


@pytest.mark.parametrize("route", ROUTES)
async def test_a_copy_in_a_topic_answers_a_copy_there(town: Town, forum: Forum, route: AccountKind) -> None:
    async with sending(town, route) as sender:
        (first,) = await sender.send(order(town, forum, [town.post("why?")], forum.news))
        answer = replace(order(town, forum, [town.post("because")], forum.news), reply_to=first)
        (second,) = await sender.send(answer)
        # What it answered is gone: it still arrives in its topic.
        town.world.delete(town.owner, forum.chat, [first or 0])
        lost = replace(order(town, forum, [town.post("anyway")], forum.news), reply_to=first)
        if route is AccountKind.BOT:
            (third,) = await sender.send(lost)
            assert [message.topic for message in forum.shown((third,))] == [forum.news]
    assert [(message.topic, message.reply_to) for message in forum.shown((second,))] == [(forum.news, first)]


@pytest.mark.parametrize("route", ROUTES)
@pytest.mark.parametrize("trouble", ["closed", "deleted", "never"])
async def test_a_closed_or_missing_topic_is_called_one(
    town: Town, forum: Forum, route: AccountKind, trouble: str
) -> None:
    topic = forum.news
    if trouble == "closed":
        town.world.edit_topic(town.owner, forum.chat, topic, closed=True)
    elif trouble == "deleted":
        town.world.delete_topic(town.owner, forum.chat, topic)
    else:
        topic = 4711
    async with sending(town, route) as sender:
        with pytest.raises(TelegramError) as met:
            await sender.send(order(town, forum, [town.post("late")], topic))
    assert decide(met.value, api=route).reason == "topic_closed"


async def test_a_copy_is_looked_for_in_its_topic_only(town: Town, forum: Forum) -> None:
    source = town.post("hello")
    async with town.client("finder", town.user) as client, town.bot() as bot:
        sender = BotSender(bot, 2)
        (elsewhere,) = await sender.send(order(town, forum, [source], forum.talk))
        find = FindOrder(town.source, (source,), forum.chat, Mode.COPY, after_id=0, topic=forum.news)
        assert await MtprotoFinder(client).find(find) is None
        (here,) = await sender.send(order(town, forum, [source], forum.news))
        assert await MtprotoFinder(client).find(find) == (here,)
    assert elsewhere != here


async def test_a_user_lists_all_topics_of_a_forum_and_none_of_another_chat(town: Town, forum: Forum) -> None:
    made = {town.world.create_topic(town.owner, forum.chat, f"Topic {n}").id for n in range(120)}
    town.world.edit_topic(town.owner, forum.chat, forum.news, closed=True)
    async with town.client("directory", town.user) as client:
        directory = UserDirectory(client)
        listed = await directory.topics(forum.chat)
        assert await directory.topics(town.source) is None
    assert listed is not None
    assert {topic.id for topic in listed} == made | {1, forum.news, forum.talk}
    assert [topic.title for topic in listed if topic.closed] == ["News"]
    assert listed[0].id == forum.news, "what has the newest message comes first"
