"""Every content that the libraries know is heard as one of our kinds; a newer library with more fails here first."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
import telegram
from telethon.tl import types

from forwarder.message import Heard, Kind
from forwarder.telegram import bot_values, telethon_values

# What python-telegram-bot's Message says besides its content.
ABOUT = frozenset(
    {
        "author_signature", "business_connection_id", "caption", "caption_entities", "direct_messages_topic",
        "edit_date", "effect_id", "entities", "external_reply", "forward_origin", "from_user",
        "guest_bot_caller_chat", "guest_bot_caller_user", "guest_query_id", "has_media_spoiler",
        "has_protected_content", "is_automatic_forward", "is_from_offline", "is_paid_post",
        "is_topic_message", "link_preview_options", "media_group_id", "message_thread_id", "paid_star_count",
        "quote", "reply_markup", "reply_to_checklist_task_id", "reply_to_message", "reply_to_poll_option_id",
        "reply_to_story", "sender_boost_count", "sender_business_bot", "sender_chat", "sender_tag",
        "show_caption_above_media", "suggested_post_info", "via_bot",
    }
)  # fmt: skip
KINDS = {**dict(bot_values.KINDS), "text": Kind.TEXT, "live_photo": Kind.UNKNOWN}
SERVICES = dict.fromkeys(bot_values.SERVICE_FIELDS, Kind.SERVICE)
UNKNOWNS = dict.fromkeys(bot_values.UNKNOWN_FIELDS, Kind.UNKNOWN)

MEDIA = {
    "Contact": Kind.CONTACT, "Dice": Kind.DICE, "Document": Kind.DOCUMENT, "Empty": Kind.TEXT, "Game": Kind.UNKNOWN,
    "Geo": Kind.LOCATION, "GeoLive": Kind.LOCATION, "Giveaway": Kind.UNKNOWN, "GiveawayResults": Kind.UNKNOWN,
    "Invoice": Kind.UNKNOWN, "PaidMedia": Kind.UNKNOWN, "Photo": Kind.PHOTO, "Poll": Kind.POLL,
    "Story": Kind.UNKNOWN, "ToDo": Kind.UNKNOWN, "Unsupported": Kind.UNKNOWN, "Venue": Kind.VENUE,
    "VideoStream": Kind.UNKNOWN, "WebPage": Kind.TEXT,
}  # fmt: skip


def public(slots: tuple[str, ...]) -> set[str]:
    return {name for name in slots if not name.startswith("_")}


def test_every_field_of_a_bots_message_is_a_kind_or_says_something_about_one() -> None:
    assert public(telegram.Message.__slots__) == KINDS.keys() | SERVICES.keys() | UNKNOWNS.keys() | ABOUT


@pytest.mark.parametrize(("field", "kind"), sorted({**KINDS, **SERVICES, **UNKNOWNS}.items()))
def test_a_bots_message_with_this_field_is_of_this_kind(field: str, kind: Kind) -> None:
    message: Any = SimpleNamespace(**{**dict.fromkeys(KINDS), field: "something"})
    assert bot_values.kind_of(message) is kind


def test_every_medium_of_telethon_has_a_kind() -> None:
    names = {name.removeprefix("MessageMedia") for name in dir(types) if name.startswith("MessageMedia")}
    assert names == MEDIA.keys()


@pytest.mark.parametrize(("name", "kind"), sorted(MEDIA.items()))
def test_a_medium_of_telethon_is_of_this_kind(name: str, kind: Kind) -> None:
    cls = getattr(types, f"MessageMedia{name}")
    media = cls.__new__(cls)
    media.photo = types.Photo(1, 2, b"", None, [], 2)
    media.document = types.Document(1, 2, b"", None, "", 3, 2, [])
    message = types.Message(7, types.PeerChannel(1), message="", media=media)
    assert telethon_values.kind_of(message) is kind


@pytest.mark.parametrize("name", sorted(name for name in dir(types) if name.startswith("MessageAction")))
def test_every_action_is_a_service_message(name: str) -> None:
    cls = getattr(types, name)
    action = cls.__new__(cls)
    action.channel_id = 5
    message = types.MessageService(7, types.PeerChannel(1), date=None, action=action)
    assert telethon_values.to_source(message, Heard.PUSH).kind is Kind.SERVICE
