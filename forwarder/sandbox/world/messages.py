"""Messages and what they are made of, as frozen values."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from .markup import Markup
from .media import Media, WebPage

ServiceKind = Literal[
    "chat_created",
    "channel_created",
    "member_added",
    "member_joined",
    "member_left",
    "message_pinned",
    "title_changed",
    "chat_shared",
    "migrated_to",
    "migrated_from",
    "topic_created",
    "topic_edited",
    "topic_closed",
    "topic_reopened",
]


@dataclass(frozen=True, slots=True)
class Entity:
    """Formatting of a piece of text. ``offset`` and ``length`` count UTF-16 code units.

    ``kind`` has the Bot API's names (bold, italic, underline, strikethrough, spoiler, blockquote,
    expandable_blockquote, code, pre, text_link, text_mention, custom_emoji, url, mention, hashtag, cashtag,
    bot_command, email, phone_number). Source: https://core.telegram.org/bots/api#messageentity
    """

    kind: str
    offset: int
    length: int
    url: str = ""
    user: int = 0
    language: str = ""
    custom_emoji: int = 0


@dataclass(frozen=True, slots=True)
class Quote:
    """The piece of the answered message that an answer is about; ``offset`` where it stood, in UTF-16 units."""

    text: str
    entities: tuple[Entity, ...] = ()
    offset: int = 0


@dataclass(frozen=True, slots=True)
class Content:
    """What a message shows: text (or caption) and a medium, or a text and the preview of a link in it.

    ``inverted``: the caption stands above the medium, or the preview above the text.
    """

    text: str = ""
    entities: tuple[Entity, ...] = ()
    media: Media | None = None
    page: WebPage | None = None
    inverted: bool = False


@dataclass(frozen=True, slots=True)
class Forward:
    """The header of a forwarded message: whose it was. ``author`` is a marked id, None when hidden."""

    author: int | None
    date: datetime
    name: str = ""
    channel_post: int | None = None
    post_author: str = ""


@dataclass(frozen=True, slots=True)
class MadeFrom:
    """The world's own knowledge of which message a forward or copy was made from; no client sees it."""

    box: int
    chat: int
    id: int


@dataclass(frozen=True, slots=True)
class Service:
    """What a service message says. Which fields mean something depends on the kind."""

    kind: ServiceKind
    title: str = ""
    accounts: tuple[int, ...] = ()
    message_id: int = 0
    button_id: int = 0
    chat: int = 0
    username: str = ""
    icon_color: int = 0


@dataclass(frozen=True, slots=True)
class Message:
    """One message as it stands in one box.

    A channel or supergroup has one box for all; a private chat or a basic group has a copy in the box of
    each account, with its own id. ``uid`` is the same in all copies. ``chat`` is the marked id as the box's
    owner sees it (in a private chat: the other account). ``sent_by`` is who executed the call; ``from_id``
    who is shown as author (None for posts of a broadcast channel). ``topic`` is the forum topic it lies in, None
    outside forums and in a forum's General.
    """

    id: int
    box: int
    chat: int
    uid: int
    sent_by: int
    from_id: int | None
    date: datetime
    text: str = ""
    entities: tuple[Entity, ...] = ()
    media: Media | None = None
    page: WebPage | None = None
    inverted: bool = False
    grouped_id: int | None = None
    reply_to: int | None = None
    quote: Quote | None = None
    topic: int | None = None
    forward: Forward | None = None
    made_from: MadeFrom | None = None
    post: bool = False
    post_author: str = ""
    views: int | None = None
    edit_date: datetime | None = None
    markup: Markup | None = None
    service: Service | None = None
    noforwards: bool = False
    silent: bool = False
    via_bot: int | None = None
    revision: int = 0

    @property
    def content(self) -> Content:
        return Content(self.text, self.entities, self.media, self.page, self.inverted)

    @property
    def link(self) -> tuple[int, int]:
        """What tells this message from all others: its box and its id."""
        return self.box, self.id


@dataclass(frozen=True, slots=True)
class Deleted:
    """A message that is no more, and when and by whom it was removed."""

    message: Message
    at: datetime
    by: int


@dataclass(frozen=True, slots=True)
class Options:
    """How a message is sent, beyond its content. ``send_as`` is a channel in whose name it appears in a group,
    ``via_bot`` the inline bot that wrote it for its sender.
    """

    reply_to: int | None = None
    quote: Quote | None = None
    topic: int | None = None
    markup: Markup | None = None
    silent: bool = False
    noforwards: bool = False
    send_as: int | None = None
    via_bot: int | None = None


PLAIN = Options()
EMPTY = Content()


def utf16_length(text: str) -> int:
    """Length in the units in which Telegram counts offsets and limits."""
    return len(text) + sum(1 for char in text if ord(char) > 0xFFFF)
