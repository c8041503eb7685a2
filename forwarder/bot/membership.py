"""What a ``my_chat_member`` update says about the bot's rights."""

from __future__ import annotations

from telegram import (
    ChatMember,
    ChatMemberAdministrator,
    ChatMemberMember,
    ChatMemberOwner,
    ChatMemberRestricted,
)
from telegram.constants import ChatType

from forwarder.services.values import Rights


def rights_of(member: ChatMember, chat_type: str, *, reads_groups: bool) -> Rights:
    """The rights that go with a membership. ``reads_groups``: the bot's privacy mode is off.

    An administrator reads everything; a plain member of a group only with privacy mode off, and a bot in a
    channel is an administrator or nothing (core.telegram.org/bots/features#privacy-mode).
    """
    in_channel = chat_type == ChatType.CHANNEL
    if isinstance(member, ChatMemberOwner):
        return Rights(True, True, True, True)
    if isinstance(member, ChatMemberAdministrator):
        return Rights(
            may_read=True,
            may_post=bool(member.can_post_messages) if in_channel else True,
            may_edit=bool(member.can_edit_messages) if in_channel else True,
            may_delete=bool(member.can_delete_messages),
        )
    if isinstance(member, ChatMemberRestricted):
        return Rights(
            may_read=member.is_member and reads_groups,
            may_post=member.is_member and member.can_send_messages,
            may_edit=member.is_member,
            may_delete=False,
            slowed=True,
        )
    if isinstance(member, ChatMemberMember) and not in_channel:
        return Rights(may_read=reads_groups, may_post=True, may_edit=True, may_delete=False, slowed=True)
    return Rights()
