"""Who may do what where: pure questions about a chat and an account, answered with Telegram's refusals."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from .accounts import Account
from .chats import Chat, Member, Topic
from .errors import TelegramError
from .media import Media, send_right

_FORBIDDEN = {
    "send_plain": "CHAT_SEND_PLAIN_FORBIDDEN",
    "send_photos": "CHAT_SEND_PHOTOS_FORBIDDEN",
    "send_videos": "CHAT_SEND_VIDEOS_FORBIDDEN",
    "send_roundvideos": "CHAT_SEND_ROUNDVIDEOS_FORBIDDEN",
    "send_audios": "CHAT_SEND_AUDIOS_FORBIDDEN",
    "send_voices": "CHAT_SEND_VOICES_FORBIDDEN",
    "send_docs": "CHAT_SEND_DOCS_FORBIDDEN",
    "send_stickers": "CHAT_SEND_STICKERS_FORBIDDEN",
    "send_gifs": "CHAT_SEND_GIFS_FORBIDDEN",
    "send_games": "CHAT_SEND_GAME_FORBIDDEN",
    "send_polls": "CHAT_SEND_POLL_FORBIDDEN",
}


def may_read(chat: Chat, account: Account, *, bots_read_public: bool) -> bool:
    """Whether the account can see the chat's messages: members can, and anybody for public chats."""
    member = chat.member(account.id)
    if member is not None and member.role == "banned":
        return False
    if member is not None and member.inside:
        return True
    return chat.public and (account.bot is None or bots_read_public)


def check_read(chat: Chat, account: Account, *, bots_read_public: bool) -> None:
    """Raises CHANNEL_PRIVATE (CHAT_ID_INVALID for basic groups) when the chat can't be read."""
    if not may_read(chat, account, bots_read_public=bots_read_public):
        raise TelegramError(400, "CHAT_ID_INVALID" if chat.kind == "group" else "CHANNEL_PRIVATE")


def check_send(chat: Chat, account: Account, media: Sequence[Media | None], now: datetime) -> None:
    """Raises what Telegram answers when this account may not send these things here; slow mode is apart."""
    if chat.migrated_to is not None:
        raise TelegramError(400, "CHAT_ID_INVALID")
    member = chat.member(account.id)
    if member is None or not member.inside:
        raise _outsider(chat, account, member)
    if chat.broadcast:
        if not member.may("post_messages"):
            raise TelegramError(400, "CHAT_ADMIN_REQUIRED")
        return
    if member.is_admin:
        return
    denied = denied_rights(chat, member, now)
    if "send_messages" in denied:
        raise TelegramError(403, "CHAT_WRITE_FORBIDDEN")
    for one in media:
        right = send_right(one)
        if one is not None and "send_media" in denied:
            raise TelegramError(403, "CHAT_SEND_MEDIA_FORBIDDEN")
        if right in denied:
            raise TelegramError(403, _FORBIDDEN[right])


def denied_rights(chat: Chat, member: Member, now: datetime) -> frozenset[str]:
    """What an ordinary member may not do: the chat's defaults and the member's own running restrictions."""
    if member.role == "restricted" and (member.until is None or member.until > now):
        return chat.default_denied | member.denied
    return chat.default_denied


def _outsider(chat: Chat, account: Account, member: Member | None) -> TelegramError:
    if chat.kind == "group":
        return TelegramError(400, "CHAT_ID_INVALID")
    if member is not None and member.role == "banned":
        return TelegramError(400, "CHANNEL_PRIVATE" if chat.broadcast else "USER_BANNED_IN_CHANNEL")
    if not chat.public:
        return TelegramError(400, "CHANNEL_PRIVATE")
    if chat.broadcast:
        return TelegramError(400, "CHAT_ADMIN_REQUIRED")
    return TelegramError(403, "CHAT_WRITE_FORBIDDEN")


def check_slow_mode(chat: Chat, account_id: int, count: int, monotonic: float) -> None:
    """Raises SLOWMODE_MULTI_MSGS_DISABLED or SLOWMODE_WAIT_X; admins are exempt."""
    member = chat.member(account_id)
    if not chat.slow_mode or member is None or member.is_admin:
        return
    if count > 1:
        raise TelegramError(400, "SLOWMODE_MULTI_MSGS_DISABLED")
    last = chat.last_sent.get(account_id)
    if last is not None and (left := last + chat.slow_mode - monotonic) > 0:
        raise TelegramError(420, "SLOWMODE_WAIT_X", max(1, round(left + 0.5)))


def need_admin(chat: Chat, account_id: int, right: str | None = None) -> Member:
    """The admin's own entry. Raises CHAT_ADMIN_REQUIRED without that right, CHANNEL_PRIVATE for strangers."""
    member = chat.member(account_id)
    if (member is None or not member.inside) and not chat.public:
        raise TelegramError(400, "CHANNEL_PRIVATE")
    if member is None or not member.is_admin or (right is not None and not member.may(right)):
        raise TelegramError(400, "CHAT_ADMIN_REQUIRED")
    return member


def check_topic_maker(chat: Chat, account_id: int, now: datetime) -> None:
    """Raises CHAT_ADMIN_REQUIRED where the account may not make topics: members may, unless that is denied."""
    member = chat.member(account_id)
    if member is None or not member.inside:
        raise TelegramError(400, "CHANNEL_PRIVATE")
    if member.is_admin:
        need_admin(chat, account_id, "manage_topics")
    elif "manage_topics" in denied_rights(chat, member, now):
        raise TelegramError(400, "CHAT_ADMIN_REQUIRED")


def check_topic_owner(chat: Chat, topic: Topic, account_id: int) -> None:
    """Raises CHAT_ADMIN_REQUIRED for who neither made the topic nor may manage topics."""
    if not owns_topic(chat, topic, account_id):
        need_admin(chat, account_id, "manage_topics")


def owns_topic(chat: Chat, topic: Topic, account_id: int) -> bool:
    member = chat.member(account_id)
    return member is not None and (member.may("manage_topics") or topic.creator == account_id)


def check_topic(chat: Chat, topic: Topic, account_id: int) -> None:
    """Raises TOPIC_CLOSED: only its maker and who may manage topics write there then."""
    if topic.closed and not owns_topic(chat, topic, account_id):
        raise TelegramError(406, "TOPIC_CLOSED")
