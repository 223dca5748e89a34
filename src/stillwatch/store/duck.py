"""The embedded engine: DuckDB in this process."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import ibis
import pyarrow as pa
import pyarrow.parquet as pq


class DuckSession:
    """An in-memory DuckDB that reads Parquet in place and spills to `place`."""

    def __init__(self, place: Path, memory_limit: str | None = None, threads: int | None = None) -> None:
        """Connect.

        Args:
            place: Directory for what does not fit into memory.
            memory_limit: As DuckDB writes it; by default 60 % of the machine's memory, at most 6 GB.
            threads: Threads; by default one for each core.
        """
        self._place = place
        self.backend = ibis.duckdb.connect(
            threads=threads or os.cpu_count() or 1,
            memory_limit=memory_limit or default_memory_limit(),
            temp_directory=str(place),
            preserve_insertion_order=False,
            autoinstall_known_extensions=False,
            autoload_known_extensions=False,
        )
        self.backend.con.execute("SET TimeZone = 'UTC'")

    def parquet(self, paths: Sequence[Path], schema: pa.Schema, name: str) -> Any:
        """Return the rows of all `paths`, which have `schema`, as an Ibis table called `name`."""
        del schema
        return self.backend.read_parquet([str(path) for path in paths], table_name=name, hive_partitioning=False)

    def empty(self, schema: pa.Schema, name: str) -> Any:
        """Return a table called `name` with `schema` and no rows."""
        path = self._place / f"{name}.parquet"
        pq.write_table(schema.empty_table(), path)
        return self.parquet([path], schema, name)

    def close(self) -> None:
        """Disconnect and give the memory back."""
        self.backend.disconnect()


def default_memory_limit() -> str:
    """Return 60 % of the machine's memory, at most 6 GB, as DuckDB writes it."""
    installed = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return f"{min(int(installed * 0.6), 6_000_000_000)}B"
