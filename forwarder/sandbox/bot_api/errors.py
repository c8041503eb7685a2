"""Refusals of the Bot API, and how the world's MTProto names read there.

The official server turns most names into sentences; those it does not know pass as they are, and an
all-capitals 403 becomes 400 (``fail_query_with_error`` in Client.cpp of telegram-bot-api).
"""

from __future__ import annotations

from forwarder.sandbox.world import TelegramError

NOT_MODIFIED = (
    "message is not modified: specified new message content and reply markup are exactly the same "
    "as a current content and reply markup of the message"
)

_PREFIXES = {400: "Bad Request", 401: "Unauthorized", 403: "Forbidden", 404: "Not Found", 409: "Conflict"}

# Name -> (status, text), whatever the method.
_SENTENCES: dict[str, tuple[int, str]] = {
    "MESSAGE_NOT_MODIFIED": (400, NOT_MODIFIED),
    "TOPIC_ID_INVALID": (400, "message thread not found"),
    "CHANNEL_FORUM_MISSING": (400, "the chat is not a forum"),
    "MESSAGE_EMPTY": (400, "message text is empty"),
    "MESSAGE_TOO_LONG": (400, "message is too long"),
    "MEDIA_CAPTION_TOO_LONG": (400, "message caption is too long"),
    "MESSAGE_DELETE_FORBIDDEN": (400, "message can't be deleted"),
    "MESSAGE_AUTHOR_REQUIRED": (400, "message can't be edited"),
    "MESSAGE_EDIT_TIME_EXPIRED": (400, "message can't be edited"),
    "MEDIA_PREV_INVALID": (400, "message can't be edited"),
    "MEDIA_NEW_INVALID": (400, "message can't be edited"),
    "REPLY_MESSAGE_ID_INVALID": (400, "message to be replied not found"),
    "QUOTE_TEXT_INVALID": (400, "QUOTE_TEXT_INVALID"),
    "CHAT_WRITE_FORBIDDEN": (400, "have no write access to the chat"),
    "CHAT_ADMIN_REQUIRED": (400, "need administrator rights in the channel chat"),
    "CHAT_FORWARDS_RESTRICTED": (400, "message has protected content and can't be forwarded"),
    "QUIZ_ANSWER_MISSING": (400, "message can't be copied"),
    "USER_IS_BLOCKED": (403, "bot was blocked by the user"),
    "INPUT_USER_DEACTIVATED": (403, "user is deactivated"),
    "PEER_ID_INVALID": (403, "bot can't initiate conversation with a user"),
    "CHANNEL_INVALID": (400, "chat not found"),
    "CHANNEL_PRIVATE": (400, "chat not found"),
    "CHAT_ID_INVALID": (400, "chat not found"),
    "USERNAME_INVALID": (400, "chat not found"),
    "USERNAME_NOT_OCCUPIED": (400, "chat not found"),
    "MEDIA_GROUPED_INVALID": (400, "can't use the media of the specified type in the album"),
    "MULTI_MEDIA_TOO_LONG": (400, "too many messages to send as an album"),
    "MEDIA_EMPTY": (400, "wrong file identifier/HTTP URL specified"),
    "QUERY_ID_INVALID": (400, "query is too old and response timeout expired or query ID is invalid"),
    "USER_ADMIN_INVALID": (400, "user is an administrator of the chat"),
    "USER_NOT_PARTICIPANT": (403, "bot is not a member of the chat"),
    "POLL_QUESTION_INVALID": (400, "poll question must be non-empty"),
    "POLL_ANSWERS_INVALID": (400, "poll must have at least 2 option"),
    "BROADCAST_PUBLIC_VOTERS_FORBIDDEN": (400, "non-anonymous polls can't be sent to channel chats"),
    "ENTITY_BOUNDS_INVALID": (400, "entity beyond the end of the text"),
    "CHAT_SEND_PLAIN_FORBIDDEN": (400, "not enough rights to send text messages to the chat"),
    "CHAT_SEND_MEDIA_FORBIDDEN": (400, "not enough rights to send media messages to the chat"),
    "CHAT_SEND_PHOTOS_FORBIDDEN": (400, "not enough rights to send photos to the chat"),
    "CHAT_SEND_VIDEOS_FORBIDDEN": (400, "not enough rights to send videos to the chat"),
    "CHAT_SEND_ROUNDVIDEOS_FORBIDDEN": (400, "not enough rights to send video notes to the chat"),
    "CHAT_SEND_AUDIOS_FORBIDDEN": (400, "not enough rights to send music to the chat"),
    "CHAT_SEND_VOICES_FORBIDDEN": (400, "not enough rights to send voice notes to the chat"),
    "CHAT_SEND_DOCS_FORBIDDEN": (400, "not enough rights to send documents to the chat"),
    "CHAT_SEND_STICKERS_FORBIDDEN": (400, "not enough rights to send stickers to the chat"),
    "CHAT_SEND_GIFS_FORBIDDEN": (400, "not enough rights to send animations to the chat"),
    "CHAT_SEND_POLL_FORBIDDEN": (400, "not enough rights to send polls to the chat"),
}

# What "there is no such message" is called depends on what was to be done with it.
_NO_MESSAGE = {
    "edit": "message to edit not found",
    "delete": "message to delete not found",
    "forward": "message to forward not found",
    "copy": "message to copy not found",
}


class ApiError(Exception):
    """An answer with ``ok`` false. ``text`` comes without the prefix ("Bad Request: "), which goes with
    the status.
    """

    def __init__(
        self, status: int, text: str, *, retry_after: int | None = None, migrate_to: int | None = None
    ) -> None:
        super().__init__(text)
        self.status = status
        self.text = text
        self.retry_after = retry_after
        self.migrate_to = migrate_to

    @property
    def description(self) -> str:
        prefix = _PREFIXES.get(self.status)
        return f"{prefix}: {self.text}" if prefix and self.text else self.text or prefix or ""

    def to_json(self) -> dict[str, object]:
        parameters: dict[str, object] = {}
        if self.retry_after is not None:
            parameters["retry_after"] = self.retry_after
        if self.migrate_to is not None:
            parameters["migrate_to_chat_id"] = self.migrate_to
        body: dict[str, object] = {"ok": False, "error_code": self.status, "description": self.description}
        return {**body, "parameters": parameters} if parameters else body


def bad_request(text: str) -> ApiError:
    return ApiError(400, text)


def too_many_requests(seconds: int) -> ApiError:
    """The 429 that every limit turns into (https://core.telegram.org/bots/api#responseparameters)."""
    return ApiError(429, f"Too Many Requests: retry after {seconds}", retry_after=seconds)


def translated(error: TelegramError, deed: str = "") -> ApiError:
    """The Bot API's wording of a refusal. ``deed`` is edit, delete, forward, copy, or empty for the rest."""
    if error.code == 420 and error.seconds is not None:
        return too_many_requests(error.seconds)
    if error.name in ("MESSAGE_ID_INVALID", "MESSAGE_IDS_EMPTY") and deed in _NO_MESSAGE:
        return bad_request(_NO_MESSAGE[deed])
    if error.name in _SENTENCES:
        return ApiError(*_SENTENCES[error.name])
    if error.name.startswith(("AUTH_KEY_", "SESSION_")) or error.code == 401:
        return ApiError(401, "")
    if error.code >= 500 or error.code < 0:
        return ApiError(500, f"Internal Server Error: {error.wire_name}")
    return bad_request(error.wire_name)
