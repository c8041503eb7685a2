"""Which topic: asked for every forum among the chosen chats, by the list of its topics or by a link."""

from __future__ import annotations

from dataclasses import replace

from forwarder.bot.cb import Cancel, ChooseTopic, Side, Step, StepBack, TurnChoices
from forwarder.bot.dialog import ChosenTopic, Draft
from forwarder.bot.keyboards import pager, rows
from forwarder.bot.texts import Html
from forwarder.bot.visit import Screen, Visit
from forwarder.errors import InvalidRequest
from forwarder.message import GENERAL_TOPIC, Topic
from forwarder.references import parse_place
from forwarder.services.values import page_bounds

PAGE = 8

TOPICS_OF = {Step.SOURCES: Step.SOURCE_TOPICS, Step.DESTINATIONS: Step.DESTINATION_TOPICS}
"""The step about topics that follows a choice of chats."""


async def next_forum(visit: Visit, draft: Draft) -> int:
    """The next forum among the chosen chats whose topic has not been asked for; 0 when there is none left."""
    source = draft.step is Step.SOURCE_TOPICS
    chosen = draft.sources if source else draft.destinations
    asked = {one.channel_id for one in (draft.source_topics if source else draft.destination_topics)}
    for number in chosen:
        if number not in asked and (await visit.services.channels.get(number)).forum:
            return number
    return 0


def with_topic(draft: Draft, topic: Topic | None) -> Draft:
    """The draft with this topic for the forum that was asked about; None is the whole forum."""
    chosen = ChosenTopic(draft.forum, topic.id if topic else 0, topic.title if topic else "")
    if draft.step is Step.SOURCE_TOPICS:
        return replace(draft, source_topics=(*draft.source_topics, chosen), page=0)
    return replace(draft, destination_topics=(*draft.destination_topics, chosen), page=0)


def forgotten(draft: Draft) -> Draft:
    """The draft without the topics of the side that is being chosen anew, if one is."""
    if draft.step in (Step.SOURCES, Step.SOURCE_TOPICS):
        return replace(draft, source_topics=())
    if draft.step in (Step.DESTINATIONS, Step.DESTINATION_TOPICS):
        return replace(draft, destination_topics=())
    return draft


async def choice(visit: Visit, draft: Draft) -> Screen:
    texts, source = visit.texts, draft.step is Step.SOURCE_TOPICS
    channel = await visit.services.channels.get(draft.forum)
    topics = await visit.services.channels.topics(draft.forum)
    if not source:  # General is the button for no topic
        topics = tuple(topic for topic in topics if topic.id != GENERAL_TOPIC)
    page, pages = page_bounds(len(topics), draft.page, PAGE)
    shown = topics[page * PAGE : (page + 1) * PAGE]
    side = Side.SOURCE if source else Side.DESTINATION
    whole = texts.plain("button.all_topics" if source else "button.general_topic")
    return Screen(
        texts("new.topic.source" if source else "new.topic.destination", title=channel.title),
        rows(
            [(whole, ChooseTopic(0, draft.forum, side))],
            *([(label(visit, topic), ChooseTopic(topic.id, draft.forum, side))] for topic in shown),
            pager(page, pages, TurnChoices),
            [(texts.plain("button.back"), StepBack(draft.step)), (texts.plain("button.cancel"), Cancel())],
        ),
    )


def label(visit: Visit, topic: Topic) -> str:
    named = topic.title or visit.texts.plain("topic.number", topic=topic.id)
    return f"🔒 {named}" if topic.closed else named


async def by_text(visit: Visit, draft: Draft) -> Topic:
    """The topic that a link or a number names.

    Raises InvalidRequest ``not_a_topic`` for any other text or chat, and ``no_such_topic``.
    """
    channel = await visit.services.channels.get(draft.forum)
    place = parse_place(visit.text)
    named = {str(channel.telegram_id), f"@{channel.username}".lower()}
    number = place.topic
    if not number and visit.text.isascii() and visit.text.isdecimal() and len(visit.text) < 10:
        number = int(visit.text)
    elif place.chat.lower() not in named:
        number = 0
    if not number:
        raise InvalidRequest(
            "not_a_topic",
            f"This is no link of a topic in {channel.title}. Open the topic in Telegram and copy its link.",
            title=channel.title,
        )
    return await visit.services.channels.topic(channel.id, number)


def named(visit: Visit, title: str, topic: ChosenTopic) -> Html | str:
    """A chat with the topic that was chosen in it."""
    if not topic.topic_id:
        return title
    return visit.texts.plain("mapping.topic", title=title, topic=topic.title or topic.topic_id)
