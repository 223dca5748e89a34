"""The operator's own tables on their way into the store, and the rows of them that could not be read."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from stillwatch.ingest import FileReport, read_accounts, read_enforcement
from stillwatch.model.errors import Rejected
from stillwatch.model.findings import encode_line
from stillwatch.model.wholefile import write_atomically

if TYPE_CHECKING:
    from pathlib import Path

    import pyarrow as pa

    from stillwatch.app.config import Settings
    from stillwatch.ingest.fingerprint import FingerprintKey
    from stillwatch.store import StoreWriter

REJECTED_ROWS = "rejected_rows.jsonl"
"""In the store: the rejected rows of each side table, as it was given last."""


def put_sides(
    writer: StoreWriter, key: FingerprintKey, settings: Settings, store: Path
) -> tuple[FileReport, ...]:
    """Merge the side tables that `settings` name into the store and remember the rows that are bad.

    Raises:
        InputError: A table cannot be read, or no row of it.
    """
    rejected: list[Rejected] = []
    reports = []
    if settings.accounts is not None:
        accounts = read_accounts(settings.accounts, key, rejected.append)
        writer.put_accounts(accounts)
        reports.append(_report(settings.accounts, accounts, len(rejected)))
    if settings.enforcement is not None:
        before = len(rejected)
        enforcement = read_enforcement(settings.enforcement, key, rejected.append)
        writer.put_enforcement(enforcement)
        reports.append(_report(settings.enforcement, enforcement, len(rejected) - before))
    _remember(store, {report.file for report in reports}, rejected)
    return tuple(reports)


def rejected_rows(store: Path) -> list[Rejected]:
    """Return the rejected rows of all side tables, each as it was given last."""
    path = store / REJECTED_ROWS
    if not path.exists():
        return []
    return [msgspec.json.decode(line, type=Rejected) for line in path.read_bytes().splitlines()]


def _report(path: Path, table: pa.Table, bad: int) -> FileReport:
    rows = table.num_rows + bad
    sentence = f"{path}: {bad} of {rows} rows were rejected (see rejected.jsonl)." if bad else ""
    return FileReport(str(path), "table", "table", rows, rejected=bad, sentence=sentence)


def _remember(store: Path, given: set[str], rejected: list[Rejected]) -> None:
    kept = [row for row in rejected_rows(store) if row.file not in given]
    if kept or rejected or (store / REJECTED_ROWS).exists():
        write_atomically(store / REJECTED_ROWS, b"".join(encode_line(row) for row in [*kept, *rejected]))
