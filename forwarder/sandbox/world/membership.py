"""Members: joining, leaving, inviting, promoting, restricting."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from . import rights
from .chats import ADMIN_RIGHTS, Chat, Invite, Member
from .errors import TelegramError
from .forums import Forums
from .messages import Service, ServiceKind


class Membership(Forums):
    """Layer: who is in which chat, and as what."""

    def join(self, actor: int, chat_id: int) -> Chat:
        """Join a public chat. Raises CHANNEL_PRIVATE for others, USER_ALREADY_PARTICIPANT never: it is a
        no-op.
        """
        chat = self.chat(chat_id)
        self._refuse_bot(actor)
        member = chat.member(actor)
        if member is not None and member.inside:
            return chat
        if not chat.public or (member is not None and member.role == "banned"):
            raise TelegramError(400, "CHANNEL_PRIVATE")
        return self._enter(chat, actor, actor)

    def check_invite(self, actor: int, invite_hash: str) -> tuple[Chat, Invite, bool]:
        """What is behind a link, and whether the actor is inside already."""
        chat, invite = self.find_invite(invite_hash)
        return chat, invite, chat.inside(actor)

    def import_invite(self, actor: int, invite_hash: str) -> Chat:
        """Join by link. Raises USER_ALREADY_PARTICIPANT, INVITE_HASH_EXPIRED, INVITE_REQUEST_SENT."""
        self._refuse_bot(actor)
        chat, invite = self.find_invite(invite_hash)
        member = chat.member(actor)
        if member is not None and member.inside:
            raise TelegramError(400, "USER_ALREADY_PARTICIPANT")
        if member is not None and member.role == "banned":
            raise TelegramError(400, "INVITE_HASH_EXPIRED")
        if invite.needs_approval:
            chat.join_requests[actor] = self.clock.now()
            raise TelegramError(400, "INVITE_REQUEST_SENT")
        return self._enter(chat, actor, invite.creator)

    def approve(self, actor: int, chat_id: int, account: int) -> Chat:
        """Let somebody in who asked by a link that needs approval."""
        chat = self.chat(chat_id)
        rights.need_admin(chat, actor, "invite_users")
        if chat.join_requests.pop(account, None) is None:
            raise TelegramError(400, "HIDE_REQUESTER_MISSING")
        return self._enter(chat, account, actor)

    def add_member(self, actor: int, chat_id: int, account: int) -> Chat:
        """Invite somebody by hand. Bots can't be ordinary members of a broadcast channel."""
        chat = self.chat(chat_id)
        newcomer = self.account(account)
        if chat.broadcast and newcomer.bot:
            raise TelegramError(400, "USER_BOT")
        if chat.kind != "group":
            rights.need_admin(chat, actor, "invite_users")
        if chat.inside(account):
            raise TelegramError(400, "USER_ALREADY_PARTICIPANT")
        return self._enter(chat, account, actor)

    def leave(self, actor: int, chat_id: int) -> Chat:
        """Leave. Raises USER_NOT_PARTICIPANT."""
        chat = self.chat(chat_id)
        member = chat.member(actor)
        if member is None or not member.inside:
            raise TelegramError(400, "USER_NOT_PARTICIPANT")
        if not chat.broadcast:
            self.place_service(actor, chat_id, Service("member_left", accounts=(actor,)))
        self._set_member(chat, Member(actor, "left", member.joined), actor)
        return chat

    def promote(
        self, actor: int, chat_id: int, account: int, granted: frozenset[str], *, rank: str = ""
    ) -> Member:
        """Make somebody an admin with these rights, or with none: an ordinary member again.

        A bot that is no member is added. Raises RIGHT_FORBIDDEN for rights that the actor lacks.
        """
        chat = self.chat(chat_id)
        own = rights.need_admin(chat, actor, "add_admins")
        unknown = granted - ADMIN_RIGHTS
        if unknown:
            raise ValueError(f"There is no admin right {', '.join(sorted(unknown))}.")
        if own.role != "creator" and granted - own.rights:
            raise TelegramError(403, "RIGHT_FORBIDDEN")
        before = chat.member(account)
        target = self.account(account)
        if before is not None and before.role == "creator":
            raise TelegramError(400, "USER_CREATOR")
        if (before is None or not before.inside) and not target.bot:
            raise TelegramError(400, "USER_NOT_PARTICIPANT")
        joined = before.joined if before and before.inside else self.clock.now()
        if granted:
            member = Member(account, "admin", joined, rights=granted, promoted_by=actor, rank=rank)
        elif chat.broadcast and target.bot:
            member = Member(account, "left", joined)
        else:
            member = Member(account, "member", joined)
        self._set_member(chat, member, actor)
        return member

    def restrict(
        self, actor: int, chat_id: int, account: int, denied: frozenset[str], *, until: datetime | None = None
    ) -> Member:
        """Take rights away; without ``view_messages`` it is a ban, with nothing denied it is a pardon."""
        chat = self.chat(chat_id)
        rights.need_admin(chat, actor, "ban_users")
        before = chat.member(account)
        if before is not None and before.is_admin:
            raise TelegramError(400, "USER_ADMIN_INVALID")
        joined = before.joined if before else self.clock.now()
        if "view_messages" in denied:
            member = Member(account, "banned", joined, denied=denied, until=until, promoted_by=actor)
        elif before is None or not before.inside:
            member = Member(account, "left", joined)
        elif denied:
            member = Member(account, "restricted", joined, denied=denied, until=until, promoted_by=actor)
        else:
            member = replace(before, role="member", denied=frozenset(), until=None)
        self._set_member(chat, member, actor)
        return member

    def ban(self, actor: int, chat_id: int, account: int) -> Member:
        """Remove somebody for good; works on bots that are admins too."""
        chat = self.chat(chat_id)
        rights.need_admin(chat, actor, "ban_users")
        before = chat.member(account)
        if before is not None and before.role == "creator":
            raise TelegramError(400, "USER_ADMIN_INVALID")
        joined = before.joined if before else self.clock.now()
        member = Member(account, "banned", joined, denied=frozenset({"view_messages"}), promoted_by=actor)
        self._set_member(chat, member, actor)
        return member

    def migrate_group(self, actor: int, chat_id: int) -> Chat:
        """Upgrade a basic group to a supergroup with the same people; the old one points to the new one."""
        old = self.chat(chat_id)
        if old.kind != "group" or old.migrated_to is not None:
            raise TelegramError(400, "CHAT_ID_INVALID")
        if old.creator != actor:
            raise TelegramError(400, "CHAT_ADMIN_REQUIRED")
        new = self.create_supergroup(actor, old.title, about=old.about)
        new.migrated_from = chat_id
        for member in old.members.values():
            if member.inside and member.account != actor:
                self._set_member(new, replace(member, joined=self.clock.now()), actor)
        self.place_service(actor, chat_id, Service("migrated_to", chat=new.id))
        self.place_service(actor, new.id, Service("migrated_from", title=old.title, chat=chat_id))
        old.migrated_to = new.id
        return new

    def _enter(self, chat: Chat, account: int, inviter: int) -> Chat:
        self._set_member(chat, Member(account, "member", self.clock.now(), inviter=inviter), inviter)
        if not chat.broadcast:
            kind: ServiceKind = "member_joined" if inviter == account else "member_added"
            self.place_service(inviter, chat.id, Service(kind, accounts=(account,)))
        return chat

    def _refuse_bot(self, actor: int) -> None:
        if self.account(actor).bot:
            raise TelegramError(400, "BOT_METHOD_INVALID")
