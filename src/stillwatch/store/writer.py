"""Writing: one source at a time becomes visible as a whole, by one rename."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType, TracebackType
from typing import BinaryIO, Self
from uuid import uuid4

import msgspec
import pyarrow as pa

from stillwatch.model.errors import Rejected, StoreError
from stillwatch.model.findings import encode_line
from stillwatch.store import layout
from stillwatch.store.disk import Disk
from stillwatch.store.duplicates import find_duplicates
from stillwatch.store.layout import REJECTED_FILE, SOURCE_FILE, STAGING, TEMPORARY
from stillwatch.store.lock import Lock
from stillwatch.store.parts import PartWriter, Shape, without_rows
from stillwatch.store.sides import put_accounts, put_enforcement
from stillwatch.store.source import Part, SourceSummary, directory_of, read_sources


class StoreWriter:
    """The one writer of a store; creates the store where there is none.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as place, StoreWriter(place) as writer:
        ...     with writer.source("9f3c", "empty.jsonl", "ndjson") as source:
        ...         summary = source.commit()
        ...     (summary.rows, writer.has_source("9f3c"))
        (0, True)
    """

    def __init__(
        self,
        path: str | Path,
        *,
        shape: Shape = Shape(),  # noqa: B008 - frozen
        memory_limit: int = 2_000_000_000,
        disk: Disk | None = None,
        upgrades: Mapping[int, layout.Upgrade] = MappingProxyType(layout.UPGRADES),
    ) -> None:
        """Open the store at `path` for writing.

        Args:
            path: Directory of the store; made if it is not there.
            shape: Sizes of what is written.
            memory_limit: Bytes that the search for duplicates may take before it spills to disk.
            disk: File operations; tests hand in one that fails.
            upgrades: Steps from older layouts.

        Raises:
            StoreError: In use by another writer, damaged, of a newer version, or not a store.
        """
        self._root = layout.checked_root(path)
        self._disk = disk or Disk()
        self._shape = shape
        self._memory_limit = memory_limit
        self._commits = threading.Lock()
        self._open: set[str] = set()
        self._root.mkdir(parents=True, exist_ok=True)
        self._lock = Lock.take(self._root / layout.LOCK)
        try:
            layout.prepare(self._root, self._disk, upgrades)
            self._remove_leftovers()
            self._sources = read_sources(self._root)
        except BaseException:
            self._lock.release()
            raise

    def __enter__(self) -> Self:
        """Return the writer."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the writer."""
        self.close()

    def close(self) -> None:
        """Let others write; doing it twice is harmless."""
        self._lock.release()

    def has_source(self, digest: str) -> bool:
        """Say whether a source with this content is in the store."""
        return layout.checked_digest(digest) in self._sources

    def source(self, digest: str, name: str, format: str) -> SourceWriter:  # noqa: A002 - as in the record
        """Begin a new source.

        Args:
            digest: Digest of its content, in characters that a file name may have.
            name: Name for people, such as the path of the file.
            format: Log format.

        Raises:
            StoreError: The source is in the store already, or being written.
        """
        if self.has_source(digest) or digest in self._open:
            raise StoreError(f"{name}: the same content is in the store already; skip it.")
        staging = self._root / STAGING / f"{digest}.{uuid4().hex}"
        staging.mkdir()
        self._open.add(digest)
        return SourceWriter(self, staging, SourceSummary(digest, name, format, 0, 0, 0, ()), self._shape)

    def put_accounts(self, accounts: pa.Table) -> None:
        """Merge `accounts` (`ACCOUNT_SCHEMA`): by account, the last value given for a column stays.

        Raises:
            ValueError: A column is unknown, of another type, or a required value is missing.
        """
        put_accounts(self._root, accounts, self._disk, self._memory_limit)

    def put_enforcement(self, enforcement: pa.Table) -> None:
        """Merge `enforcement` (`ENFORCEMENT_SCHEMA`): by account, time and kind, the last value stays.

        Raises:
            ValueError: A column is unknown, of another type, or a required value is missing.
        """
        put_enforcement(self._root, enforcement, self._disk, self._memory_limit)

    def commit(self, staging: Path, draft: SourceSummary, parts: list[Part]) -> SourceSummary:
        """Check the finished parts for duplicates, then make them visible; called by `SourceWriter`."""
        with self._commits:
            summary = self._drop_duplicates(staging, draft, parts)
            self._disk.write(staging / SOURCE_FILE, msgspec.json.encode(summary, order="sorted") + b"\n")
            for path in [staging / REJECTED_FILE, *(staging / part.name for part in summary.parts), staging]:
                self._disk.sync(path)
            self._disk.move(staging, directory_of(self._root, summary.digest))
            self._sources[summary.digest] = summary
        return summary

    def forget(self, staging: Path, digest: str) -> None:
        """Drop unfinished work, if there is any; called by `SourceWriter`."""
        self._open.discard(digest)
        self._disk.remove_tree(staging)

    def _drop_duplicates(self, staging: Path, draft: SourceSummary, parts: list[Part]) -> SourceSummary:
        span = draft.span
        if span is None:
            return draft
        known = {
            directory_of(self._root, source.digest) / part.name: source.name
            for source in self._sources.values()
            if source.overlaps(span)
            for part in source.parts
        }
        kept: dict[str, Part | None] = {part.name: part for part in parts}
        fresh = [staging / name for name in kept]
        spill = self._root / STAGING / "spill"
        with find_duplicates(fresh, known, draft.name, spill, self._memory_limit) as found:
            count = found.count()
            if count:
                _append_report(found.report, draft.name, staging)
                for path, rows in found.by_part():
                    kept[path.name] = without_rows(path, rows, self._shape)
        left = tuple(part for part in kept.values() if part is not None)
        return msgspec.structs.replace(
            draft,
            rows=sum(part.rows for part in left),
            rejected=draft.rejected + count,
            duplicates=count,
            parts=left,
        )

    def _remove_leftovers(self) -> None:
        """Remove what a crashed writer or reader left behind; a running reader holds a lock on its place."""
        for leftover in (self._root / STAGING).iterdir():
            self._disk.remove_tree(leftover)
        temporary = self._root / TEMPORARY
        for place in temporary.iterdir() if temporary.is_dir() else ():
            lock = Lock.try_take(place)
            if lock is not None:
                self._disk.remove_tree(place)
                lock.release()


class SourceWriter:
    """One source while it is written; nothing of it is visible before `commit`."""

    def __init__(self, store: StoreWriter, staging: Path, draft: SourceSummary, shape: Shape) -> None:
        """Begin in the empty directory `staging`; made by `StoreWriter.source`."""
        self._store = store
        self._staging = staging
        self._draft = draft
        self._parts = PartWriter(staging, shape)
        self._rejects: BinaryIO = (staging / REJECTED_FILE).open("xb")
        self._rejected = 0
        self._finished = False

    def __enter__(self) -> Self:
        """Return the writer."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Drop everything that was written, unless it was committed."""
        self.discard()

    def write(self, batch: pa.RecordBatch) -> None:
        """Append exchanges; columns of `EXCHANGE_SCHEMA` that `batch` lacks become null.

        Raises:
            ValueError: A column is unknown, of another type, or a required value is missing.
        """
        self._require_unfinished()
        self._parts.write(batch)

    def reject(self, rejected: Rejected) -> None:
        """Note a line that was not ingested."""
        self._require_unfinished()
        self._rejects.write(encode_line(rejected))
        self._rejected += 1

    def commit(self) -> SourceSummary:
        """Make the source visible, all of it or (after a crash) nothing.

        Exchanges whose id is in the store already, or earlier in this source, become rejected lines.
        """
        self._require_unfinished()
        self._finished = True
        try:
            parts = self._parts.close()
            self._rejects.close()
            draft = msgspec.structs.replace(
                self._draft, rows=sum(part.rows for part in parts), rejected=self._rejected, parts=tuple(parts)
            )
            return self._store.commit(self._staging, draft, parts)
        finally:
            self._store.forget(self._staging, self._draft.digest)

    def discard(self) -> None:
        """Drop everything that was written, unless it was committed; doing it twice is harmless."""
        if self._finished:
            return
        self._finished = True
        self._rejects.close()
        try:
            self._parts.close()
        finally:
            self._store.forget(self._staging, self._draft.digest)

    def _require_unfinished(self) -> None:
        if self._finished:
            raise ValueError("this source is committed or discarded; begin a new one")


def _append_report(report, name: str, staging: Path) -> None:  # noqa: ANN001
    """Append what `report` writes to the rejected lines."""
    path = staging / "duplicates.jsonl"
    report(name, path)
    with path.open("rb") as source, (staging / REJECTED_FILE).open("ab") as target:
        shutil.copyfileobj(source, target)
    path.unlink()
