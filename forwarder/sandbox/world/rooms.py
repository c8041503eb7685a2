"""Channels, supergroups and groups: made, changed, and found."""

from __future__ import annotations

import base64
from typing import Literal

from . import ids, rights
from .boxes import Box
from .chats import CREATOR_RIGHTS, Chat, ChatKind, Invite, Member
from .errors import TelegramError
from .events import ChatChanged, MemberChanged
from .messages import Service
from .posting import Posting

_UNSET: Literal["unset"] = "unset"


class Rooms(Posting):
    """Layer: chats as such. Members come and go in the layer above."""

    def create_channel(
        self,
        creator: int,
        title: str,
        *,
        username: str | None = None,
        about: str = "",
        chat_id: int | None = None,
    ) -> Chat:
        """A broadcast channel; its first message is the service message about its creation."""
        return self._create("channel", creator, title, username, about, chat_id)

    def create_supergroup(
        self,
        creator: int,
        title: str,
        *,
        username: str | None = None,
        about: str = "",
        chat_id: int | None = None,
    ) -> Chat:
        return self._create("supergroup", creator, title, username, about, chat_id)

    def create_group(self, creator: int, title: str, members: tuple[int, ...] = ()) -> Chat:
        """A basic group: its messages are numbered in each member's own box."""
        chat = self._create("group", creator, title, None, "", None)
        for account in members:
            self._set_member(chat, Member(account, "member", self.clock.now(), inviter=creator), creator)
        return chat

    def _create(
        self, kind: ChatKind, creator: int, title: str, username: str | None, about: str, chat_id: int | None
    ) -> Chat:
        owner = self.account(creator)
        if owner.bot:
            raise TelegramError(400, "BOT_METHOD_INVALID")
        if not title.strip():
            raise TelegramError(400, "CHAT_TITLE_EMPTY")
        number = chat_id or self._free_chat(kind)
        if number in self.memory.chats:
            raise ValueError(f"There is a chat {number} already.")
        chat = Chat(number, kind, title, self.clock.now(), creator, about=about)
        if username:
            self._claim_username(username, number)
            chat.username = username
        self.memory.chats[number] = chat
        if kind != "group":
            self.memory.boxes[number] = Box(number, self.rules.keep_channel_log)
        member = Member(creator, "creator", self.clock.now(), rights=CREATOR_RIGHTS)
        self._set_member(chat, member, creator)
        self.place_service(
            creator, number, Service("chat_created" if kind == "group" else "channel_created", title=title)
        )
        return chat

    def _free_chat(self, kind: ChatKind) -> int:
        mark, number = (ids.group_chat, 4001) if kind == "group" else (ids.channel_chat, 2_000_000_001)
        while mark(number) in self.memory.chats:
            number += 1
        return mark(number)

    def _set_member(self, chat: Chat, member: Member, actor: int) -> None:
        before = chat.members.get(member.account)
        chat.members[member.account] = member
        of_account = self.memory.members_of.setdefault(member.account, set())
        (of_account.add if member.inside else of_account.discard)(chat.id)
        self._emit(MemberChanged(self.clock.now(), chat.id, member.account, actor, before, member))

    # -- settings ----------------------------------------------------------------------------------------

    def change_chat(
        self,
        actor: int,
        chat_id: int,
        *,
        title: str | None = None,
        about: str | None = None,
        username: str | None = _UNSET,
        protected: bool | None = None,
        slow_mode: int | None = None,
        signatures: bool | None = None,
        linked: int | None = None,
        default_denied: frozenset[str] | None = None,
    ) -> Chat:
        """Change what is given. ``username=None`` makes the chat private; ``slow_mode`` in seconds."""
        chat = self.chat(chat_id)
        rights.need_admin(chat, actor, "change_info")
        if username != _UNSET:
            self._rename(chat, username)
        if about is not None:
            chat.about = about
        if protected is not None:
            chat.protected = protected
        if slow_mode is not None:
            chat.slow_mode = slow_mode
        if signatures is not None:
            chat.signatures = signatures
        if linked is not None:
            chat.linked, self.chat(linked).linked = linked, chat_id
        if default_denied is not None:
            chat.default_denied = default_denied
        if title is not None and title != chat.title:
            chat.title = title
            self.place_service(actor, chat_id, Service("title_changed", title=title))
        self._emit(ChatChanged(self.clock.now(), chat_id))
        return chat

    def _rename(self, chat: Chat, username: str | None) -> None:
        if username:
            self._claim_username(username, chat.id)
        if chat.username and chat.username != username:
            self.memory.usernames.pop(chat.username.lower(), None)
        chat.username = username

    def create_invite(self, actor: int, chat_id: int, *, needs_approval: bool = False) -> Invite:
        """A new invite link of the chat (``t.me/+<hash>``)."""
        chat = self.chat(chat_id)
        rights.need_admin(chat, actor, "invite_users")
        token = base64.urlsafe_b64encode(self.random.randbytes(12)).decode()
        invite = Invite(token, actor, self.clock.now(), needs_approval=needs_approval)
        chat.invites[token] = invite
        return invite

    def revoke_invite(self, actor: int, chat_id: int, invite_hash: str) -> None:
        chat = self.chat(chat_id)
        rights.need_admin(chat, actor, "invite_users")
        old = chat.invites[invite_hash]
        chat.invites[invite_hash] = Invite(old.hash, old.creator, old.created, True, old.needs_approval)

    def find_invite(self, invite_hash: str) -> tuple[Chat, Invite]:
        """The chat behind an invite link. Raises INVITE_HASH_EMPTY, INVITE_HASH_EXPIRED."""
        if not invite_hash:
            raise TelegramError(400, "INVITE_HASH_EMPTY")
        for chat in self.memory.chats.values():
            invite = chat.invites.get(invite_hash)
            if invite is not None and not invite.revoked:
                return chat, invite
        raise TelegramError(400, "INVITE_HASH_EXPIRED")

    def chats_of(self, account: int) -> list[Chat]:
        """The chats that an account is in at present."""
        return [
            self.memory.chats[chat] for chat in sorted(self.memory.members_of.get(account, ()), reverse=True)
        ]
