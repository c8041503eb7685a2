"""Who is on the stage: people, the bot, five sources, seven destinations and twelve mappings between them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from forwarder.message import Mode, Route

API_ID = 10001
API_HASH = "0123456789abcdef0123456789abcdef"
"""The local Telegram accepts any; real ones never leave the settings."""

OWNER = "olga"
"""The person who owns every chat, posts, and works the control bot."""
ACCOUNT = "anna"
"""The user account of the forwarder."""
BOT = "forwarder"
PHONE = "+99966123456"
PASSWORD = "stage door"  # noqa: S105 - the second factor of an invented account

POSTING = ("post_messages", "edit_messages", "delete_messages")


@dataclass(frozen=True, slots=True)
class Chat:
    """A channel; ``username`` only where it is public. ``bot`` and ``account``: who of ours is in it."""

    key: str
    title: str
    username: str | None = None
    bot: bool = False
    account: bool = False


@dataclass(frozen=True, slots=True)
class Mapping:
    """``route`` is what ``auto`` must come to: the bot where it reads the source and posts to the other."""

    source: str
    destination: str
    mode: Mode
    route: Route


SOURCES = (
    Chat("city", "City news", "demo_city_news", bot=True, account=True),
    Chat("weather", "Weather desk", bot=True),
    Chat("markets", "Markets, members only", account=True),
    Chat("science", "Science digest, members only", account=True),
    Chat("sport", "Sport live", "demo_sport_live", bot=True, account=True),
)
"""The bot alone reads the weather: Telegram tells bots of no deletions, so none is made there."""

DELETIONS_HEARD = frozenset(chat.key for chat in SOURCES if chat.account)

DESTINATIONS = (
    Chat("front", "Front page", "demo_front_page", bot=True),
    Chat("digest", "Morning digest", bot=True),
    Chat("archive", "Archive", bot=True),
    Chat("desk", "Editors' desk", account=True),
    Chat("partner", "Partner feed", account=True),
    Chat("night", "Night shift", account=True),
    Chat("mirror", "Mirror", account=True),
)

MAPPINGS = (
    Mapping("city", "front", Mode.FORWARD, Route.BOT),
    Mapping("city", "digest", Mode.COPY, Route.BOT),
    Mapping("city", "mirror", Mode.COPY, Route.USER),
    Mapping("weather", "front", Mode.FORWARD, Route.BOT),
    Mapping("weather", "archive", Mode.COPY, Route.BOT),
    Mapping("markets", "desk", Mode.FORWARD, Route.USER),
    Mapping("markets", "partner", Mode.COPY, Route.USER),
    Mapping("markets", "night", Mode.COPY, Route.USER),
    Mapping("science", "night", Mode.FORWARD, Route.USER),
    Mapping("science", "mirror", Mode.COPY, Route.USER),
    Mapping("sport", "digest", Mode.FORWARD, Route.BOT),
    Mapping("sport", "archive", Mode.COPY, Route.BOT),
)


def seed(sources: Sequence[Chat] = SOURCES, destinations: Sequence[Chat] = DESTINATIONS) -> dict[str, object]:
    """The stage as a seed file of the sandbox. The bot is in no destination yet: the chat picker adds it."""
    return {
        "users": [
            {"key": OWNER, "first_name": "Olga", "username": "demo_olga", "phone": "+99966100001"},
            {"key": ACCOUNT, "first_name": "Anna", "phone": PHONE, "password": PASSWORD},
        ],
        "bots": [{"key": BOT, "name": "Forwarder", "username": "demo_forwarder_bot", "owner": OWNER}],
        "chats": [_chat(chat, source=True) for chat in sources]
        + [_chat(chat, source=False) for chat in destinations],
    }


def _chat(chat: Chat, *, source: bool) -> dict[str, object]:
    written: dict[str, object] = {
        "key": chat.key,
        "title": chat.title,
        "creator": OWNER,
        "kind": "channel",
        "invite": chat.username is None,
    }
    if chat.username is not None:
        written["username"] = chat.username
    if source:
        written["members"] = [ACCOUNT] if chat.account else []
        # In a channel a bot can only be an administrator; without further rights it reads.
        written["admins"] = {BOT: []} if chat.bot else {}
    elif chat.account:
        written["admins"] = {ACCOUNT: list(POSTING)}
    return written
