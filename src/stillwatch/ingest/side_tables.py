"""The operator's own records beside the logs: accounts and enforcement, as NDJSON, CSV or Parquet."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from stillwatch.ingest.csvrows import csv_rows
from stillwatch.ingest.draft import READ_ERRORS, Refusal, refusal_of
from stillwatch.ingest.fingerprint import FingerprintKey, hash_column
from stillwatch.ingest.formats.canonical import scalars
from stillwatch.ingest.moments import UNREADABLE, Moment, microseconds, timestamps
from stillwatch.ingest.sources import is_parquet, looks_like, open_stream
from stillwatch.ingest.tablerows import legible, records_of, require_distinct
from stillwatch.model.columns import ACCOUNT_SCHEMA, ENFORCEMENT_KINDS, ENFORCEMENT_SCHEMA, PAYMENT_KINDS
from stillwatch.model.errors import InputError, Rejected
from stillwatch.model.views import KeyKind

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

    from stillwatch.ingest.sources import Stream

_READ_BYTES = 1 << 20
_MAGIC = 16
"""Bytes at the beginning of a table in which text has no NUL."""
_UNUSUAL = re.compile(r"[;|,\s]+")


class Account(msgspec.Struct, kw_only=True):
    """One account; every column but the first is optional."""

    account_id: str
    org_id: str | None = None
    created_at: Moment | None = None
    closed_at: Moment | None = None
    plan: str | None = None
    payment_fp: str | None = None
    payment_kind: str | None = None
    email_domain: str | None = None
    signup_ip: str | None = None
    device_fp: str | None = None
    country: str | None = None
    verified: list[str] | None = None
    declared_use: str | None = None
    programme: str | None = None
    reseller_of: str | None = None
    extra: str | None = None


class Enforcement(msgspec.Struct, kw_only=True):
    """One action of the operator."""

    account_id: str
    ts: Moment
    kind: str
    reason: str | None = None
    extra: str | None = None


Row = TypeVar("Row", Account, Enforcement)
Numbered = tuple[int, dict[str, Any] | Refusal]
"""Number of a line or row, and its columns, or why it cannot be read."""


def ignore(rejected: Rejected) -> None:
    """Take no note of a rejected row."""


def read_accounts(path: Path, key: FingerprintKey, reject: Callable[[Rejected], None] = ignore) -> pa.Table:
    """Read the accounts table.

    Args:
        path: NDJSON, CSV with a header, or Parquet; gzip and zstd are told by content.
        key: Key of the fingerprints.
        reject: Is told every row that cannot be read.

    Returns:
        A table of `ACCOUNT_SCHEMA`; columns that it does not know stand in `extra`.

    Raises:
        InputError: The file cannot be read, is empty, or has no sound row.
    """
    rows = _rows(path, Account, reject, ("created_at", "closed_at"))
    for row in rows:
        if row.payment_kind is not None and row.payment_kind not in PAYMENT_KINDS:
            row.extra = _with(row.extra, "payment_kind", row.payment_kind)
            row.payment_kind = None
    return _table(rows, ACCOUNT_SCHEMA, key, ("created_at", "closed_at"))


def read_enforcement(
    path: Path, key: FingerprintKey, reject: Callable[[Rejected], None] = ignore
) -> pa.Table:
    """Read the enforcement table; see `read_accounts`.

    Returns:
        A table of `ENFORCEMENT_SCHEMA`.

    Raises:
        InputError: The file cannot be read, is empty, or has no sound row.
    """
    return _table(_rows(path, Enforcement, reject, ("ts",)), ENFORCEMENT_SCHEMA, key, ("ts",))


def _rows(
    path: Path, kind: type[Row], reject: Callable[[Rejected], None], moments: tuple[str, ...]
) -> list[Row]:
    found: list[Row] = []
    first: Refusal | None = None
    for number, read in _records(path, frozenset(kind.__struct_fields__)):
        row = read if isinstance(read, Refusal) else _row(read, kind, moments)
        if isinstance(row, Refusal):
            first = first or row
            reject(Rejected(str(path), number, row.reason, row.remedy))
        else:
            found.append(row)
    if not found:
        what = f"no row can be read: {first.reason}" if first else "it is empty"
        raise InputError(str(path), what, first.remedy if first and first.remedy else "see docs/formats.md")
    return found


def _row(record: dict[str, Any], kind: type[Row], moments: tuple[str, ...]) -> Row | Refusal:
    given = {str(name).strip(): value for name, value in record.items() if value is not None and value != ""}
    known = {name: given[name] for name in kind.__struct_fields__ if name in given and name != "extra"}
    if isinstance(known.get("verified"), str):
        known["verified"] = [word for word in _UNUSUAL.split(known["verified"].strip("[]")) if word]
    kept = scalars(given, frozenset(kind.__struct_fields__))
    if kept:
        known["extra"] = msgspec.json.encode(kept, order="sorted").decode()
    try:
        row = msgspec.convert(known, kind, strict=False)
    except READ_ERRORS as error:
        return refusal_of(error)
    if isinstance(row, Enforcement) and row.kind not in ENFORCEMENT_KINDS:
        return Refusal("the kind of action is unknown", f"use one of {', '.join(ENFORCEMENT_KINDS)}")
    unread = [name for name in moments if _unreadable(getattr(row, name))]
    return Refusal(f"{unread[0]} is no time", "give ISO 8601 or seconds since 1970") if unread else row


def _unreadable(moment: Moment | None) -> bool:
    return moment is not None and int(microseconds([moment])[0]) == UNREADABLE


def _with(extra: str | None, name: str, value: str) -> str:
    held = msgspec.json.decode(extra) if extra else {}
    return msgspec.json.encode(held | scalars({name: value}, frozenset()), order="sorted").decode()


def _table(rows: list[Row], schema: pa.Schema, key: FingerprintKey, moments: tuple[str, ...]) -> pa.Table:
    arrays = {}
    for field in schema:
        if field.name in moments:
            arrays[field.name] = timestamps(_moments([getattr(row, field.name) for row in rows]))
        elif field.name != "account_fp":
            arrays[field.name] = pa.array([getattr(row, field.name) for row in rows], field.type)
    arrays["account_fp"] = hash_column(arrays["account_id"], key, KeyKind.ACCOUNT)
    return pa.Table.from_arrays([arrays[name] for name in schema.names], schema=schema)


def _moments(moments: list[Moment | None]) -> np.ndarray[Any, np.dtype[np.int64]]:
    """Return times in microseconds; what is missing is `UNREADABLE`, which becomes null."""
    return np.array(
        [UNREADABLE if moment is None else microseconds([moment])[0] for moment in moments], np.int64
    )


def _records(path: Path, columns: frozenset[str]) -> Iterator[Numbered]:
    with open_stream(path) as stream:
        if is_parquet(stream):
            yield from _from_parquet(path, columns)
            return
        start = stream.head.lstrip()[:1]
        if start not in (b"{", b"["):
            _require_csv(stream)
        data = _all(stream)
    yield from _from_json(data) if start in (b"{", b"[") else csv_rows(str(path), data, "account_id")


def _require_csv(stream: Stream) -> None:
    """Check that the data can be CSV.

    Raises:
        InputError: They are something else.
    """
    if not stream.head.strip():
        raise InputError(stream.name, "it is empty", "see docs/formats.md")
    binary = ("binary data", "export it as NDJSON, CSV or Parquet") if b"\0" in stream.head[:_MAGIC] else None
    known = looks_like(stream.head) or binary
    if known is not None:
        raise InputError(stream.name, f"it looks like {known[0]}, not a table", known[1])


def _all(stream: Stream) -> bytes:
    data, buffer = bytearray(), bytearray(_READ_BYTES)
    while size := stream.readinto(memoryview(buffer)):
        data += buffer[:size]
    return bytes(data)


def _from_parquet(path: Path, columns: frozenset[str]) -> Iterator[Numbered]:
    number = 0
    try:
        with pq.ParquetFile(path) as file:
            require_distinct(str(path), file.schema_arrow)
            for batch in file.iter_batches(16_384):
                for number, row in enumerate(_rows_of_batch(batch, columns), number + 1):  # noqa: B020 - goes on
                    yield number, row
    except (pa.ArrowException, OSError):
        raise InputError(
            str(path), "its Parquet data are damaged or cut off", "copy the file again"
        ) from None


def _rows_of_batch(batch: pa.RecordBatch, columns: frozenset[str]) -> Iterator[dict[str, Any] | Refusal]:
    sound, illegible = legible(batch)
    records, unread = records_of(sound, columns)
    refused = unread | illegible
    for row, record in enumerate(records):
        yield refused.get(row) or {name: _plain(value) for name, value in record.items()}


def _plain(value: Any) -> Any:
    """Return a time as text, and everything else as it is."""
    return value.isoformat() if hasattr(value, "isoformat") else value


def _from_json(data: bytes) -> Iterator[Numbered]:
    lines: Iterable[bytes] = data.split(b"\n")
    if data.lstrip()[:1] == b"[":
        try:
            lines = [bytes(item) for item in msgspec.json.decode(data, type=list[msgspec.Raw])]
        except READ_ERRORS as error:
            yield 1, refusal_of(error)
            return
    for number, line in enumerate(lines, 1):
        if line.strip():
            yield number, _object(line)


def _object(line: bytes) -> dict[str, Any] | Refusal:
    try:
        return msgspec.json.decode(line, type=dict[str, Any])
    except READ_ERRORS as error:
        return refusal_of(error)
