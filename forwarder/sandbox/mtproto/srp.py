"""2FA passwords: the server's side of SRP (https://core.telegram.org/api/srp)."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass

from .handshake import DH_PRIME, GENERATOR

SIZE = 256


def _sha256(*parts: bytes) -> bytes:
    return hashlib.sha256(b"".join(parts)).digest()


def _big(number: int) -> bytes:
    return number.to_bytes(SIZE, "big")


P_BYTES = _big(DH_PRIME)


@dataclass(frozen=True, slots=True)
class Verifier:
    """What the server keeps of a password: never the password itself."""

    salt1: bytes
    salt2: bytes
    value: int

    @classmethod
    def of(cls, password: str) -> Verifier:
        """Takes about a tenth of a second: the hash is slow on purpose."""
        salt1, salt2 = os.urandom(16), os.urandom(16)
        first = _sha256(salt2, _sha256(salt1, password.encode(), salt1), salt2)
        slow = hashlib.pbkdf2_hmac("sha512", first, salt1, 100_000)
        x = int.from_bytes(_sha256(salt2, slow, salt2), "big")
        return cls(salt1, salt2, pow(GENERATOR, x, DH_PRIME))


@dataclass(frozen=True, slots=True)
class Challenge:
    """One question to a client: good for one answer."""

    id: int
    verifier: Verifier
    secret: int
    public: int

    @classmethod
    def pose(cls, verifier: Verifier) -> Challenge:
        secret = int.from_bytes(os.urandom(SIZE), "big")
        k = int.from_bytes(_sha256(P_BYTES, _big(GENERATOR)), "big")
        public = (k * verifier.value + pow(GENERATOR, secret, DH_PRIME)) % DH_PRIME
        return cls(int.from_bytes(os.urandom(7), "big") | 1, verifier, secret, public)

    def accepts(self, a_bytes: bytes, proof: bytes) -> bool:
        """Whether the client's answer shows that it knows the password."""
        a_public = int.from_bytes(a_bytes, "big")
        if not 0 < a_public < DH_PRIME:
            return False
        a_padded, b_padded = _big(a_public), _big(self.public)
        u = int.from_bytes(_sha256(a_padded, b_padded), "big")
        shared = pow(a_public * pow(self.verifier.value, u, DH_PRIME), self.secret, DH_PRIME)
        mask = bytes(x ^ y for x, y in zip(_sha256(P_BYTES), _sha256(_big(GENERATOR)), strict=True))
        expected = _sha256(
            mask,
            _sha256(self.verifier.salt1),
            _sha256(self.verifier.salt2),
            a_padded,
            b_padded,
            _sha256(_big(shared)),
        )
        return expected == proof
