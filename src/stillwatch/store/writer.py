"""Writing: one source at a time becomes visible as a whole, by one rename."""

from __future__ import annotations

import shutil
import threading
from contextlib import contextmanager
from types import MappingProxyType, TracebackType
from typing import TYPE_CHECKING, BinaryIO, Self
from uuid import uuid4

import duckdb
import msgspec

from stillwatch.model.errors import Rejected, StoreError
from stillwatch.model.findings import encode_line
from stillwatch.store import layout
from stillwatch.store.disk import Disk
from stillwatch.store.duplicates import Duplicates, find_duplicates
from stillwatch.store.layout import REJECTED_FILE, SOURCE_FILE, STAGING, TEMPORARY
from stillwatch.store.lock import Lock
from stillwatch.store.parts import PartWriter, Shape, without_rows
from stillwatch.store.sides import put_side
from stillwatch.store.source import Part, SourceSummary, directory_of, read_sources

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    import pyarrow as pa


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
        with failures_at(self._root):
            self._root.mkdir(parents=True, exist_ok=True)
            self._lock = Lock.take(self._root / layout.LOCK)
        try:
            with failures_at(self._root):
                self._open_store(upgrades)
        except BaseException:
            self._lock.release()
            raise

    def _open_store(self, upgrades: Mapping[int, layout.Upgrade]) -> None:
        layout.prepare(self._root, self._disk, upgrades)
        self._remove_leftovers()
        self._sources = read_sources(self._root)

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
        self._require_lock()
        if self.has_source(digest) or digest in self._open:
            raise StoreError(f"{name}: the same content is in the store already; leave it out.")
        staging = self._root / STAGING / f"{digest}.{uuid4().hex}"
        draft = SourceSummary(digest, name, format, 0, 0, 0, ())
        with failures_at(self._root):
            staging.mkdir()
            source = SourceWriter(staging, draft, self._shape, self._commit, self._forget)
        self._open.add(digest)
        return source

    def put_accounts(self, accounts: pa.Table) -> None:
        """Merge `accounts` (`ACCOUNT_SCHEMA`): by account, the last value given for a column stays.

        Raises:
            ValueError: A column is unknown, of another type, or a required value is missing.
        """
        self._put("account", accounts)

    def put_enforcement(self, enforcement: pa.Table) -> None:
        """Merge `enforcement` (`ENFORCEMENT_SCHEMA`): by account, time and kind, the last value stays.

        Raises:
            ValueError: A column is unknown, of another type, or a required value is missing.
        """
        self._put("enforcement", enforcement)

    def _put(self, table: str, rows: pa.Table) -> None:
        self._require_lock()
        with self._commits, failures_at(self._root):
            put_side(self._root, table, rows, self._disk, self._memory_limit)

    def _commit(self, staging: Path, draft: SourceSummary) -> SourceSummary:
        """Take the duplicates out of the finished parts, then make them visible."""
        self._require_lock()
        with self._commits, failures_at(self._root):
            summary = self._drop_duplicates(staging, draft)
            self._disk.write(staging / SOURCE_FILE, msgspec.json.encode(summary, order="sorted") + b"\n")
            for path in [staging / REJECTED_FILE, *(staging / part.name for part in summary.parts), staging]:
                self._disk.sync(path)
            target = directory_of(self._root, summary.digest)
            try:
                self._disk.move(staging, target)
            finally:
                # visible even if the medium failed right after the rename: then it must not come twice
                if target.exists():
                    self._sources[summary.digest] = summary
        return summary

    def _forget(self, staging: Path, digest: str) -> None:
        """Drop unfinished work, if there is any."""
        self._open.discard(digest)
        self._disk.remove(staging)

    def _require_lock(self) -> None:
        if not self._lock.held:
            raise ValueError("this store writer is closed; open the store again")

    def _drop_duplicates(self, staging: Path, draft: SourceSummary) -> SourceSummary:
        span = draft.span
        if span is None:
            return draft
        kept: dict[str, Part | None] = {part.name: part for part in draft.parts}
        fresh = [staging / name for name in kept]
        spill = self._root / STAGING / "spill"
        with find_duplicates(
            fresh, self._parts_meeting(span), draft.name, spill, self._memory_limit
        ) as found:
            count = found.count()
            if count:
                _append_report(found, draft.name, staging)
                for path, rows in found.by_part():
                    kept[path.name] = without_rows(path, rows, self._shape)
        left = tuple(part for part in kept.values() if part is not None)
        rows_left = sum(part.rows for part in left)
        return msgspec.structs.replace(
            draft, rows=rows_left, rejected=draft.rejected + count, duplicates=count, parts=left
        )

    def _parts_meeting(self, span: tuple[int, int]) -> dict[Path, str]:
        """Return the parts of the sources whose time range meets `span`, each with its source's name."""
        return {
            directory_of(self._root, source.digest) / part.name: source.name
            for source in self._sources.values()
            if source.overlaps(span)
            for part in source.parts
        }

    def _remove_leftovers(self) -> None:
        """Remove what a crashed writer or reader left behind; a running reader holds a lock on its place."""
        for leftover in (self._root / STAGING).iterdir():
            self._disk.remove(leftover)
        temporary = self._root / TEMPORARY
        for place in temporary.iterdir() if temporary.is_dir() else ():
            lock = Lock.try_take(place)
            if lock is not None:
                self._disk.remove(place)
                lock.release()


class SourceWriter:
    """One source while it is written; nothing of it is visible before `commit`."""

    def __init__(
        self,
        staging: Path,
        draft: SourceSummary,
        shape: Shape,
        commit: Callable[[Path, SourceSummary], SourceSummary],
        forget: Callable[[Path, str], None],
    ) -> None:
        """Begin in the empty directory `staging`; made by `StoreWriter.source`."""
        self._commit = commit
        self._forget = forget
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
        with failures_at(self._staging):
            self._parts.write(batch)

    def reject(self, rejected: Rejected) -> None:
        """Note a line that was not ingested."""
        self._require_unfinished()
        with failures_at(self._staging):
            self._rejects.write(encode_line(rejected))
        self._rejected += 1

    def commit(self) -> SourceSummary:
        """Make the source visible, all of it or (after a crash) nothing.

        Exchanges whose id is in the store already, or earlier in this source, become rejected lines.
        """
        self._require_unfinished()
        self._finished = True
        try:
            with failures_at(self._staging):
                parts = self._parts.close()
                self._rejects.close()
            draft = msgspec.structs.replace(
                self._draft,
                rows=sum(part.rows for part in parts),
                rejected=self._rejected,
                parts=tuple(parts),
            )
            return self._commit(self._staging, draft)
        finally:
            self._forget(self._staging, self._draft.digest)

    def discard(self) -> None:
        """Drop everything that was written, unless it was committed; doing it twice is harmless."""
        if self._finished:
            return
        self._finished = True
        try:
            self._rejects.close()
            self._parts.abandon()
        finally:
            self._forget(self._staging, self._draft.digest)

    def _require_unfinished(self) -> None:
        if self._finished:
            raise ValueError("this source is committed or discarded; begin a new one")


def _append_report(found: Duplicates, name: str, staging: Path) -> None:
    """Append the duplicates that were `found` to the rejected lines."""
    path = staging / "duplicates.jsonl"
    found.report(name, path)
    with path.open("rb") as source, (staging / REJECTED_FILE).open("ab") as target:
        shutil.copyfileobj(source, target)
    path.unlink()


@contextmanager
def failures_at(place: Path) -> Iterator[None]:
    """Turn failures of the file system and of the database into a `StoreError` that names `place`."""
    try:
        yield
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise StoreError(f"{place}: {reason}; mend that and run again, nothing is half done.") from error
    except duckdb.Error as error:
        reason = type(error).__name__
        raise StoreError(f"{place}: the database gave up ({reason}); free memory or disk space.") from error
