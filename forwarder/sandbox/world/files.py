"""Files, and the keys that a viewer needs to fetch or re-send one.

An access hash belongs to (viewer, thing); a file reference to (viewer, file) and runs out
(https://core.telegram.org/api/file-references).
"""

from __future__ import annotations

import hashlib
import struct
from functools import lru_cache

from .buttons import Buttons
from .errors import TelegramError
from .media import Document, DocumentKind, File, Photo

_REFERENCE = struct.Struct(">Bqd8s")


class Files(Buttons):
    """Layer: bytes and access to them."""

    def add_file(
        self, content: bytes, *, name: str = "", mime_type: str = "application/octet-stream"
    ) -> File:
        file = File(self.big_id(), content, name, mime_type)
        self.memory.files[file.id] = file
        return file

    def add_photo(self, content: bytes, *, width: int = 640, height: int = 480) -> Photo:
        """A picture, ready to be sent."""
        photo = Photo(self.add_file(content, name="photo.jpg", mime_type="image/jpeg").id, width, height)
        self.remember_media(photo)
        return photo

    def add_document(
        self,
        content: bytes,
        name: str,
        *,
        kind: DocumentKind = "document",
        mime_type: str = "application/octet-stream",
        duration: float = 0.0,
    ) -> Document:
        """A file of any other kind, ready to be sent."""
        file = self.add_file(content, name=name, mime_type=mime_type)
        document = Document(file.id, kind, name, mime_type, duration=duration)
        self.remember_media(document)
        return document

    def remember_media(self, media: Photo | Document) -> None:
        """What a file is shown as, so that it can be sent again by naming the file alone."""
        self.memory.media[media.file] = media

    def media_of_file(self, file_id: int) -> Photo | Document | None:
        return self.memory.media.get(file_id)

    def file(self, file_id: int) -> File:
        """Raises FILE_ID_INVALID."""
        file = self.memory.files.get(file_id)
        if file is None:
            raise TelegramError(400, "FILE_ID_INVALID")
        return file

    def access_hash(self, viewer: int, thing: int) -> int:
        """The signed 64-bit key to a peer or file for one viewer; never 0."""
        return _access_hash(self.memory.secret, viewer, thing)

    def file_reference(self, viewer: int, file_id: int) -> bytes:
        """A fresh reference for this viewer, good for `Rules.reference_life` seconds."""
        issued = self.clock.now().timestamp()
        return _REFERENCE.pack(1, file_id, issued, self._seal(viewer, file_id, issued))

    def check_file(self, viewer: int, file_id: int, access_hash: int, reference: bytes) -> File:
        """The file that a viewer names. Raises FILE_REFERENCE_EMPTY, _INVALID, _EXPIRED or MEDIA_EMPTY."""
        file = self.memory.files.get(file_id)
        if file is None or access_hash != self.access_hash(viewer, file_id):
            raise TelegramError(400, "MEDIA_EMPTY")
        if not reference:
            raise TelegramError(400, "FILE_REFERENCE_EMPTY")
        if len(reference) != _REFERENCE.size:
            raise TelegramError(400, "FILE_REFERENCE_INVALID")
        _, sealed_file, issued, seal = _REFERENCE.unpack(reference)
        if sealed_file != file_id or seal != self._seal(viewer, file_id, issued):
            raise TelegramError(400, "FILE_REFERENCE_INVALID")
        if self.clock.now().timestamp() - issued > self.rules.reference_life:
            raise TelegramError(400, "FILE_REFERENCE_EXPIRED")
        return file

    def _seal(self, viewer: int, file_id: int, issued: float) -> bytes:
        text = struct.pack(">qqd", viewer, file_id, issued)
        return hashlib.blake2b(text, digest_size=8, key=self.memory.secret).digest()


@lru_cache(maxsize=100_000)
def _access_hash(secret: bytes, viewer: int, thing: int) -> int:
    digest = hashlib.blake2b(struct.pack(">qq", viewer, thing), digest_size=8, key=secret).digest()
    return int.from_bytes(digest, "big", signed=True) or 1
