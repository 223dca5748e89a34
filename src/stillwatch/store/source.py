"""What is recorded of each source, in `source.json`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from stillwatch.model.coverage import SourceCoverage
from stillwatch.model.errors import StoreError
from stillwatch.store.layout import EXCHANGES, SOURCE_FILE

if TYPE_CHECKING:
    from pathlib import Path


class Part(msgspec.Struct, frozen=True):
    """One Parquet file of a source.

    Attributes:
        name: File name.
        rows: Rows in it.
        size: Bytes.
        filled: Rows with a value, for each column that has any.
        first_us: Time of the earliest exchange, in microseconds since 1970 UTC.
        last_us: Time of the latest exchange.
    """

    name: str
    rows: int
    size: int
    filled: dict[str, int]
    first_us: int
    last_us: int


class SourceSummary(msgspec.Struct, frozen=True):
    """What became of one source; the content of `source.json`.

    Attributes:
        digest: Digest of the content, which is the identity of the source.
        name: File name, for people.
        format: Log format.
        rows: Exchanges kept.
        rejected: Lines not kept, with a reason in `rejected.jsonl`; duplicates are among them.
        duplicates: Lines not kept because their `exchange_id` was there before.
        parts: The Parquet files.
    """

    digest: str
    name: str
    format: str
    rows: int
    rejected: int
    duplicates: int
    parts: tuple[Part, ...]

    @property
    def span(self) -> tuple[int, int] | None:
        """Times of the earliest and the latest exchange in microseconds since 1970 UTC, if there is any."""
        if not self.parts:
            return None
        return min(part.first_us for part in self.parts), max(part.last_us for part in self.parts)

    def overlaps(self, span: tuple[int, int]) -> bool:
        """Say whether the source's time range meets `span`, both ends included."""
        mine = self.span
        return mine is not None and mine[0] <= span[1] and span[0] <= mine[1]

    def coverage(self, columns: list[str]) -> SourceCoverage:
        """Return the share of rows with a value for each of `columns`."""
        filled = {name: sum(part.filled.get(name, 0) for part in self.parts) for name in columns}
        shares = {name: count / self.rows if self.rows else 0.0 for name, count in filled.items()}
        return SourceCoverage(
            source=self.name, format=self.format, rows=self.rows, rejected=self.rejected, filled=shares
        )


def directory_of(root: Path, digest: str) -> Path:
    """Return the directory of the committed source with this `digest`."""
    return root / EXCHANGES / digest


def read_sources(root: Path) -> dict[str, SourceSummary]:
    """Return the summaries of all committed sources of the store at `root`, by digest, in order of digest.

    Raises:
        StoreError: A source is damaged: its record or one of its parts is missing or of the wrong size.
    """
    try:
        directories = sorted(entry for entry in (root / EXCHANGES).iterdir() if entry.is_dir())
    except OSError:
        raise StoreError(f"{root / EXCHANGES}: cannot be read; restore it or use a new store.") from None
    return {directory.name: _read(directory) for directory in directories}


def _read(directory: Path) -> SourceSummary:
    try:
        summary = msgspec.json.decode((directory / SOURCE_FILE).read_bytes(), type=SourceSummary)
        sound = all((directory / part.name).stat().st_size == part.size for part in summary.parts)
    except (OSError, msgspec.MsgspecError):
        sound = False
    if not sound:
        raise StoreError(f"{directory}: damaged; remove this directory and ingest its file again.")
    return summary
