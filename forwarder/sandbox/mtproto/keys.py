"""The server's RSA key, and the auth keys of its clients with who is logged in by each."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass, field
from datetime import UTC, datetime

from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)
from telethon.tl import TLObject

from .cipher import key_id_of


class ServerKey:
    """The RSA pair that clients encrypt their first secret with."""

    def __init__(self, private: rsa.RSAPrivateKey) -> None:
        self._private = private
        numbers = private.private_numbers()
        self._n, self._d = numbers.public_numbers.n, numbers.d
        packed = b"".join(
            TLObject.serialize_bytes(number.to_bytes((number.bit_length() + 7) // 8, "big"))
            for number in (self._n, numbers.public_numbers.e)
        )
        digest = hashlib.sha1(packed, usedforsecurity=False).digest()
        self.fingerprint = int.from_bytes(digest[-8:], "little", signed=True)

    @classmethod
    def generate(cls) -> ServerKey:
        return cls(rsa.generate_private_key(public_exponent=65537, key_size=2048))

    @classmethod
    def from_pem(cls, pem: str) -> ServerKey:
        """Raises ValueError when the text is no RSA private key."""
        private = load_pem_private_key(pem.encode(), password=None)
        if not isinstance(private, rsa.RSAPrivateKey):
            raise ValueError("The sandbox's key must be an RSA private key in PEM form.")
        return cls(private)

    @property
    def private_pem(self) -> str:
        return self._private.private_bytes(
            Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption()
        ).decode()

    @property
    def public_pem(self) -> str:
        """PKCS #1, as ``telethon.crypto.rsa.add_key`` wants it."""
        return self._private.public_key().public_bytes(Encoding.PEM, PublicFormat.PKCS1).decode()

    def decrypt(self, data: bytes) -> bytes:
        """Raw RSA; 255 bytes, the leading zero dropped. Raises ValueError when it is longer."""
        try:
            return pow(int.from_bytes(data, "big"), self._d, self._n).to_bytes(255, "big")
        except OverflowError:
            raise ValueError("The client's data was not encrypted with this server's key.") from None


@dataclass(slots=True)
class Login:
    """One auth key and what the server remembers of it.

    ``pending`` is an account that has still to give its 2FA password. ``seen`` keeps, for each channel, the
    pts that the client has acknowledged; what is newer is hinted at by ``updateChannelTooLong`` in
    getDifference. ``duplicated`` marks a key that was used on two connections at once: Telegram has logged
    it out.
    """

    key: bytes
    key_id: int
    salt: int
    created: datetime
    account: int | None = None
    pending: int | None = None
    duplicated: bool = False
    device: str = ""
    seen: dict[int, int] = field(default_factory=dict)


class KeyRing:
    """All auth keys. A snapshot keeps ``logins``."""

    def __init__(self) -> None:
        self.logins: dict[int, Login] = {}

    def add(self, key: bytes, account: int | None = None) -> Login:
        login = Login(
            key=key,
            key_id=key_id_of(key),
            salt=int.from_bytes(os.urandom(8), "little", signed=True) or 1,
            created=datetime.now(UTC),
            account=account,
        )
        self.logins[login.key_id] = login
        return login

    def prepare(self, account: int) -> Login:
        """A key that is logged in before any client has connected with it."""
        key = b"\x01" + os.urandom(255)
        return self.add(key, account)

    def get(self, key_id: int) -> Login | None:
        return self.logins.get(key_id)

    def of_account(self, account: int) -> list[Login]:
        return [login for login in self.logins.values() if login.account == account]

    def forget(self, key_id: int) -> None:
        self.logins.pop(key_id, None)
