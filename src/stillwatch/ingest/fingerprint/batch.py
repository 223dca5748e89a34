"""Arrow in, Arrow out: columns as addresses for the kernel, results as columns."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from stillwatch.ingest.fingerprint.kernel import HISTORY, PROMPT, SYSTEM, TOOLS, run_column, run_rows
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
        (['en'], 1)
    """
    if threads < 1:
        raise InputError("fingerprint", f"threads is {threads}", "give one or more")
    arrays = {name: _text(_named(text, name), name) for name in TEXT_SCHEMA.names}
    columns = [Column(0, 0, np.zeros(0, np.int64), np.zeros(0, np.int64))] * len(arrays)
    for place, name in ((SYSTEM, "system"), (HISTORY, "history"), (PROMPT, "prompt"), (TOOLS, "tools")):
        columns[place] = _column(arrays[name])
    out = _allocate(text.num_rows)
    constants = Constants(inner_secret(key), outer_secret(key, "text"), unicode_table(), lexicon())
    spans = list(pairwise(_slices(columns, text.num_rows, threads)))

    def run(span: tuple[int, int]) -> int:
        return run_rows(new_work(), constants, tuple(columns), out, span)

    if len(spans) == 1:
        written = [run(spans[0])]
    else:
        with ThreadPoolExecutor(len(spans)) as pool:
            written = list(pool.map(run, spans))
    return _result(out, [(start, count) for (start, _), count in zip(spans, written, strict=True)])


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


def _slices(columns: list[Column], rows: int, threads: int) -> list[int]:
    """Return the bounds of up to `threads` slices of about equal numbers of bytes."""
    if threads == 1 or rows < 2 * _LEAST_ROWS:
        return [0, rows]
    lengths = sum((np.maximum(c.stops - c.starts, 0) for c in columns), np.full(rows, 64, np.int64))
    total = np.cumsum(lengths)
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


def _result(out: Fingerprints, written: list[tuple[int, int]]) -> pa.RecordBatch:
    parts = [out.keys[start * KEYS_PER_ROW : start * KEYS_PER_ROW + count] for start, count in written]
    columns = [_lists(np.concatenate(parts), out.key_count)]
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
