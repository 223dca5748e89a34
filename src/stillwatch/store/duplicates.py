"""Finding exchanges that are in the store already, or twice in one source, inside the database.

Two exchanges are the same if their `exchange_id` is the same; it is looked for in the sources whose time
range overlaps, because the same exchange has the same time. Only hashes of ids are compared at first, so
that memory holds 8 bytes an exchange and the ids themselves are read for the few suspects alone; what does
not fit is spilled to disk by the database.
"""

from __future__ import annotations

from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import duckdb
import pyarrow as pa

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

_ORIGINS = "CREATE TEMP TABLE origins AS SELECT unnest(?) AS filename, unnest(?) AS name"

_SUSPECTS = """
CREATE TEMP TABLE suspects AS
SELECT h FROM (SELECT hash(exchange_id) AS h FROM fresh) GROUP BY h HAVING count(*) > 1
UNION
SELECT hash(exchange_id) FROM known WHERE hash(exchange_id) IN (SELECT hash(exchange_id) FROM fresh)
"""

_DROPPED = """
CREATE TEMP TABLE dropped AS
WITH seen AS (
    SELECT exchange_id, '' AS source_ref, filename, -1 AS row_number, 0 AS arrival
    FROM known WHERE hash(exchange_id) IN (FROM suspects)
    UNION ALL
    SELECT exchange_id, source_ref, filename, file_row_number, 1
    FROM fresh WHERE hash(exchange_id) IN (FROM suspects)
), placed AS (
    SELECT *, first_value(filename) OVER w AS first_file, row_number() OVER w AS place
    FROM seen WINDOW w AS (PARTITION BY exchange_id ORDER BY arrival, filename, row_number)
)
SELECT filename, row_number, source_ref, first_file FROM placed WHERE place > 1 AND arrival = 1
"""

# Readers close `source_ref` with the number of the line, where the format has lines.
_REPORT = """
COPY (
    SELECT
        ? AS file,
        coalesce(try_cast(regexp_extract(source_ref, '([0-9]{1,15})$', 1) AS BIGINT), 0) AS line,
        'duplicate exchange_id; first seen in ' || origin.name AS reason
    FROM dropped JOIN origins AS origin ON origin.filename = first_file
    ORDER BY dropped.filename, row_number
) TO '%s' (FORMAT json)
"""


class Duplicates:
    """Rows of a new source that were there before."""

    def __init__(self, connection: duckdb.DuckDBPyConnection) -> None:
        """Wrap a `connection` in which the table `dropped` is filled."""
        self._connection = connection

    def count(self) -> int:
        """Return the number of rows to drop."""
        row = self._connection.execute("SELECT count(*) FROM dropped").fetchone()
        return int(row[0]) if row else 0

    def by_part(self) -> Iterator[tuple[Path, pa.Array]]:
        """Yield each part that holds any, with the numbers of its rows to drop."""
        paths = self._connection.execute("SELECT DISTINCT filename FROM dropped ORDER BY 1").fetchall()
        for (path,) in paths:
            query = "SELECT row_number FROM dropped WHERE filename = ?"
            table = self._connection.sql(query, params=[path]).to_arrow_table()
            yield Path(path), table["row_number"].cast(pa.int64()).combine_chunks()

    def report(self, file: str, target: Path) -> None:
        """Write one line of JSON for each (the wire form of `Rejected`), naming `file`, to `target`."""
        self._connection.execute(_REPORT % str(target).replace("'", "''"), [file])


@contextmanager
def find_duplicates(
    fresh: Sequence[Path], known: Mapping[Path, str], name: str, spill: Path, memory_limit: int
) -> Iterator[Duplicates]:
    """Compare the parts of a new source with those of older ones.

    Args:
        fresh: Parts of the new source, in the order of their rows; at least one.
        known: Parts of committed sources, each with the name of its source.
        name: Name of the new source.
        spill: Directory for what does not fit into memory.
        memory_limit: Bytes that the database may take.
    """
    config = {
        "memory_limit": f"{memory_limit}B",
        "temp_directory": str(spill),
        "preserve_insertion_order": "false",
        "autoinstall_known_extensions": "false",
        "autoload_known_extensions": "false",
    }
    with duckdb.connect(":memory:", config=config) as connection:
        origins = {str(path): name for path in fresh} | {str(path): label for path, label in known.items()}
        connection.execute(_ORIGINS, [list(origins), list(origins.values())])
        _view(connection, "fresh", fresh)
        _view(connection, "known", list(known) or fresh[:1], "WHERE false" if not known else "")
        connection.execute(_SUSPECTS)
        connection.execute(_DROPPED)
        yield Duplicates(connection)


def _view(connection: duckdb.DuckDBPyConnection, name: str, paths: Sequence[Path], where: str = "") -> None:
    files = ", ".join("'" + str(path).replace("'", "''") + "'" for path in paths)
    connection.execute(
        f"CREATE TEMP VIEW {name} AS SELECT exchange_id, source_ref, filename, file_row_number "  # noqa: S608 - own
        f"FROM read_parquet([{files}], filename=true, file_row_number=true, hive_partitioning=false) {where}"
    )
