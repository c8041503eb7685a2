"""Answers what a chat is and what the bot may do there, over the Bot API."""

from __future__ import annotations

import telegram

from forwarder.errors import InvalidRequest, TelegramError
from forwarder.message import AccountKind, ChatCard, ChatKind, Topic
from forwarder.references import Reference, parse_reference
from forwarder.retry import Verdict, decide
from forwarder.telegram.bot_values import CHAT_KINDS
from forwarder.telegram.errors import translated


class BotDirectory:
    """The :class:`~forwarder.seam.Directory` of the bot. ``top_id`` is always 0: a bot cannot ask for it."""

    def __init__(self, bot: telegram.Bot) -> None:
        self._bot = bot

    async def look_up(self, reference: str) -> ChatCard:
        """See the seam. Codes: ``bad_reference``, ``chat_not_found``, ``chat_unreadable``, ``not_a_chat``,
        ``bot_cannot_use_invite``.
        """
        wanted = chat_of(parse_reference(reference), reference)
        try:
            async with translated():
                chat = await self._bot.get_chat(wanted)
        except TelegramError as error:
            raise refused(error, reference) from error
        kind = CHAT_KINDS.get(chat.type)  # type: ignore[call-overload]
        if kind is None:
            raise InvalidRequest(
                "not_a_chat",
                f"{reference} is a person or a bot, not a channel or a group.",
                reference=reference,
            )
        return card_of(chat, kind, await self._membership(chat))

    async def topics(self, chat_id: int) -> tuple[Topic, ...] | None:
        """The Bot API has no method that lists topics."""
        return None

    async def _membership(self, chat: telegram.ChatFullInfo) -> telegram.ChatMember:
        """The bot's own place in the chat. Raises ``chat_unreadable`` where it has none."""
        try:
            async with translated():
                me = (await self._bot.get_me()).id
                member = await self._bot.get_chat_member(chat.id, me)
        except TelegramError as error:
            # Only members may ask about members; a wait or an outage says nothing about membership.
            if decide(error, api=AccountKind.BOT, order="read").verdict not in MEMBERSHIP_VERDICTS:
                raise
            raise unreadable(chat) from error
        gone = member.status in (telegram.ChatMember.LEFT, telegram.ChatMember.BANNED)
        restricted_out = isinstance(member, telegram.ChatMemberRestricted) and not member.is_member
        if gone or restricted_out:
            raise unreadable(chat)
        return member


MEMBERSHIP_VERDICTS = (Verdict.FAIL, Verdict.PAUSE_MAPPING)


def chat_of(named: Reference, reference: str) -> int | str:
    if named.invite is not None:
        raise InvalidRequest(
            "bot_cannot_use_invite",
            "A bot cannot open an invite link. Add the bot to the chat, then choose the chat with the "
            "button, forward a post from it, or send its id.",
            reference=reference,
        )
    return named.chat_id if named.chat_id is not None else f"@{named.username}"


def card_of(chat: telegram.ChatFullInfo, kind: ChatKind, member: telegram.ChatMember) -> ChatCard:
    is_admin = isinstance(member, telegram.ChatMemberAdministrator | telegram.ChatMemberOwner)
    may_post = may_post_as(member, kind, chat)
    slow_mode = chat._slow_mode_delay  # the public property warns about one of its two types
    return ChatCard(
        chat_id=chat.id,
        kind=kind,
        title=chat.title or "",
        username=chat.username,
        protected=bool(chat.has_protected_content),
        forum=bool(chat.is_forum),
        slow_mode=int(slow_mode.total_seconds()) if slow_mode is not None else 0,
        linked_chat_id=chat.linked_chat_id,
        # In a group an ordinary member hears everything only without privacy mode, so it is not promised.
        may_read=is_admin,
        may_post=may_post,
        may_edit=may_post or bool(getattr(member, "can_edit_messages", False)),
        may_delete=may_post or bool(getattr(member, "can_delete_messages", False)),
        slowed=not is_admin,
    )


def may_post_as(member: telegram.ChatMember, kind: ChatKind, chat: telegram.ChatFullInfo) -> bool:
    if isinstance(member, telegram.ChatMemberOwner):
        return True
    if isinstance(member, telegram.ChatMemberAdministrator):
        return kind is not ChatKind.CHANNEL or bool(member.can_post_messages)
    if kind is ChatKind.CHANNEL:
        return False
    if isinstance(member, telegram.ChatMemberRestricted):
        return bool(member.can_send_messages)
    return chat.permissions is None or bool(chat.permissions.can_send_messages)


def refused(error: TelegramError, reference: str) -> Exception:
    decision = decide(error, api=AccountKind.BOT, order="read")
    if error.migrate_to is not None:
        return InvalidRequest(
            "chat_migrated",
            f"{reference} became a supergroup; its id is {error.migrate_to} now. Use that id.",
            reference=reference,
            chat_id=error.migrate_to,
        )
    if decision.verdict not in MEMBERSHIP_VERDICTS:
        return error
    if "not found" in error.name.lower() or error.code != 403:
        return InvalidRequest(
            "chat_not_found",
            f"The bot does not know the chat {reference}. Check the spelling; a private chat is known to the "
            "bot only once it was added there.",
            reference=reference,
        )
    return InvalidRequest(
        "chat_unreadable",
        f"The bot is not in {reference}. Add it there as an administrator, then try again.",
        reference=reference,
    )


def unreadable(chat: telegram.ChatFullInfo) -> InvalidRequest:
    return InvalidRequest(
        "chat_unreadable",
        f"The bot is not in “{chat.title}”. Add it there as an administrator, then try again.",
        title=chat.title or "",
        chat_id=chat.id,
    )
