"""The services over one database, two accounts, and directories that know what a test tells them."""

from __future__ import annotations

from dataclasses import dataclass, field

from forwarder.db import Database
from forwarder.errors import ForwarderError, InvalidRequest, NotFound
from forwarder.message import ChatCard, ChatKind, Topic
from forwarder.services.accounts import AccountService
from forwarder.services.channels import ChannelService
from forwarder.services.mappings import MappingService


@dataclass
class FakeDirectory:
    """Chats by reference, as one account sees them; an exception is raised in place of an answer."""

    known: dict[str, ChatCard | ForwarderError] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    silent: ForwarderError | None = None
    forums: dict[int, tuple[Topic, ...]] = field(default_factory=dict)

    def sees(self, card: ChatCard, *more: str) -> None:
        for reference in (str(card.chat_id), *more, *([f"@{card.username}"] if card.username else [])):
            self.known[reference] = card

    def refuses(self, reference: str, code: str) -> None:
        self.known[reference] = InvalidRequest(code, f"{reference}: {code}", reference=reference)

    async def topics(self, chat_id: int) -> tuple[Topic, ...] | None:
        return self.forums.get(chat_id)

    async def look_up(self, reference: str) -> ChatCard:
        self.asked.append(reference)
        if self.silent is not None:
            raise self.silent
        answer = self.known.get(reference)
        if answer is None:
            raise NotFound("chat_not_found", f"{reference} is not known", reference=reference)
        if isinstance(answer, ForwarderError):
            raise answer
        return answer


def chat(
    number: int,
    title: str = "News",
    *,
    reads: bool = True,
    posts: bool = True,
    kind: ChatKind = ChatKind.CHANNEL,
    username: str | None = None,
    protected: bool = False,
    linked: int | None = None,
    migrated_to: int | None = None,
    top_id: int = 0,
    access_hash: int | None = None,
    forum: bool = False,
) -> ChatCard:
    return ChatCard(
        forum=forum,
        chat_id=number,
        kind=kind,
        title=title,
        username=username,
        protected=protected,
        linked_chat_id=linked,
        migrated_to=migrated_to,
        top_id=top_id,
        access_hash=access_hash,
        may_read=reads,
        may_post=posts,
        may_edit=posts,
        may_delete=posts,
    )


@dataclass
class House:
    """The services over one fresh database, with what the two accounts know and which lanes were rung."""

    db: Database
    bot: FakeDirectory
    user: FakeDirectory
    bot_id: int
    user_id: int
    accounts: AccountService
    channels: ChannelService
    mappings: MappingService
    rung: list[int]

    async def source(self, number: int, title: str = "Source", *, bot: bool = True, top_id: int = 0) -> int:
        """A source that the user account reads, and the bot too where ``bot``."""
        self.user.sees(chat(number, title, posts=False, top_id=top_id))
        if bot:
            self.bot.sees(chat(number, title, posts=False))
        return (await self.channels.add(str(number), as_source=True)).id

    async def destination(self, number: int, title: str = "Destination", *, bot: bool = True) -> int:
        self.user.sees(chat(number, title))
        if bot:
            self.bot.sees(chat(number, title))
        return (await self.channels.add(str(number), as_destination=True)).id
