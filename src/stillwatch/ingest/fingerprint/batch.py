"""Arrow in, Arrow out: columns as addresses for the kernel, results as columns."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from stillwatch.ingest.fingerprint.kernel import run_column, run_rows
from stillwatch.ingest.fingerprint.key import FingerprintKey, inner_secret, outer_secret
from stillwatch.ingest.fingerprint.layout import KEYS_PER_ROW, Column, Constants, Fingerprints, new_work
from stillwatch.ingest.fingerprint.lexicon import LANGUAGES, lexicon
from stillwatch.ingest.fingerprint.tokens import LOOKAHEAD
from stillwatch.ingest.fingerprint.unicode_table import unicode_table
from stillwatch.model.columns import EXCHANGE_SCHEMA, TEXT_SCHEMA
from stillwatch.model.errors import InputError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from stillwatch.model.views import KeyKind

FINGERPRINT_SCHEMA = pa.schema(
    [
        EXCHANGE_SCHEMA.field(name)
        for name in (
            "keys",
            "system_fp",
            "tools_fp",
            "item_fp",
            "prefix_fp",
            "cell",
            "language",
            "elicitation",
        )
    ]
)
"""Columns of the result of `fingerprint`, in this order."""

_LEAST_ROWS = 64
"""Fewer rows than these are not worth a thread."""
_ROW_WEIGHT = 64
"""What a row costs beside its text, in bytes of text."""


def fingerprint(text: pa.RecordBatch, key: FingerprintKey, threads: int = 1) -> pa.RecordBatch:
    """Turn the texts of exchanges into fingerprints, in one pass over their bytes.

    The result does not depend on how rows are batched or on the number of threads. Nothing of the text is
    kept.

    Args:
        text: Columns of `TEXT_SCHEMA` (string, large_string, string_view or dictionaries of them); others
            are ignored. Invalid UTF-8 is read as U+FFFD.
        key: Key of the deployment.
        threads: Rows are divided among so many threads; the interpreter's lock is not held.

    Returns:
        One row an exchange with the columns of `FINGERPRINT_SCHEMA`.

    Raises:
        InputError: A column of `TEXT_SCHEMA` is missing or is no text, or `threads` is below one.

    Examples:
        >>> batch = pa.RecordBatch.from_pylist([{"prompt": "Why is the sky blue?"}], schema=TEXT_SCHEMA)
        >>> result = fingerprint(batch, FingerprintKey.from_bytes(bytes(32)))
        >>> result["language"].to_pylist(), len(result["keys"][0])
        (['en'], 2)
    """
    if threads < 1:
        raise InputError("fingerprint", f"threads is {threads}", "give one or more")
    columns = [_text(_named(text, name), name) for name in TEXT_SCHEMA.names]
    constants = Constants(inner_secret(key), outer_secret(key, "text"), unicode_table(), lexicon())
    spans = list(pairwise(_bounds(columns, text.num_rows, threads)))

    def run(span: tuple[int, int]) -> pa.RecordBatch:
        return _fingerprint([column.slice(span[0], span[1] - span[0]) for column in columns], constants)

    if len(spans) == 1:
        return run(spans[0])
    with ThreadPoolExecutor(len(spans)) as pool:
        return pa.Table.from_batches(list(pool.map(run, spans))).combine_chunks().to_batches()[0]


def _fingerprint(arrays: list[Any], constants: Constants) -> pa.RecordBatch:
    rows = len(arrays[0])
    named = dict(zip(TEXT_SCHEMA.names, map(_column, arrays), strict=True))
    columns = (named["system"], named["history"], named["prompt"], named["tools"])
    out = _allocate(rows)
    written = run_rows(new_work(), constants, columns, out, (0, rows))
    return _result(out, out.keys[:written].copy())


def hash_column(values: pa.Array, key: FingerprintKey, kind: KeyKind) -> pa.Int64Array:
    """Hash strings as they stand, not normalised, under the deployment's key.

    Args:
        values: Strings (string, large_string, string_view or a dictionary of them; chunked too).
        key: Key of the deployment.
        kind: Becomes the four lowest bits; the same string has unrelated hashes under two kinds.

    Returns:
        Keyed hashes, shape (len(values),); null where the value is null.

    Raises:
        InputError: `values` holds no text.
    """
    array = _text(values, f"column for {kind.name.lower()} keys")
    out = np.zeros(len(array), np.uint64)
    run_column(outer_secret(key, "column"), _column(array), np.uint64(kind.value), out)
    return pa.array(out.view(np.int64), pa.int64(), mask=_nulls(array))


def _named(text: pa.RecordBatch, name: str) -> Any:
    place = text.schema.get_field_index(name)
    if place < 0:
        raise InputError(
            "fingerprint", f"there is no column `{name}`", "give all columns of TEXT_SCHEMA, null if need be"
        )
    return text.column(place)


def _text(values: Any, where: str) -> Any:
    """Return `values` as a string or large_string array."""
    if isinstance(values, pa.ChunkedArray):
        values = values.combine_chunks()
    if values.type in (pa.string(), pa.large_string()):
        return values
    inner = values.type.value_type if pa.types.is_dictionary(values.type) else values.type
    if inner not in (pa.string(), pa.large_string(), pa.string_view(), pa.null()):
        raise InputError(where, f"holds {values.type}, not text", "cast it to string")
    return values.cast(pa.large_string())


def _column(array: Any) -> Column:
    """Return the addresses of a string array; the caller keeps `array` alive."""
    _validity, offsets, data = array.buffers()
    wide = array.type == pa.large_string()
    if offsets is None or len(array) == 0:
        empty = np.zeros(len(array), np.int64)
        return Column(0, -1, empty, empty - 1)
    places = np.frombuffer(offsets, np.int64 if wide else np.int32)[
        array.offset : array.offset + len(array) + 1
    ]
    starts, stops = places[:-1].astype(np.int64), places[1:].astype(np.int64)
    if array.null_count:
        stops[_nulls(array)] = -1
    address, size = (data.address, data.size) if data is not None else (0, 0)
    return Column(address, address + size - LOOKAHEAD, starts, stops)


def _nulls(array: Any) -> NDArray[np.bool_]:
    nulls: NDArray[np.bool_] = array.is_null().to_numpy(zero_copy_only=False)
    return nulls


def _bounds(columns: list[Any], rows: int, threads: int) -> list[int]:
    """Return the bounds of up to `threads` slices of about equal numbers of bytes."""
    if threads == 1 or rows < 2 * _LEAST_ROWS:
        return [0, rows]
    weights = np.full(rows, _ROW_WEIGHT, np.int64)
    for column in columns:
        if column.null_count < rows:
            weights += pc.binary_length(column).fill_null(0).to_numpy(zero_copy_only=False)
    total = np.cumsum(weights)
    inner = np.searchsorted(total, total[-1] * np.arange(1, threads) / threads)
    return [int(bound) for bound in np.unique([0, *inner, rows])]


def _allocate(rows: int) -> Fingerprints:
    return Fingerprints(
        np.empty(rows * KEYS_PER_ROW, np.uint64),
        np.empty(rows * KEYS_PER_ROW, np.uint8),
        np.zeros(rows, np.int64),
        np.zeros(rows, np.uint64),
        np.zeros(rows, np.uint64),
        np.zeros(rows, np.uint64),
        np.zeros(rows, np.uint64),
        np.zeros(rows, np.uint8),
        np.empty(rows, np.int16),
        np.empty(rows, np.int8),
        np.empty(rows, np.int32),
    )


def _result(out: Fingerprints, keys: NDArray[np.uint64]) -> pa.RecordBatch:
    columns = [_lists(keys, out.key_count)]
    columns += [
        pa.array(values.view(np.int64), pa.int64(), mask=out.present & (1 << place) == 0)
        for place, values in enumerate((out.system, out.tools, out.item, out.prefix))
    ]
    columns.append(pa.array(out.cell, pa.int16(), mask=out.cell < 0))
    columns.append(
        pa.array(LANGUAGES, pa.string()).take(pa.array(out.language, pa.int8(), mask=out.language < 0))
    )
    columns.append(pa.array(out.elicitation, pa.int32(), mask=out.elicitation < 0))
    return pa.RecordBatch.from_arrays(columns, schema=FINGERPRINT_SCHEMA)


def _lists(values: NDArray[np.uint64], counts: NDArray[np.int64]) -> Any:
    offsets = np.zeros(counts.size + 1, np.int32)
    np.cumsum(np.maximum(counts, 0), out=offsets[1:])
    mask = pa.array(counts < 0) if (counts < 0).any() else None
    return pa.ListArray.from_arrays(pa.array(offsets), pa.array(values.view(np.int64)), mask=mask)
