"""Promises about keys: published before a test and opened after it, so that no key was picked to fit.

A commitment is the SHA-256 digest of a secret salt and the key. It hides the key (the salt has 256 bits) and
binds to it (finding another opening means a collision of SHA-256). Salts follow from the epoch secret, so
opening needs nothing beyond the keys; opening one key opens no other.
"""

from __future__ import annotations

import hashlib
import hmac
from datetime import datetime  # noqa: TC003 - msgspec reads the types of fields
from typing import TYPE_CHECKING

import msgspec

from stillwatch.model.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from stillwatch.mark.keys import EpochKeys, Level

FORMAT = 1
_LABEL = b"stillwatch commitment 1\0"


class Commitment(msgspec.Struct, frozen=True):
    """A promise about one key.

    Attributes:
        key_id: Public name of the key.
        digest: SHA-256 in hex.
    """

    key_id: str
    digest: str


class Opening(msgspec.Struct, frozen=True, repr_omit_defaults=True):
    """What fulfils a promise; it shows the key, so give it out only when that key is tested and retired.

    Attributes:
        key_id: Public name of the key.
        key: The 64-bit key in hex.
        salt: The salt in hex.
    """

    key_id: str
    key: str
    salt: str

    def __repr__(self) -> str:
        """Name the key id alone, so that logs and tracebacks never show the key."""
        return f"Opening({self.key_id!r}, secret)"


class Publication(msgspec.Struct, frozen=True):
    """A list of promises to hand to a notary, a time stamp service or a public page before any test.

    Attributes:
        epoch: Name of the epoch.
        scheme: Name and version of the scheme that the keys drive.
        made: When the list was made.
        commitments: One for each key, ascending by key id.
        digest: SHA-256 over all of the above; short enough to print in a newspaper.
        format: Version of this form.
    """

    epoch: str
    scheme: str
    made: datetime
    commitments: tuple[Commitment, ...]
    digest: str
    format: int = FORMAT


def commit(keys: EpochKeys, level: Level, name: str = "") -> Commitment:
    """Promise the key of a cohort or account, or the global one."""
    return _promise(opening(keys, level, name))


def opening(keys: EpochKeys, level: Level, name: str = "") -> Opening:
    """Return what fulfils the promise about a key. This is secret until it is handed over."""
    key_id = keys.key_id(level, name)
    return Opening(key_id, f"{keys.key(level, name):016x}", keys.salt(key_id).hex())


def verify(commitment: Commitment, shown: Opening) -> bool:
    """Say whether `shown` fulfils `commitment`.

    Examples:
        >>> from stillwatch.mark.keys import MasterKey
        >>> keys = MasterKey(bytes(range(32))).epoch("2026-11")
        >>> promised = commit(keys, "account", "acc-1")
        >>> verify(promised, opening(keys, "account", "acc-1"))
        True
        >>> verify(promised, opening(keys, "account", "acc-2"))
        False
    """
    same = hmac.compare_digest(_promise(shown).digest, commitment.digest)
    return same and shown.key_id == commitment.key_id


def publish(keys: EpochKeys, scheme: str, names: Sequence[tuple[Level, str]], made: datetime) -> Publication:
    """Promise all keys that a test may use: the global one (name empty), cohorts and accounts."""
    promised = sorted((commit(keys, level, name) for level, name in names), key=lambda one: one.key_id)
    draft = Publication(keys.name, scheme, made, tuple(promised), "")
    return msgspec.structs.replace(draft, digest=publication_digest(draft))


def publication_digest(publication: Publication) -> str:
    """Recompute the digest of a publication from its other fields."""
    plain = msgspec.structs.replace(publication, digest="")
    return hashlib.sha256(msgspec.json.encode(plain, order="sorted")).hexdigest()


def find(publication: Publication, key_id: str) -> Commitment:
    """Return the promise about `key_id`.

    Raises:
        InputError: The publication was altered, or holds no such key.
    """
    where = f"commitments of epoch {publication.epoch}"
    if publication_digest(publication) != publication.digest:
        raise InputError(where, "the digest does not fit the list", "get the list as it was published")
    for one in publication.commitments:
        if one.key_id == key_id:
            return one
    raise InputError(where, f"no promise was made about {key_id}", "test only keys committed to before")


def _promise(shown: Opening) -> Commitment:
    content = _LABEL + shown.key_id.encode() + b"\0" + shown.salt.encode() + b"\0" + shown.key.encode()
    return Commitment(shown.key_id, hashlib.sha256(content).hexdigest())
