"""The error table: every known name has the class that Telegram's own tables give it."""

from __future__ import annotations

import random

import pytest
from telethon.errors import rpcerrorlist

from forwarder.errors import OutcomeUnknown, TelegramError
from forwarder.message import AccountKind
from forwarder.retry import MTPROTO, Decision, Fallback, Scope, Side, Verdict, back_off, decide
from forwarder.telegram.errors import NAMES

# Every name of the project's table of MTProto errors, by class.
NAMED = {
    Verdict.WAIT: "FLOOD_WAIT FLOOD_PREMIUM_WAIT SLOWMODE_WAIT",
    Verdict.RETRY: """RANDOM_ID_DUPLICATE WORKER_BUSY_TOO_LONG_RETRY RPC_CALL_FAIL RPC_MCGET_FAIL
        INTERDC_CALL_ERROR TIMEOUT MSG_WAIT_FAILED POSTPONED_TIMEOUT PTS_CHANGE_EMPTY NEED_MEMBER_INVALID
        HISTORY_GET_FAILED STORAGE_CHECK_FAILED PERSISTENT_TIMESTAMP_OUTDATED FILE_REFERENCE_EXPIRED
        FILE_REFERENCE_INVALID FILE_REFERENCE_EMPTY""",
    Verdict.FAIL: """MESSAGE_ID_INVALID MESSAGE_IDS_EMPTY RANDOM_ID_INVALID RANDOM_ID_EMPTY MSG_ID_INVALID
        MESSAGE_EDIT_TIME_EXPIRED MESSAGE_AUTHOR_REQUIRED MEDIA_PREV_INVALID MEDIA_NEW_INVALID
        MESSAGE_DELETE_FORBIDDEN MESSAGE_TOO_LONG MEDIA_CAPTION_TOO_LONG MESSAGE_EMPTY ENTITY_BOUNDS_INVALID
        ENTITIES_TOO_LONG BROADCAST_PUBLIC_VOTERS_FORBIDDEN SCHEDULE_TOO_MUCH SCHEDULE_DATE_TOO_LATE
        SCHEDULE_BOT_NOT_ALLOWED CHAT_SEND_DOCS_FORBIDDEN CHAT_SEND_AUDIOS_FORBIDDEN
        CHAT_SEND_ROUNDVIDEOS_FORBIDDEN VOICE_MESSAGES_FORBIDDEN CHAT_SEND_WEBPAGE_FORBIDDEN
        PERSISTENT_TIMESTAMP_INVALID PERSISTENT_TIMESTAMP_EMPTY""",
    Verdict.DONE: "MESSAGE_NOT_MODIFIED",
    Verdict.FALL_BACK: """SLOWMODE_MULTI_MSGS_DISABLED MEDIA_EMPTY MEDIA_INVALID GROUPED_MEDIA_INVALID
        MULTI_MEDIA_TOO_LONG MEDIA_GROUPED_INVALID QUIZ_ANSWER_MISSING REPLY_MESSAGE_ID_INVALID QUOTE_TEXT_INVALID""",
    Verdict.PAUSE_MAPPING: """CHAT_FORWARDS_RESTRICTED CHAT_WRITE_FORBIDDEN CHAT_ADMIN_REQUIRED
        CHAT_RESTRICTED CHAT_GUEST_SEND_FORBIDDEN CHANNEL_PRIVATE CHANNEL_INVALID CHAT_ID_INVALID
        PEER_ID_INVALID
        CHANNEL_PUBLIC_GROUP_NA USER_BANNED_IN_CHANNEL TOPIC_DELETED TOPIC_CLOSED TOPIC_ID_INVALID
        CHANNEL_FORUM_MISSING SEND_AS_PEER_INVALID ALLOW_PAYMENT_REQUIRED PAYMENT_UNSUPPORTED
        PREMIUM_ACCOUNT_REQUIRED PRIVACY_PREMIUM_REQUIRED INPUT_USER_DEACTIVATED USER_IS_BLOCKED
        YOU_BLOCKED_USER USER_IS_BOT""",
    Verdict.STOP_ACCOUNT: """PEER_FLOOD FROZEN_METHOD_INVALID FROZEN_PARTICIPANT_MISSING AUTH_KEY_DUPLICATED
        AUTH_KEY_UNREGISTERED AUTH_KEY_INVALID AUTH_KEY_PERM_EMPTY SESSION_REVOKED SESSION_EXPIRED
        AUTH_KEY_NOT_FOUND USER_DEACTIVATED USER_DEACTIVATED_BAN PHONE_NUMBER_BANNED API_ID_PUBLISHED_FLOOD
        API_ID_INVALID""",
}

TEXTS = [
    ("Too Many Requests", Verdict.WAIT, "flood_wait"),
    ("Forbidden: bot was kicked from the channel chat", Verdict.PAUSE_MAPPING, "chat_unreachable"),
    ("Forbidden: bot is not a member of the channel chat", Verdict.PAUSE_MAPPING, "chat_unreachable"),
    ("Forbidden: the group chat was deleted", Verdict.PAUSE_MAPPING, "chat_unreachable"),
    ("Forbidden: bot was blocked by the user", Verdict.PAUSE_MAPPING, "recipient_unreachable"),
    ("Forbidden: user is deactivated", Verdict.PAUSE_MAPPING, "recipient_unreachable"),
    ("Forbidden: bot can't initiate conversation with", Verdict.PAUSE_MAPPING, "recipient_unreachable"),
    ("Forbidden: the bot can't send messages to the bot", Verdict.PAUSE_MAPPING, "recipient_unreachable"),
    ("Chat not found", Verdict.PAUSE_MAPPING, "chat_unreachable"),
    ("Need administrator rights in the channel chat", Verdict.PAUSE_MAPPING, "no_right_to_post"),
    ("Have no write access to the chat", Verdict.PAUSE_MAPPING, "no_right_to_post"),
    ("Chat_write_forbidden", Verdict.PAUSE_MAPPING, "no_right_to_post"),
    ("Chat_admin_required", Verdict.PAUSE_MAPPING, "no_right_to_post"),
    ("Not enough rights to send photos to the chat", Verdict.FAIL, "kind_forbidden"),
    ("Not enough rights to send text messages to the chat", Verdict.PAUSE_MAPPING, "no_right_to_post"),
    ("Message has protected content and can't be forwarded", Verdict.PAUSE_MAPPING, "protected_content"),
    ("Message to copy not found", Verdict.FAIL, "source_message_gone"),
    ("Message to forward not found", Verdict.FAIL, "source_message_gone"),
    ("Messages can't be forwarded", Verdict.FAIL, "source_message_gone"),
    ("Message was not forwarded", Verdict.FAIL, "source_message_gone"),
    ('Failed to send message #2 with the error message "x"', Verdict.UNSURE, "partly_sent"),
    ("Group send failed", Verdict.UNSURE, "partly_sent"),
    ("Message thread not found", Verdict.PAUSE_MAPPING, "topic_closed"),
    ("Topic_closed", Verdict.PAUSE_MAPPING, "topic_closed"),
    ("Can't forward messages to a specific message thread", Verdict.PAUSE_MAPPING, "topic_closed"),
    ("Message to be replied not found", Verdict.FALL_BACK, "reply_gone"),
    ("Message is too long", Verdict.FAIL, "content_limit"),
    ("Message caption is too long", Verdict.FAIL, "content_limit"),
    ("Message is not modified: specified new message content", Verdict.DONE, "already_so"),
    ("User_bot_to_bot_disabled", Verdict.PAUSE_MAPPING, "recipient_unreachable"),
    ("Message can't be edited", Verdict.FAIL, "cannot_edit"),
    ("Message to edit not found", Verdict.FAIL, "copy_gone"),
    ("Message can't be deleted", Verdict.FAIL, "cannot_delete"),
    ("Wrong file identifier/HTTP URL specified", Verdict.FAIL, "media_unusable"),
    ("Request Entity Too Large", Verdict.FAIL, "content_limit"),
    ("Can't use the media of the specified type in the album", Verdict.FALL_BACK, "album_refused"),
    ("Frozen_method_invalid", Verdict.STOP_ACCOUNT, "account_frozen"),
    ("TOKEN_REFUSED", Verdict.STOP_ACCOUNT, "token_refused"),
    ("Conflict: terminated by other getUpdates request", Verdict.STOP_ACCOUNT, "token_in_use"),
    ("Conflict: can't use getUpdates method while webhook is active", Verdict.STOP_ACCOUNT, "webhook_set"),
]


def user(error: TelegramError, order: str = "send") -> Decision:
    return decide(error, api=AccountKind.USER, order=order)


def bot(error: TelegramError, order: str = "send") -> Decision:
    return decide(error, api=AccountKind.BOT, order=order)


@pytest.mark.parametrize(
    ("name", "verdict"), [(name, verdict) for verdict, names in NAMED.items() for name in names.split()]
)
def test_every_name_of_the_table_has_an_entry_of_its_own(name: str, verdict: Verdict) -> None:
    assert name in MTPROTO
    assert user(TelegramError(name, code=400)).verdict is verdict


@pytest.mark.parametrize(("text", "verdict", "reason"), TEXTS)
def test_a_bot_api_description_is_known_by_a_stretch_of_it(text: str, verdict: Verdict, reason: str) -> None:
    decision = bot(TelegramError(text, code=400))
    assert (decision.verdict, decision.reason) == (verdict, reason)


def test_every_error_telethon_knows_has_a_verdict_and_only_named_ones_stop_an_account() -> None:
    stops = {
        name
        for cls, name in NAMES.items()
        if user(TelegramError(name, code=abs(cls.code or 0))).verdict is Verdict.STOP_ACCOUNT
    }
    assert stops <= set(NAMED[Verdict.STOP_ACCOUNT].split())
    assert len(NAMES) >= len(set(rpcerrorlist.rpc_errors_dict.values()))


def test_every_kind_right_that_telethon_names_is_a_matter_of_the_kind() -> None:
    kinds = [name for name in NAMES.values() if name.startswith("CHAT_SEND_") and name.endswith("_FORBIDDEN")]
    assert kinds
    assert {user(TelegramError(name, code=403)).reason for name in kinds} == {"kind_forbidden"}


@pytest.mark.parametrize("code", [400, 403, 406])
def test_an_unknown_refusal_fails_the_delivery_and_nothing_else(code: int) -> None:
    assert user(TelegramError("NEVER_HEARD_OF", code=code)).verdict is Verdict.FAIL


def test_an_unknown_420_waits_a_minute() -> None:
    decision = user(TelegramError("NEVER_HEARD_OF", code=420))
    assert (decision.verdict, decision.seconds) == (Verdict.WAIT, 60.0)


def test_a_wait_lasts_as_long_as_telegram_asked_and_never_nothing() -> None:
    assert user(TelegramError("FLOOD_WAIT", code=420, seconds=37)).seconds == 37
    assert user(TelegramError("FLOOD_WAIT", code=420, seconds=0)).seconds == 1


def test_slow_mode_holds_one_chat_and_a_flood_wait_one_method() -> None:
    assert user(TelegramError("SLOWMODE_WAIT", code=420, seconds=9)).scope is Scope.CHAT
    assert user(TelegramError("FLOOD_WAIT", code=420, seconds=9)).scope is Scope.METHOD


def test_a_frozen_account_stops_although_its_420_has_no_seconds() -> None:
    assert user(TelegramError("FROZEN_METHOD_INVALID", code=420)).verdict is Verdict.STOP_ACCOUNT


def test_an_unknown_outcome_is_repeated_where_random_ids_make_it_safe() -> None:
    assert user(OutcomeUnknown("TIMED_OUT")).verdict is Verdict.RETRY
    assert user(OutcomeUnknown("RANDOM_ID_DUPLICATE", code=500)).reason == "random_id_busy"


def test_an_unknown_outcome_of_a_bots_send_is_looked_up_first() -> None:
    assert bot(OutcomeUnknown("TIMED_OUT")).verdict is Verdict.UNSURE
    assert bot(OutcomeUnknown("SERVER_ERROR", code=502)).verdict is Verdict.UNSURE


@pytest.mark.parametrize("order", ["edit", "delete", "read"])
def test_an_unknown_outcome_of_what_can_be_repeated_is_repeated(order: str) -> None:
    assert bot(OutcomeUnknown("TIMED_OUT"), order).verdict is Verdict.RETRY


def test_a_call_that_never_left_is_repeated_without_a_look() -> None:
    assert bot(TelegramError("CONNECT_FAILED")).verdict is Verdict.RETRY


def test_a_migrated_chat_is_followed() -> None:
    decision = bot(TelegramError("group chat was upgraded", code=400, migrate_to=-100123))
    assert (decision.verdict, decision.migrate_to) == (Verdict.MIGRATED, -100123)


def test_a_copy_that_is_gone_is_deleted_already_but_cannot_be_edited() -> None:
    assert user(TelegramError("MESSAGE_ID_INVALID", code=400), "delete").verdict is Verdict.DONE
    assert user(TelegramError("MESSAGE_ID_INVALID", code=400), "edit").reason == "copy_gone"
    assert bot(TelegramError("Message to delete not found", code=400), "delete").verdict is Verdict.DONE


def test_an_unreachable_chat_is_a_side_only_where_there_is_but_one() -> None:
    error = TelegramError("CHANNEL_PRIVATE", code=400)
    assert [user(error, order).side for order in ("send", "read", "edit", "delete")] == [
        None,
        Side.SOURCE,
        Side.DESTINATION,
        Side.DESTINATION,
    ]


def test_protected_content_is_a_matter_of_the_source() -> None:
    assert user(TelegramError("CHAT_FORWARDS_RESTRICTED", code=406)).side is Side.SOURCE


def test_slow_mode_takes_the_parts_of_a_batch_one_by_one() -> None:
    assert user(TelegramError("SLOWMODE_MULTI_MSGS_DISABLED", code=400)).fallback is Fallback.SINGLY


def test_the_back_off_grows_to_a_minute_and_is_never_nothing() -> None:
    rng = random.Random(7)
    waits = [[back_off(attempt, rng) for _ in range(200)] for attempt in range(12)]
    assert all(1.0 <= wait <= 60.0 for row in waits for wait in row)
    assert max(waits[0]) <= 2.0
    assert min(waits[-1]) >= 30.0
    assert len(set(waits[5])) > 100
