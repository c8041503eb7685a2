"""The one door through which foreign exceptions become our own.

Names, never classes or numbers, say what happened: the libraries' trees mislead (any unknown 406 is
Telethon's ``AuthKeyError``, a ``BadRequest`` is python-telegram-bot's ``NetworkError``).
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
import telegram.error as bot_errors
from telethon import errors as mt

from forwarder.errors import OutcomeUnknown, TelegramError

NUMBER = re.compile(r"_(\d+)")
REGEX_GROUP = re.compile(r"_\(\\d\+\)")

# Telethon's classes do not keep the name that the server sent; its own tables lead back to it.
NAMES: dict[type[Exception], str] = {
    **{cls: name.upper() for name, cls in mt.rpc_errors_dict.items()},
    **{cls: REGEX_GROUP.sub("", pattern) for pattern, cls in mt.rpc_errors_re},
}

# Telethon's errors that are no answer of the server, and whether the call may have been executed.
CONNECTION_NAMES: tuple[tuple[type[Exception], str], ...] = (
    (mt.ReadCancelledError, "DISCONNECTED"),
    (mt.TypeNotFoundError, "ANSWER_NOT_UNDERSTOOD"),
    (mt.InvalidChecksumError, "CONNECTION_BROKEN"),
    (mt.InvalidBufferError, "CONNECTION_BROKEN"),
    (mt.SecurityError, "CONNECTION_BROKEN"),
    (mt.BadMessageError, "CONNECTION_BROKEN"),
    (TimeoutError, "TIMED_OUT"),
    (OSError, "DISCONNECTED"),
)

# httpx raises these before a byte of the request has left.
NOT_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.UnsupportedProtocol)


@asynccontextmanager
async def translated() -> AsyncIterator[None]:
    """Raise :class:`~forwarder.errors.TelegramError` in place of what either library raises.

    An exception that is neither library's passes unchanged: it is a bug of ours.
    """
    try:
        yield
    except asyncio.CancelledError:
        # Telethon cancels its callers' futures when it disconnects without an error; only a task that
        # somebody asked to cancel may end here.
        task = asyncio.current_task()
        if task is not None and task.cancelling():
            raise
        raise OutcomeUnknown("DISCONNECTED") from None
    except Exception as error:
        ours = translate(error)
        if ours is None:
            raise
        raise ours from error


def translate(error: Exception) -> TelegramError | None:
    """Our error for a foreign one; None for what comes from neither library nor the network."""
    if isinstance(error, TelegramError):
        return error
    if isinstance(error, bot_errors.TelegramError):
        return from_bot_api(error)
    if isinstance(error, mt.RPCError):
        return from_rpc(error)
    if isinstance(error, mt.MultiError):
        first = next(item for item in error.exceptions if item is not None)
        return translate(first)
    if isinstance(error, mt.AuthKeyNotFound):
        return TelegramError("AUTH_KEY_NOT_FOUND", code=404)
    if isinstance(error, mt.AlreadyInConversationError):
        return TelegramError("ALREADY_IN_CONVERSATION", code=400)
    for kind, name in CONNECTION_NAMES:
        if isinstance(error, kind):
            return OutcomeUnknown(name)
    return None


def rpc_name(error: mt.RPCError) -> tuple[str, float | None]:
    """The server's name without its number, and that number (``FLOOD_WAIT``, 37.0)."""
    known = NAMES.get(type(error))
    if known is not None:
        seconds = getattr(error, "seconds", None)
        return known, float(seconds) if seconds is not None else None
    name = str(error.message or "UNKNOWN").upper()
    number = NUMBER.search(name)
    return NUMBER.sub("", name), float(number.group(1)) if number else None


def from_rpc(error: mt.RPCError) -> TelegramError:
    name, number = rpc_name(error)
    code = abs(error.code or 0)
    # An X in a name is a wait only where the code or the name says so (not in ALLOW_PAYMENT_REQUIRED_5).
    seconds = number if code == 420 or "WAIT" in name else None
    if isinstance(error, mt.rpcerrorlist.PreviousChatImportActiveWaitMinError):
        seconds = None
    if code >= 500:
        return OutcomeUnknown(name, code=code)
    return TelegramError(name, code=code, seconds=seconds)


def from_bot_api(error: bot_errors.TelegramError) -> TelegramError:
    text = error.message
    match error:
        case bot_errors.RetryAfter():
            # The public property is deprecated for one of its two types; the wait itself is the same.
            return TelegramError("Too Many Requests", code=429, seconds=error._retry_after.total_seconds())
        case bot_errors.ChatMigrated():
            return TelegramError(
                "group chat was upgraded to a supergroup chat", code=400, migrate_to=error.new_chat_id
            )
        case bot_errors.InvalidToken():
            return TelegramError("TOKEN_REFUSED", code=401)
        case bot_errors.Forbidden():
            return TelegramError(text, code=403)
        case bot_errors.Conflict():
            return TelegramError(text, code=409)
        case bot_errors.BadRequest():
            return TelegramError(text, code=400)
        case bot_errors.TimedOut() | bot_errors.NetworkError():
            return from_network(error)
        case bot_errors.EndPointNotFound():
            return TelegramError("METHOD_NOT_FOUND", code=404)
        case bot_errors.PassportDecryptionError():
            return TelegramError("PASSPORT_DECRYPTION", code=400)
    # What is left is an answer that was no JSON: the call behind it may have been executed.
    return OutcomeUnknown("ANSWER_NOT_UNDERSTOOD")


def from_network(error: bot_errors.NetworkError) -> TelegramError:
    """A timeout, a cut connection or a 5xx: unknown outcome, unless nothing was sent at all."""
    if isinstance(error.__cause__, NOT_SENT):
        return TelegramError("CONNECT_FAILED")
    if isinstance(error, bot_errors.TimedOut):
        return OutcomeUnknown("TIMED_OUT")
    if isinstance(error.__cause__, httpx.HTTPError):
        return OutcomeUnknown("DISCONNECTED")
    if "entity too large" in error.message.lower():
        return TelegramError("Request Entity Too Large", code=413)
    return OutcomeUnknown("SERVER_ERROR", code=500)
