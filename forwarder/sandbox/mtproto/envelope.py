"""Messages inside packets: containers opened and made by hand, gzip unpacked.

Containers are read by hand so that one unknown constructor fails one message only.
"""

from __future__ import annotations

import gzip
import struct
from collections.abc import Iterator
from dataclasses import dataclass

from telethon.extensions import BinaryReader

CONTAINER = 0x73F1F8DC
GZIP = 0x3072CFA1
RPC_RESULT = 0xF35C6D01
_NO_CONSTRUCTOR = 0x0DD0DD0D
_MAX_UNPACKED = 32 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Inner:
    """One message of a packet."""

    msg_id: int
    seqno: int
    body: bytes

    @property
    def constructor(self) -> int:
        return int.from_bytes(self.body[:4], "little")


def opened(msg_id: int, seqno: int, body: bytes) -> Iterator[Inner]:
    """The messages of a packet, be it one or a container of many. Raises ConnectionError on broken ones."""
    if int.from_bytes(body[:4], "little") != CONTAINER:
        yield Inner(msg_id, seqno, _unpacked(body))
        return
    (count,) = struct.unpack_from("<i", body, 4)
    position = 8
    for _ in range(count):
        if position + 16 > len(body):
            raise ConnectionError("A container ends before its messages do.")
        inner_id, inner_seqno, length = struct.unpack_from("<qii", body, position)
        position += 16
        yield Inner(inner_id, inner_seqno, _unpacked(body[position : position + length]))
        position += length


def _unpacked(body: bytes) -> bytes:
    if int.from_bytes(body[:4], "little") != GZIP:
        return body
    plain = gzip.decompress(BinaryReader(body[4:]).tgread_bytes())
    if len(plain) > _MAX_UNPACKED:
        raise ConnectionError("A packed message is too large.")
    return plain


def container(messages: list[Inner]) -> bytes:
    """Many messages as one body."""
    parts = [struct.pack("<Ii", CONTAINER, len(messages))]
    for message in messages:
        parts.append(struct.pack("<qii", message.msg_id, message.seqno, len(message.body)))
        parts.append(message.body)
    return b"".join(parts)


def rpc_result(request_id: int, body: bytes) -> bytes:
    """The answer to one request."""
    return struct.pack("<Iq", RPC_RESULT, request_id) + body


def of_no_layer(body: bytes) -> bytes:
    """An object under a constructor that no layer of a client has."""
    return struct.pack("<I", _NO_CONSTRUCTOR) + body[4:]
