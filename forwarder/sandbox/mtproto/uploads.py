"""Files on their way in, part by part."""

from __future__ import annotations

from typing import Any

from telethon.tl import types

from forwarder.sandbox.world import TelegramError

MAX_PART = 512 * 1024
_KEPT_PER_ACCOUNT = 200


class Uploads:
    """Parts by account and file id, until a message uses them; the oldest unfinished ones are forgotten."""

    def __init__(self) -> None:
        self._parts: dict[int, dict[int, dict[int, bytes]]] = {}

    def save(self, account: int, file_id: int, part: int, content: bytes) -> bool:
        """Raises FILE_PART_EMPTY, FILE_PART_TOO_BIG, FILE_PART_INVALID."""
        if not content:
            raise TelegramError(400, "FILE_PART_EMPTY")
        if len(content) > MAX_PART:
            raise TelegramError(400, "FILE_PART_TOO_BIG")
        if not 0 <= part < 8000:
            raise TelegramError(400, "FILE_PART_INVALID")
        files = self._parts.setdefault(account, {})
        files.setdefault(file_id, {})[part] = content
        while len(files) > _KEPT_PER_ACCOUNT:
            del files[next(iter(files))]
        return True

    def take(self, account: int, file: Any) -> tuple[bytes, str]:
        """The whole file and its name. Raises FILE_PART_X_MISSING, FILE_PARTS_INVALID, MEDIA_INVALID."""
        if not isinstance(file, types.InputFile | types.InputFileBig):
            raise TelegramError(400, "MEDIA_INVALID")
        parts = self._parts.get(account, {}).get(file.id)
        if parts is None or file.parts < 1:
            raise TelegramError(400, "FILE_PARTS_INVALID")
        for number in range(file.parts):
            if number not in parts:
                raise TelegramError(400, f"FILE_PART_{number}_MISSING")
        return b"".join(parts[number] for number in range(file.parts)), file.name
