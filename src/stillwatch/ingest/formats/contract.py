"""What a log format must be able to do."""

# ruff: noqa: D102 - the attributes are described in the docstrings of the classes

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol, TypeVar

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    import pyarrow as pa

    from stillwatch.ingest.draft import Draft, Fields, Places

T = TypeVar("T")


def line_decoder(record: type[T]) -> msgspec.json.Decoder[T | list[T]]:
    """Return a decoder of lines that hold one `record` or an array of them; numbers may stand in strings."""
    return msgspec.json.Decoder(record | list[record], strict=False)  # type: ignore[valid-type]


class LineFormat(Protocol):
    """A log format of JSON records.

    Attributes:
        name: As in `--format`.
        title: For people.
        account_sources: Where the account is looked for, in words, for the reason of a rejected line.
        examples: Small real-looking lines; every one is recognised and read.
        decoder: Decodes one line.
    """

    @property
    def name(self) -> str: ...
    @property
    def title(self) -> str: ...
    @property
    def account_sources(self) -> str: ...
    @property
    def examples(self) -> tuple[bytes, ...]: ...
    @property
    def decoder(self) -> msgspec.json.Decoder[Any]: ...

    def resembles(self, record: Mapping[str, Any], /) -> float:
        """Return how sure it is, from 0 to 1, that `record` (decoded JSON) is of this format."""

    def read(self, records: Sequence[Any], places: Places, account_fields: tuple[str, ...], /) -> Fields:
        """Take out of decoded records what is kept; never raises for what a record holds.

        Nothing of `records` may live on in the result that is a view of their bytes (`msgspec.Raw`): the
        bytes are overwritten by what is read next.

        Args:
            records: What `decoder` returned, arrays flattened.
            places: Where each record stands.
            account_fields: Attributes to look into for the account before the format's own.
        """


class TableFormat(Protocol):
    """A log format that is columns already."""

    @property
    def name(self) -> str: ...
    @property
    def title(self) -> str: ...
    @property
    def account_sources(self) -> str: ...

    def batches(self, path: Path, rows: int) -> Iterator[pa.RecordBatch]:
        """Yield the file's content in batches of at most `rows` rows.

        Raises:
            InputError: The file is damaged, or lacks a required column.
        """

    def draft_batch(self, batch: pa.RecordBatch, first: int) -> Draft:
        """Turn a batch whose first row has number `first` into canonical columns."""
