"""Reading: tables of what was committed when the store was opened."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, Self
from uuid import uuid4

import msgspec

from stillwatch.model.columns import EXCHANGE_SCHEMA
from stillwatch.model.errors import Rejected, StoreError
from stillwatch.store import layout
from stillwatch.store.lock import Lock
from stillwatch.store.sides import SIDE_SCHEMAS, side_coverage
from stillwatch.store.source import directory_of, read_sources

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from types import TracebackType

    import pyarrow as pa

    from stillwatch.model.coverage import SourceCoverage


class Session(Protocol):
    """A connected query engine."""

    backend: Any

    def parquet(self, paths: Sequence[Path], schema: pa.Schema, name: str) -> Any:
        """Return the rows of all `paths`, which have `schema`, as an Ibis table called `name`."""

    def empty(self, schema: pa.Schema, name: str) -> Any:
        """Return a table called `name` with `schema` and no rows."""

    def close(self) -> None:
        """Disconnect."""


class StoreReader:
    """What is in a store; cannot change it. Made by `open_store`.

    Sources that are committed later are not seen: open the store again.
    """

    def __init__(self, root: Path, session: Session, place: Place) -> None:
        """Read the store at `root` through `session`, which spills to `place`."""
        self._root = root
        self._session = session
        self._place = place
        self._sources = read_sources(root)
        self._side_coverage = side_coverage(root)
        self._tables: dict[str, Any] = {}

    def __enter__(self) -> Self:
        """Return the reader."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the reader."""
        self.close()

    def close(self) -> None:
        """Disconnect and remove spilled files; tables that were given out cannot be used any more."""
        self._session.close()
        self._place.close()

    @property
    def backend(self) -> Any:
        """The Ibis backend that the tables belong to."""
        return self._session.backend

    def exchanges(self) -> Any:
        """Return all exchanges as an Ibis table with the columns and types of `EXCHANGE_SCHEMA`."""
        paths = [
            directory_of(self._root, source.digest) / part.name
            for source in self._sources.values()
            for part in source.parts
        ]
        return self._table("exchanges", EXCHANGE_SCHEMA, paths)

    def accounts(self) -> Any:
        """Return the accounts as an Ibis table with the columns and types of `ACCOUNT_SCHEMA`."""
        return self._side("account")

    def enforcement(self) -> Any:
        """Return the operator's actions as an Ibis table with the columns of `ENFORCEMENT_SCHEMA`."""
        return self._side("enforcement")

    def coverage(self) -> list[SourceCoverage]:
        """Return for each source the share of rows with a value by column, in order of name."""
        cards = [source.coverage(EXCHANGE_SCHEMA.names) for source in self._sources.values()]
        return sorted(cards, key=lambda card: card.source)

    def side_coverage(self) -> dict[str, dict[str, float]]:
        """Return the same for the tables `account` and `enforcement`; an absent table is empty."""
        return self._side_coverage

    def rejected(self) -> Iterator[Rejected]:
        """Yield every line that was not ingested, source by source."""
        for digest in self._sources:
            with (directory_of(self._root, digest) / layout.REJECTED_FILE).open("rb") as lines:
                for line in lines:
                    yield msgspec.json.decode(line, type=Rejected)

    def _side(self, table: str) -> Any:
        path = layout.side_file(self._root, table)
        return self._table(layout.SIDE_TABLES[table], SIDE_SCHEMAS[table], [path] if path.exists() else [])

    def _table(self, name: str, schema: pa.Schema, paths: list[Path]) -> Any:
        if name not in self._tables:
            known = self._session.parquet(paths, schema, name) if paths else self._session.empty(schema, name)
            self._tables[name] = known
        return self._tables[name]


class Place:
    """A directory for spilled files that is removed at the end, or after a crash by the next writer."""

    path: Path
    _lock: Lock | None

    def __init__(self, root: Path) -> None:
        """Make it inside the store at `root`, or where temporary files go if the store is read-only."""
        try:
            self.path, self._lock = _claim(root / layout.TEMPORARY)
        except OSError:
            self.path, self._lock = Path(tempfile.mkdtemp(prefix="stillwatch-")), None

    def close(self) -> None:
        """Remove the directory."""
        shutil.rmtree(self.path, ignore_errors=True)
        if self._lock is not None:
            self._lock.release()


def _claim(temporary: Path) -> tuple[Path, Lock]:
    """Make and lock a directory; once more if a writer tidied it away between the two."""
    while True:
        path = temporary / uuid4().hex
        path.mkdir(parents=True)
        with contextlib.suppress(FileNotFoundError):
            lock = Lock.try_take(path)
            if lock is not None and path.exists():
                return path, lock


def open_store(
    path: str | Path,
    engine: str = "duckdb",
    *,
    memory_limit: int | None = None,
    threads: int | None = None,
    master: str | None = None,
) -> StoreReader:
    """Open the store at `path` for reading.

    Args:
        path: Directory of the store.
        engine: "duckdb" (in this process) or "spark".
        memory_limit: Bytes that the engine may take; by default 60 % of the machine's memory, at most 6 GB.
        threads: Threads of the engine; by default one for each core.
        master: Address of a Spark cluster; by default Spark runs in this process too.

    Raises:
        StoreError: No store there, damaged, of another version, or no such engine.
        MissingExtra: `engine` is "spark" and it is not installed.

    Example:
        >>> import tempfile
        >>> from stillwatch.store import StoreWriter
        >>> with tempfile.TemporaryDirectory() as place:
        ...     StoreWriter(place).close()
        ...     with open_store(place) as store:
        ...         store.exchanges().count().execute()
        0
    """
    root = layout.checked_root(path)
    version = layout.read_version(root)
    if version < layout.FORMAT_VERSION:
        raise StoreError(f"{root}: of an older layout; run `stillwatch ingest` on it once to upgrade it.")
    place = Place(root)
    try:
        return StoreReader(root, _connect(engine, place.path, memory_limit, threads, master), place)
    except BaseException:
        place.close()
        raise


def default_memory_limit() -> int:
    """Return 60 % of the machine's memory, at most 6 GB, in bytes."""
    installed = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return min(int(installed * 0.6), 6_000_000_000)


def _connect(
    engine: str, place: Path, memory_limit: int | None, threads: int | None, master: str | None
) -> Session:
    memory = memory_limit or default_memory_limit()
    # Engines are imported when they are asked for: Ibis takes a second, which a writer need not wait.
    if engine == "duckdb":
        from stillwatch.store.duck import DuckSession  # noqa: PLC0415

        return DuckSession(place, memory, threads)
    if engine == "spark":
        from stillwatch.store.spark import SparkEngine  # noqa: PLC0415

        return SparkEngine(memory, threads, master)
    raise StoreError(f"engine {engine}: not known; use duckdb or spark.")
