"""The menus of commands: for everybody in private chats, and one more for each administrator."""

from __future__ import annotations

from collections.abc import Iterable

import structlog
from telegram import Bot, BotCommand, BotCommandScopeAllPrivateChats, BotCommandScopeChat
from telegram.error import BadRequest, Forbidden

from forwarder.bot.texts import Texts
from forwarder.models import Language
from forwarder.services.users import Person

log = structlog.get_logger(__name__)

NAMES = ("start", "help", "why", "review", "cancel")
ADMIN_NAMES = (*NAMES, "admin")


def commands(texts: Texts, names: Iterable[str]) -> list[BotCommand]:
    return [BotCommand(name, texts.plain(f"command.{name}")) for name in names]


async def publish(bot: Bot, admin_ids: Iterable[int]) -> None:
    """Set the menus; an administrator who never spoke to the bot gets theirs with the first /start."""
    everywhere = BotCommandScopeAllPrivateChats()
    await bot.set_my_commands(commands(Texts(Language.EN), NAMES), scope=everywhere)
    await bot.set_my_commands(commands(Texts(Language.RU), NAMES), scope=everywhere, language_code="ru")
    for admin in admin_ids:
        await for_administrator(bot, admin, Texts(Language.EN))
        await for_administrator(bot, admin, Texts(Language.RU), "ru")


async def for_administrator(bot: Bot, admin: int, texts: Texts, language_code: str | None = None) -> None:
    try:
        await bot.set_my_commands(
            commands(texts, ADMIN_NAMES), scope=BotCommandScopeChat(admin), language_code=language_code
        )
    except (BadRequest, Forbidden) as error:
        log.debug("no chat with this administrator yet", telegram_id=admin, reason=error.message)


async def commands_for(bot: Bot, person: Person) -> None:
    """The administrator's own menu, in the language they chose."""
    if person.administrates:
        await for_administrator(bot, person.telegram_id, Texts(person.language))
