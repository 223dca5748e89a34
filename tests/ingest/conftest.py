"""A store to ingest into, and a stand-in for the compiled kernel where the text itself is what is looked at."""

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pyarrow as pa
import pytest

from stillwatch.ingest import IngestOptions, IngestReport, assembly, ingest_files
from stillwatch.ingest.fingerprint import FINGERPRINT_SCHEMA, FingerprintKey
from stillwatch.model.errors import Rejected
from stillwatch.model.progress import Silent
from stillwatch.store import StoreWriter, open_store

NOW = datetime(2026, 6, 1, tzinfo=UTC)


class Ingested:
    """What came of one run."""

    def __init__(self, report: IngestReport, store: Path) -> None:
        self.report, self.store = report, store

    def rows(self) -> list[dict[str, Any]]:
        with open_store(self.store) as reader:
            rows = reader.exchanges().to_pyarrow().to_pylist()
        return sorted(rows, key=lambda row: (row["source"], row["source_ref"]))

    def rejected(self) -> list[Rejected]:
        files = sorted(self.store.glob("exchanges/*/rejected.jsonl"))
        lines = [line for file in files for line in file.read_bytes().splitlines()]
        return [msgspec.json.decode(line, type=Rejected) for line in lines]


@pytest.fixture
def key() -> FingerprintKey:
    return FingerprintKey.from_bytes(bytes(range(32)))


@pytest.fixture
def texts(monkeypatch) -> list[pa.RecordBatch]:
    """Collects the text that would go into the kernel, instead of fingerprinting it."""
    seen: list[pa.RecordBatch] = []

    def fake(text: pa.RecordBatch, key: FingerprintKey, threads: int = 1) -> pa.RecordBatch:
        seen.append(text)
        arrays = [pa.nulls(text.num_rows, field.type) for field in FINGERPRINT_SCHEMA]
        return pa.RecordBatch.from_arrays(arrays, schema=FINGERPRINT_SCHEMA)

    monkeypatch.setattr(assembly, "fingerprint", fake)
    return seen


@pytest.fixture
def ingest(tmp_path, key, texts) -> Callable[..., Ingested]:
    def run(content: bytes | list[Path], name: str = "log", **options: Any) -> Ingested:
        paths = content
        if isinstance(content, bytes):
            file = tmp_path / name
            file.write_bytes(content)
            paths = [file]
        settings = IngestOptions(**({"now": NOW} | options))
        store = tmp_path / "store"
        with StoreWriter(store) as writer:
            report = ingest_files(paths, writer, key, settings, Silent())
        return Ingested(report, store)

    return run
