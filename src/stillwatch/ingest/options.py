"""What ingest may be told, and what it says when it is done."""

from __future__ import annotations

from pathlib import Path  # noqa: TC003 - msgspec reads the annotations
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from datetime import datetime

AUTO = "auto"


class IngestOptions(msgspec.Struct, frozen=True, kw_only=True):
    """Settings of one ingest run.

    Attributes:
        now: The present moment, with a zone; times more than a day after it are rejected.
        format: Name of a log format, or `auto` to tell it from the first records of each file.
        account_fields: Names of log attributes that hold the account, tried before the format's own; for
            formats without a fixed place for it (OTLP, Envoy, request-answer pairs).
        max_line_bytes: A longer line is rejected without being held in memory.
        max_bad_share: Greatest share of bad lines in a file before the run stops.
        least_lines: Lines that must have been seen before `max_bad_share` can stop the run.
        block_bytes: Decompressed bytes that are decoded at a time; they should fit the processor's caches.
        block_rows: Lines from which on what was decoded is turned into columns, fingerprinted and stored.
        piece_bytes: Decompressed bytes from which on the same is done.
        threads: Threads of the fingerprint kernel.
        skip_bad_files: Go on after a file that cannot be read at all; it is listed in the report.
        leave_out: Directories that are not searched where they lie inside an input, such as the store.
    """

    now: datetime
    format: str = AUTO
    account_fields: tuple[str, ...] = ()
    max_line_bytes: int = 16 << 20
    max_bad_share: float = 0.1
    least_lines: int = 100
    block_bytes: int = 1 << 20
    block_rows: int = 8_192
    piece_bytes: int = 32 << 20
    threads: int = 1
    skip_bad_files: bool = False
    leave_out: tuple[Path, ...] = ()


class FileReport(msgspec.Struct, frozen=True):
    """What became of one file.

    Attributes:
        file: The file, as it was named.
        format: The format it was read as; empty where it was not read.
        outcome: `read`, `known` (ingested before), `empty`, `failed`, or `table` for a side table.
        lines: Lines (or array items, or Parquet rows) seen.
        exchanges: Exchanges kept.
        rejected: Lines rejected; each stands in `rejected.jsonl` with its reason.
        skipped: Records that are no exchanges, such as spans of databases or requests without an account.
        sentence: For people; empty where there is nothing to say.
    """

    file: str
    format: str
    outcome: str
    lines: int = 0
    exchanges: int = 0
    rejected: int = 0
    skipped: int = 0
    sentence: str = ""


class IngestReport(msgspec.Struct, frozen=True):
    """What became of all files of one run."""

    files: tuple[FileReport, ...] = ()

    @property
    def exchanges(self) -> int:
        """Exchanges kept in this run."""
        return sum(file.exchanges for file in self.files)

    @property
    def rejected(self) -> int:
        """Lines rejected in this run."""
        return sum(file.rejected for file in self.files)

    @property
    def skipped(self) -> int:
        """Records of this run that are no exchanges."""
        return sum(file.skipped for file in self.files)

    @property
    def notes(self) -> tuple[str, ...]:
        """Sentences about files that a person should know of."""
        return tuple(file.sentence for file in self.files if file.sentence)
