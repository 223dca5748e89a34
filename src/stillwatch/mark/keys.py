"""The hierarchy of mark keys: master, epoch, then one global key, one for each cohort, one for each account.

Derivation is HMAC-SHA-256 throughout (RFC 2104, used as the expansion of a uniformly random secret, RFC 5869
section 3.3), so nothing is stored for an account and any replica finds its key by name:

    epoch secret = HMAC(master, "stillwatch mark 1" NUL "epoch" NUL name), 32 bytes
    mark key     = first 8 bytes, big endian, of HMAC(epoch secret, "key" NUL level NUL name)
    key id       = first 8 bytes, in hex, of HMAC(epoch secret, "id" NUL level NUL name)

A key id tells nothing about key, account or cohort to whoever lacks the epoch secret, so it may stand in
records and reports. Mark keys have the 64 bits of the serving engines' format; a plain digest of one could be
searched through, which is why commitments are salted (`stillwatch.mark.commitments`).
"""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, get_args

import numpy as np

from stillwatch.model.errors import InputError
from stillwatch.model.secretfile import read_secret, write_secret

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from stillwatch.mark.prf import Keys

Level = Literal["global", "cohort", "account"]
LEVELS: tuple[Level, ...] = get_args(Level)

SECRET_BYTES = 32
_DERIVATION = "stillwatch mark 1"


def _mac(secret: bytes, *parts: str) -> bytes:
    """Authenticate `parts` joined by NUL; names are checked to hold none, so no two joins agree."""
    return hmac.digest(secret, "\0".join(parts).encode(), hashlib.sha256)


def _check_name(name: str, what: str) -> None:
    if not name or "\0" in name:
        raise InputError(what, "the name is empty or holds a NUL character", "name it by ordinary text")


@dataclass(frozen=True, repr=False)
class MasterKey:
    """The 32 secret bytes from which every mark key follows; never printed.

    Examples:
        >>> MasterKey(bytes(range(32)))
        MasterKey(secret)
    """

    secret: bytes

    def __post_init__(self) -> None:
        """Refuse anything but 32 bytes that differ among themselves.

        Raises:
            InputError: The secret has another length, or all its bytes are equal.
        """
        _check_secret(self.secret, "mark master key")

    def __repr__(self) -> str:
        """Name the type without the secret, so that logs and tracebacks never show it."""
        return "MasterKey(secret)"

    @classmethod
    def load(cls, path: Path) -> MasterKey:
        """Read the key file at `path` (32 raw bytes).

        Raises:
            InputError: The file cannot be read, may be read by others, or holds no key.
        """
        secret = read_secret(path, "mark key")
        _check_secret(secret, str(path))
        return cls(secret)

    def save(self, path: Path) -> None:
        """Write the key to the new file `path`, readable by its owner alone (mode 0600).

        An existing file is never overwritten: without its key nothing served so far could be tested.

        Raises:
            InputError: The file exists or cannot be written.
        """
        write_secret(path, self.secret, "mark key")

    def epoch(self, name: str) -> EpochKeys:
        """Return the keys of the epoch `name`, such as `2026-11`.

        Raises:
            InputError: The name is empty or holds a NUL character.
        """
        _check_name(name, "mark epoch")
        return EpochKeys(name, _mac(self.secret, _DERIVATION, "epoch", name))


@dataclass(frozen=True, repr=False)
class EpochKeys:
    """All mark keys of one epoch, derived when asked for; never printed.

    Attributes:
        name: Name of the epoch; public.
        secret: Its 32 secret bytes. Giving them away opens this epoch and no other.

    Examples:
        >>> keys = MasterKey(bytes(range(32))).epoch("2026-11")
        >>> keys
        EpochKeys('2026-11', secret)
        >>> keys.key("account", "acc-1") == keys.key("account", "acc-2")
        False
    """

    name: str
    secret: bytes

    def __repr__(self) -> str:
        """Name type and epoch without the secret."""
        return f"EpochKeys({self.name!r}, secret)"

    def key(self, level: Level, name: str = "") -> int:
        """Return the 64-bit key of a cohort or account, or the global one (whose name is empty).

        Raises:
            InputError: A cohort or account has no usable name.
        """
        return int.from_bytes(self._derive("key", level, name)[:8], "big")

    def keys(self, level: Level, names: Sequence[str]) -> Keys:
        """Return the keys of `names`, shape (n,); a microsecond or two each, and nothing is kept."""
        return np.array([self.key(level, name) for name in names], dtype=np.uint64)

    def key_id(self, level: Level, name: str = "") -> str:
        """Return the public name of a key: epoch, level and 16 hexadecimal digits."""
        return f"{self.name}:{level}:{self._derive('id', level, name)[:8].hex()}"

    def key_ids(self, level: Level, names: Sequence[str]) -> list[str]:
        """Return the public names of the keys of `names`."""
        return [self.key_id(level, name) for name in names]

    def salt(self, key_id: str) -> bytes:
        """Return the 32 bytes that salt the commitment to the key `key_id`."""
        return _mac(self.secret, "salt", key_id)

    def subkey(self, purpose: str, name: str = "") -> bytes:
        """Return 32 secret bytes for another `purpose` of this epoch, such as the assignment of canaries."""
        _check_name(purpose, "purpose of a mark key")
        return _mac(self.secret, "purpose", purpose, name)

    def _derive(self, use: str, level: Level, name: str) -> bytes:
        if level == "global":
            if name:
                raise InputError("global mark key", "it was asked for by a name", "ask for it without one")
        else:
            _check_name(name, f"{level} of a mark key")
        return _mac(self.secret, use, level, name)


def _check_secret(secret: bytes, where: str) -> None:
    if len(secret) != SECRET_BYTES:
        raise InputError(
            where,
            f"a mark key has {SECRET_BYTES} bytes, not {len(secret)}",
            "restore the key file, or make a new key and commit to it before marking",
        )
    if len(set(secret)) == 1:
        raise InputError(where, "all bytes of the mark key are equal", "take them from a random source")
