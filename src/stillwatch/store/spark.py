"""The cluster engine: Spark, in this process or on a cluster. Imported only when asked for."""

from __future__ import annotations

import atexit
import contextlib
import os
import shutil
import sys
import tempfile
import warnings
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import ibis
import ibis.expr.datatypes as dt
import pyarrow as pa

from stillwatch.model.errors import MissingExtra, StoreError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

try:
    with warnings.catch_warnings():
        # PySpark 4 and Ibis warn about pandas 3 on import; no data goes through pandas here.
        warnings.simplefilter("ignore")
        import pyspark
        from ibis.backends.pyspark import Backend
        from ibis.backends.pyspark.datatypes import PySparkSchema, PySparkType
        from pyspark.errors import PySparkException
        from pyspark.java_gateway import launch_gateway
        from pyspark.sql import SparkSession
except ImportError:
    raise MissingExtra("The engine spark", "spark") from None

# Functions that DuckDB has under these names.
_FUNCTIONS = ("epoch_us(moment TIMESTAMP) RETURNS BIGINT RETURN unix_micros(moment)",)

_SETTINGS = {
    "spark.app.name": "stillwatch",
    "spark.ui.enabled": "false",
    "spark.ui.showConsoleProgress": "false",
    "spark.log.level": "ERROR",
    "spark.driver.maxResultSize": "0",
    "spark.sql.session.timeZone": "UTC",
    "spark.sql.timestampType": "TIMESTAMP_LTZ",
    # Arithmetic wraps instead of failing in the middle of a job; nothing in stillwatch relies on either.
    "spark.sql.ansi.enabled": "false",
    # The length of a null list is null, as on DuckDB, not -1.
    "spark.sql.legacy.sizeOfNull": "false",
    "spark.sql.catalogImplementation": "in-memory",
    "spark.sql.execution.arrow.pyspark.enabled": "true",
    "spark.sql.execution.arrow.pyspark.fallback.enabled": "false",
    "spark.sql.execution.arrow.maxRecordsPerBatch": "131072",
}


class SparkBackend(Backend):
    """Ibis' Spark backend with Arrow in both directions.

    The one in Ibis 12 goes through pandas, where a column of 64-bit hashes with one null becomes doubles and
    loses its low bits; it also calls times with a zone times without one.
    """

    def get_schema(self, table_name: str, **_: Any) -> ibis.Schema:
        """Return the columns of the table `table_name`."""
        return _schema_of(self._session.table(table_name))

    def _get_schema_using_query(self, query: str) -> ibis.Schema:
        return _schema_of(self._session.sql(query))

    def _register_in_memory_table(self, op: Any) -> None:
        table = op.data.to_pyarrow(op.schema)
        with _quiet():
            frame = self._session.createDataFrame(table, schema=PySparkSchema.from_ibis(op.schema))
        frame.createOrReplaceTempView(op.name)

    def to_pyarrow(self, expr: Any, /, *, params: Any = None, limit: Any = None, **_: Any) -> Any:
        """Return the result of `expr` as an Arrow table, column or scalar, whatever it is."""
        self._run_pre_execute_hooks(expr)
        table = expr.as_table()
        with _quiet():
            result = self._session.sql(self.compile(table, params=params, limit=limit)).toArrow()
        return expr.__pyarrow_result__(result.cast(table.schema().to_pyarrow()))

    def to_pyarrow_batches(
        self, expr: Any, /, *, params: Any = None, limit: Any = None, chunk_size: int = 1_000_000, **_: Any
    ) -> pa.RecordBatchReader:
        """Return the rows of `expr` in batches; all of them are fetched at once."""
        table = self.to_pyarrow(expr.as_table(), params=params, limit=limit)
        return table.to_reader(max_chunksize=chunk_size)

    def map_batches(
        self, table: Any, function: Callable[[pa.RecordBatch], pa.RecordBatch], schema: pa.Schema
    ) -> pa.Table:
        """Apply `function` to the rows of `table` where they lie (`store.engine.map_batches`)."""
        self._run_pre_execute_hooks(table)
        wide = _widened(schema)
        wanted = PySparkSchema.from_ibis(ibis.Schema.from_pyarrow(wide))
        with _quiet():
            frame = self._session.sql(self.compile(table))
            result = frame.mapInArrow(partial(_mapped, function, wide), wanted).toArrow()
        return result.cast(schema)

    def execute(self, expr: Any, /, *, params: Any = None, limit: Any = None, **_: Any) -> Any:
        """Return a scalar as Python has it, anything else as pandas has it (which may round hashes)."""
        result = self.to_pyarrow(expr, params=params, limit=limit)
        return result.as_py() if isinstance(result, pa.Scalar) else result.to_pandas()

    def _create_cached_table(self, name: str, expr: Any) -> Any:
        # Ibis 12 does not register the tables in memory that a cached expression reads
        self._run_pre_execute_hooks(expr)
        return super()._create_cached_table(name, expr)

    def _drop_cached_table(self, name: str) -> None:
        if self._session.sparkContext._jsc is not None:  # noqa: SLF001 - PySpark has no public way to ask
            super()._drop_cached_table(name)

    def release(self) -> None:
        """Drop what `.cache()` keeps."""
        for name in list(self._cached_dataframes):
            self._finalize_cached_table(name)


def _schema_of(frame: Any) -> ibis.Schema:
    """Return the columns of a Spark data frame, with times as what they are: instants."""
    return ibis.schema({field.name: _type_of(field.dataType) for field in frame.schema})


def _type_of(kind: Any) -> dt.DataType:
    if isinstance(kind, pyspark.sql.types.TimestampType):
        return dt.Timestamp("UTC", 6)
    return PySparkType.to_ibis(kind)


def _widened(schema: pa.Schema) -> pa.Schema:
    """Put 32-bit integers where smaller ones are, which Spark 4 cannot read from a function's results."""
    small = (pa.int8(), pa.int16())
    return pa.schema([(field.name, pa.int32() if field.type in small else field.type) for field in schema])


def _mapped(
    function: Callable[[pa.RecordBatch], pa.RecordBatch],
    schema: pa.Schema,
    batches: Iterator[pa.RecordBatch],
) -> Iterator[pa.RecordBatch]:
    for batch in batches:
        yield function(batch).cast(schema)


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Silence PySpark's remark about pandas 3, which is made on Arrow's way too."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", category=FutureWarning, module="pyspark")
        yield


# Ibis does this for the backends that it finds itself; its Spark compiler reads them.
SparkBackend().register_options()


class SparkEngine:
    """A Spark session of its own in the one Spark context that a process can have.

    The context starts with the first session and stops when the process ends, since a start takes seconds.
    """

    def __init__(self, memory_limit: int, threads: int | None = None, master: str | None = None) -> None:
        """Connect.

        Args:
            memory_limit: Bytes for Spark in this process; what was given first holds.
            threads: Threads where Spark runs in this process; by default one for each core.
            master: Address of a cluster.

        Raises:
            StoreError: Spark cannot start, or runs at another address already.
        """
        session = _context(memory_limit, master or f"local[{threads or os.cpu_count() or 1}]", master)
        with _quiet():
            self._session = session.newSession()
            for function in _FUNCTIONS:
                self._session.sql(f"CREATE OR REPLACE TEMPORARY FUNCTION {function}")
            self.backend = SparkBackend().connect(self._session)

    def parquet(self, paths: Sequence[Path], schema: pa.Schema, name: str) -> Any:
        """Return the rows of all `paths`, which have `schema`, as an Ibis table called `name`."""
        columns = PySparkSchema.from_ibis(ibis.Schema.from_pyarrow(schema))
        frame = self._session.read.schema(columns).parquet(*(f"file://{path}" for path in paths))
        frame.createOrReplaceTempView(name)
        return self.backend.table(name)

    def empty(self, schema: pa.Schema, name: str) -> Any:
        """Return a table called `name` with `schema` and no rows."""
        columns = PySparkSchema.from_ibis(ibis.Schema.from_pyarrow(schema))
        self._session.createDataFrame([], columns).createOrReplaceTempView(name)
        return self.backend.table(name)

    def close(self) -> None:
        """Give the memory of cached tables back."""
        self.backend.release()


def _context(memory_limit: int, master: str, asked: str | None) -> SparkSession:
    """Return the session of the running context, or start one at `master`."""
    running = pyspark.SparkContext._active_spark_context  # noqa: SLF001 - the public getter starts one
    if running is None:
        return _start(memory_limit, master)
    if asked is not None and running.master != asked:
        raise StoreError(f"Spark runs at {running.master} in this process already; end it to use {asked}.")
    return SparkSession(running)


def _start(memory_limit: int, master: str) -> SparkSession:
    place = Path(tempfile.mkdtemp(prefix="stillwatch-spark-"))
    settings = _SETTINGS | {
        "spark.master": master,
        "spark.driver.memory": f"{max(memory_limit >> 20, 512)}m",
        "spark.local.dir": str(place),
        "spark.sql.warehouse.dir": str(place / "warehouse"),
    }
    if master.startswith("local"):
        # 200 partitions, the default, are for clusters: here each would cost more than the work in it.
        partitions = str(2 * (os.cpu_count() or 1))
        settings |= {
            "spark.driver.host": "127.0.0.1",
            "spark.driver.bindAddress": "127.0.0.1",
            "spark.sql.shuffle.partitions": partitions,
        }
        os.environ.setdefault("SPARK_LOCAL_IP", "127.0.0.1")
        os.environ.setdefault("PYSPARK_PYTHON", sys.executable)  # which has stillwatch, as workers must
    configuration = pyspark.SparkConf().setAll(list(settings.items()))
    try:
        with (place / "spark.log").open("wb") as log, _quiet():
            # The start-up remarks of the Java process belong into a log, not between a user's results.
            gateway = launch_gateway(configuration, {"stdout": log, "stderr": log})
            session = SparkSession(pyspark.SparkContext(gateway=gateway, conf=configuration))
    except (PySparkException, OSError):
        shutil.rmtree(place, ignore_errors=True)
        raise StoreError(
            "Spark did not start: install Java 17 or newer and set JAVA_HOME, or use duckdb."
        ) from None
    atexit.register(_stop, session, place)
    return session


def _stop(session: SparkSession, place: Path) -> None:
    with contextlib.suppress(Exception):  # the process ends; what is left of Spark ends with it
        session.stop()
    shutil.rmtree(place, ignore_errors=True)
