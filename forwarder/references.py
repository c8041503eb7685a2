"""What people write to name a chat or a post: @name, links to t.me, invite links, ids."""

from __future__ import annotations

import re
from dataclasses import dataclass

from forwarder.errors import InvalidRequest

CHANNEL_OFFSET = 1_000_000_000_000
"""A channel's marked id is -(this + its own id), as the Bot API writes it."""

LINK = re.compile(r"(?:https?://)?(?:www\.)?(?:t|telegram)\.(?:me|dog)/(?P<path>[^?#\s]*)", re.IGNORECASE)
SUBDOMAIN = re.compile(
    r"(?:https?://)?(?P<name>[a-z][a-z0-9_]{3,31})\.t\.me(?:/(?P<path>[^?#\s]*))?", re.IGNORECASE
)
RESOLVE = re.compile(r"tg://resolve\?(?:[^#\s]*&)?domain=(?P<name>[a-z0-9_]+)", re.IGNORECASE)
JOIN = re.compile(r"tg://join\?(?:[^#\s]*&)?invite=(?P<hash>[\w-]+)", re.IGNORECASE)
USERNAME = re.compile(r"[a-z](?:[a-z0-9]|_(?!_)){2,30}[a-z0-9]", re.IGNORECASE)
ID = re.compile(r"-[1-9][0-9]{0,17}", re.ASCII)
NUMBER = re.compile(r"[1-9][0-9]{0,9}", re.ASCII)
INVITE = re.compile(r"[\w-]{8,64}", re.ASCII)
LONGEST = 512

# First path words of t.me that are no usernames.
RESERVED = frozenset(
    {
        "addemoji", "addlist", "addstickers", "addtheme", "bg", "boost", "confirmphone", "contact",
        "giftcode", "invoice", "iv", "login", "m", "msg", "nft", "proxy", "setlanguage", "share", "socks",
    }
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Reference:
    """Exactly one of ``username`` (without @), ``chat_id`` (marked) and ``invite`` (the hash) is set.

    ``message_id`` is the post that a link leads to, ``topic_id`` the topic it names on the way.
    """

    username: str | None = None
    chat_id: int | None = None
    invite: str | None = None
    message_id: int | None = None
    topic_id: int | None = None


def parse_reference(text: str) -> Reference:
    """Raises :class:`~forwarder.errors.InvalidRequest` ``bad_reference`` for what names nothing."""
    text = text.strip()
    if len(text) <= LONGEST:
        for reading in (from_id, from_at_name, from_tg_link, from_link, from_subdomain):
            found = reading(text)
            if found is not None:
                return found
    raise bad_reference(text)


def parse_post_link(text: str) -> Reference:
    """A link to one post. Raises ``bad_reference`` also for a link to a chat alone."""
    found = parse_reference(text)
    if found.message_id is None or found.invite is not None:
        raise bad_reference(text)
    return found


@dataclass(frozen=True, slots=True)
class NamedPlace:
    """A chat as people name it (an @name, an id, or its number here), and the topic in it; 0 where none is named."""

    chat: str
    topic: int = 0


PLACE = re.compile(r"(?P<chat>[^/\s]+)/(?P<topic>[1-9][0-9]{0,9})", re.ASCII)


def parse_place(text: str) -> NamedPlace:
    """``CHAT``, ``CHAT/TOPIC``, or the link of a forum, of a topic, or of a post in one."""
    text = text.strip()
    link = from_link(text) or from_subdomain(text) if len(text) <= LONGEST else None
    if link is not None and link.invite is None:
        chat = f"@{link.username}" if link.username is not None else str(link.chat_id)
        return NamedPlace(chat, link.topic_id or link.message_id or 0)
    place = PLACE.fullmatch(text)
    return NamedPlace(place["chat"], int(place["topic"])) if place is not None else NamedPlace(text)


def bad_reference(text: str) -> InvalidRequest:
    shown = text if len(text) <= 60 else text[:57] + "..."
    return InvalidRequest(
        "bad_reference",
        f"“{shown}” names no chat. Write @name, a link such as https://t.me/name or https://t.me/+hash, "
        "or an id such as -1001234567890.",
        reference=shown,
    )


def from_id(text: str) -> Reference | None:
    if not ID.fullmatch(text):
        return None
    return Reference(chat_id=int(text))


def from_at_name(text: str) -> Reference | None:
    if text.startswith("@") and USERNAME.fullmatch(text[1:]):
        return Reference(username=text[1:])
    return None


def from_tg_link(text: str) -> Reference | None:
    if (resolved := RESOLVE.match(text)) is not None and USERNAME.fullmatch(resolved["name"]):
        post = re.search(r"[?&]post=([1-9][0-9]{0,9})(?:&|$)", text)
        return Reference(username=resolved["name"], message_id=int(post[1]) if post is not None else None)
    if (joined := JOIN.match(text)) is not None and INVITE.fullmatch(joined["hash"]):
        return Reference(invite=joined["hash"])
    return None


def from_subdomain(text: str) -> Reference | None:
    found = SUBDOMAIN.match(text)
    if found is None or found["name"].lower() == "www":
        return None
    return from_path([found["name"], *path_parts(found["path"] or "")])


def from_link(text: str) -> Reference | None:
    found = LINK.match(text)
    return from_path(path_parts(found["path"])) if found is not None else None


def path_parts(path: str) -> list[str]:
    return [part for part in path.split("/") if part]


def from_path(parts: list[str]) -> Reference | None:
    if not parts:
        return None
    first, rest = parts[0], parts[1:]
    if first.startswith("+"):
        return Reference(invite=first[1:]) if INVITE.fullmatch(first[1:]) else None
    if first == "joinchat":
        return Reference(invite=rest[0]) if rest and INVITE.fullmatch(rest[0]) else None
    if first == "c":
        return from_private_path(rest)
    # t.me/s/name is the preview of a public channel in a browser.
    if first == "s" and rest:
        first, rest = rest[0], rest[1:]
    if first.lower() in RESERVED or not USERNAME.fullmatch(first):
        return None
    numbers = post_numbers(rest)
    if numbers is None:
        return None
    return Reference(username=first, topic_id=numbers[0], message_id=numbers[1])


def from_private_path(parts: list[str]) -> Reference | None:
    if not parts or not re.fullmatch(r"[1-9][0-9]{0,12}", parts[0], re.ASCII):
        return None
    numbers = post_numbers(parts[1:])
    if numbers is None:
        return None
    return Reference(chat_id=-CHANNEL_OFFSET - int(parts[0]), topic_id=numbers[0], message_id=numbers[1])


def post_numbers(parts: list[str]) -> tuple[int | None, int | None] | None:
    """(topic, post) of ``[]``, ``[post]`` or ``[topic, post]``; None for anything else."""
    if len(parts) > 2 or not all(NUMBER.fullmatch(part) for part in parts):
        return None
    numbers = [int(part) for part in parts]
    match numbers:
        case []:
            return None, None
        case [post]:
            return None, post
        case [topic, post]:
            return topic, post
    return None
