"""File identifiers: good for one bot only, and without meaning for any other interface.

https://core.telegram.org/bots/api#file: "file_id is unique for each bot", ``file_unique_id`` is the same
for all
bots but can't be used to send.
"""

from __future__ import annotations

import base64
import struct

from forwarder.sandbox.world import TelegramError, World

_FORM = struct.Struct(">Bqq")
_LETTERS = {
    "photo": 2,
    "document": 5,
    "video": 4,
    "animation": 10,
    "audio": 9,
    "voice": 3,
    "video_note": 13,
    "sticker": 8,
}
_KINDS = {number: kind for kind, number in _LETTERS.items()}


def file_id(world: World, bot: int, file: int, kind: str) -> str:
    """The identifier of a file for one bot. ``kind`` is photo or a document's kind."""
    packed = _FORM.pack(_LETTERS[kind], file, world.access_hash(bot, file))
    return "AgAC" + base64.urlsafe_b64encode(packed).decode().rstrip("=")


def unique_id(file: int) -> str:
    return "AQAD" + base64.urlsafe_b64encode(struct.pack(">q", file)).decode().rstrip("=")


def read_file_id(world: World, bot: int, text: str) -> tuple[int, str]:
    """The file and its kind. Raises MEDIA_EMPTY for what is no identifier of this bot's."""
    body = text.removeprefix("AgAC")
    try:
        number, file, key = _FORM.unpack(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))
    except (ValueError, struct.error):
        raise TelegramError(400, "MEDIA_EMPTY") from None
    if (
        body == text
        or number not in _KINDS
        or file not in world.memory.files
        or key != world.access_hash(bot, file)
    ):
        raise TelegramError(400, "MEDIA_EMPTY")
    return file, _KINDS[number]
