"""What the other parts may ask of a store: who only looks gets a `View`, which cannot change anything."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol, Self, runtime_checkable

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import TracebackType

    import pyarrow as pa

    from stillwatch.model.coverage import SourceCoverage
    from stillwatch.model.errors import Rejected
    from stillwatch.store.source import SourceSummary


@runtime_checkable
class View(Protocol):
    """Reads what is in a store. Tables are Ibis tables with the columns and types of `model.columns`."""

    def exchanges(self) -> Any:
        """Return all exchanges."""

    def accounts(self) -> Any:
        """Return the accounts; no rows if none were given."""

    def enforcement(self) -> Any:
        """Return what the operator did; no rows if nothing was given."""

    def coverage(self) -> list[SourceCoverage]:
        """Return for each source the share of rows with a value by column."""

    def side_coverage(self) -> dict[str, dict[str, float]]:
        """Return the same for the tables `account` and `enforcement`."""

    def rejected(self) -> Iterator[Rejected]:
        """Yield every line that was not ingested."""


@runtime_checkable
class SourceSink(Protocol):
    """Takes the exchanges of one source; nothing is visible before `commit`."""

    def __enter__(self) -> Self:
        """Begin."""

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Drop what was not committed."""

    def write(self, batch: pa.RecordBatch) -> None:
        """Append exchanges."""

    def reject(self, rejected: Rejected) -> None:
        """Note a line that was not ingested."""

    def commit(self) -> SourceSummary:
        """Make the source visible, all or nothing."""


@runtime_checkable
class Writer(Protocol):
    """Adds to a store."""

    def has_source(self, digest: str) -> bool:
        """Say whether a source with this content is in the store."""

    def source(self, digest: str, name: str, format: str) -> SourceSink:  # noqa: A002 - as in the record
        """Begin a new source."""

    def put_accounts(self, accounts: pa.Table) -> None:
        """Merge accounts."""

    def put_enforcement(self, enforcement: pa.Table) -> None:
        """Merge what the operator did."""
