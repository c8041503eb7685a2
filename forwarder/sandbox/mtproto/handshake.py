"""The key exchange (https://core.telegram.org/mtproto/auth_key), the server's side."""

from __future__ import annotations

import hashlib
import os
import time
from typing import Any

from telethon import helpers
from telethon.crypto import AES, AuthKey
from telethon.extensions import BinaryReader
from telethon.tl import functions, types

from .keys import KeyRing, ServerKey

# Telegram's own safe prime, which clients know, with the generator 3.
DH_PRIME = int(
    "C71CAEB9C6B1C9048E6C522F70F13F73980D40238E3E21C14934D037563D930F48198A0AA7C14058229493D22530F4DB"
    "FA336F6E0AC925139543AED44CCE7C3720FD51F69458705AC68CD4FE6B6B13ABDC9746512969328454F18FAF8C595F64"
    "2477FE96BB2A941D5BCD1D4AC8CC49880708FA9B378E3C4F3A9060BEE67CF9A4A4A695811051907E162753B56B0F6B41"
    "0DBA74D8A84B2A14B3144E0EF1284754FD17ED950D5965B4B9DD46582DB1178D169C6BC465B0D6FF9CA3928FEF5B9AE4"
    "E418FC15E83EBEA0F87FA9FF5EED70050DED2849F47BF959D956850CE929851F0D8115F635B105EE2E4E15D04B2454BF"
    "6F4FADF034B10403119CD8E3B92FCC5B",
    16,
)
GENERATOR = 3
# The proof of work is a formality. Clients read the product as signed: its first byte is below 0x80.
_P, _Q = 0x494C553B, 0x53911073


class Handshake:
    """The exchange on one connection: feed it requests, send what it returns."""

    def __init__(self, server: ServerKey, keys: KeyRing) -> None:
        self._server = server
        self._keys = keys
        self._nonce = 0
        self._server_nonce = 0
        self._new_nonce = 0
        self._secret = 0
        self._aes: tuple[bytes, bytes] = (b"", b"")

    def answer(self, request: Any) -> Any:
        """The answer to one request. Raises ConnectionError for what does not belong here."""
        if isinstance(request, functions.ReqPqMultiRequest | functions.ReqPqRequest):
            return self._begin(request)
        if request.nonce != self._nonce or request.server_nonce != self._server_nonce:
            raise ConnectionError("A key exchange with foreign nonces.")
        if isinstance(request, functions.ReqDHParamsRequest):
            return self._parameters(request)
        if isinstance(request, functions.SetClientDHParamsRequest):
            return self._finish(request)
        raise ConnectionError(f"{type(request).__name__} is no part of the key exchange.")

    def _begin(self, request: Any) -> Any:
        self._nonce = request.nonce
        self._server_nonce = int.from_bytes(os.urandom(16), "little", signed=True)
        product = (_P * _Q).to_bytes(8, "big")
        return types.ResPQ(self._nonce, self._server_nonce, product, [self._server.fingerprint])

    def _parameters(self, request: Any) -> Any:
        try:
            inner = BinaryReader(self._server.decrypt(request.encrypted_data)[20:]).tgread_object()
        except Exception as error:  # whatever a wrong key makes of the data: not ours
            raise ConnectionError("The client encrypted with another server's key.") from error
        self._new_nonce = inner.new_nonce
        self._aes = helpers.generate_key_data_from_nonce(self._server_nonce, self._new_nonce)
        self._secret = int.from_bytes(os.urandom(256), "big")
        body = bytes(
            types.ServerDHInnerData(
                self._nonce,
                self._server_nonce,
                GENERATOR,
                DH_PRIME.to_bytes(256, "big"),
                pow(GENERATOR, self._secret, DH_PRIME).to_bytes(256, "big"),
                int(time.time()),
            )
        )
        data = hashlib.sha1(body, usedforsecurity=False).digest() + body
        data += os.urandom(-len(data) % 16)
        return types.ServerDHParamsOk(self._nonce, self._server_nonce, AES.encrypt_ige(data, *self._aes))

    def _finish(self, request: Any) -> Any:
        inner = BinaryReader(AES.decrypt_ige(request.encrypted_data, *self._aes)[20:]).tgread_object()
        secret = pow(int.from_bytes(inner.g_b, "big"), self._secret, DH_PRIME)
        if secret.bit_length() <= 2040:
            # Clients would keep fewer than 256 bytes of it, and the encryption needs all of them.
            digest = AuthKey(secret.to_bytes(256, "big")).calc_new_nonce_hash(self._new_nonce, 2)
            return types.DhGenRetry(self._nonce, self._server_nonce, digest)
        login = self._keys.add(secret.to_bytes(256, "big"))
        digest = AuthKey(login.key).calc_new_nonce_hash(self._new_nonce, 1)
        return types.DhGenOk(self._nonce, self._server_nonce, digest)
