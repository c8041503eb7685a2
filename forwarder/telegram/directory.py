"""Answers what a chat is and what this account may do there, over MTProto."""

from __future__ import annotations

from typing import Any

from telethon import utils
from telethon.tl import functions, types

from forwarder.errors import InvalidRequest, TelegramError
from forwarder.message import AccountKind, ChatCard, ChatKind, Topic
from forwarder.references import Reference, parse_reference
from forwarder.retry import Verdict, decide
from forwarder.telegram.client import Client
from forwarder.telegram.peers import Peers, input_channel
from forwarder.telegram.reader import raise_unless_unreachable
from forwarder.telegram.topics import list_topics

NO_SUCH_NAME = frozenset({"USERNAME_NOT_OCCUPIED", "USERNAME_INVALID"})
NO_SUCH_INVITE = frozenset({"INVITE_HASH_EXPIRED", "INVITE_HASH_INVALID", "INVITE_HASH_EMPTY"})


class UserDirectory:
    """The :class:`~forwarder.seam.Directory` of a user's login."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._peers = Peers(client)

    async def look_up(self, reference: str) -> ChatCard:
        """See the seam. Codes: ``bad_reference``, ``chat_not_found``, ``chat_unreadable``, ``not_a_member``,
        ``not_a_chat``. Nothing is joined.
        """
        named = parse_reference(reference)
        try:
            peer = await self._peer(named)
            return await self._card(peer)
        except TelegramError as error:
            raise refused(error, reference) from error

    async def topics(self, chat_id: int) -> tuple[Topic, ...] | None:
        """None for a chat that this account cannot read, or that is no forum."""
        try:
            return await list_topics(self._client, await self._peers.input_peer(chat_id))
        except TelegramError as error:
            raise_unless_unreachable(error)
            return None

    async def _peer(self, named: Reference) -> Any:
        if named.username is not None:
            return await self._by_username(named.username)
        if named.invite is not None:
            return await self._by_invite(named.invite)
        assert named.chat_id is not None
        return await self._peers.input_peer(named.chat_id)

    async def _by_username(self, username: str) -> Any:
        answer = await self._client.ask(functions.contacts.ResolveUsernameRequest(username))
        if isinstance(answer.peer, types.PeerUser):
            raise not_a_chat(f"@{username}")
        return await self._peers.input_peer(utils.get_peer_id(answer.peer))

    async def _by_invite(self, invite: str) -> Any:
        answer = await self._client.ask(functions.messages.CheckChatInviteRequest(invite))
        if isinstance(answer, types.ChatInviteAlready):
            return await self._peers.input_peer(utils.get_peer_id(answer.chat))
        title = answer.chat.title if isinstance(answer, types.ChatInvitePeek) else answer.title
        raise InvalidRequest(
            "not_a_member",
            f"The user account is not a member of “{title}”. Join it with that account, then try again.",
            title=title,
        )

    async def _card(self, peer: Any) -> ChatCard:
        channel = input_channel(peer)
        if channel is not None:
            answer = await self._client.ask(functions.channels.GetFullChannelRequest(channel))
        elif isinstance(peer, types.InputPeerChat):
            answer = await self._client.ask(functions.messages.GetFullChatRequest(peer.chat_id))
        else:
            raise not_a_chat("This id")
        chat = next(item for item in answer.chats if item.id == answer.full_chat.id)
        if isinstance(chat, types.ChannelForbidden | types.ChatForbidden):
            raise unreadable(chat.title, utils.get_peer_id(chat))
        top_id = await self._top_id(peer)
        if isinstance(chat, types.Channel):
            return channel_card(chat, answer.full_chat, top_id)
        return group_card(chat, top_id)

    async def _top_id(self, peer: Any) -> int:
        request = functions.messages.GetPeerDialogsRequest([types.InputDialogPeer(peer)])
        try:
            answer = await self._client.ask(request)
        except TelegramError as error:
            if decide(error, api=AccountKind.USER, order="read").verdict is Verdict.WAIT:
                raise
            return 0
        return max((dialog.top_message for dialog in answer.dialogs), default=0)


def channel_card(chat: Any, full: Any, top_id: int) -> ChatCard:
    """Raises ``chat_unreadable`` for a private chat that the account has left."""
    marked = utils.get_peer_id(chat)
    username = chat.username or next((item.username for item in chat.usernames or () if item.active), None)
    if chat.left and username is None:
        raise unreadable(chat.title, marked)
    admin = chat.admin_rights
    may_post = may_post_in(chat)
    linked = full.linked_chat_id
    return ChatCard(
        chat_id=marked,
        kind=ChatKind.CHANNEL if chat.broadcast else ChatKind.SUPERGROUP,
        title=chat.title,
        username=username,
        protected=bool(chat.noforwards),
        forum=bool(chat.forum),
        slow_mode=full.slowmode_seconds or 0,
        linked_chat_id=utils.get_peer_id(types.PeerChannel(linked)) if linked else None,
        access_hash=chat.access_hash,
        top_id=top_id,
        # A public chat is readable without being in it.
        may_read=True,
        may_post=may_post,
        # One's own posts may always be edited and deleted; these rights are about what others posted.
        may_edit=may_post or bool(chat.creator or (admin and admin.edit_messages)),
        may_delete=may_post or bool(chat.creator or (admin and admin.delete_messages)),
        slowed=not (chat.creator or admin),
    )


def may_post_in(chat: Any) -> bool:
    if chat.creator:
        return True
    if chat.left:
        return False
    if chat.broadcast:
        return bool(chat.admin_rights and chat.admin_rights.post_messages)
    if chat.admin_rights is not None:
        return True
    banned = (chat.banned_rights, chat.default_banned_rights)
    return not any(rights is not None and rights.send_messages for rights in banned)


def group_card(chat: Any, top_id: int) -> ChatCard:
    """A basic group; one that was upgraded names the supergroup it became."""
    if chat.left:
        raise unreadable(chat.title, utils.get_peer_id(chat))
    migrated = chat.migrated_to
    banned = chat.default_banned_rights
    privileged = bool(chat.creator or chat.admin_rights)
    may_post = not chat.deactivated and (privileged or not (banned is not None and banned.send_messages))
    return ChatCard(
        chat_id=utils.get_peer_id(chat),
        kind=ChatKind.GROUP,
        title=chat.title,
        protected=bool(chat.noforwards),
        migrated_to=utils.get_peer_id(types.PeerChannel(migrated.channel_id))
        if migrated is not None
        else None,
        top_id=top_id,
        may_read=not chat.deactivated,
        may_post=may_post,
        may_edit=may_post,
        may_delete=may_post,
    )


def refused(error: TelegramError, reference: str) -> Exception:
    """The sentence for a chat that does not exist or is closed; waits and outages stay what they are."""
    if error.name in NO_SUCH_NAME:
        return InvalidRequest(
            "chat_not_found", f"There is no chat {reference}. Check the spelling.", reference=reference
        )
    if error.name in NO_SUCH_INVITE:
        return InvalidRequest(
            "chat_not_found",
            f"The invite link {reference} is wrong or has expired. Ask for a new one.",
            reference=reference,
        )
    decision = decide(error, api=AccountKind.USER, order="read")
    if decision.verdict is Verdict.PAUSE_MAPPING:
        code = "chat_unreadable" if error.name == "CHANNEL_PRIVATE" else "chat_not_found"
        return InvalidRequest(
            code,
            f"The user account cannot open {reference}: it is not a member there, or there is no such "
            "chat. Add the account to the chat, then try again.",
            reference=reference,
        )
    return error


def not_a_chat(who: str) -> InvalidRequest:
    return InvalidRequest(
        "not_a_chat", f"{who} is a person or a bot, not a channel or a group.", reference=who
    )


def unreadable(title: str, chat_id: int) -> InvalidRequest:
    return InvalidRequest(
        "chat_unreadable",
        f"The user account is not in “{title}”. Add it there, then try again.",
        title=title,
        chat_id=chat_id,
    )
