"""Topics of forums as sources and as destinations, through the whole house."""

from __future__ import annotations

from forwarder.message import Mode, Route
from forwarder.sandbox.person import Person
from forwarder.sandbox.world import Content, Message, Options

from .conftest import Town, eventually


def forum(town: Town, name: str) -> int:
    """A forum in which our accounts may write, and do not manage topics."""
    chat: int = town.world.create_forum(town.owner, name).id
    town.world.add_member(town.owner, chat, town.user)
    town.world.promote(town.owner, chat, town.robot, frozenset({"delete_messages"}))
    return chat


def say(town: Town, chat: int, text: str, topic: int, reply_to: int | None = None) -> int:
    options = Options(topic=topic, reply_to=reply_to)
    return int(town.world.send(town.owner, chat, text, options=options).id)


def shown(town: Town, chat: int, topic: int | None) -> list[Message]:
    return [one for one in town.world.history(chat) if one.service is None and one.topic == topic]


async def test_topics_go_to_topics_by_both_routes_with_albums_and_answers(town: Town) -> None:
    source = forum(town, "Source")
    news, talk = (town.world.create_topic(town.owner, source, title).id for title in ("News", "Talk"))
    targets = {route: forum(town, f"By {route}") for route in (Route.BOT, Route.USER)}
    inside = {
        route: [town.world.create_topic(town.owner, chat, title).id for title in ("One", "Two")]
        for route, chat in targets.items()
    }
    await town.start("ingest", "bot", "worker", "user-worker", "beat")
    for route, chat in targets.items():
        one, two = inside[route]
        await town.map(source, chat, Mode.COPY, route, topics=(news, one))
        await town.map(source, chat, Mode.COPY, route, topics=(talk, two))
        await town.map(source, chat, Mode.COPY, route, topics=(1, 0))

    question = say(town, source, "a question", news)
    say(town, source, "its answer", news, reply_to=question)
    say(town, source, "talk", talk)
    items = [Content(name, media=town.world.add_photo(name.encode())) for name in ("a", "b", "c")]
    town.world.send_album(town.owner, source, items, options=Options(topic=news))
    town.post(source, "in general")

    def arrived(route: Route) -> bool:
        chat, (one, two) = targets[route], inside[route]
        texts = [[message.text for message in shown(town, chat, topic)] for topic in (one, two, None)]
        return texts == [["a question", "its answer", "a", "b", "c"], ["talk"], ["in general"]]

    await eventually(lambda: all(arrived(route) for route in targets))
    for route, chat in targets.items():
        first, answer, *album = shown(town, chat, inside[route][0])
        assert answer.reply_to == first.id
        assert len({part.grouped_id for part in album} - {None}) == 1


async def test_posts_wait_while_their_topic_is_closed_and_go_on_when_it_is_open(town: Town) -> None:
    olga = Person(town.world, town.owner)
    await olga.type(town.robot, "/start")
    source, target = town.channel("News"), forum(town, "Readers")
    topics = {
        route: town.world.create_topic(town.owner, target, f"By {route}").id
        for route in (Route.BOT, Route.USER)
    }
    await town.start("ingest", "bot", "worker", "user-worker", "beat")
    for route, topic in topics.items():
        await town.map(source, target, Mode.COPY, route, topics=(0, topic))
        town.world.edit_topic(town.owner, target, topic, closed=True)
    town.post(source, "first")
    told = "open the topic again"
    await eventually(lambda: sum(told in one.text for one in olga.screen(town.robot).messages) == 2)
    town.post(source, "second")
    for topic in topics.values():
        town.world.edit_topic(town.owner, target, topic, closed=False)
    await eventually(
        lambda: all(
            [one.text for one in shown(town, target, topic)] == ["first", "second"]
            for topic in topics.values()
        ),
    )
    olga.close()
