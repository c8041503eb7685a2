"""Rules that change posts, through the whole house: what stands in the destinations is what the rules have made."""

from __future__ import annotations

from typing import Any

from forwarder.message import Mode, Route
from forwarder.sandbox.world import Content, Edit, Entity, Message, Photo
from forwarder.services.rules import Owner, RuleService

from .conftest import Town, eventually

AD, NEAR = "https://ads.example/x", "https://near.example/y"
RULES: tuple[dict[str, Any], ...] = (
    {"name": "no ads", "deny": {"hashtags": ["ad"]}},
    {"replace": {"words": ["cat"], "with": "dog"}},
    {"remove_links": ["ads.example"]},
    {"footer": '<b>{source_title}</b> · <a href="{post_link}">source</a>'},
    {"button": {"text": "Source", "url": "{post_link}"}},
    {"too_long": "split"},
)
HIDING: tuple[dict[str, Any], ...] = (RULES[0], {"spoiler": "media"}, {"drop_caption": True})
FOOTER = "\n\nNews · source"


def shown(town: Town, chat: int) -> list[Message]:
    return [message for message in town.world.history(chat) if message.service is None]


def link(town: Town, number: int) -> str:
    return f"https://t.me/c/{-town.channels['News'] - 1_000_000_000_000}/{number}"


async def test_posts_arrive_as_rules_have_made_them_by_both_routes_and_edits_follow(town: Town) -> None:
    source = town.channel("News")
    chats = {route: town.channel(f"By {route}") for route in (Route.BOT, Route.USER)}
    covered = {route: town.channel(f"Covered by {route}") for route in chats}
    forwarded = town.channel("Forwarded")
    await town.start("ingest", "bot", "worker", "user-worker", "beat")
    ways = [(chat, Mode.COPY, route, RULES) for route, chat in chats.items()]
    ways += [(chat, Mode.COPY, route, HIDING) for route, chat in covered.items()]
    for chat, mode, route, rules in [*ways, (forwarded, Mode.FORWARD, Route.USER, RULES)]:
        mapping = await town.map(source, chat, mode, route)
        for rule in rules:
            await RuleService(town.db).add(Owner("mapping", mapping), rule)

    world = town.world
    text = town.post(source, Content(f"A cat 😀 {AD} bold {NEAR}", (Entity("bold", 9 + len(AD), 4),)))
    town.post(source, "buy this #ad")
    picture, sticker = world.add_photo(b"one"), world.add_document(b"s", "s.webp", kind="sticker")
    photo = town.post(source, Content("The cat", media=picture))
    whole = town.post(source, Content(media=sticker))
    album = town.album(source, ["First cat", "second", ""])
    long = town.post(source, "cat " * 1022)
    everywhere = [*chats.values(), forwarded]
    await eventually(lambda: all(len(shown(town, chat)) == 8 for chat in everywhere))
    await eventually(lambda: all(len(shown(town, chat)) == 7 for chat in covered.values()))

    for chat in everywhere:
        one, two, three, *four, five, six = shown(town, chat)
        assert one.text == f"A dog 😀 bold {NEAR}{FOOTER}"
        assert [(e.kind, e.offset) for e in one.entities if e.kind == "bold"] == [
            ("bold", 9), ("bold", len(one.text.encode("utf-16-le")) // 2 - len("News · source")),
        ]  # fmt: skip
        assert [e.url for e in one.entities if e.kind == "text_link"] == [link(town, text)]
        assert (two.text, two.media, two.forward) == (f"The dog{FOOTER}", picture, None)
        assert (three.text, three.media) == ("", sticker)
        assert [part.text for part in four] == [f"First dog{FOOTER}", "second", ""]
        assert len({part.grouped_id for part in four} - {None}) == 1
        assert (five.text, six.text) == (("dog " * 1022).strip(), FOOTER.strip())
        bot = chat == chats[Route.BOT]
        assert [one.markup is not None, two.markup is not None, three.markup is not None] == [bot] * 3
    # What no rule changes is forwarded where the mapping forwards.
    assert [message.forward is not None for message in shown(town, forwarded)] == [n == 2 for n in range(8)]
    for chat in covered.values():
        assert [message.text for message in shown(town, chat)][1:6] == [""] * 5
        media = [message.media for message in shown(town, chat) if isinstance(message.media, Photo)]
        assert [one.spoiler for one in media] == [True] * 4

    world.edit(town.owner, source, text, Edit("Two cats and a cat"))
    world.edit(town.owner, source, photo, Edit("Another cat", media=world.add_photo(b"two")))
    world.edit(town.owner, source, album[1], Edit("second cat"))
    world.edit(town.owner, source, long, Edit("a short cat"))
    world.delete(town.owner, source, [whole])

    def followed(chat: int) -> bool:
        return town.texts(chat) == [
            f"Two cats and a dog{FOOTER}", f"Another dog{FOOTER}", f"First dog{FOOTER}", "second dog", "",
            f"a short dog{FOOTER}",
        ]  # fmt: skip

    await eventually(lambda: all(followed(chat) for chat in everywhere))
    for chat in everywhere:
        one, two, *_ = shown(town, chat)
        assert (one.markup is not None) == (chat == chats[Route.BOT])
        assert isinstance(two.media, Photo)
        assert two.media != picture

    world.edit(town.owner, source, text, Edit("an #ad"))
    world.edit(town.owner, source, photo, Edit("the last"))
    await eventually(lambda: all(town.texts(chat)[1] == f"the last{FOOTER}" for chat in everywhere))
    assert [town.texts(chat)[0] for chat in everywhere] == [f"Two cats and a dog{FOOTER}"] * 3
