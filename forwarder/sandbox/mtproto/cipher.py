"""MTProto 2.0 encryption of messages, the server's side (https://core.telegram.org/mtproto/description)."""

from __future__ import annotations

import hashlib
import os
import struct
from dataclasses import dataclass

from telethon.crypto import AES

_HEAD = struct.Struct("<qqqii")


class BadPacket(Exception):
    """What came in is no message encrypted with the key that it names."""


@dataclass(frozen=True, slots=True)
class Packet:
    """A decrypted message and its envelope."""

    salt: int
    session: int
    msg_id: int
    seqno: int
    body: bytes


def key_id_of(key: bytes) -> int:
    """The unsigned 64-bit id under which an auth key travels."""
    return int.from_bytes(hashlib.sha1(key, usedforsecurity=False).digest()[12:20], "little")


def _aes_key(key: bytes, msg_key: bytes, x: int) -> tuple[bytes, bytes]:
    a = hashlib.sha256(msg_key + key[x : x + 36]).digest()
    b = hashlib.sha256(key[x + 40 : x + 76] + msg_key).digest()
    return a[:8] + b[8:24] + a[24:32], b[:8] + a[8:24] + b[24:32]


def decrypt(key: bytes, data: bytes) -> Packet:
    """A client's packet, ``data`` beginning after the key id. Raises `BadPacket`."""
    msg_key, encrypted = data[:16], data[16:]
    if len(msg_key) < 16 or len(encrypted) < 48 or len(encrypted) % 16:
        raise BadPacket("The packet has no whole number of blocks.")
    plain = AES.decrypt_ige(encrypted, *_aes_key(key, msg_key, 0))
    if hashlib.sha256(key[88:120] + plain).digest()[8:24] != msg_key:
        raise BadPacket("The message key does not fit the message.")
    salt, session, msg_id, seqno, length = _HEAD.unpack_from(plain)
    padding = len(plain) - _HEAD.size - length
    if length % 4 or not 12 <= padding <= 1024:
        raise BadPacket("The message's length or padding is wrong.")
    return Packet(salt, session, msg_id, seqno, plain[_HEAD.size : _HEAD.size + length])


def encrypt(key: bytes, key_id: int, packet: Packet) -> bytes:
    """The server's packet, key id included."""
    head = _HEAD.pack(packet.salt, packet.session, packet.msg_id, packet.seqno, len(packet.body))
    plain = head + packet.body
    plain += os.urandom(-(len(plain) + 12) % 16 + 12)
    msg_key = hashlib.sha256(key[96:128] + plain).digest()[8:24]
    return struct.pack("<Q", key_id) + msg_key + bytes(AES.encrypt_ige(plain, *_aes_key(key, msg_key, 8)))
