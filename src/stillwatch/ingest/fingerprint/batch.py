"""Arrow in, Arrow out: columns as addresses for the kernel, results as columns."""

from __future__ import annotations

from collections import deque
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from itertools import pairwise
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pyarrow as pa

from stillwatch.ingest.fingerprint.kernel import run_column, run_rows
from stillwatch.ingest.fingerprint.key import FingerprintKey, inner_secret, outer_secret
from stillwatch.ingest.fingerprint.layout import (
    KEYS_PER_ROW,
    Column,
    Columns,
    Constants,
    Fingerprints,
    new_work,
)
from stillwatch.ingest.fingerprint.lexicon import LANGUAGES, lexicon
from stillwatch.ingest.fingerprint.tokens import LOOKAHEAD
from stillwatch.ingest.fingerprint.unicode_table import unicode_table
from stillwatch.model.columns import EXCHANGE_SCHEMA, TEXT_SCHEMA
from stillwatch.model.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

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

_SLICE_WEIGHT = 1 << 20
"""Weight of a slice of rows: it fits the processor's caches, and threads end at about the same time."""
_ROW_WEIGHT = 64
"""What a row costs beside its text, in bytes of text."""
_GRID = 4096
"""Places between rows, evenly spread, at which a slice may begin."""


class Source(NamedTuple):
    """A column of text, of which slices are handed to the kernel.

    Attributes:
        array: The column; the addresses hold as long as it lives.
        base: Address of its bytes.
        safe: Last address at which the fast path may start to read.
        offsets: Where each text begins, and where the last one ends, shape (rows + 1,).
        nulls: Whether each text is null, shape (rows,); None where none is.
    """

    array: Any
    base: int
    safe: int
    offsets: NDArray[Any]
    nulls: NDArray[np.bool_] | None


class Part(NamedTuple):
    """Text keys of a slice of rows, which are put in their place when all slices are done.

    Attributes:
        start: First row of the slice.
        keys: Keys of its rows, one row after the other.
    """

    start: int
    keys: NDArray[np.uint64]


def fingerprint(text: pa.RecordBatch, key: FingerprintKey, threads: int = 1) -> pa.RecordBatch:
    """Turn the texts of exchanges into fingerprints, in one pass over their bytes.

    The result does not depend on how rows are batched or on the number of threads. Nothing of the text is
    kept.

    Args:
        text: Columns of `TEXT_SCHEMA` (string, large_string, string_view or dictionaries of them); others
            are ignored. Invalid UTF-8 is read as U+FFFD.
        key: Key of the deployment.
        threads: Rows are divided among at most so many threads; the interpreter's lock is not held.

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
    sources = [_source(_text(_named(text, name), name)) for name in TEXT_SCHEMA.names]
    constants = Constants(inner_secret(key), outer_secret(key, "text"), unicode_table(), lexicon())
    spans = list(pairwise(_bounds(sources, text.num_rows)))
    out, left = _allocate(text.num_rows), deque(spans)
    most = max((stop - start for start, stop in spans), default=0)
    parts = _together(lambda: _take(left, sources, constants, out, most), min(threads, len(spans)))
    return _result(out, np.concatenate([*(part.keys for part in parts), np.empty(0, np.uint64)]))


def _together(work: Callable[[], list[Part]], threads: int) -> list[Part]:
    """Do `work` on so many threads, of which the calling one is one; return all parts in order of rows."""
    if threads <= 1:
        return work()
    with ThreadPoolExecutor(threads - 1, "stillwatch-fingerprint") as pool:
        others = [pool.submit(work) for _ in range(threads - 1)]
        parts = work()
        for other in others:
            parts += other.result()
    return sorted(parts, key=lambda part: part.start)


def _take(
    left: deque[tuple[int, int]], sources: list[Source], constants: Constants, out: Fingerprints, most: int
) -> list[Part]:
    """Fingerprint slices for as long as any are `left`; a thread that is held up holds up no other.

    Working memory for slices of at most `most` rows is made once and used for all of them: fresh memory
    costs more than what is put there, and threads wait for each other when they ask for it.
    """
    work, room = new_work(), most * KEYS_PER_ROW
    keys, kinds = np.empty(room, np.uint64), np.empty(room, np.uint8)
    parts = []
    for start, stop in _taken(left):
        texts = _texts(sources, start, stop)
        by_row: list[Any] = [column[start:stop] for column in out[2:]]
        written = run_rows(work, constants, texts, Fingerprints(keys, kinds, *by_row), (0, stop - start))
        parts.append(Part(start, keys[:written].copy()))
    return parts


def _taken(left: deque[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    """Take what is `left`, which other threads take too, until nothing is."""
    with suppress(IndexError):
        while True:
            yield left.popleft()


def _texts(sources: list[Source], start: int, stop: int) -> Columns:
    columns = (_column(source, start, stop) for source in sources)
    named = dict(zip(TEXT_SCHEMA.names, columns, strict=True))
    return named["system"], named["history"], named["prompt"], named["tools"]


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
    source = _source(_text(values, f"column for {kind.name.lower()} keys"))
    rows = len(source.array)
    out = np.zeros(rows, np.uint64)
    run_column(outer_secret(key, "column"), _column(source, 0, rows), np.uint64(kind.value), out)
    return pa.array(out.view(np.int64), pa.int64(), mask=source.nulls)


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


def _source(array: Any) -> Source:
    """Return where the texts of a string array stand."""
    _validity, offsets, data = array.buffers()
    nulls = _nulls(array) if array.null_count else None
    if offsets is None or array.null_count == len(array):
        return Source(array, 0, -1, np.zeros(len(array) + 1, np.int32), nulls)
    kind = np.int64 if array.type == pa.large_string() else np.int32
    places = np.frombuffer(offsets, kind)[array.offset : array.offset + len(array) + 1]
    address, size = (data.address, data.size) if data is not None else (0, 0)
    return Source(array, address, address + size - LOOKAHEAD, places, nulls)


def _column(source: Source, start: int, stop: int) -> Column:
    """Return the texts from row `start` to row `stop` for the kernel."""
    starts = source.offsets[start:stop].astype(np.int64)
    stops = source.offsets[start + 1 : stop + 1].astype(np.int64)
    if source.nulls is not None:
        stops[source.nulls[start:stop]] = -1
    return Column(source.base, source.safe, starts, stops)


def _nulls(array: Any) -> NDArray[np.bool_]:
    nulls: NDArray[np.bool_] = array.is_null().to_numpy(zero_copy_only=False)
    return nulls


def _bounds(sources: list[Source], rows: int) -> list[int]:
    """Return the bounds of slices of about equal weight, which is `_SLICE_WEIGHT` or less."""
    steps = np.linspace(0, rows, min(rows, _GRID) + 1).astype(np.int64)
    weights = _ROW_WEIGHT * steps
    for source in sources:
        weights += source.offsets[steps] - source.offsets[0]
    slices = max(1, -(-int(weights[-1]) // _SLICE_WEIGHT))
    inner = np.searchsorted(weights, weights[-1] * np.arange(1, slices) / slices)
    return [int(bound) for bound in np.unique([0, *steps[inner], rows])]


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
    hashes = [values.view(np.int64) for values in (out.system, out.tools, out.item, out.prefix)]
    columns = [
        _lists(keys, out.key_count),
        *(_nullable(values, out.present & (1 << place)) for place, values in enumerate(hashes)),
        _nullable(out.cell, out.cell >= 0),
        pa.array(LANGUAGES, pa.string()).take(_nullable(out.language, out.language >= 0)),
        _nullable(out.elicitation, out.elicitation >= 0),
    ]
    return pa.RecordBatch.from_arrays(columns, schema=FINGERPRINT_SCHEMA)


def _nullable(values: NDArray[Any], valid: NDArray[Any]) -> Any:
    """Return `values` as an array that shares their memory; null where `valid` is zero."""
    present = pa.py_buffer(np.packbits(valid, bitorder="little"))
    kind = pa.from_numpy_dtype(values.dtype)
    return pa.Array.from_buffers(kind, values.size, [present, pa.py_buffer(values)])


def _lists(values: NDArray[np.uint64], counts: NDArray[np.int64]) -> Any:
    offsets = np.zeros(counts.size + 1, np.int32)
    np.cumsum(np.maximum(counts, 0), out=offsets[1:])
    mask = pa.array(counts < 0) if (counts < 0).any() else None
    return pa.ListArray.from_arrays(pa.array(offsets), pa.array(values.view(np.int64)), mask=mask)
