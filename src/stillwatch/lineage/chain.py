"""What makes a record tamper-evident: canonical JSON, a chain of hashes, and Merkle trees.

Canonical JSON is RFC 8785 (JCS), so that two programs hash the same bytes. The Merkle tree is that of RFC
9162 section 2.1 (Certificate Transparency), with its separate prefixes for leaves and nodes.
"""

from __future__ import annotations

import hashlib
import hmac
from typing import TYPE_CHECKING, Any

import msgspec

from stillwatch.model.errors import InputError, MissingExtra

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

START = "0" * 64
"""Hash before the first entry of a chain."""
_LEAF, _NODE = b"\x00", b"\x01"


class Entry(msgspec.Struct, frozen=True):
    """One link of a chain.

    Attributes:
        seq: Position, counted from 0.
        kind: What the body is.
        at: Time of writing, RFC 3339 in UTC, as the writer's clock had it.
        body: The content.
        prev: Hash of the entry before, or `START`.
        hash: SHA-256 of the canonical JSON of the other fields.
    """

    seq: int
    kind: str
    at: str
    body: dict[str, Any]
    prev: str
    hash: str


def canonical(value: Any) -> bytes:
    """Return `value` as canonical JSON (RFC 8785).

    Raises:
        MissingExtra: The library is not installed.
        InputError: The value holds something that JSON cannot carry exactly: NaN, infinity, an integer
            beyond 2^53.

    Example:
        >>> canonical({"b": 1.0, "a": "ü"}).decode()
        '{"a":"ü","b":1}'
    """
    try:
        import rfc8785  # noqa: PLC0415 - an optional part
    except ImportError:
        raise MissingExtra("writing and checking evidence", "lineage") from None
    try:
        return rfc8785.dumps(value)
    except (rfc8785.CanonicalizationError, RecursionError) as error:
        raise InputError(
            "evidence",
            f"holds what canonical JSON cannot carry ({type(error).__name__})",
            "give finite numbers",
        ) from None


def plain(value: Any) -> Any:
    """Return `value`, a struct or what holds some, as it stands in a file: dicts, lists, strings, numbers."""
    return msgspec.json.decode(msgspec.json.encode(value))


def digest(value: Any) -> str:
    """Return the SHA-256 of the canonical JSON of `value`, hexadecimal."""
    return hashlib.sha256(canonical(value)).hexdigest()


def link(chain: Sequence[Entry], kind: str, at: str, body: dict[str, Any]) -> Entry:
    """Return the entry that continues `chain`."""
    prev = chain[-1].hash if chain else START
    return Entry(len(chain), kind, at, body, prev, _entry_hash(len(chain), kind, at, body, prev))


def chain_faults(chain: Iterable[Entry]) -> list[str]:
    """Return what is wrong with the chain, one sentence each; an intact chain has no faults."""
    faults, prev, before = [], START, ""
    for place, entry in enumerate(chain):
        if entry.seq != place:
            faults.append(f"entry {place} is numbered {entry.seq}: entries are missing or out of order")
        if entry.prev != prev:
            faults.append(f"entry {place} does not continue the entry before it")
        if entry.hash != _entry_hash(entry.seq, entry.kind, entry.at, entry.body, entry.prev):
            faults.append(f"entry {place} was changed: its hash does not fit its content")
        if entry.at < before:
            faults.append(f"entry {place} is dated before the entry that it follows")
        prev, before = entry.hash, entry.at
    return faults


def _entry_hash(seq: int, kind: str, at: str, body: dict[str, Any], prev: str) -> str:
    return digest({"at": at, "body": body, "kind": kind, "prev": prev, "seq": seq})


def leaf_hash(content: bytes) -> bytes:
    """Return the hash of a leaf, 32 bytes."""
    return hashlib.sha256(_LEAF + content).digest()


def merkle_levels(leaves: Sequence[bytes]) -> list[list[bytes]]:
    """Return all nodes of the tree, from the leaf hashes up to the level of the root alone."""
    levels = [list(leaves)]
    while len(levels[-1]) > 1:
        levels.append(_level_above(levels[-1]))
    return levels


def merkle_root(leaves: Sequence[bytes]) -> bytes:
    """Return the root over the leaf hashes; that of no leaves is the hash of nothing.

    Example:
        >>> merkle_root([]).hex()[:16]
        'e3b0c44298fc1c14'
    """
    return merkle_levels(leaves)[-1][0] if leaves else hashlib.sha256(b"").digest()


def merkle_path(levels: Sequence[Sequence[bytes]], index: int) -> list[str]:
    """Return what proves that leaf `index` is under the root: hashes from the bottom up, hexadecimal.

    Args:
        levels: From `merkle_levels`.
        index: Of the leaf.

    Raises:
        IndexError: There is no such leaf.
    """
    if not 0 <= index < len(levels[0]):
        raise IndexError(index)
    beside = [(level, (index >> height) ^ 1) for height, level in enumerate(levels[:-1])]
    return [level[place].hex() for level, place in beside if place < len(level)]


def proves(leaf: bytes, index: int, size: int, path: Sequence[str], root: bytes) -> bool:
    """Say whether `path` proves that `leaf` stands at `index` of `size` leaves under `root`."""
    if not 0 <= index < size:
        return False
    left, node = list(path), leaf
    while size > 1:
        beside = index ^ 1
        if beside < size:
            if not left:
                return False
            other = bytes.fromhex(left.pop(0))
            node = _above(other, node) if beside < index else _above(node, other)
        index, size = index // 2, (size + 1) // 2
    return not left and hmac.compare_digest(node, root)


def _level_above(level: Sequence[bytes]) -> list[bytes]:
    """A node without a partner moves up unchanged, which is the tree of RFC 9162 built level by level."""
    pairs = [_above(level[at], level[at + 1]) for at in range(0, len(level) - 1, 2)]
    return pairs if len(level) % 2 == 0 else [*pairs, level[-1]]


def _above(left: bytes, right: bytes) -> bytes:
    return hashlib.sha256(_NODE + left + right).digest()
