"""The world as the judge wants it, from what the local Telegram's control port exports."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from forwarder.demo.verdict import Seen

MARKER = re.compile(r"№\d{4,}")
Exported = Mapping[str, Any]


def seen(exported: Mapping[str, Sequence[Exported]], after: int = 0) -> list[Seen]:
    """The messages of one chat that ever stood there above the id ``after``, by number."""
    living = [_seen(message, deleted=False) for message in exported["messages"] if _counts(message, after)]
    gone = [_seen(message, deleted=True) for message in exported["deleted"] if _counts(message, after)]
    return sorted([*living, *gone], key=lambda message: message.id)


def content(text: str, entities: Sequence[Mapping[str, object]], media: object) -> str:
    """What a message says, so that two can be compared: equal texts for equal contents."""
    marked = sorted(
        [str(one.get("kind") or one["type"]), one["offset"], one["length"], one.get("url") or ""]
        for one in entities
    )
    return json.dumps([text, marked, media], ensure_ascii=False, sort_keys=True)


def identity(text: str, media: Exported | None) -> str:
    """What a message is known by, whoever sent it and however its text was edited since."""
    if media is not None:
        for key in ("sha256", "question", "value"):
            if key in media:
                return f"{media['kind']}:{media[key]}"
    found = MARKER.search(text)
    return f"text:{found.group() if found else text}"


def _counts(message: Exported, after: int) -> bool:
    return message["service"] is None and message["id"] > after


def _seen(message: Exported, *, deleted: bool) -> Seen:
    header = message["forward"]
    return Seen(
        chat=message["chat"],
        id=message["id"],
        identity=identity(message["text"], message["media"]),
        content=content(message["text"], message["entities"], message["media"]),
        album=str(message["grouped_id"]) if message["grouped_id"] is not None else None,
        origin=(header["author"], header["channel_post"]) if header is not None else None,
        sender=str(message["sent_by"]),
        deleted=deleted,
    )
