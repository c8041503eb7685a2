"""python-telegram-bot's messages as our values, and our entities as its own."""

from __future__ import annotations

from collections.abc import Sequence

import telegram
from telegram.constants import ChatType

from forwarder.message import ChatKind, Entity, Facts, Heard, Kind, Origin, SourceMessage

CHAT_KINDS = {
    ChatType.CHANNEL: ChatKind.CHANNEL,
    ChatType.SUPERGROUP: ChatKind.SUPERGROUP,
    ChatType.GROUP: ChatKind.GROUP,
}

# The first field that is filled names the kind. An animation also fills `document`, a venue `location`.
KINDS = (
    ("animation", Kind.ANIMATION),
    ("photo", Kind.PHOTO),
    ("video_note", Kind.VIDEO_NOTE),
    ("video", Kind.VIDEO),
    ("voice", Kind.VOICE),
    ("audio", Kind.AUDIO),
    ("sticker", Kind.STICKER),
    ("document", Kind.DOCUMENT),
    ("poll", Kind.POLL),
    ("venue", Kind.VENUE),
    ("location", Kind.LOCATION),
    ("contact", Kind.CONTACT),
    ("dice", Kind.DICE),
)

SERVICE_FIELDS = (
    "new_chat_members", "left_chat_member", "new_chat_title", "new_chat_photo", "delete_chat_photo",
    "group_chat_created", "supergroup_chat_created", "channel_chat_created", "migrate_to_chat_id",
    "migrate_from_chat_id", "pinned_message", "successful_payment", "refunded_payment", "users_shared",
    "chat_shared", "connected_website", "write_access_allowed", "passport_data",
    "proximity_alert_triggered", "boost_added", "chat_background_set", "forum_topic_created",
    "forum_topic_edited", "forum_topic_closed", "forum_topic_reopened", "general_forum_topic_hidden",
    "general_forum_topic_unhidden", "giveaway_created", "giveaway_completed", "video_chat_scheduled",
    "video_chat_started", "video_chat_ended", "video_chat_participants_invited", "web_app_data",
    "message_auto_delete_timer_changed", "paid_message_price_changed", "direct_message_price_changed",
    "checklist_tasks_added", "checklist_tasks_done", "gift", "unique_gift", "gift_upgrade_sent",
    "suggested_post_approved", "suggested_post_approval_failed", "suggested_post_declined",
    "suggested_post_paid", "suggested_post_refunded", "chat_owner_left", "chat_owner_changed",
    "managed_bot_created", "poll_option_added", "poll_option_deleted",
)  # fmt: skip

# What the Bot API adds to a plain text message is never a kind of its own, so text comes last.
UNKNOWN_FIELDS = ("paid_media", "story", "game", "invoice", "giveaway", "giveaway_winners", "checklist")


def to_source(message: telegram.Message) -> SourceMessage:
    """Any message of a channel or group that the bot heard."""
    kind = kind_of(message)
    reply_to = message.reply_to_message
    topic_id = message.message_thread_id or 0 if message.is_topic_message else 0
    said, entities = words_of(message)
    return SourceMessage(
        chat_id=message.chat.id,
        message_id=message.message_id,
        date=message.date,
        kind=kind,
        heard=Heard.BOT,
        text=said,
        entities=from_bot(entities),
        album_id=message.media_group_id,
        media_id=media_id_of(message),
        edit_date=message.edit_date,
        topic_id=topic_id,
        # Inside a topic every message "replies" to the topic's first one.
        reply_to=reply_to.message_id if reply_to is not None and reply_to.message_id != topic_id else None,
        origin=origin_of(message),
        protected=bool(message.has_protected_content),
        migrated_to=message.migrate_to_chat_id,
        file_id=medium.file_id if (medium := medium_of(message)) is not None else None,
        facts=facts_of(message),
    )


def words_of(message: telegram.Message) -> tuple[str, Sequence[telegram.MessageEntity]]:
    """What stands in a message or below it. A poll has a description, which to MTProto is the message's text."""
    if message.poll is not None:
        return message.poll.description or "", message.poll.description_entities
    return message.text or message.caption or "", message.entities or message.caption_entities


def kind_of(message: telegram.Message) -> Kind:
    if any(getattr(message, field, None) for field in UNKNOWN_FIELDS):
        return Kind.UNKNOWN
    # A live photo also fills `photo` for old clients; a copy made as a photo would lose the motion.
    if getattr(message, "live_photo", None):
        return Kind.UNKNOWN
    for field, kind in KINDS:
        if getattr(message, field, None):
            return kind
    if message.text is not None:
        return Kind.TEXT
    if any(getattr(message, field, None) for field in SERVICE_FIELDS):
        return Kind.SERVICE
    return Kind.UNKNOWN


def media_id_of(message: telegram.Message) -> str | None:
    """``file_unique_id`` is the same for every bot and over time; of a photo, that of its largest size."""
    medium = medium_of(message)
    return f"bot:{medium.file_unique_id}" if medium is not None else None


FileHolder = (
    telegram.Animation
    | telegram.Audio
    | telegram.Document
    | telegram.PhotoSize
    | telegram.Sticker
    | telegram.Video
    | telegram.VideoNote
    | telegram.Voice
)


LASTING = telegram.Animation | telegram.Audio | telegram.Video | telegram.VideoNote | telegram.Voice


def medium_of(message: telegram.Message) -> FileHolder | None:
    if message.photo:
        return message.photo[-1]
    found: FileHolder | None = (
        message.animation
        or message.video
        or message.video_note
        or message.voice
        or message.audio
        or message.sticker
        or message.document
    )
    return found


def origin_of(message: telegram.Message) -> Origin | None:
    origin = message.forward_origin
    if isinstance(origin, telegram.MessageOriginChannel):
        return Origin(origin.chat.id, origin.message_id)
    return None


def facts_of(message: telegram.Message) -> Facts:
    medium, sender, origin = (
        medium_of(message),
        message.sender_chat or message.from_user,
        message.forward_origin,
    )
    preview = message.link_preview_options
    return Facts(
        # A channel's own posts have no sender but the channel, which MTProto does not repeat.
        sender_id=sender.id if sender is not None and message.chat.type != ChatType.CHANNEL else None,
        author=message.author_signature,
        anonymous=message.chat.type != ChatType.CHANNEL
        and message.sender_chat is not None
        and message.sender_chat.id == message.chat.id,
        via_bot=message.via_bot.id if message.via_bot is not None else None,
        forwarded=origin is not None,
        forwarded_from=origin_sender(origin),
        size=medium.file_size if medium is not None else None,
        # Read as an attribute it warns of a future type; as JSON it stays whole seconds.
        duration=medium.to_dict().get("duration") if isinstance(medium, LASTING) else None,
        file_name=getattr(medium, "file_name", None),
        buttons=message.reply_markup is not None,
        # The Bot API does not say whether a message was silent, nor whether a preview was found.
        preview=preview is not None and not preview.is_disabled,
        spoiler=bool(message.has_media_spoiler),
        preview_hidden=preview is not None and bool(preview.is_disabled),
        preview_url=preview.url if preview is not None and isinstance(preview.url, str) else None,
        preview_large=preview_size(preview),
        inverted=bool(message.show_caption_above_media or (preview is not None and preview.show_above_text)),
        poll=poll_words(message.poll) if message.poll is not None else None,
    )


def poll_words(poll: telegram.Poll) -> str:
    return "\n".join((poll.question, *(option.text for option in poll.options)))


def preview_size(preview: telegram.LinkPreviewOptions | None) -> bool | None:
    if preview is None or not (preview.prefer_large_media or preview.prefer_small_media):
        return None
    return bool(preview.prefer_large_media)


def origin_sender(origin: telegram.MessageOrigin | None) -> int | None:
    """The marked id of whoever a forward header names; None for a hidden user."""
    match origin:
        case telegram.MessageOriginChannel():
            return origin.chat.id
        case telegram.MessageOriginChat():
            return origin.sender_chat.id
        case telegram.MessageOriginUser():
            return origin.sender_user.id
    return None


def from_bot(entities: Sequence[telegram.MessageEntity]) -> tuple[Entity, ...]:
    return tuple(
        Entity(
            type=str(entity.type),
            offset=entity.offset,
            length=entity.length,
            url=entity.url,
            user_id=entity.user.id if entity.user is not None else None,
            language=entity.language,
            custom_emoji_id=int(entity.custom_emoji_id) if entity.custom_emoji_id else None,
        )
        for entity in entities
    )


# Names the Bot API accepts; others (bank cards, dates without their numbers) are found by the server itself.
ACCEPTED = frozenset(telegram.MessageEntity.ALL_TYPES) - {"date_time"}


def to_bot(entities: Sequence[Entity]) -> list[telegram.MessageEntity]:
    return [
        telegram.MessageEntity(
            type=entity.type,
            offset=entity.offset,
            length=entity.length,
            url=entity.url,
            user=telegram.User(entity.user_id, "", False) if entity.user_id is not None else None,
            language=entity.language,
            custom_emoji_id=str(entity.custom_emoji_id) if entity.custom_emoji_id is not None else None,
        )
        for entity in entities
        if entity.type in ACCEPTED
    ]
