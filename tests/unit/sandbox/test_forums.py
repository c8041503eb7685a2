"""Forums of the sandbox's world: where a message lies, and who may write there."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from forwarder.sandbox.world import ManualClock, Message, Options, TelegramError, World


@dataclass
class Forum:
    world: World
    owner: int
    member: int
    chat: int
    news: int
    talk: int

    def say(self, text: str, topic: int | None = None, *, reply_to: int | None = None) -> Message:
        return self.world.send(self.member, self.chat, text, options=Options(topic=topic, reply_to=reply_to))


@pytest.fixture
def forum() -> Forum:
    world = World(clock=ManualClock(), seed=7)
    owner, member = world.create_user("Olga").id, world.create_user("Otto").id
    chat = world.create_forum(owner, "Forum").id
    world.add_member(owner, chat, member)
    news, talk = (world.create_topic(owner, chat, title).id for title in ("News", "Talk"))
    return Forum(world, owner, member, chat, news, talk)


def test_a_topics_id_is_that_of_its_first_message(forum: Forum) -> None:
    first = forum.world.message(forum.owner, forum.chat, forum.news)
    assert first is not None
    assert first.service is not None
    assert (first.service.kind, first.service.title, first.topic) == ("topic_created", "News", forum.news)


def test_a_message_lies_in_its_topic_and_without_one_in_general(forum: Forum) -> None:
    assert (forum.say("a", forum.news).topic, forum.say("b").topic) == (forum.news, None)


def test_an_answer_lies_where_the_answered_message_lies(forum: Forum) -> None:
    question = forum.say("why?", forum.news)
    answer = forum.say("because", reply_to=question.id)
    assert (answer.topic, answer.reply_to) == (forum.news, question.id)
    assert forum.say("to the first", reply_to=forum.news).reply_to is None


@pytest.mark.parametrize("topic", [1, 4711])
def test_general_and_what_never_was_are_no_topics_to_write_to(forum: Forum, topic: int) -> None:
    with pytest.raises(TelegramError, match="TOPIC_ID_INVALID"):
        forum.say("lost", topic)


def test_a_topic_is_refused_outside_forums(forum: Forum) -> None:
    channel = forum.world.create_channel(forum.owner, "Channel").id
    with pytest.raises(TelegramError, match="TOPIC_ID_INVALID"):
        forum.world.send(forum.owner, channel, "lost", options=Options(topic=3))


def test_into_a_closed_topic_write_only_those_who_manage_it(forum: Forum) -> None:
    forum.world.edit_topic(forum.owner, forum.chat, forum.news, closed=True)
    with pytest.raises(TelegramError, match="TOPIC_CLOSED") as met:
        forum.say("late", forum.news)
    assert met.value.code == 406
    assert forum.world.send(forum.owner, forum.chat, "word", options=Options(topic=forum.news)).id
    forum.world.edit_topic(forum.owner, forum.chat, forum.news, closed=False)
    assert forum.say("again", forum.news).topic == forum.news


def test_a_closed_general_is_closed_too(forum: Forum) -> None:
    forum.world.edit_topic(forum.owner, forum.chat, 1, closed=True)
    with pytest.raises(TelegramError, match="TOPIC_CLOSED"):
        forum.say("late")


def test_a_deleted_topic_takes_its_messages_with_it(forum: Forum) -> None:
    forum.say("gone", forum.news)
    kept = forum.say("kept", forum.talk)
    forum.world.delete_topic(forum.owner, forum.chat, forum.news)
    texts = [message.text for message in forum.world.history(forum.chat) if message.service is None]
    assert texts == [kept.text]
    assert [topic.title for topic in forum.world.topics_of(forum.chat)] == ["Talk", "General"]
    with pytest.raises(TelegramError, match="TOPIC_DELETED"):
        forum.say("late", forum.news)


def test_forwards_and_albums_go_into_the_topic_that_is_named(forum: Forum) -> None:
    world, said = forum.world, forum.say("said", forum.news)
    (made,) = world.forward(
        forum.member, forum.chat, [said.id], forum.chat, options=Options(topic=forum.talk)
    )
    assert made is not None
    assert (made.topic, made.text) == (forum.talk, "said")
    assert world.forward(forum.member, forum.chat, [said.id], forum.chat)[0].topic is None  # type: ignore[union-attr]


def test_members_may_make_topics_unless_that_is_denied(forum: Forum) -> None:
    assert forum.world.create_topic(forum.member, forum.chat, "Mine").creator == forum.member
    forum.world.change_chat(forum.owner, forum.chat, default_denied=frozenset({"manage_topics"}))
    with pytest.raises(TelegramError, match="CHAT_ADMIN_REQUIRED"):
        forum.world.create_topic(forum.member, forum.chat, "No more")
