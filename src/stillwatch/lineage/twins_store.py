"""An epoch of twins on disk: the commitment before, the items during, the seal after, erasure at the end.

An epoch is a directory:

    opening.json   design, commitment to the choices, time of opening: publish it before the first request
    seed           the secret, hexadecimal, readable by its owner only
    items.jsonl    one item a line; an erased item leaves its leaf hash
    seal.json      Merkle root and number of items, time of sealing: publish it when the epoch ends
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime  # noqa: TC003 - msgspec reads the annotations
from itertools import chain
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec

from stillwatch.lineage.chain import canonical, leaf_hash, merkle_root
from stillwatch.lineage.twins import TwinDesign, TwinItem, TwinSeed
from stillwatch.model.errors import BAD_JSON, InputError
from stillwatch.model.secretfile import read_secret, write_secret
from stillwatch.model.wholefile import write_atomically, write_once

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

_Record = TypeVar("_Record")
_OWNER = 0o600
_CHUNK = 1 << 20
_AGAIN = "mend that and run again; nothing is half done"
OPENING, SEED, ITEMS, SEAL = "opening.json", "seed", "items.jsonl", "seal.json"


class Opening(msgspec.Struct, frozen=True):
    """What is published before the first request of an epoch."""

    epoch: str
    opened_at: datetime
    design: TwinDesign
    commitment: str


class Seal(msgspec.Struct, frozen=True):
    """What is published when an epoch ends."""

    epoch: str
    sealed_at: datetime
    items: int
    root: str
    commitment: str


class Erased(msgspec.Struct, frozen=True):
    """What is left of an item whose time is over."""

    id: str
    leaf: str


@dataclass(frozen=True)
class Epoch:
    """An epoch as read from disk; `leaves` are in the order of the file and cover erased items too."""

    opening: Opening
    seed: TwinSeed
    items: tuple[TwinItem, ...]
    places: tuple[int, ...]
    leaves: tuple[bytes, ...]
    seal: Seal | None


def leaf_content(item: TwinItem) -> dict[str, Any]:
    """Return what of an item is committed and may be shown: no text, no n-gram, no reference to the log."""
    return {
        "account": item.account,
        "candidates": [
            {
                "digest": candidate.digest,
                "grams_sha256": hashlib.sha256(candidate.grams).hexdigest(),
                "log_prob": candidate.log_prob,
                "words": candidate.words,
            }
            for candidate in item.candidates
        ],
        "id": item.id,
        "served_at": item.served_at.isoformat(),
        "temperature": item.temperature,
    }


def item_leaf(item: TwinItem) -> bytes:
    """Return the leaf hash of an item."""
    return leaf_hash(canonical(leaf_content(item)))


def open_epoch(directory: Path, epoch: str, design: TwinDesign, secret: bytes, now: datetime) -> Opening:
    """Make the directory of a new epoch and return what is to be published before its first request.

    Args:
        directory: Made if it is not there; must not hold an epoch yet.
        epoch: Its name.
        design: What is decided beforehand.
        secret: At least 32 random bytes.
        now: Time of opening, with a time zone.

    Raises:
        InputError: There is an epoch already, or the directory cannot be written.
    """
    opening = Opening(epoch, now, design, TwinSeed(secret).commitment())
    try:
        directory.mkdir(parents=True, exist_ok=True)
        if (directory / SEED).exists():
            raise InputError(str(directory), "holds an epoch already", "choose a new directory")
        write_secret(directory / SEED, f"{secret.hex()}\n".encode(), "twin seed")
        write_once(directory / ITEMS, b"", _OWNER)
        write_once(directory / OPENING, _pretty(opening))
    except OSError as error:
        raise InputError(str(directory), error.strerror or "cannot be written", "choose another") from None
    return opening


def append_items(directory: Path, items: Iterable[TwinItem], now: datetime) -> None:
    """Add items to an open epoch, all of them or none.

    Raises:
        InputError: The epoch is sealed, or an item was served before it was opened, when the choice of what
            is served was not committed yet, or is served after `now`: nobody could verify it.
    """
    if (directory / SEAL).exists():
        raise InputError(str(directory), "is sealed", "open a new epoch")
    items, opened = list(items), _read(directory / OPENING, Opening).opened_at
    outside = [item.id for item in items if not opened <= item.served_at <= now]
    if outside:
        raise InputError(
            f"twin item {outside[0]!r}",
            f"was not served between the opening of its epoch and now, nor were {len(outside) - 1} more",
            "add only answers that were served after the commitment, by a clock that is right",
        )
    fresh = (msgspec.json.encode(item) + b"\n" for item in items)
    with (directory / ITEMS).open("rb") as file:
        _write_items(directory, chain(iter(lambda: file.read(_CHUNK), b""), fresh))


def seal_epoch(directory: Path, now: datetime) -> Seal:
    """End an epoch and return what is to be published.

    Raises:
        InputError: The epoch is sealed already, two items have the same identifier, or one is served after
            `now`.
    """
    found = read_epoch(directory)
    if found.seal is not None:
        raise InputError(str(directory), "is sealed already", "open a new epoch")
    if len({item.id for item in found.items}) < len(found.items):
        raise InputError(str(directory), "has two items of one request", "keep one of them and seal again")
    if any(item.served_at > now for item in found.items):
        raise InputError(str(directory), "has items served after now", "set the clock right and seal again")
    root = merkle_root(found.leaves).hex()
    seal = Seal(found.opening.epoch, now, len(found.leaves), root, found.opening.commitment)
    try:
        write_once(directory / SEAL, _pretty(seal))
    except OSError as error:
        raise InputError(str(directory / SEAL), error.strerror or "cannot be written", _AGAIN) from None
    return seal


def erase_expired(directory: Path, now: datetime) -> int:
    """Erase the content of items whose time is over, and return how many; their leaf hashes stay.

    So the seal still covers the others. The file is replaced whole.
    """
    lines, erased = [], 0
    for line in _lines(directory):
        record: TwinItem | Erased = line
        if isinstance(line, TwinItem) and line.expires_at <= now:
            record, erased = Erased(line.id, item_leaf(line).hex()), erased + 1
        lines.append(msgspec.json.encode(record) + b"\n")
    _write_items(directory, lines)
    return erased


def _write_items(directory: Path, lines: Iterable[bytes]) -> None:
    try:
        write_atomically(directory / ITEMS, lines, _OWNER)
    except OSError as error:
        raise InputError(str(directory / ITEMS), error.strerror or "cannot be written", _AGAIN) from None


def read_epoch(directory: Path) -> Epoch:
    """Read the epoch in `directory`.

    Raises:
        InputError: A file is missing or damaged, or the seal does not fit the items.
    """
    opening = _read(directory / OPENING, Opening)
    seal = _read(directory / SEAL, Seal) if (directory / SEAL).exists() else None
    lines = _lines(directory)
    leaves = tuple(
        bytes.fromhex(line.leaf) if isinstance(line, Erased) else item_leaf(line) for line in lines
    )
    seed = _seed(directory / SEED)
    if seed.commitment() != opening.commitment:
        raise InputError(str(directory / SEED), "is not the seed that was committed", "restore the file")
    if seal and (seal.root != merkle_root(leaves).hex() or seal.items != len(leaves)):
        raise InputError(str(directory / ITEMS), "does not fit the seal", "restore the file as it was sealed")
    places = tuple(place for place, line in enumerate(lines) if isinstance(line, TwinItem))
    items = tuple(line for line in lines if isinstance(line, TwinItem))
    return Epoch(opening, seed, items, places, leaves, seal)


def _leaf(line: TwinItem | Erased) -> bytes:
    return bytes.fromhex(line.leaf) if isinstance(line, Erased) else item_leaf(line)


def _lines(directory: Path) -> Sequence[TwinItem | Erased]:
    path, found = directory / ITEMS, []
    try:
        content = path.read_bytes()
    except OSError as error:
        raise InputError(str(path), error.strerror or "cannot be read", "name an epoch directory") from None
    for number, line in enumerate(content.splitlines(), 1):
        try:
            found.append(_line(line))
        except (*BAD_JSON, ValueError):
            raise InputError(f"{path}:{number}", "is not a twin item", "restore the file") from None
    return found


def _line(line: bytes) -> TwinItem | Erased:
    try:
        return msgspec.json.decode(line, type=TwinItem)
    except msgspec.ValidationError:
        return msgspec.json.decode(line, type=Erased)


def _seed(path: Path) -> TwinSeed:
    try:
        return TwinSeed(bytes.fromhex(read_secret(path, "twin seed").decode("ascii").strip()))
    except ValueError:
        raise InputError(str(path), "is not a seed in hexadecimal", "restore the file") from None


def _read(path: Path, kind: type[_Record]) -> _Record:
    try:
        return msgspec.json.decode(path.read_bytes(), type=kind)
    except (OSError, *BAD_JSON):
        raise InputError(str(path), f"is not the {path.stem} of an epoch", "restore the file") from None


def _pretty(value: object) -> bytes:
    return msgspec.json.format(msgspec.json.encode(value), indent=2) + b"\n"
