"""The secret of a deployment and the subkeys that the kernel derives from it."""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from stillwatch.model.errors import InputError
from stillwatch.model.secretfile import read_secret, write_secret

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

KEY_BYTES = 32
_WHAT = "fingerprint key"
_INFO = b"stillwatch fingerprint 1 "
_SHA256_BYTES = 32


def hkdf_sha256(secret: bytes, info: bytes, length: int, salt: bytes = b"") -> bytes:
    """Derive `length` bytes from `secret` for the purpose `info` (RFC 5869, HMAC-SHA-256).

    Args:
        secret: Input keying material.
        info: Purpose; different purposes give independent keys.
        length: Number of bytes wanted, at most 8,160.
        salt: Optional salt; empty stands for 32 zero bytes, as in the RFC.

    Examples:
        >>> hkdf_sha256(bytes([11] * 22), b"", 4).hex()
        '8da4e775'
    """
    pseudo_random = hmac.new(salt or bytes(_SHA256_BYTES), secret, hashlib.sha256).digest()
    block, out = b"", b""
    for counter in range(1, -(-length // _SHA256_BYTES) + 1):
        block = hmac.new(pseudo_random, block + info + bytes([counter]), hashlib.sha256).digest()
        out += block
    return out[:length]


@dataclass(frozen=True, repr=False)
class FingerprintKey:
    """The 32 secret bytes under which one deployment hashes; never printed.

    Examples:
        >>> FingerprintKey.from_bytes(bytes(32))
        FingerprintKey(secret)
    """

    secret: bytes

    def __post_init__(self) -> None:
        """Refuse a key of any other length than 32 bytes."""
        _check(self.secret, "fingerprint key")

    def __repr__(self) -> str:
        """Name the type without the secret, so that logs and tracebacks never show it."""
        return "FingerprintKey(secret)"

    @classmethod
    def generate(cls, random_bytes: bytes) -> FingerprintKey:
        """Make a key of 32 fresh random bytes, such as `secrets.token_bytes(32)`.

        Raises:
            InputError: There are not exactly 32 bytes, or all of them are equal.
        """
        _check(random_bytes, "random bytes for a fingerprint key")
        if len(set(random_bytes)) == 1:
            raise InputError(
                "random bytes for a fingerprint key", "all bytes are equal", "take them from a random source"
            )
        return cls(bytes(random_bytes))

    @classmethod
    def from_bytes(cls, secret: bytes) -> FingerprintKey:
        """Take an existing key.

        Raises:
            InputError: `secret` has not exactly 32 bytes.
        """
        return cls(bytes(secret))

    @classmethod
    def load(cls, path: Path) -> FingerprintKey:
        """Read the key file at `path` (32 raw bytes).

        Raises:
            InputError: The file cannot be read, may be read by others, or has not exactly 32 bytes.
        """
        secret = read_secret(path, _WHAT)
        _check(secret, str(path))
        return cls(secret)

    def save(self, path: Path) -> None:
        """Write the key to the new file `path`, readable by its owner alone (mode 0600).

        An existing file is never overwritten: without its key a store can no longer be compared.

        Raises:
            InputError: The file exists or cannot be written.
        """
        write_secret(path, self.secret, _WHAT)

    def subkey(self, purpose: str, words: int) -> NDArray[np.uint64]:
        """Return `words` secret 64-bit integers that serve `purpose` alone."""
        derived = hkdf_sha256(self.secret, _INFO + purpose.encode(), 8 * words)
        return np.frombuffer(derived, dtype="<u8").astype(np.uint64)


def _check(secret: bytes, where: str) -> None:
    if len(secret) != KEY_BYTES:
        raise InputError(
            where,
            f"a fingerprint key has {KEY_BYTES} bytes, not {len(secret)}",
            "restore the key file of this store or make a new key for a new store",
        )


INNER_WORDS = 46
"""Layout of the inner subkey: see `docs/fingerprints.md`, section 3."""


@lru_cache(maxsize=8)
def inner_secret(key: FingerprintKey) -> NDArray[np.uint64]:
    """Return the multipliers of the inner hashes, shape (46,); those that must be odd are made odd."""
    secret = key.subkey("inner", INNER_WORDS)
    secret[2:] |= np.uint64(1)
    secret.setflags(write=False)
    return secret


@lru_cache(maxsize=8)
def outer_secret(key: FingerprintKey, purpose: str) -> NDArray[np.uint64]:
    """Return the 128-bit SipHash key for `purpose` (`text` or `column`), shape (2,)."""
    secret = key.subkey(purpose, 2)
    secret.setflags(write=False)
    return secret
