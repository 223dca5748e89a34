"""Worlds straight into a store: the only place where the simulator meets the fingerprint kernel."""

from __future__ import annotations

import hashlib
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache
from itertools import chain
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.parquet as pq

from stillwatch.app.pipeline import KEY_CHECK, KEY_FILE, STORE
from stillwatch.ingest.assembly import client_words, sampling_words
from stillwatch.ingest.fingerprint import FingerprintKey, fingerprint, hash_column
from stillwatch.ingest.fingerprint.key import hkdf_sha256
from stillwatch.model.errors import InputError
from stillwatch.model.progress import Progress, Silent
from stillwatch.model.views import KeyKind
from stillwatch.model.wholefile import write_atomically
from stillwatch.store import StoreWriter
from stillwatch.worlds.block import TRUTH_SCHEMA
from stillwatch.worlds.columns import Chunk, play_columns
from stillwatch.worlds.key_pen import Banks

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

    from stillwatch.store import SourceSink
    from stillwatch.worlds import Scenario, Sources

    Sides = tuple[pa.Table, pa.Table]
    """Accounts and enforcement of a chunk."""

TRUTH = "truth.parquet"
SOURCE_ROWS = 5_000_000
"""Exchanges of one source of the store: an operator's logs come as several files, too."""
_LARGE_BATCH = 4_000
_KEY = b"stillwatch simulated worlds, v1."


@dataclass(frozen=True)
class Kernel:
    """The fingerprint kernel of ingest under one key, as worlds ask for it (`worlds.fingerprinter`)."""

    key: FingerprintKey

    def texts(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """Fingerprint columns of `TEXT_SCHEMA`."""
        return fingerprint(batch, self.key, threads=2 if batch.num_rows > _LARGE_BATCH else 1)

    def column(self, values: pa.Array, kind: KeyKind) -> pa.Array:
        """Hash strings into keys of this kind."""
        return hash_column(values, self.key, kind)

    def sampling(self, columns: Mapping[str, pa.Array]) -> pa.Array:
        """Hash model and sampling parameters."""
        return hash_column(sampling_words(dict(columns)), self.key, KeyKind.SAMPLING)

    def client(self, columns: Mapping[str, pa.Array]) -> pa.Array:
        """Hash user agent and client fingerprint."""
        return hash_column(client_words(dict(columns)), self.key, KeyKind.CLIENT)


@cache
def banks() -> Banks:
    """Return the examples of all kinds of writing under the key of simulated worlds, made once a process."""
    return Banks(Kernel(world_key()))


def world_key() -> FingerprintKey:
    """Return the key of all simulated worlds; it protects nobody, so it is no secret."""
    return FingerprintKey.from_bytes(_KEY)


def make_columns(
    scenario: Scenario,
    seed: int,
    scale: float,
    out: Path,
    sources: Sources | None = None,
    progress: Progress | None = None,
) -> Path:
    """Simulate a world and write it into the store `out`/store, with `out`/truth.parquet beside it.

    Returns:
        The path of the store; its key is there too, so that logs of the same world can be added.

    Raises:
        InputError: There is a store in `out` already, or `out` cannot be written.
    """
    store = out / STORE
    if store.exists():
        raise InputError(str(store), "exists already", "choose another --out or remove it")
    shown = progress or Silent()
    name = f"{scenario.id} seed {seed} scale {scale:g}"
    try:
        out.mkdir(parents=True, exist_ok=True)
        _write(store, out / TRUTH, name, _ahead(play_columns(scenario, seed, scale, banks(), sources)), shown)
    except OSError as error:
        raise InputError(str(out), error.strerror or "cannot be written", "choose another --out") from None
    key = world_key()
    key.save(store / KEY_FILE)
    write_atomically(store / KEY_CHECK, hkdf_sha256(key.secret, b"stillwatch key check 1", 8).hex().encode())
    return store


def _write(store: Path, truth_path: Path, name: str, chunks: Iterator[Chunk], shown: Progress) -> None:
    sides: list[Sides] = []
    shown.start("world")
    with (
        StoreWriter(store) as writer,
        pq.ParquetWriter(truth_path, TRUTH_SCHEMA, compression="zstd") as truth,
    ):
        for number, first in enumerate(iter(lambda: next(chunks, None), None)):
            label = f"{name} part {number}"
            with writer.source(hashlib.sha256(label.encode()).hexdigest(), label, "columns") as source:
                _fill(source, truth, chain([first], chunks), sides, shown)
                source.commit()
        writer.put_accounts(pa.concat_tables([accounts for accounts, _ in sides]))
        writer.put_enforcement(pa.concat_tables([actions for _, actions in sides]))
    shown.finish()


def _fill(
    source: SourceSink, truth: pq.ParquetWriter, chunks: Iterable[Chunk], sides: list[Sides], shown: Progress
) -> None:
    """Write chunks into one source until it is full; of each only the side tables are kept, in `sides`."""
    rows = 0
    for chunk in chunks:
        for batch in chunk.exchanges.combine_chunks().to_batches():
            source.write(batch)
        truth.write_table(chunk.truth)
        sides.append((chunk.accounts, chunk.enforcement))
        shown.advance(chunk.exchanges.num_rows)
        rows += chunk.exchanges.num_rows
        if rows >= SOURCE_ROWS:
            return


def _ahead(chunks: Iterator[Chunk]) -> Iterator[Chunk]:
    """Simulate the next chunk while the present one is written."""
    with ThreadPoolExecutor(1) as pool:
        coming = pool.submit(next, chunks, None)
        while (chunk := coming.result()) is not None:
            coming = pool.submit(next, chunks, None)
            yield chunk
