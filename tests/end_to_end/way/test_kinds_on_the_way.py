"""Answers, replaced media and groups that become supergroups, through the whole house."""

from __future__ import annotations

from forwarder.message import Mode, Route
from forwarder.sandbox.world import Content, Edit, Message, Options

from .conftest import Town, eventually

ADMIN = frozenset({"delete_messages", "change_info"})


def shown(town: Town, chat: int) -> list[Message]:
    return [message for message in town.world.history(chat) if message.service is None]


async def test_answers_stay_answers_and_replaced_media_are_replaced(town: Town) -> None:
    source, by_user, by_bot = town.channel("News"), town.channel("By user"), town.channel("By bot")
    await town.start("ingest", "bot", "worker", "user-worker", "beat")
    await town.map(source, by_user, Mode.COPY, Route.USER)
    await town.map(source, by_bot, Mode.COPY, Route.BOT)
    question = town.post(source, "a question")
    town.world.send(town.owner, source, "its answer", options=Options(reply_to=question))
    photo = town.post(source, Content("a picture", media=town.world.add_photo(b"one")))
    copies = (by_user, by_bot)
    await eventually(lambda: all(len(shown(town, chat)) == 3 for chat in copies))
    for chat in copies:
        first, answer, _ = shown(town, chat)
        assert (answer.text, answer.reply_to) == ("its answer", first.id)

    better = town.world.add_photo(b"two")
    town.world.edit(town.owner, source, photo, Edit("a better picture", media=better))
    wanted = Content("a better picture", media=better)
    await eventually(lambda: all(shown(town, chat)[-1].content == wanted for chat in copies))


async def test_a_post_that_was_sent_silently_arrives_silently_by_every_way_and_no_other_does(
    town: Town,
) -> None:
    source = town.channel("News")
    ways = [(route, mode) for route in (Route.BOT, Route.USER) for mode in (Mode.FORWARD, Mode.COPY)]
    targets = {way: town.channel(" ".join(way)) for way in ways}
    await town.start("ingest", "bot", "worker", "user-worker", "beat")
    for (route, mode), target in targets.items():
        await town.map(source, target, mode, route)
    hushed = Options(silent=True)
    pictures = [Content(name, media=town.world.add_photo(name.encode())) for name in ("one", "two")]
    for number in range(2):
        town.post(source, f"loud {number}")
        town.world.send(town.owner, source, f"hush {number}", options=hushed)
    town.world.send_album(town.owner, source, pictures, options=hushed)
    question = town.post(source, "a question")
    town.world.send(town.owner, source, "a quiet answer", options=Options(reply_to=question, silent=True))
    town.post(source, "the last")

    wanted = [(message.text, message.silent) for message in shown(town, source)]
    assert [silent for _, silent in wanted] == [False, True, False, True, True, True, False, True, False]
    await eventually(
        lambda: all(town.texts(target) == [text for text, _ in wanted] for target in targets.values())
    )
    for way, target in targets.items():
        assert [(message.text, message.silent) for message in shown(town, target)] == wanted, way


async def test_a_service_message_is_passed_over_and_holds_up_nothing(town: Town) -> None:
    source = town.channel("News")
    ways = [(route, mode) for route in (Route.BOT, Route.USER) for mode in (Mode.FORWARD, Mode.COPY)]
    targets = {way: town.channel(" ".join(way)) for way in ways}
    await town.start("ingest", "bot", "worker", "user-worker", "beat")
    for (route, mode), target in targets.items():
        await town.map(source, target, mode, route)
    first = town.post(source, "first")
    assert town.world.pin(town.owner, source, first).service is not None
    town.post(source, "behind it")
    town.world.pin(town.owner, source, town.post(source, "pinned too"))
    town.post(source, "the end")
    wanted = ["first", "behind it", "pinned too", "the end"]
    await eventually(lambda: all(town.texts(target) == wanted for target in targets.values()))
    for way, target in targets.items():
        made = [message for message in town.world.history(target) if message.sent_by != town.owner]
        assert [message.text for message in made] == wanted, way
        # Telegram refuses to forward a service message, or leaves it out of a call: nobody is to try.
        calls = [call for call in town.sandbox.gate.record.calls(chat=target) if call.messages]
        assert {call.outcome for call in calls} == {"ok"}, way
        assert sum(call.messages for call in calls) == len(wanted), way


async def test_a_group_that_becomes_a_supergroup_is_followed_as_source_and_as_destination(town: Town) -> None:
    routes = (Route.USER, Route.BOT)
    news = town.channel("News")
    # Messages of a basic group have other ids for each account: the bot carries only what it hears alone.
    talks = {route: small_group(town, f"Talk {route}", user=route is Route.USER) for route in routes}
    readers = {route: small_group(town, f"Readers by {route}") for route in routes}
    targets = {route: town.channel(f"By {route}") for route in routes}
    await town.start("ingest", "bot", "worker", "user-worker", "beat")
    for route in routes:
        await town.map(talks[route], targets[route], Mode.COPY, route)
        await town.map(news, readers[route], Mode.COPY, route)
    town.post(news, "before")
    await eventually(lambda: all("before" in texts_in_group(town, chat) for chat in readers.values()))

    for number in range(3):
        for chat in talks.values():
            town.post(chat, f"{chat} before {number}")
    small = (*talks.values(), *readers.values())
    becomes = {chat: town.world.migrate_group(town.owner, chat).id for chat in small}
    for number in range(3):
        for chat in talks.values():
            town.post(becomes[chat], f"{chat} after {number}")
        town.post(news, f"after {number}")

    def arrived(route: Route) -> bool:
        wanted = [f"{talks[route]} {when} {n}" for when in ("before", "after") for n in range(3)]
        return town.texts(targets[route]) == wanted

    after = [f"after {number}" for number in range(3)]
    await eventually(lambda: all(town.texts(becomes[chat]) == after for chat in readers.values()))
    await eventually(lambda: all(arrived(route) for route in routes))


def texts_in_group(town: Town, group: int) -> list[str]:
    return [message.text for message in town.world.history(group, town.owner)]


def small_group(town: Town, title: str, *, user: bool = True) -> int:
    """A basic group of the owner's in which our bot, and our user account, may read and write."""
    group: int = town.world.create_group(town.owner, title, (town.user,) if user else ()).id
    town.world.promote(town.owner, group, town.robot, ADMIN)
    return group
