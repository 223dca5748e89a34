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

_BLOCK = 4096
_SLICES = 8
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
    out = _allocate(text.num_rows)

    def run(span: tuple[int, int]) -> list[NDArray[np.uint64]]:
        mine = [column.slice(span[0], span[1] - span[0]) for column in columns]
        return _fingerprint(mine, constants, _rows(out, *span))

    if len(spans) == 1:
        parts = run(spans[0])
    else:
        with ThreadPoolExecutor(threads) as pool:
            parts = [part for found in pool.map(run, spans) for part in found]
    return _result(out, np.concatenate([*parts, np.empty(0, np.uint64)]))


def _fingerprint(arrays: list[Any], constants: Constants, out: Fingerprints) -> list[NDArray[np.uint64]]:
    """Fill the columns of `out` and return the text keys of all rows, block by block."""
    named = dict(zip(TEXT_SCHEMA.names, map(_column, arrays), strict=True))
    columns = (named["system"], named["history"], named["prompt"], named["tools"])
    rows, work = out.cell.size, new_work()
    # room for the most keys that rows can have is made for a block only and used again: fresh memory costs
    # more than the keys, and two threads wait for each other when they ask for it
    room = min(rows, _BLOCK) * KEYS_PER_ROW
    keys, kinds = np.empty(room, np.uint64), np.empty(room, np.uint8)
    parts = []
    for start in range(0, rows, _BLOCK):
        stop = min(start + _BLOCK, rows)
        block = _rows(out, start, stop)._replace(keys=keys, kinds=kinds)
        written = run_rows(work, constants, _texts(columns, start, stop), block, (0, stop - start))
        parts.append(keys[:written].copy())
    return parts


def _rows(out: Fingerprints, start: int, stop: int) -> Fingerprints:
    """Return the rows from `start` to `stop`; their keys are kept elsewhere."""
    by_row: dict[str, Any] = {name: getattr(out, name)[start:stop] for name in Fingerprints._fields[2:]}
    return out._replace(**by_row)


def _texts(columns: tuple[Column, ...], start: int, stop: int) -> tuple[Column, Column, Column, Column]:
    system, history, prompt, tools = (
        column._replace(starts=column.starts[start:stop], stops=column.stops[start:stop])
        for column in columns
    )
    return system, history, prompt, tools


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
    """Return the bounds of slices of about equal numbers of bytes, a few for each thread.

    Threads take slices as they become free, so that one that is held up does not hold up all.
    """
    if threads == 1 or rows < 2 * _LEAST_ROWS:
        return [0, rows]
    slices = threads * max(1, min(_SLICES, rows // (threads * _BLOCK)))
    weights = np.full(rows, _ROW_WEIGHT, np.int64)
    for column in columns:
        if column.null_count < rows:
            weights += pc.binary_length(column).fill_null(0).to_numpy(zero_copy_only=False)
    total = np.cumsum(weights)
    inner = np.searchsorted(total, total[-1] * np.arange(1, slices) / slices)
    return [int(bound) for bound in np.unique([0, *inner, rows])]


def _allocate(rows: int) -> Fingerprints:
    return Fingerprints(
        np.empty(0, np.uint64),
        np.empty(0, np.uint8),
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
