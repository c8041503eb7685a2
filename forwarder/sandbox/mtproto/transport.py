"""How packets are cut out of the TCP stream: full, intermediate and abridged framing.

Source: https://core.telegram.org/mtproto/mtproto-transports. The client's first bytes tell which it is.
"""

from __future__ import annotations

import asyncio
import struct
import zlib
from typing import Protocol

MAX_PACKET = 16 * 1024 * 1024


class Framing(Protocol):
    """Cuts and wraps packets."""

    async def read(self, reader: asyncio.StreamReader) -> bytes:
        """The next packet. Raises IncompleteReadError at the end of the stream, ConnectionError on
        nonsense.
        """
        ...

    def wrap(self, packet: bytes) -> bytes: ...


def _checked_length(length: int) -> int:
    if not 0 < length <= MAX_PACKET:
        raise ConnectionError(f"A packet can't be {length} bytes long.")
    return length


class Full:
    """Length, counter, packet, CRC32."""

    def __init__(self, first: bytes) -> None:
        self._first = first
        self._sent = 0

    async def read(self, reader: asyncio.StreamReader) -> bytes:
        head = self._first + await reader.readexactly(8 - len(self._first))
        self._first = b""
        length = _checked_length(int.from_bytes(head[:4], "little") - 12)
        rest = await reader.readexactly(length + 4)
        if zlib.crc32(head + rest[:-4]) != int.from_bytes(rest[-4:], "little"):
            raise ConnectionError("A packet's checksum is wrong.")
        return rest[:-4]

    def wrap(self, packet: bytes) -> bytes:
        data = struct.pack("<ii", len(packet) + 12, self._sent) + packet
        self._sent += 1
        return data + struct.pack("<I", zlib.crc32(data))


class Intermediate:
    """Length, packet."""

    async def read(self, reader: asyncio.StreamReader) -> bytes:
        length = _checked_length(int.from_bytes(await reader.readexactly(4), "little"))
        return await reader.readexactly(length)

    def wrap(self, packet: bytes) -> bytes:
        return struct.pack("<i", len(packet)) + packet


class Abridged:
    """Length in words, in one byte or four; packet."""

    async def read(self, reader: asyncio.StreamReader) -> bytes:
        words = (await reader.readexactly(1))[0]
        if words >= 0x7F:
            words = int.from_bytes(await reader.readexactly(3), "little")
        return await reader.readexactly(_checked_length(words * 4))

    def wrap(self, packet: bytes) -> bytes:
        words = len(packet) // 4
        if words < 0x7F:
            return bytes([words]) + packet
        return b"\x7f" + words.to_bytes(3, "little") + packet


async def detect(reader: asyncio.StreamReader) -> Framing:
    """Tell by its first bytes which framing a client speaks."""
    first = await reader.readexactly(1)
    if first == b"\xef":
        return Abridged()
    first += await reader.readexactly(3)
    return Intermediate() if first == b"\xee\xee\xee\xee" else Full(first)
