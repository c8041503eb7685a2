"""One request of a bot: who asks, what it carries, and which chat it means."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from itertools import pairwise

from forwarder.sandbox.world import Account, Entity, Message, Options, Quote, TelegramError, World
from forwarder.sandbox.world.ids import is_user

from .arguments import Arguments
from .errors import ApiError, bad_request
from .formatting import entity_from_json
from .keyboards import reply_markup
from .polling import Polling
from .updates import Inbox
from .views import message_json

Json = dict[str, object]


@dataclass(frozen=True, slots=True)
class CommandList:
    """Commands that a bot set for one scope and language; both as the JSON text of the request."""

    scope: str
    language: str
    commands: tuple[tuple[str, str], ...]


@dataclass(slots=True)
class Desk:
    """What the door keeps for one bot besides its updates. Times by the world's monotonic clock."""

    commands: dict[tuple[str, str], CommandList]
    menu_buttons: dict[int, str]
    opened: float
    logged_out: float | None = None


@dataclass(frozen=True, slots=True)
class Request:
    """A request on its way through a method."""

    world: World
    bot: Account
    arguments: Arguments
    inbox: Inbox
    polling: Polling
    desk: Desk

    def shown(self, message: Message) -> Json:
        return message_json(self.world, self.bot.id, message)


Handler = Callable[[Request], object | Awaitable[object]]


def named_chat(world: World, arguments: Arguments, name: str = "chat_id") -> int | None:
    """The marked id that a parameter names, by number or @username; None for nonsense or an unknown name."""
    text = arguments.text(name).strip()
    if text.lstrip("-").isdigit():
        return int(text)
    if text.startswith("@"):
        try:
            found = world.resolve_username(text)
        except TelegramError:
            return None
        return None if is_user(found) else found
    return None


def visible_chat(request: Request, name: str = "chat_id", *, outsiders: bool = False) -> int:
    """The chat, if the bot may know of it. Raises 400 "chat not found", 403 when it is no (longer a) member.

    ``outsiders``: public chats may be looked at from outside, as getChat does.
    """
    if not request.arguments.has(name):
        raise bad_request(f"{name} is empty")
    chat_id = named_chat(request.world, request.arguments, name)
    if chat_id is None:
        raise bad_request("chat not found")
    if is_user(chat_id):
        return _private_chat(request, chat_id)
    chat = request.world.find_chat(chat_id)
    member = chat.member(request.bot.id) if chat is not None else None
    if chat is None or (member is None and not chat.public):
        raise bad_request("chat not found")
    if member is None or not member.inside:
        place = f"{chat.kind} chat"
        if member is not None and member.role == "banned":
            raise ApiError(403, f"bot was kicked from the {place}")
        if not (outsiders and chat.public):
            raise ApiError(403, f"bot is not a member of the {place}")
    return chat_id


def writable_chat(request: Request, name: str = "chat_id") -> int:
    """A chat to write to: as `visible_chat`, and an upgraded group answers with its new id."""
    chat_id = visible_chat(request, name)
    chat = request.world.find_chat(chat_id)
    if chat is not None and chat.migrated_to is not None:
        raise ApiError(400, "group chat was upgraded to a supergroup chat", migrate_to=chat.migrated_to)
    return chat_id


def _private_chat(request: Request, user: int) -> int:
    world, bot = request.world, request.bot.id
    if user not in world.memory.accounts:
        raise bad_request("chat not found")
    if user == bot:
        raise ApiError(403, "the bot can't send messages to the bot")
    if (user, bot) not in world.memory.started and not world.account(user).bot:
        together = world.memory.members_of.get(user, set()) & world.memory.members_of.get(bot, set())
        if not together:
            raise bad_request("chat not found")
    return user


def send_options(request: Request, chat_id: int) -> Options:
    """Reply, topic, keyboard and flags that all sending methods share."""
    arguments = request.arguments
    reply = arguments.nested(arguments.mapping("reply_parameters"))
    target = reply.number("message_id") or arguments.number("reply_to_message_id") or None
    lenient = reply.flag("allow_sending_without_reply") or arguments.flag("allow_sending_without_reply")
    if target is not None and request.world.message(request.bot.id, chat_id, target) is None:
        if not lenient:
            raise bad_request("message to be replied not found")
        target = None
    return Options(
        reply_to=target,
        quote=_quote(reply) if target is not None else None,
        topic=_topic(request),
        markup=reply_markup(arguments),
        silent=arguments.flag("disable_notification"),
        noforwards=arguments.flag("protect_content"),
    )


def _quote(reply: Arguments) -> Quote | None:
    if not reply.text("quote"):
        return None
    entities = tuple(
        entity_from_json(one) for one in reply.sequence("quote_entities") if isinstance(one, dict)
    )
    return Quote(reply.text("quote"), entities, reply.number("quote_position"))


def _topic(request: Request) -> int | None:
    if not request.arguments.has("message_thread_id"):
        return None
    return request.arguments.number("message_thread_id") or None


def message_number(request: Request, name: str = "message_id", missing: str = "message not found") -> int:
    number = request.arguments.number(name)
    if number <= 0:
        raise bad_request(missing)
    return number


def strictly_increasing(numbers: list[int]) -> list[int]:
    """1-100 message ids in rising order, as copyMessages and forwardMessages want them."""
    if not numbers:
        raise bad_request("message identifiers are not specified")
    if len(numbers) > 100:
        raise bad_request("too many messages to forward")
    if any(later <= earlier for earlier, later in pairwise(numbers)):
        raise bad_request("message identifiers must be in a strictly increasing order")
    return numbers


Formatted = tuple[str, tuple[Entity, ...]]
