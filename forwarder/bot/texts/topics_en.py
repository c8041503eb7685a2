"""Texts about topics of forums, in English."""

from __future__ import annotations

TEXTS = {
    "new.topic.source": "<b>{title}</b> is a forum. Which of its topics? Press one, or send a link of the topic.",
    "new.topic.destination": "<b>{title}</b> is a forum. Into which topic? Press one, or send a link of the topic.",
    "button.all_topics": "📚 All topics",
    "button.general_topic": "💬 General",
    "topic.number": "Topic {topic}",
    "error.not_a_forum": "{title} has no topics: it is not a forum. Leave the topic out, or switch topics on in the "
    "group and press “Check rights” on its card.",
    "error.no_such_topic": "{title} has no topic {topic}. Open the topic in Telegram and copy its link.",
    "error.not_a_topic": "This is no link of a topic in {title}. Open the topic in Telegram and copy its link.",
}
