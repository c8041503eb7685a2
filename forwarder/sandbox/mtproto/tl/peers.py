"""Peers: how chats and accounts look to a viewer, and which ones a client means."""

from __future__ import annotations

from datetime import datetime
from functools import cached_property, lru_cache
from typing import Any

from telethon.tl import types

from forwarder.sandbox.world import Account, Chat, Member, TelegramError, World
from forwarder.sandbox.world import ids as marked

from .rights import admin_rights, banned_rights


def write_peer(chat_id: int) -> Any:
    if marked.is_user(chat_id):
        return types.PeerUser(chat_id)
    number = marked.bare(chat_id)
    return types.PeerChannel(number) if marked.is_channel(chat_id) else types.PeerChat(number)


def write_user(world: World, viewer: int, account: Account) -> Any:
    """An account as the viewer sees it: phone numbers are seen by their owner alone."""
    mine = account.id == viewer
    bot = account.bot is not None
    return types.User(
        account.id,
        is_self=True if mine else None,
        bot=True if bot else None,
        bot_chat_history=True if account.bot and not account.bot.privacy else None,
        bot_info_version=1 if bot else None,
        premium=True if account.premium else None,
        access_hash=world.access_hash(viewer, account.id),
        first_name=account.first_name,
        last_name=account.last_name or None,
        username=account.username,
        phone=account.phone if mine else None,
        lang_code=account.language if mine and not bot else None,
    )


def write_chat(world: World, viewer: int, chat: Chat) -> Any:
    """A chat as the viewer sees it; one that it may not see any more is a ChannelForbidden."""
    if chat.kind == "group":
        return _write_group(world, viewer, chat)
    member = chat.member(viewer)
    inside = member is not None and member.inside
    if (member is not None and member.role == "banned") or (not inside and not chat.public):
        return types.ChannelForbidden(
            marked.bare(chat.id),
            world.access_hash(viewer, chat.id),
            chat.title,
            broadcast=chat.broadcast or None,
            megagroup=not chat.broadcast or None,
        )
    return write_channel(world, viewer, chat, member)


class _Channel(types.Channel):
    """Written out once, however often it is shown: every message and update names the channel it is in."""

    @cached_property
    def _written(self) -> bytes:
        return bytes(super()._bytes())

    def _bytes(self) -> bytes:
        return self._written


def write_channel(world: World, viewer: int, chat: Chat, member: Member | None) -> Any:
    """A channel or supergroup; ``access_hash`` is always there and ``min`` never set."""
    look = ("slow_mode", "signatures", "protected", "forum", "linked")
    marks = frozenset(name for name in look if getattr(chat, name))
    denied = None if chat.broadcast else chat.default_denied
    access_hash = world.access_hash(viewer, chat.id)
    return _channel(chat.id, access_hash, chat.title, chat.username, chat.created, denied, marks, member)


@lru_cache(maxsize=10_000)
def _channel(
    chat_id: int,
    access_hash: int,
    title: str,
    username: str | None,
    created: datetime,
    denied: frozenset[str] | None,
    marks: frozenset[str],
    member: Member | None,
) -> Any:
    """What is shown depends on these alone. ``denied``: to all, in a supergroup; None marks a broadcast channel."""
    inside = member is not None and member.inside
    own_rights = admin_rights(member.rights) if member is not None and member.is_admin else None
    return _Channel(
        marked.bare(chat_id),
        title,
        types.ChatPhotoEmpty(),
        created,
        creator=True if member is not None and member.role == "creator" else None,
        left=None if inside else True,
        broadcast=denied is None or None,
        megagroup=denied is not None or None,
        signatures="signatures" in marks or None,
        slowmode_enabled="slow_mode" in marks or None,
        noforwards="protected" in marks or None,
        forum="forum" in marks or None,
        has_link="linked" in marks or None,
        access_hash=access_hash,
        username=username,
        admin_rights=own_rights,
        banned_rights=banned_rights(member.denied, member.until)
        if member is not None and member.role == "restricted"
        else None,
        default_banned_rights=None if denied is None else banned_rights(denied),
    )


def _write_group(world: World, viewer: int, chat: Chat) -> Any:
    member = chat.member(viewer)
    target = chat.migrated_to
    return types.Chat(
        marked.bare(chat.id),
        chat.title,
        types.ChatPhotoEmpty(),
        chat.member_count,
        chat.created,
        1,
        creator=True if chat.creator == viewer else None,
        left=None if member is not None and member.inside else True,
        deactivated=True if target is not None else None,
        noforwards=chat.protected or None,
        migrated_to=types.InputChannel(marked.bare(target), world.access_hash(viewer, target))
        if target is not None
        else None,
        admin_rights=admin_rights(member.rights) if member is not None and member.is_admin else None,
        default_banned_rights=banned_rights(chat.default_denied),
    )


def write_member(chat: Chat, viewer: int, member: Member) -> Any:
    """One entry of the participants' list."""
    if member.role == "creator":
        return types.ChannelParticipantCreator(member.account, admin_rights(member.rights))
    if member.role == "admin":
        return types.ChannelParticipantAdmin(
            member.account,
            member.promoted_by or chat.creator,
            member.joined,
            admin_rights(member.rights),
            can_edit=True if member.promoted_by == viewer else None,
            is_self=True if member.account == viewer else None,
            rank=member.rank or None,
        )
    if member.role in ("restricted", "banned"):
        return types.ChannelParticipantBanned(
            types.PeerUser(member.account),
            member.promoted_by or chat.creator,
            member.joined,
            banned_rights(member.denied, member.until),
            left=None if member.inside else True,
        )
    if member.role == "left":
        return types.ChannelParticipantLeft(types.PeerUser(member.account))
    if member.account == viewer:
        return types.ChannelParticipantSelf(member.account, member.inviter or chat.creator, member.joined)
    return types.ChannelParticipant(member.account, member.joined)


# -- what a client means -----------------------------------------------------------------------------------


def read_channel(world: World, viewer: int, channel: Any) -> Chat:
    """The chat behind an InputChannel. Raises CHANNEL_INVALID for a wrong access hash.

    A bot may name a channel that it is in without a hash.
    """
    if not isinstance(channel, types.InputChannel | types.InputPeerChannel):
        raise TelegramError(400, "CHANNEL_INVALID")
    chat = world.find_chat(marked.channel_chat(channel.channel_id))
    if chat is None or not _fits(world, viewer, chat.id, channel.access_hash, known=chat.inside(viewer)):
        raise TelegramError(400, "CHANNEL_INVALID")
    return chat


def read_user(world: World, viewer: int, user: Any) -> int:
    """The account behind an InputUser or InputPeerUser. Raises USER_ID_INVALID or PEER_ID_INVALID."""
    if isinstance(user, types.InputUserSelf | types.InputPeerSelf):
        return viewer
    if not isinstance(user, types.InputUser | types.InputPeerUser):
        raise TelegramError(400, "USER_ID_INVALID")
    account = world.memory.accounts.get(user.user_id)
    known = (user.user_id, viewer) in world.memory.started or user.user_id == viewer
    if account is None or not _fits(world, viewer, account.id, user.access_hash, known=known):
        raise TelegramError(400, "PEER_ID_INVALID")
    return account.id


def read_peer(world: World, viewer: int, peer: Any) -> int:
    """The marked id behind an InputPeer. Raises PEER_ID_INVALID, CHANNEL_INVALID, CHAT_ID_INVALID."""
    if isinstance(peer, types.InputPeerChannel):
        return read_channel(world, viewer, peer).id
    if isinstance(peer, types.InputPeerChat):
        return read_group(world, viewer, peer.chat_id).id
    if isinstance(peer, types.InputPeerUser | types.InputPeerSelf):
        return read_user(world, viewer, peer)
    raise TelegramError(400, "PEER_ID_INVALID")


def read_group(world: World, viewer: int, number: int) -> Chat:
    """A basic group that the viewer is or was in. Raises CHAT_ID_INVALID."""
    chat = world.find_chat(marked.group_chat(number))
    if chat is None or chat.member(viewer) is None:
        raise TelegramError(400, "CHAT_ID_INVALID")
    return chat


def _fits(world: World, viewer: int, thing: int, access_hash: int, *, known: bool) -> bool:
    if access_hash == world.access_hash(viewer, thing):
        return True
    return access_hash == 0 and known and world.account(viewer).bot is not None
