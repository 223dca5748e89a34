"""Exchanges for the tests of the store."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from stillwatch.model.columns import EXCHANGE_SCHEMA
from stillwatch.store import SourceSummary, StoreWriter, open_store
from stillwatch.store.disk import Disk

START = datetime(2026, 1, 1, tzinfo=UTC)


class Crash(BaseException):
    """The process dies here."""


class FailingDisk(Disk):
    """Fails at operation number `at`, before or after it is done; a dead disk stays dead."""

    def __init__(self, at: int, *, after: bool, error: BaseException, dead: bool) -> None:
        self.left = at
        self.after = after
        self.error = error
        self.dead = dead
        self.failed = False

    def _step(self, operation: Callable[..., None], *arguments: Any) -> None:
        if self.failed and self.dead:
            raise self.error
        fails = self.left == 0
        self.left -= 1
        if not fails or self.after:
            operation(*arguments)
        if fails:
            self.failed = True
            raise self.error

    def sync(self, path: Path) -> None:
        self._step(super().sync, path)

    def move(self, source: Path, target: Path) -> None:
        self._step(super().move, source, target)

    def write(self, path: Path, content: bytes) -> None:
        self._step(super().write, path, content)

    def remove(self, path: Path) -> None:
        if self.failed and self.dead:
            raise self.error
        super().remove(path)


def exchange_batch(
    ids: Sequence[str], days: Sequence[float] | None = None, **columns: Sequence[Any]
) -> pa.RecordBatch:
    """Return exchanges with these `ids`, at `days` after the start (by default a second after each other)."""
    rows = len(ids)
    given: dict[str, Sequence[Any]] = {
        "exchange_id": ids,
        "ts": [START + timedelta(days=day) for day in days or [n / 86_400 for n in range(rows)]],
        "account_id": ["a"] * rows,
        "account_fp": [2**62 + 1] * rows,
        "source": ["s"] * rows,
        "source_ref": [f"s:{n + 1}" for n in range(rows)],
        "schema_version": [1] * rows,
    }
    given |= columns
    schema = pa.schema([EXCHANGE_SCHEMA.field(name) for name in given])
    return pa.RecordBatch.from_pydict(given, schema=schema)


def ingest(writer: StoreWriter, digest: str, *batches: pa.RecordBatch) -> SourceSummary:
    """Write and commit one source called `<digest>.jsonl`."""
    with writer.source(digest, f"{digest}.jsonl", "ndjson") as source:
        for batch in batches:
            source.write(batch)
        return source.commit()


def stored_ids(root: Path) -> list[str]:
    """Return the ids of all exchanges in the store, in order."""
    with open_store(root) as store:
        return sorted(store.exchanges().exchange_id.to_pyarrow().to_pylist())


@pytest.fixture(scope="session")
def tools():
    """Give the tests what stands in this file, which they cannot import."""

    class Tools:
        start = START
        batch = staticmethod(exchange_batch)
        ingest = staticmethod(ingest)
        ids = staticmethod(stored_ids)
        Crash = Crash
        FailingDisk = FailingDisk

    return Tools
