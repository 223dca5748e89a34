"""The record that a later test needs of every served answer: which mark it carries, and where it could not.

No text, no token and no key stands in a record. An answer without a mark has a record too, with the reason,
so that nobody can claim afterwards that it was marked.
"""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Literal

import msgspec
import pyarrow as pa

from stillwatch.model.errors import Rejected

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from stillwatch.mark.schemes import Scheme

FORMAT = 1

Unmarked = Literal["", "greedy", "beam search", "opted out", "no logits", "key missing"]
"""Why an answer carries no mark; empty where it carries one."""


class MarkRecord(msgspec.Struct, frozen=True, forbid_unknown_fields=False):
    """The mark of one served answer.

    Attributes:
        exchange_id: The exchange it belongs to.
        served_at: When it was served.
        scheme: Name of the scheme.
        version: Version of its function and mapping.
        parameters: The scheme's parameters, such as `context_width`; numbers and names, never a key.
        key_ids: Public names of the keys that marked it.
        tokenizer: SHA-256 of the vocabulary, from `tokenizer_digest`.
        temperature: Sampling temperature.
        positions: Answer tokens.
        markable: Those whose context was new and whose likeliest token was not all but certain.
        marked: Those chosen under a key.
        unmarked: Why the answer carries no mark; empty where it carries one.
        format: Version of this form.
    """

    exchange_id: str
    served_at: datetime
    scheme: str
    version: str
    parameters: dict[str, float | str]
    key_ids: tuple[str, ...]
    tokenizer: str
    temperature: float
    positions: int
    markable: int
    marked: int
    unmarked: Unmarked = ""
    format: int = FORMAT

    def __post_init__(self) -> None:
        """Refuse counts that contradict each other, and a mark without a key.

        Raises:
            ValueError: They do.
        """
        if not 0 <= self.markable <= self.marked <= self.positions:
            raise ValueError("a mark record needs 0 <= markable <= marked <= positions")
        if (self.marked > 0) != (self.unmarked == "" and bool(self.key_ids)) and self.positions > 0:
            raise ValueError("an answer is marked under named keys, or unmarked with a reason")

    @property
    def markable_share(self) -> float:
        """Share of the answer's tokens that could carry evidence; 0 for an empty answer."""
        return self.markable / self.positions if self.positions else 0.0


SCHEMA = pa.schema(
    [
        ("exchange_id", pa.string()),
        ("served_at", pa.timestamp("us", tz="UTC")),
        ("scheme", pa.string()),
        ("version", pa.string()),
        ("parameters", pa.string()),
        ("key_ids", pa.list_(pa.string())),
        ("tokenizer", pa.string()),
        ("temperature", pa.float64()),
        ("positions", pa.int64()),
        ("markable", pa.int64()),
        ("marked", pa.int64()),
        ("unmarked", pa.string()),
        ("format", pa.int32()),
    ]
)
"""Columns of mark records; `parameters` as JSON text."""


def scheme_parameters(scheme: Scheme) -> dict[str, float | str]:
    """Return the parameters of a scheme, by name, for its records."""
    return {field: getattr(scheme, field) for field in getattr(type(scheme), "__dataclass_fields__", {})}


def tokenizer_digest(vocabulary: Mapping[str, int]) -> str:
    """Return SHA-256 over a vocabulary (token to id), in hex; a mark is only readable under the same one.

    Examples:
        >>> tokenizer_digest({"a": 0, "b": 1}) == tokenizer_digest({"b": 1, "a": 0})
        True
    """
    ordered = sorted((number, token) for token, number in vocabulary.items())
    return hashlib.sha256(msgspec.json.encode(ordered)).hexdigest()


def to_table(records: Iterable[MarkRecord]) -> pa.Table:
    """Return records as columns."""
    rows = []
    for record in records:
        row = msgspec.structs.asdict(record)
        rows.append(row | {"parameters": msgspec.json.encode(record.parameters, order="sorted").decode()})
    return pa.Table.from_pylist(rows, schema=SCHEMA)


def from_table(table: pa.Table) -> list[MarkRecord]:
    """Return the records in columns of `SCHEMA`."""
    rows = table.cast(SCHEMA).to_pylist()
    plain = [row | {"parameters": msgspec.json.decode(row["parameters"])} for row in rows]
    return [msgspec.convert(row, MarkRecord, strict=False) for row in plain]


def to_lines(records: Iterable[MarkRecord]) -> bytes:
    """Return records as newline-delimited JSON, for the process that serves."""
    return b"".join(msgspec.json.encode(record) + b"\n" for record in records)


def from_lines(content: bytes, file: str) -> tuple[list[MarkRecord], list[Rejected]]:
    """Read newline-delimited JSON; a line that cannot be read is reported and nothing else is lost.

    Args:
        content: The lines.
        file: Name to put into reports.
    """
    decoder = msgspec.json.Decoder(MarkRecord)
    records, rejected = [], []
    for number, line in enumerate(content.splitlines(), start=1):
        if not line.strip():
            continue
        try:
            record = decoder.decode(line)
        except (msgspec.MsgspecError, ValueError):
            rejected.append(Rejected(file, number, "this line is no mark record", "see docs/marking.md"))
            continue
        if record.format > FORMAT:
            rejected.append(Rejected(file, number, "the record has a newer format", "use a newer stillwatch"))
        else:
            records.append(record)
    return records, rejected


def unmarked_record(exchange_id: str, served_at: datetime, positions: int, reason: Unmarked) -> MarkRecord:
    """Return the record of an answer without a mark.

    Examples:
        >>> unmarked_record("e1", datetime(2026, 11, 22, tzinfo=UTC), 12, "greedy").markable_share
        0.0
    """
    return MarkRecord(
        exchange_id, served_at.astimezone(UTC), "", "", {}, (), "", 0.0, positions, 0, 0, reason
    )
