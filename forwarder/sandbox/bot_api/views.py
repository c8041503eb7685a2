"""The world as one bot sees it, as the JSON objects of https://core.telegram.org/bots/api#available-types."""

from __future__ import annotations

from datetime import datetime

from forwarder.sandbox.world import (
    ADMIN_RIGHTS,
    Account,
    BotProfile,
    Chat,
    Entity,
    Forward,
    Member,
    Message,
    Poll,
    World,
)
from forwarder.sandbox.world.ids import is_user

from .keyboards import inline_json, right_field
from .media_views import media_json, poll_json
from .previews import preview_json

Json = dict[str, object]

_CHANNEL_ONLY = {"post_messages", "edit_messages"}
_GROUP_ONLY = {"pin_messages", "manage_topics"}
_PERMISSIONS = {
    "can_send_messages": "send_plain",
    "can_send_audios": "send_audios",
    "can_send_documents": "send_docs",
    "can_send_photos": "send_photos",
    "can_send_videos": "send_videos",
    "can_send_video_notes": "send_roundvideos",
    "can_send_voice_notes": "send_voices",
    "can_send_polls": "send_polls",
    "can_send_other_messages": "send_stickers",
    "can_add_web_page_previews": "embed_links",
    "can_change_info": "change_info",
    "can_invite_users": "invite_users",
    "can_pin_messages": "pin_messages",
    "can_manage_topics": "manage_topics",
}


def seconds(moment: datetime) -> int:
    """Unix time, whole seconds, as all dates of the Bot API."""
    return int(moment.timestamp())


def user_json(account: Account) -> Json:
    shown: Json = {"id": account.id, "is_bot": account.bot is not None, "first_name": account.first_name}
    if account.last_name:
        shown["last_name"] = account.last_name
    if account.username:
        shown["username"] = account.username
    if account.bot is None:
        shown["language_code"] = account.language
        if account.premium:
            shown["is_premium"] = True
    return shown


def me_json(account: Account, profile: BotProfile) -> Json:
    """What getMe adds to the user."""
    return {
        **user_json(account),
        "can_join_groups": profile.can_join_groups,
        "can_read_all_group_messages": not profile.privacy,
        "supports_inline_queries": False,
        "can_connect_to_business": False,
        "has_main_web_app": False,
    }


def chat_json(world: World, chat_id: int) -> Json:
    """The short form of a chat, as messages carry it."""
    if is_user(chat_id):
        account = world.account(chat_id)
        shown: Json = {"id": account.id, "type": "private", "first_name": account.first_name}
        if account.last_name:
            shown["last_name"] = account.last_name
        if account.username:
            shown["username"] = account.username
        return shown
    chat = world.chat(chat_id)
    shown = {"id": chat.id, "type": chat.kind, "title": chat.title}
    if chat.username:
        shown["username"] = chat.username
    if chat.forum:
        shown["is_forum"] = True
    return shown


def full_chat_json(world: World, bot: int, chat_id: int) -> Json:
    """ChatFullInfo, as far as the sandbox knows a chat."""
    shown = {
        **chat_json(world, chat_id),
        "accent_color_id": 0,
        "max_reaction_count": 11,
        "accepted_gift_types": dict.fromkeys(
            (
                "unlimited_gifts",
                "limited_gifts",
                "unique_gifts",
                "premium_subscription",
                "gifts_from_channels",
            ),
            False,
        ),
    }
    if is_user(chat_id):
        return shown
    chat = world.chat(chat_id)
    optional: Json = {
        "active_usernames": [chat.username] if chat.username else None,
        "description": chat.about or None,
        "has_protected_content": True if chat.protected else None,
        "slow_mode_delay": chat.slow_mode or None,
        "linked_chat_id": chat.linked,
    }
    if chat.kind != "channel":
        optional["permissions"] = {
            name: right not in chat.default_denied for name, right in _PERMISSIONS.items()
        }
    pinned = world.message(bot, chat_id, chat.pinned) if chat.pinned else None
    if pinned is not None:
        optional["pinned_message"] = message_json(world, bot, pinned)
    return {**shown, **{name: value for name, value in optional.items() if value is not None}}


def member_json(world: World, chat: Chat, account_id: int, member: Member | None, bot: int) -> Json:
    """A ChatMember. Who never was there has left, as Telegram says it."""
    shown: Json = {"user": user_json(world.account(account_id))}
    if member is None or member.role == "left":
        return {"status": "left", **shown}
    until = seconds(member.until) if member.until else 0
    if member.role == "creator":
        return {"status": "creator", **shown, "is_anonymous": "anonymous" in member.rights}
    if member.role == "banned":
        return {"status": "kicked", **shown, "until_date": until}
    if member.role == "member":
        return {"status": "member", **shown}
    if member.role == "restricted":
        denied = chat.default_denied | member.denied
        allowed = {name: right not in denied for name, right in _PERMISSIONS.items()}
        return {
            "status": "restricted",
            **shown,
            "is_member": member.inside,
            "until_date": until,
            "can_edit_tag": False,
            **allowed,
        }
    return {"status": "administrator", **shown, **_admin_rights(chat, member, bot)}


def _admin_rights(chat: Chat, member: Member, bot: int) -> Json:
    """All rights of an administrator that this kind of chat has. Every administrator can manage the chat."""
    hidden = _GROUP_ONLY if chat.broadcast else _CHANNEL_ONLY
    rights: Json = {
        right_field(right): right in member.rights for right in sorted(ADMIN_RIGHTS) if right not in hidden
    }
    rights.update(can_manage_chat=True, can_be_edited=member.promoted_by == bot)
    if member.rank:
        rights["custom_title"] = member.rank
    return rights


def entity_json(world: World, entity: Entity) -> Json:
    shown: Json = {"type": entity.kind, "offset": entity.offset, "length": entity.length}
    if entity.url:
        shown["url"] = entity.url
    if entity.language:
        shown["language"] = entity.language
    if entity.custom_emoji:
        shown["custom_emoji_id"] = str(entity.custom_emoji)
    if entity.kind == "text_mention" and entity.user in world.memory.accounts:
        shown["user"] = user_json(world.account(entity.user))
    return shown


def message_json(world: World, bot: int, message: Message, *, with_reply: bool = True) -> Json:
    """A Message as this bot receives it."""
    shown: Json = {
        "message_id": message.id,
        **_author_json(world, message),
        "date": seconds(message.date),
        "chat": chat_json(world, message.chat),
        **_context_json(world, bot, message, with_reply),
    }
    if message.service is not None:
        return {**shown, **_service_json(world, bot, message)}
    text_name, entities_name = (
        ("text", "entities") if message.media is None else ("caption", "caption_entities")
    )
    if message.text:
        shown[text_name] = message.text
    if message.entities:
        shown[entities_name] = [entity_json(world, entity) for entity in message.entities]
    if preview := preview_json(message):
        shown["link_preview_options"] = preview
    if message.inverted and message.media is not None:
        shown["show_caption_above_media"] = True
    if message.via_bot is not None:
        shown["via_bot"] = user_json(world.account(message.via_bot))
    if isinstance(message.media, Poll):
        shown["poll"] = poll_json(world, bot, message, message.media)
    elif message.media is not None:
        shown.update(media_json(world, bot, message.media))
    if keyboard := inline_json(message.markup):
        shown["reply_markup"] = keyboard
    return shown


def _author_json(world: World, message: Message) -> Json:
    if message.from_id is None:
        shown: Json = {"sender_chat": chat_json(world, message.chat)}
    elif is_user(message.from_id):
        shown = {"from": user_json(world.account(message.from_id))}
    else:
        shown = {"sender_chat": chat_json(world, message.from_id)}
    if message.post_author:
        shown["author_signature"] = message.post_author
    return shown


def _context_json(world: World, bot: int, message: Message, with_reply: bool) -> Json:
    shown: Json = {}
    if message.edit_date is not None:
        shown["edit_date"] = seconds(message.edit_date)
    if message.forward is not None:
        shown["forward_origin"] = _origin_json(world, message.forward)
    if message.grouped_id is not None:
        shown["media_group_id"] = str(message.grouped_id)
    if message.topic is not None:
        shown.update(message_thread_id=message.topic, is_topic_message=True)
    chat = world.find_chat(message.chat)
    if message.noforwards or (chat is not None and chat.protected):
        shown["has_protected_content"] = True
    if message.quote is not None:
        shown["quote"] = {
            "text": message.quote.text,
            "position": message.quote.offset,
            "is_manual": True,
            "entities": [entity_json(world, entity) for entity in message.quote.entities],
        }
    # Inside a topic every message answers something: the topic's first one where nothing else.
    answered = message.reply_to or (message.topic if message.topic != message.id else None)
    if answered is not None and with_reply:
        target = world.message(bot, message.chat, answered)
        if target is not None:
            shown["reply_to_message"] = message_json(world, bot, target, with_reply=False)
    return shown


def _origin_json(world: World, forward: Forward) -> Json:
    date = seconds(forward.date)
    if forward.author is None:
        return {"type": "hidden_user", "date": date, "sender_user_name": forward.name}
    if is_user(forward.author):
        return {"type": "user", "date": date, "sender_user": user_json(world.account(forward.author))}
    chat = chat_json(world, forward.author)
    if forward.channel_post is None:
        return {"type": "chat", "date": date, "sender_chat": chat}
    shown: Json = {"type": "channel", "date": date, "chat": chat, "message_id": forward.channel_post}
    return {**shown, "author_signature": forward.post_author} if forward.post_author else shown


def _service_json(world: World, bot: int, message: Message) -> Json:
    service = message.service
    if service is None:
        return {}
    if service.kind == "chat_created":
        return {"group_chat_created": True}
    if service.kind == "channel_created":
        made = "channel_chat_created" if message.post else "supergroup_chat_created"
        return {made: True}
    if service.kind in ("member_added", "member_joined"):
        return {"new_chat_members": [user_json(world.account(one)) for one in service.accounts]}
    if service.kind == "member_left":
        return {"left_chat_member": user_json(world.account(service.accounts[0]))}
    if service.kind == "title_changed":
        return {"new_chat_title": service.title}
    if service.kind == "topic_created":
        return {"forum_topic_created": {"name": service.title, "icon_color": service.icon_color}}
    if service.kind == "topic_edited":
        return {"forum_topic_edited": {"name": service.title}}
    if service.kind in ("topic_closed", "topic_reopened"):
        return {f"forum_{service.kind}": {}}
    if service.kind == "migrated_to":
        return {"migrate_to_chat_id": service.chat}
    if service.kind == "migrated_from":
        return {"migrate_from_chat_id": service.chat}
    if service.kind == "message_pinned":
        pinned = world.message(bot, message.chat, service.message_id)
        return {"pinned_message": message_json(world, bot, pinned, with_reply=False)} if pinned else {}
    shared: Json = {"request_id": service.button_id, "chat_id": service.chat}
    if service.title:
        shared["title"] = service.title
    if service.username:
        shared["username"] = service.username
    return {"chat_shared": shared}
