"""What follows from an error: the one table, and a pure function over it.

Errors are matched by name (MTProto) or by a stretch of the description (Bot API), never by number or
class: codes differ between Telegram's documentation, its server and the libraries. Sources: Telegram's
error tables for forwardMessages and its general page on errors, and the official Bot API server's source.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from enum import StrEnum

from forwarder.errors import AccountNotReady, OutcomeUnknown, TelegramError
from forwarder.message import AccountKind

MAX_ATTEMPTS = 8
"""Transient errors that one delivery may meet; waits that Telegram asks for do not count."""

LONGEST_BACK_OFF = 60.0
UNKNOWN_WAIT = 60.0
"""Seconds to wait where Telegram asks for a wait without saying how long."""


class Verdict(StrEnum):
    """What becomes of the delivery, and of what it stands on."""

    WAIT = "wait"  # not_before = now + seconds; does not count as an attempt
    RETRY = "retry"  # again with the same random ids, after a back-off; counts as an attempt
    UNSURE = "unsure"  # may have been executed, and no random id makes a repeat safe: look it up first
    FAIL = "fail"  # this delivery only
    FALL_BACK = "fall_back"  # once in the way that `fallback` names, else fail
    PAUSE_MAPPING = "pause_mapping"  # the side cannot be used; the owner must act
    STOP_ACCOUNT = "stop_account"  # nothing may be sent by this account until a person acts
    DONE = "done"  # what was asked for is already so
    MIGRATED = "migrated"  # the chat has the id `migrate_to` now


class Scope(StrEnum):
    """What a wait holds up: ``method`` is that method into that chat, until a second chat meets it too."""

    CHAT = "chat"
    METHOD = "method"
    ACCOUNT = "account"


class Side(StrEnum):
    SOURCE = "source"
    DESTINATION = "destination"
    TOPIC = "topic"


class Fallback(StrEnum):
    COPY = "copy"  # the other mode: a copy in place of a forward, or a forward in place of a copy
    SINGLY = "singly"
    WITHOUT_REPLY = "without_reply"


@dataclass(frozen=True, slots=True)
class Decision:
    """``reason`` is a stable code, for which the bot and the command line have sentences.

    ``side`` is None where Telegram does not say which side it means: probe both before pausing one.
    """

    verdict: Verdict
    reason: str
    seconds: float = 0.0
    scope: Scope = Scope.CHAT
    side: Side | None = None
    fallback: Fallback | None = None
    migrate_to: int | None = None


WAIT_METHOD = Decision(Verdict.WAIT, "flood_wait", scope=Scope.METHOD)
SERVER_TROUBLE = Decision(Verdict.RETRY, "server_trouble")
OUR_BUG = Decision(Verdict.FAIL, "bad_request")
SOURCE_GONE = Decision(Verdict.FAIL, "source_message_gone")
COPY_GONE = Decision(Verdict.FAIL, "copy_gone")
CANNOT_EDIT = Decision(Verdict.FAIL, "cannot_edit")
CANNOT_DELETE = Decision(Verdict.FAIL, "cannot_delete")
CONTENT_LIMIT = Decision(Verdict.FAIL, "content_limit")
KIND_FORBIDDEN = Decision(Verdict.FAIL, "kind_forbidden")
# Whoever sends a medium anew asks the source for it just before, so that the next call has another reference.
REFETCH = Decision(Verdict.RETRY, "file_reference_expired")
OTHER_MODE = Decision(Verdict.FALL_BACK, "media_unusable", fallback=Fallback.COPY)
# A quiz whose answer the bot does not know, paid media, a giveaway: these can still be forwarded.
CANNOT_COPY = Decision(Verdict.FALL_BACK, "cannot_copy", fallback=Fallback.COPY)
PUBLIC_POLL = Decision(Verdict.FAIL, "public_poll")
SINGLY = Decision(Verdict.FALL_BACK, "album_refused", fallback=Fallback.SINGLY)
WITHOUT_REPLY = Decision(Verdict.FALL_BACK, "reply_gone", fallback=Fallback.WITHOUT_REPLY)
PROTECTED = Decision(Verdict.PAUSE_MAPPING, "protected_content", side=Side.SOURCE)
NO_RIGHT = Decision(Verdict.PAUSE_MAPPING, "no_right_to_post", side=Side.DESTINATION)
RESTRICTED = Decision(Verdict.PAUSE_MAPPING, "restricted_there", side=Side.DESTINATION)
UNREACHABLE = Decision(Verdict.PAUSE_MAPPING, "chat_unreachable")
RECIPIENT = Decision(Verdict.PAUSE_MAPPING, "recipient_unreachable", side=Side.DESTINATION)
PAYMENT = Decision(Verdict.PAUSE_MAPPING, "payment_required", side=Side.DESTINATION)
TOPIC = Decision(Verdict.PAUSE_MAPPING, "topic_closed", side=Side.TOPIC)
SEND_AS = Decision(Verdict.PAUSE_MAPPING, "send_as_refused", side=Side.DESTINATION)
FROZEN = Decision(Verdict.STOP_ACCOUNT, "account_frozen", scope=Scope.ACCOUNT)
SESSION_LOST = Decision(Verdict.STOP_ACCOUNT, "session_lost", scope=Scope.ACCOUNT)
BANNED = Decision(Verdict.STOP_ACCOUNT, "account_banned", scope=Scope.ACCOUNT)
API_ID = Decision(Verdict.STOP_ACCOUNT, "api_id_refused", scope=Scope.ACCOUNT)
TOKEN_REFUSED = Decision(Verdict.STOP_ACCOUNT, "token_refused", scope=Scope.ACCOUNT)
DONE = Decision(Verdict.DONE, "already_so")
UNKNOWN = Decision(Verdict.FAIL, "unknown_error")


def each(decision: Decision, names: str) -> dict[str, Decision]:
    return dict.fromkeys(names.split(), decision)


MTPROTO: dict[str, Decision] = {
    "FLOOD_WAIT": WAIT_METHOD,
    "FLOOD_PREMIUM_WAIT": Decision(Verdict.WAIT, "transfer_limit", scope=Scope.METHOD),
    "SLOWMODE_WAIT": Decision(Verdict.WAIT, "slow_mode", scope=Scope.CHAT),
    "SLOWMODE_MULTI_MSGS_DISABLED": Decision(Verdict.FALL_BACK, "slow_mode", fallback=Fallback.SINGLY),
    # An earlier call with this id is still running or is done: a new id here would double the post.
    "RANDOM_ID_DUPLICATE": Decision(Verdict.RETRY, "random_id_busy"),
    **each(
        SERVER_TROUBLE,
        "WORKER_BUSY_TOO_LONG_RETRY RPC_CALL_FAIL RPC_MCGET_FAIL INTERDC_CALL_ERROR INTERDC_CALL_RICH_ERROR "
        "TIMEOUT TIMEDOUT MSG_WAIT_FAILED POSTPONED_TIMEOUT PTS_CHANGE_EMPTY NEED_MEMBER_INVALID "
        "HISTORY_GET_FAILED STORAGE_CHECK_FAILED PERSISTENT_TIMESTAMP_OUTDATED",
    ),
    "CONNECT_FAILED": Decision(Verdict.RETRY, "connect_failed"),
    # Our own word: who would have to delete in the sender's place does not answer.
    "DEPUTY_AWAY": Decision(Verdict.RETRY, "deputy_away"),
    "MESSAGE_ID_INVALID": SOURCE_GONE,
    **each(OUR_BUG, "MESSAGE_IDS_EMPTY RANDOM_ID_INVALID RANDOM_ID_EMPTY MSG_ID_INVALID"),
    "MESSAGE_NOT_MODIFIED": DONE,
    "MESSAGE_EDIT_TIME_EXPIRED": Decision(Verdict.FAIL, "edit_expired"),
    **each(CANNOT_EDIT, "MESSAGE_AUTHOR_REQUIRED MEDIA_PREV_INVALID MEDIA_NEW_INVALID"),
    # The bot's own word: it has no name for a medium that it has not heard.
    "MEDIUM_NOT_HEARD": Decision(Verdict.FAIL, "medium_not_heard"),
    "COVER_NOT_HEARD": Decision(Verdict.FAIL, "cannot_cover"),
    "MESSAGE_DELETE_FORBIDDEN": CANNOT_DELETE,
    **each(REFETCH, "FILE_REFERENCE_EXPIRED FILE_REFERENCE_INVALID FILE_REFERENCE_EMPTY"),
    **each(OTHER_MODE, "MEDIA_EMPTY MEDIA_INVALID"),
    **each(SINGLY, "GROUPED_MEDIA_INVALID MULTI_MEDIA_TOO_LONG MEDIA_GROUPED_INVALID"),
    **each(
        CONTENT_LIMIT,
        "MESSAGE_TOO_LONG MEDIA_CAPTION_TOO_LONG MESSAGE_EMPTY ENTITY_BOUNDS_INVALID ENTITIES_TOO_LONG",
    ),
    "QUIZ_ANSWER_MISSING": Decision(Verdict.FALL_BACK, "quiz_unanswered", fallback=Fallback.COPY),
    "BROADCAST_PUBLIC_VOTERS_FORBIDDEN": PUBLIC_POLL,
    **each(WITHOUT_REPLY, "REPLY_MESSAGE_ID_INVALID REPLY_TO_INVALID QUOTE_TEXT_INVALID"),
    **each(
        Decision(Verdict.FAIL, "schedule_limit"),
        "SCHEDULE_TOO_MUCH SCHEDULE_DATE_TOO_LATE SCHEDULE_BOT_NOT_ALLOWED",
    ),
    "CHAT_FORWARDS_RESTRICTED": PROTECTED,
    **each(NO_RIGHT, "CHAT_WRITE_FORBIDDEN CHAT_ADMIN_REQUIRED"),
    **each(RESTRICTED, "CHAT_RESTRICTED CHAT_GUEST_SEND_FORBIDDEN"),
    **each(
        KIND_FORBIDDEN,
        "CHAT_SEND_AUDIOS_FORBIDDEN CHAT_SEND_DOCS_FORBIDDEN CHAT_SEND_GAME_FORBIDDEN "
        "CHAT_SEND_GIFS_FORBIDDEN CHAT_SEND_INLINE_FORBIDDEN CHAT_SEND_MEDIA_FORBIDDEN "
        "CHAT_SEND_PHOTOS_FORBIDDEN CHAT_SEND_PLAIN_FORBIDDEN CHAT_SEND_POLL_FORBIDDEN "
        "CHAT_SEND_ROUNDVIDEOS_FORBIDDEN CHAT_SEND_STICKERS_FORBIDDEN CHAT_SEND_VIDEOS_FORBIDDEN "
        "CHAT_SEND_VOICES_FORBIDDEN CHAT_SEND_WEBPAGE_FORBIDDEN VOICE_MESSAGES_FORBIDDEN",
    ),
    **each(
        UNREACHABLE,
        "CHANNEL_PRIVATE CHANNEL_INVALID CHAT_ID_INVALID PEER_ID_INVALID CHANNEL_PUBLIC_GROUP_NA",
    ),
    # Banned there, or limited in all public groups. Telegram does not say which, and a ban in two groups proves no
    # limit: each mapping that meets it is paused, and its notice tells its owner to ask @SpamBot where it is many.
    "USER_BANNED_IN_CHANNEL": Decision(Verdict.PAUSE_MAPPING, "banned_there", side=Side.DESTINATION),
    **each(TOPIC, "TOPIC_DELETED TOPIC_CLOSED TOPIC_ID_INVALID CHANNEL_FORUM_MISSING"),
    "SEND_AS_PEER_INVALID": SEND_AS,
    **each(
        PAYMENT,
        "ALLOW_PAYMENT_REQUIRED PAYMENT_UNSUPPORTED PREMIUM_ACCOUNT_REQUIRED PRIVACY_PREMIUM_REQUIRED",
    ),
    **each(
        RECIPIENT,
        "INPUT_USER_DEACTIVATED USER_IS_BLOCKED YOU_BLOCKED_USER USER_IS_BOT USER_BOT_TO_BOT_DISABLED",
    ),
    "PEER_FLOOD": Decision(Verdict.STOP_ACCOUNT, "spam_limited", scope=Scope.ACCOUNT),
    **each(FROZEN, "FROZEN_METHOD_INVALID FROZEN_PARTICIPANT_MISSING"),
    **each(
        SESSION_LOST,
        "AUTH_KEY_DUPLICATED AUTH_KEY_UNREGISTERED AUTH_KEY_INVALID AUTH_KEY_PERM_EMPTY AUTH_KEY_NOT_FOUND "
        "SESSION_REVOKED SESSION_EXPIRED",
    ),
    **each(BANNED, "USER_DEACTIVATED USER_DEACTIVATED_BAN PHONE_NUMBER_BANNED"),
    **each(API_ID, "API_ID_PUBLISHED_FLOOD API_ID_INVALID"),
    **each(
        Decision(Verdict.FAIL, "updates_state_lost"),
        "PERSISTENT_TIMESTAMP_INVALID PERSISTENT_TIMESTAMP_EMPTY",
    ),
    "TOKEN_REFUSED": TOKEN_REFUSED,
}

PARTIAL = Decision(Verdict.UNSURE, "partly_sent")

# In order: the first stretch that the lower-case description contains decides.
BOT_API: tuple[tuple[str, Decision], ...] = (
    ("too many requests", WAIT_METHOD),
    # Some parts of the call were delivered and their ids are lost, so a repeat would double them.
    ("failed to send message #", PARTIAL),
    ("group send failed", PARTIAL),
    ("message is not modified", DONE),
    ("message to delete not found", DONE),
    ("message to edit not found", COPY_GONE),
    ("message can't be edited", CANNOT_EDIT),
    ("message can't be deleted", CANNOT_DELETE),
    ("has protected content", PROTECTED),
    ("message to copy not found", SOURCE_GONE),
    ("message to forward not found", SOURCE_GONE),
    ("messages to forward not found", SOURCE_GONE),
    ("messages to copy not found", SOURCE_GONE),
    ("messages can't be forwarded", SOURCE_GONE),
    ("messages can't be copied", CANNOT_COPY),
    ("message can't be forwarded", SOURCE_GONE),
    ("message can't be copied", CANNOT_COPY),
    ("message was not forwarded", SOURCE_GONE),
    ("non-anonymous polls", PUBLIC_POLL),
    ("message to be replied not found", WITHOUT_REPLY),
    ("replied message not found", WITHOUT_REPLY),
    ("message thread not found", TOPIC),
    ("can't forward messages to a specific message thread", TOPIC),
    ("can't use the media of the specified type in the album", SINGLY),
    ("message is too long", CONTENT_LIMIT),
    ("caption is too long", CONTENT_LIMIT),
    ("text must be non-empty", CONTENT_LIMIT),
    ("message text is empty", CONTENT_LIMIT),
    ("wrong file identifier", Decision(Verdict.FAIL, "media_unusable")),
    ("file is too big", CONTENT_LIMIT),
    ("request entity too large", CONTENT_LIMIT),
    ("need administrator rights", NO_RIGHT),
    ("have no write access to the chat", NO_RIGHT),
    ("have no rights to send", NO_RIGHT),
    ("not enough rights to send text messages", NO_RIGHT),
    ("not enough rights to send", KIND_FORBIDDEN),
    ("not enough rights", NO_RIGHT),
    ("bot was kicked from", UNREACHABLE),
    ("bot is not a member of", UNREACHABLE),
    ("the group chat was deleted", UNREACHABLE),
    ("chat not found", UNREACHABLE),
    ("bot was blocked by the user", RECIPIENT),
    ("user is deactivated", RECIPIENT),
    ("bot can't initiate conversation", RECIPIENT),
    ("bots can't send messages to bots", RECIPIENT),
    ("bot can't send messages to the bot", RECIPIENT),
    ("terminated by other getupdates", Decision(Verdict.STOP_ACCOUNT, "token_in_use", scope=Scope.ACCOUNT)),
    ("webhook is active", Decision(Verdict.STOP_ACCOUNT, "webhook_set", scope=Scope.ACCOUNT)),
    ("unauthorized", TOKEN_REFUSED),
)


def decide(error: TelegramError, *, api: AccountKind, order: str = "send") -> Decision:
    """What follows from ``error`` for an order of kind ``send``, ``edit``, ``delete`` or ``read``.

    ``api`` is the way the order went: ``bot`` is the Bot API, ``user`` is MTProto. A look-up through a
    bot's MTProto login is ``user`` too.
    """
    if error.migrate_to is not None:
        return Decision(Verdict.MIGRATED, "migrated", migrate_to=error.migrate_to)
    if isinstance(error, OutcomeUnknown):
        return unknown_outcome(error, api, order)
    found = by_description(error.name) if api is AccountKind.BOT else None
    decision = for_order(found or by_name(error), order)
    if decision.verdict is Verdict.WAIT:
        return with_seconds(decision, error.seconds)
    return decision


def end_of_login(error: Exception) -> str | None:
    """The reason, where this is the end of a user's login and no reconnection helps: only a person can."""
    if not isinstance(error, TelegramError):
        return None
    decision = decide(error, api=AccountKind.USER, order="read")
    over = decision.verdict is Verdict.STOP_ACCOUNT and decision.reason != "spam_limited"
    return decision.reason if over else None


def raise_if_over(error: Exception) -> None:
    """Raise AccountNotReady in place of an error that ends the listener's login."""
    reason = end_of_login(error)
    if reason is not None:
        raise AccountNotReady(
            f"Telegram refuses the listener's login ({getattr(error, 'name', '')}). "
            "If the account itself is well, run `manage.py login` to make a new login; nothing is lost: missed "
            "posts are fetched afterwards.",
            reason,
        ) from error


def unknown_outcome(error: TelegramError, api: AccountKind, order: str) -> Decision:
    if api is AccountKind.BOT and order == "send":
        return Decision(Verdict.UNSURE, "outcome_unknown")
    found = MTPROTO.get(error.name.upper())
    return found if found is not None and found.verdict is Verdict.RETRY else SERVER_TROUBLE


def by_description(text: str) -> Decision | None:
    lowered = text.lower()
    return next((decision for stretch, decision in BOT_API if stretch in lowered), None)


def by_name(error: TelegramError) -> Decision:
    """The Bot API hands MTProto names through with changed capitals, so capitals do not count."""
    name = error.name.upper()
    known = MTPROTO.get(name)
    if known is not None:
        return known
    if name.startswith("INPUT_"):
        return OUR_BUG
    if name.startswith("CHAT_SEND_") and name.endswith("_FORBIDDEN"):
        return KIND_FORBIDDEN
    if name.startswith("AUTH_KEY_"):
        return SESSION_LOST
    if error.code in (420, 429) or error.seconds is not None:
        return WAIT_METHOD
    if error.code >= 500:
        return SERVER_TROUBLE
    # Unknown 406 errors included: Telethon calls them AuthKeyError, but they are no reason to stop.
    return UNKNOWN


def for_order(decision: Decision, order: str) -> Decision:
    """The same error means another side, or nothing at all, to an edit, a deletion or a reading."""
    if decision is SOURCE_GONE and order == "edit":
        return COPY_GONE
    if decision in (SOURCE_GONE, COPY_GONE) and order == "delete":
        return DONE
    if decision is UNREACHABLE and order in ("edit", "delete"):
        return Decision(Verdict.PAUSE_MAPPING, decision.reason, side=Side.DESTINATION)
    if decision is UNREACHABLE and order == "read":
        return Decision(Verdict.PAUSE_MAPPING, decision.reason, side=Side.SOURCE)
    return decision


def with_seconds(decision: Decision, seconds: float | None) -> Decision:
    # FLOOD_WAIT_0 is seen on Telegram's test servers; a wait of nothing would only be met again.
    wait = UNKNOWN_WAIT if seconds is None else max(seconds, 1.0)
    return Decision(decision.verdict, decision.reason, seconds=wait, scope=decision.scope)


def back_off(attempts: int, rng: random.Random) -> float:
    """Seconds before the next try after ``attempts`` failed ones: 1 to 60, doubled each time, with jitter."""
    ceiling = min(LONGEST_BACK_OFF, 2.0 ** min(max(attempts, 1), 10))
    return max(1.0, rng.uniform(ceiling / 2, ceiling))
