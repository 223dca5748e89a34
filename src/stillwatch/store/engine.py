"""How to say in Ibis what has to mean the same on DuckDB and on Spark.

Both engines agree on the following (`tests/contracts/test_store_engines.py` proves each on both), so
detection is written in these words only:

- `table.select("account_fp", key=table.keys.unnest())`: one row a list element; null and empty lists
  vanish. `keys.length()` of a null list is null.
- `group_by(...).aggregate(...)` with `count`, `nunique`, `sum`, `min`, `max`, `mean`, `argmin`, `argmax`;
  inner, left, cross, semi and anti joins, also with `ibis.memtable(arrow_table)` and with `table.view()`;
  `filter`, `distinct`, `union`, `order_by`, `limit`.
- `&`, `|`, `^`, `>>` by a constant (arithmetic: the sign stays) and `%` (the sign of the dividend) on
  `int64`.
- `ibis.row_number().over(ibis.window(group_by=..., order_by=...))`, counted from 0; order by columns without
  ties and without nulls.
- `epoch_us(column)` for time as an integer, and `//` on it.
- `map_batches(table, function, schema)` for what a query cannot say, in compiled code over Arrow buffers; the
  rows of a batch and their order mean nothing.
- `.cache()`, `.to_pyarrow()`, `.to_pyarrow_batches()`: exact integers, also beside nulls. A scalar may be
  had by `.execute()`.

And these are traps:

- `column.cast("int64")` of a time is seconds on Spark and microseconds on DuckDB: use `epoch_us`.
- `//` on `int64` goes through a double on both: exact for times, wrong for fingerprints. Use `>>` and `&`.
- An integer overflow is an error on DuckDB and wraps on Spark: neither is wanted; do not multiply hashes.
- `<<` of a fingerprint overflows likewise.
- `order_by` puts nulls first on Spark and last on DuckDB: filter them or say which.
- A stream of `.to_pyarrow_batches()` must be finished or closed before the next query on the same reader.
- `.execute()` of a table goes through pandas, where an `int64` beside a null becomes a double.
- `create_table` and `drop_table` of the backend fail with sqlglot 30; cache instead.
- Hash functions differ between engines: carry your own column.
- There is no unsigned type on Spark.
"""

from __future__ import annotations

import os
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import ibis
import pyarrow as pa

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from concurrent.futures import Future

    import ibis.expr.types as ir

BATCH_ROWS = 262_144


@ibis.udf.scalar.builtin(signature=((ibis.dtype("timestamp('UTC', 6)"),), ibis.dtype("int64")))
def epoch_us(moment):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN201 - Ibis reads the signature above
    """Return a UTC time as whole microseconds since 1970.

    A builtin of DuckDB (also without a store); `stillwatch.store.spark` gives Spark the same one.

    Example:
        >>> import pyarrow as pa
        >>> from datetime import UTC, datetime
        >>> moments = pa.array([datetime(1970, 1, 1, 1, tzinfo=UTC)], pa.timestamp("us", "UTC"))
        >>> table = ibis.memtable(pa.table({"ts": moments}))
        >>> table.select(us=epoch_us(table.ts)).to_pyarrow()["us"].to_pylist()
        [3600000000]
    """


def map_batches(
    table: ir.Table, function: Callable[[pa.RecordBatch], pa.RecordBatch], schema: pa.Schema
) -> pa.Table:
    """Apply `function` to all rows of `table`, a batch at a time, and return what it gave.

    Spark runs it where the rows lie, DuckDB in threads as the rows stream in. It pays where `function` leaves
    the interpreter (compiled code without its lock) and returns much less than it is given. What it gave for
    several batches may come back as one batch (Spark does that), so their order says nothing.

    Args:
        table: An Ibis table.
        function: Maps the rows of a batch to any number of rows; it can be pickled and keeps no state.
        schema: Columns of its results.
    """
    own = getattr(table.get_backend(), "map_batches", None)
    if own is not None:
        found: pa.Table = own(table, function, schema)
        return found
    whole = table.to_pyarrow()  # a table in memory that belongs to no store
    return pa.Table.from_batches(in_threads(whole.to_batches(BATCH_ROWS), function), schema)


def in_threads(
    batches: Iterable[pa.RecordBatch], function: Callable[[pa.RecordBatch], pa.RecordBatch]
) -> Iterator[pa.RecordBatch]:
    """Yield the results in order, with at most two batches a core in hand."""
    threads = os.cpu_count() or 1
    waiting: deque[Future[pa.RecordBatch]] = deque()
    with ThreadPoolExecutor(threads) as pool:
        for batch in batches:
            waiting.append(pool.submit(function, batch))
            if len(waiting) > 2 * threads:
                yield waiting.popleft().result()
        for result in waiting:
            yield result.result()
