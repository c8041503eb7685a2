"""Worlds and posts written as JSON: seed files, and what the control port is told to post.

A seed names things by keys of its own, and gets their ids, tokens and links back by these keys::

    {"users": [{"key": "olga", "first_name": "Olga", "phone": "+99966110001", "password": "2fa"}],
     "bots": [{"key": "bot", "name": "Forwarder", "username": "my_bot", "owner": "olga"}],
     "chats": [{"key": "news", "title": "News", "creator": "olga", "kind": "channel", "username": "news_one",
                "admins": {"bot": ["post_messages"]}, "members": ["petr"], "slow_mode": 0}],
     "posts": [{"by": "olga", "to": "news", "text": "Hello"}],
     "started": [["olga", "bot"]]}

A post: ``text``, ``entities`` (as the Bot API writes them) and ``media`` {"kind": photo, document, video,
animation, audio, voice, video_note, sticker, poll, quiz, contact, location, dice; "bytes" in base64 or a
"seed" to make some from; "name", "question", "options", "correct"...}; or ``album``: a list of such posts.
"""

from __future__ import annotations

import base64
import random
import struct
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import get_args

from .bot_api.arguments import Arguments
from .bot_api.formatting import entity_from_json
from .world import Contact, Content, Dice, Location, Media, Poll, World
from .world.detect import with_found
from .world.media import DocumentKind

Json = dict[str, object]
JsonObject = Mapping[str, object]


class BadScript(ValueError):
    """A seed or post that can't be read; the text says where and why."""


# -- posts -----------------------------------------------------------------------------------------------


def contents_from_json(world: World, values: JsonObject) -> list[Content]:
    """The messages of one post: one, or the parts of an album. Raises BadScript."""
    post = Arguments(values)
    album = post.sequence("album")
    if album:
        return [_content(world, Arguments(_object(item, "an item of the album"))) for item in album]
    return [_content(world, post)]


def _content(world: World, post: Arguments) -> Content:
    text = post.text("text")
    entities = tuple(entity_from_json(_object(one, "an entity")) for one in post.sequence("entities"))
    media = Arguments(post.mapping("media")) if post.has("media") else None
    return Content(text, with_found(text, entities), _media(world, media) if media is not None else None)


def _media(world: World, media: Arguments) -> Media:
    kind = media.text("kind")
    if kind == "photo":
        width, height = media.number("width", 64), media.number("height", 48)
        content = _bytes(media) or picture(media.number("seed"), width, height)
        return world.add_photo(content, width=width, height=height)
    if kind in ("poll", "quiz"):
        options = tuple(str(option) for option in media.sequence("options"))
        correct = tuple(media.numbers("correct")) if kind == "quiz" else ()
        return Poll(world.big_id(), media.text("question"), options, quiz=kind == "quiz", correct=correct)
    if kind == "contact":
        return Contact(media.text("phone"), media.text("first_name"))
    if kind == "location":
        return Location(media.real("latitude"), media.real("longitude"))
    if kind == "dice":
        return Dice()
    for known in get_args(DocumentKind):
        if kind == known:
            content = _bytes(media) or random.Random(media.number("seed")).randbytes(256)
            name, mime = media.text("name"), media.text("mime_type", "application/octet-stream")
            return world.add_document(
                content, name, kind=known, mime_type=mime, duration=media.real("duration")
            )
    raise BadScript(f"There is no medium of the kind {kind!r}.")


def _bytes(media: Arguments) -> bytes:
    try:
        return base64.b64decode(media.text("bytes"), validate=True)
    except ValueError as error:
        raise BadScript("The bytes of a medium must be base64 text.") from error


def picture(seed: int, width: int = 64, height: int = 48) -> bytes:
    """A small PNG of one colour drawn from the seed, so that each picture has bytes of its own."""
    colour = random.Random(seed).randbytes(3)
    rows = (b"\0" + colour * width) * height

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    mark = chunk(b"tEXt", b"seed\0" + str(seed).encode())
    body = chunk(b"IDAT", zlib.compress(rows))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + mark + body + chunk(b"IEND", b"")


# -- seeds -----------------------------------------------------------------------------------------------


@dataclass(slots=True)
class Seeded:
    """What a seed has made: the facts of each thing by its key."""

    users: dict[str, Json] = field(default_factory=dict)
    bots: dict[str, Json] = field(default_factory=dict)
    chats: dict[str, Json] = field(default_factory=dict)
    ids: dict[str, int] = field(default_factory=dict)

    def to_json(self) -> Json:
        return {"users": self.users, "bots": self.bots, "chats": self.chats}

    def find(self, key: object) -> int:
        """The id behind a key; a number is an id itself. Raises BadScript."""
        if isinstance(key, int):
            return key
        if key not in self.ids:
            raise BadScript(f"The seed speaks of {key!r}, but nothing has that key.")
        return self.ids[str(key)]

    def note(self, kind: dict[str, Json], values: Arguments, facts: Json, number: int) -> None:
        key = values.text("key") or str(number)
        if key in self.ids:
            raise BadScript(f"Two things of the seed have the key {key!r}.")
        self.ids[key] = number
        kind[key] = facts


def plant(world: World, seed: JsonObject) -> Seeded:
    """Make what the seed describes. Raises BadScript, or TelegramError for what Telegram would refuse."""
    spec, made = Arguments(seed), Seeded()
    unknown = sorted(set(seed) - {"users", "bots", "chats", "posts", "started"})
    if unknown:
        raise BadScript(f"A seed has no part called {', '.join(unknown)}.")
    for values in _objects(spec, "users"):
        _plant_user(world, values, made)
    for values in _objects(spec, "bots"):
        _plant_bot(world, values, made)
    for values in _objects(spec, "chats"):
        _plant_chat(world, values, made)
    for pair in spec.sequence("started"):
        if not isinstance(pair, list) or len(pair) != 2:
            raise BadScript('"started" wants pairs: a user and a bot.')
        world.send(made.find(pair[0]), made.find(pair[1]), Content("/start"))
    for values in _objects(spec, "posts"):
        author, chat = made.find(values.raw("by")), made.find(values.raw("to"))
        post(world, author, chat, contents_from_json(world, values.mapping("post") or _plain(values)))
    return made


def post(world: World, author: int, chat: int, contents: list[Content]) -> list[int]:
    """Send one message or one album; returns the numbers."""
    if len(contents) == 1:
        return [world.send(author, chat, contents[0]).id]
    return [message.id for message in world.send_album(author, chat, contents)]


def _plain(values: Arguments) -> JsonObject:
    return {name: values.raw(name) for name in ("text", "entities", "media", "album") if values.has(name)}


def _plant_user(world: World, values: Arguments, made: Seeded) -> None:
    user = world.create_user(
        values.text("first_name") or values.text("key"),
        last_name=values.text("last_name"),
        username=values.text("username") or None,
        phone=values.text("phone") or None,
        password=values.text("password") or None,
        premium=values.flag("premium"),
        language=values.text("language", "en"),
        account_id=values.number("id") or None,
    )
    made.note(made.users, values, {"id": user.id, "phone": user.phone, "name": user.name}, user.id)


def _plant_bot(world: World, values: Arguments, made: Seeded) -> None:
    bot = world.create_bot(
        values.text("name") or values.text("key"),
        username=values.text("username") or None,
        owner=made.find(values.raw("owner")) if values.has("owner") else None,
        token=values.text("token") or None,
        privacy=values.flag("privacy", True),
        account_id=values.number("id") or None,
    )
    token = bot.bot.token if bot.bot is not None else ""
    made.note(made.bots, values, {"id": bot.id, "token": token, "username": bot.username}, bot.id)


def _plant_chat(world: World, values: Arguments, made: Seeded) -> None:
    creator, title = made.find(values.raw("creator")), values.text("title") or values.text("key")
    kind = values.text("kind", "channel")
    username = values.text("username") or None
    if kind == "channel":
        chat = world.create_channel(creator, title, username=username)
    elif kind == "supergroup":
        chat = world.create_supergroup(creator, title, username=username)
    elif kind == "group":
        chat = world.create_group(creator, title)
    else:
        raise BadScript(f"There is no chat of the kind {kind!r}: use channel, supergroup or group.")
    if values.flag("protected") or values.number("slow_mode"):
        world.change_chat(
            creator, chat.id, protected=values.flag("protected"), slow_mode=values.number("slow_mode")
        )
    for key in values.sequence("members"):
        world.add_member(creator, chat.id, made.find(key))
    for key, rights in values.mapping("admins").items():
        account = made.find(key)
        if not chat.inside(account) and world.account(account).bot is None:
            world.add_member(creator, chat.id, account)
        names = rights if isinstance(rights, list) else []
        world.promote(creator, chat.id, account, frozenset(str(name) for name in names) | {"other"})
    facts: Json = {"id": chat.id, "title": chat.title, "username": chat.username}
    if values.flag("invite"):
        facts["invite"] = f"https://t.me/+{world.create_invite(creator, chat.id).hash}"
    made.note(made.chats, values, facts, chat.id)


def _objects(spec: Arguments, name: str) -> list[Arguments]:
    return [Arguments(_object(one, f"an entry of {name}")) for one in spec.sequence(name)]


def _object(value: object, what: str) -> JsonObject:
    if not isinstance(value, dict):
        raise BadScript(f"{what.capitalize()} must be an object, not {value!r}.")
    return value
