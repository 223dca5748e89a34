"""Where things are in a store directory, and which version the layout has.

```
<store>/format.json                      name and version of the layout
<store>/fingerprint.key                  the deployment's secret (written by ingest)
<store>/lock                             held by the one writer
<store>/exchanges/<digest>/part-*.parquet, source.json, rejected.jsonl
<store>/accounts/accounts.parquet        side tables, each replaced as a whole
<store>/enforcement/enforcement.parquet
<store>/staging/                         unfinished work of a writer; removed at the next opening for writing
<store>/tmp/                             spill files of running queries
```
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

import msgspec

from stillwatch.model.errors import StoreError

if TYPE_CHECKING:
    from stillwatch.store.disk import Disk

FORMAT_NAME = "stillwatch-store"
FORMAT_VERSION = 1

EXCHANGES = "exchanges"
STAGING = "staging"
TEMPORARY = "tmp"
LOCK = "lock"
FORMAT_FILE = "format.json"
SOURCE_FILE = "source.json"
REJECTED_FILE = "rejected.jsonl"
KEY_FILE = "fingerprint.key"
SIDE_TABLES = MappingProxyType({"account": "accounts", "enforcement": "enforcement"})

_OWN_NAMES = {EXCHANGES, STAGING, TEMPORARY, LOCK, FORMAT_FILE, KEY_FILE, *SIDE_TABLES.values()}
_DIGEST = re.compile(r"[0-9A-Za-z][0-9A-Za-z._-]{0,127}")
_GLOB = re.compile(r"[*?\[\]{}\\]")

Upgrade = Callable[[Path], None]
UPGRADES: Mapping[int, Upgrade] = MappingProxyType({})
"""For each old version, the step that leads to the next one.

A step must be repeatable: after a crash in the middle it runs again from the start on what it left.
"""


class Format(msgspec.Struct, frozen=True):
    """Content of `format.json`."""

    format: str
    version: int


def side_file(root: Path, table: str) -> Path:
    """Return the Parquet file of the side `table` (`account` or `enforcement`)."""
    return root / SIDE_TABLES[table] / f"{SIDE_TABLES[table]}.parquet"


def checked_root(path: str | Path) -> Path:
    """Return `path` made absolute.

    Raises:
        StoreError: The path holds characters that query engines read as wildcards.
    """
    root = Path(path).absolute()
    if _GLOB.search(str(root)):
        raise StoreError(f"{root}: a store's path cannot hold any of * ? [ ] {{ }} \\; choose another.")
    return root


def checked_digest(digest: str) -> str:
    """Return `digest` if it can name a directory.

    Raises:
        ValueError: It cannot; a fault of the caller, never of the input.
    """
    if not _DIGEST.fullmatch(digest):
        raise ValueError("a source's digest is 1 to 128 letters, digits, dots, dashes or underscores")
    return digest


def read_version(root: Path) -> int:
    """Return the version of the layout of the store at `root`.

    Raises:
        StoreError: There is no store, it is damaged, or it is of a newer version.
    """
    path = root / FORMAT_FILE
    try:
        content = msgspec.json.decode(path.read_bytes(), type=Format)
    except FileNotFoundError:
        raise StoreError(f"{root}: no store here; run `stillwatch ingest` into this place first.") from None
    except (OSError, msgspec.MsgspecError):
        raise StoreError(f"{path}: damaged; restore it from a backup or ingest into a new store.") from None
    if content.format != FORMAT_NAME or content.version < 1:
        raise StoreError(f"{path}: not the format file of a stillwatch store; choose another place.")
    if content.version > FORMAT_VERSION:
        raise StoreError(
            f"{root}: written by a newer stillwatch (layout {content.version}; this one knows up to "
            f"{FORMAT_VERSION}); update stillwatch."
        )
    return content.version


def prepare(root: Path, disk: Disk, upgrades: Mapping[int, Upgrade] = UPGRADES) -> None:
    """Make `root` a store of the present version: create it, or upgrade it step by step.

    The caller holds the lock. A crash leaves either the old version or the new one in `format.json`.

    Raises:
        StoreError: The place is taken by something else, or the store cannot be used.
    """
    new = not (root / FORMAT_FILE).exists()
    if new:
        _refuse_foreign(root)
    version = FORMAT_VERSION if new else read_version(root)
    for name in (EXCHANGES, STAGING, *SIDE_TABLES.values()):
        if not (root / name).is_dir():
            disk.make_directory(root / name)
    if new:
        _write_version(root, version, disk)
    while version < FORMAT_VERSION:
        upgrades[version](root)
        version += 1
        _write_version(root, version, disk)


def _refuse_foreign(root: Path) -> None:
    """Raise unless `root` holds nothing but what a store starts with."""
    foreign = [entry.name for entry in root.iterdir() if entry.name not in _OWN_NAMES]
    if [name for name in foreign if not name.startswith(".")]:
        raise StoreError(f"{root}: not empty and not a stillwatch store; choose a new directory.")
    exchanges = root / EXCHANGES
    if exchanges.is_dir() and any(exchanges.iterdir()):
        raise StoreError(f"{root / FORMAT_FILE}: missing; restore it from a backup or use a new store.")


def _write_version(root: Path, version: int, disk: Disk) -> None:
    content = msgspec.json.encode(Format(FORMAT_NAME, version)) + b"\n"
    disk.replace_file(root / FORMAT_FILE, content)
