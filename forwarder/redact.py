"""Takes secrets out of what leaves the process as text: log lines, exception texts, error reports.

Two nets: values registered at start (:func:`register_secrets`) wherever they turn up, and shapes that are
secret whoever made them (bot tokens, Fernet keys, passwords in URLs). Keys that hold message texts are
dropped whole, and keys that hold phone numbers or secrets are starred whole.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import date, timedelta
from pathlib import PurePath
from typing import Any, Final

STARS: Final = "***"

DROPPED_KEYS: Final = frozenset({"text", "caption", "message_text"})
STARRED_KEYS: Final = frozenset(
    {"phone", "phone_number", "token", "bot_token", "api_hash", "encryption_key", "password", "secret"}
    | {
        "login_code",
        "phone_code",
        "phone_code_hash",
        "session_string",
        "auth_key",
        "access_hash",
        "authorization",
    }
)

_SHAPES: Final = (
    # Bot tokens, also inside https://api.telegram.org/bot<token>/getUpdates.
    (re.compile(r"\d{5,}(?::|%3A)[A-Za-z0-9_-]{30,}"), STARS),
    # Fernet keys: 32 bytes as 43 characters of URL-safe base64 and one "=".
    (re.compile(r"(?<![A-Za-z0-9_-])[A-Za-z0-9_-]{43}="), STARS),
    # scheme://user:password@host, unless it is that very word, which explains how to write one; and scheme://key@host
    # as in a Sentry DSN.
    (re.compile(r"([a-z][a-z0-9+.-]*://[^\s:/@?#]*):(?!password@)[^\s/@]+@", re.IGNORECASE), rf"\1:{STARS}@"),
    (re.compile(r"(https?://)[0-9a-z]{16,}@", re.IGNORECASE), rf"\1{STARS}@"),
    # PostgreSQL shows the row that it refuses, and with it a message's text: DETAIL: Failing row contains (...).
    (re.compile(r"DETAIL:.*", re.DOTALL), f"DETAIL: {STARS}"),
    # Telethon shows what it could not decode, and with it messages' texts.
    (re.compile(r"Remaining bytes: .*", re.DOTALL), f"Remaining bytes: {STARS}"),
    # api_hash=..., phone: "+79...", as libraries print their arguments.
    (
        re.compile(
            r"""((?:api_hash|password|passwd|phone(?:_number|_code|_code_hash)?|requirepass)['"]?\s*[=:]\s*['"]?)"""
            r"""[^\s'",;)}&]+""",
            re.IGNORECASE,
        ),
        rf"\1{STARS}",
    ),
)
# A piece without one of these has none of the shapes. Nearly all pieces of a log line are short words and numbers.
_SUSPECT: Final = re.compile(
    r"://|[A-Za-z0-9_-]{30}|DETAIL:|Remaining bytes: |api_hash|passw|phone|requirepass", re.IGNORECASE
)
# Shorter values would star half of every line.
_SHORTEST_SECRET: Final = 6

_registered: set[str] = set()


def register_secrets(values: Iterable[str]) -> None:
    """From now on these values are starred wherever they appear. Values under six characters are ignored."""
    _registered.update(value for value in values if len(value) >= _SHORTEST_SECRET)


def redact_text(text: str) -> str:
    """The text with every known secret, and everything of a secret's shape, as stars."""
    for secret in sorted(_registered, key=len, reverse=True):
        if secret in text:
            text = text.replace(secret, STARS)
    if _SUSPECT.search(text) is None:
        return text
    for shape, replacement in _SHAPES:
        text = shape.sub(replacement, text)
    return text


def redact(value: object, *, depth: int = 8) -> object:
    """The value with everything secret taken out: texts, mappings (by key, too), sequences, exceptions.

    Numbers, booleans and None pass as they are; anything unknown becomes its redacted ``repr``.
    """
    if value is None or isinstance(value, (bool, int, float)):
        return value
    if isinstance(value, str):
        return redact_text(value)
    if isinstance(value, (date, timedelta, PurePath)):
        return redact_text(str(value))
    if depth <= 0:
        return "…"
    if isinstance(value, Mapping):
        return redact_mapping(value, depth=depth)
    if isinstance(value, (list, tuple, set, frozenset)):
        items = [redact(item, depth=depth - 1) for item in value]
        return tuple(items) if isinstance(value, tuple) else items
    return redact_text(_shown(value))


def redact_mapping(mapping: Mapping[Any, object], *, depth: int = 8) -> dict[str, object]:
    """The mapping without message texts, with secret keys starred and all other values redacted."""
    return {
        str(key): STARS if str(key).lower() in STARRED_KEYS and value else redact(value, depth=depth - 1)
        for key, value in mapping.items()
        if str(key).lower() not in DROPPED_KEYS
    }


def _shown(value: object) -> str:
    try:
        return repr(value)
    except Exception as error:  # a repr of somebody else's must never cost a log line
        return f"<{type(value).__name__}, whose repr failed with {type(error).__name__}>"
