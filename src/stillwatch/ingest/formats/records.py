"""Formats that are read record by record: what differs between them is given as functions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from stillwatch.ingest.draft import NOTHING, Fields, Places, Reading, fields_of, read_each

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    import msgspec

T = TypeVar("T")


@dataclass(frozen=True)
class RecordFormat(Generic[T]):
    """A `LineFormat` of which one record is one exchange.

    Attributes:
        name: See `LineFormat`.
        title: See `LineFormat`.
        account_sources: See `LineFormat`.
        decoder: See `LineFormat`.
        examples: See `LineFormat`.
        resembles: See `LineFormat`.
        read_record: Takes out of one record what is kept, given the attributes to look into for the account
            before the format's own; what it raises makes the record a rejected one.
    """

    name: str
    title: str
    account_sources: str
    decoder: msgspec.json.Decoder[T | list[T]]
    examples: tuple[bytes, ...]
    resembles: Callable[[Mapping[str, Any]], float]
    read_record: Callable[[T, tuple[str, ...]], Reading]

    def read(self, records: Sequence[T], places: Places, account_fields: tuple[str, ...], /) -> Fields:
        """See `LineFormat`."""
        readings, refused = read_each(
            records, lambda record: self.read_record(record, account_fields), NOTHING
        )
        return fields_of(readings, places, refused)
