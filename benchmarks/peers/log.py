"""The columns of an exchange store as a peer sees them: numbers and hashes, no text and no truth."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from numba import njit, prange

from stillwatch.model.views import KIND_MASK, KeyKind
from stillwatch.store import open_store

if TYPE_CHECKING:
    from pathlib import Path

Ints = npt.NDArray[np.int64]

DIMENSIONS = 64
READ = ("account_id", "ts", "keys", "ip", "output_tokens")


@dataclass(frozen=True)
class Log:
    """Exchanges by account, then time; n exchanges, A accounts.

    Attributes:
        names: Account ids, ascending, shape (A,).
        account: Account number of each exchange, ascending, shape (n,).
        second: Time in seconds since the epoch, shape (n,).
        offsets: Where the text keys of each exchange begin and the last ones end, shape (n + 1,).
        keys: Text keys of all exchanges.
        address: Code of the address, -1 where unknown, shape (n,).
        tokens: Output tokens, 0 where unknown, shape (n,).
    """

    names: npt.NDArray[np.str_]
    account: Ints
    second: npt.NDArray[np.float64]
    offsets: Ints
    keys: Ints
    address: Ints
    tokens: Ints

    @property
    def size(self) -> int:
        """Number of accounts."""
        return int(self.names.size)

    @property
    def volume(self) -> Ints:
        """Exchanges of each account, shape (A,)."""
        return np.bincount(self.account, minlength=self.size)

    @property
    def bounds(self) -> Ints:
        """First exchange of each account and the end of the last, shape (A + 1,)."""
        return np.searchsorted(self.account, np.arange(self.size + 1))

    def uses(self, kinds: tuple[KeyKind, ...] | None = None) -> tuple[Ints, Ints]:
        """Return (exchange, key) for every text key, of the given kinds only."""
        row = np.repeat(np.arange(self.account.size), np.diff(self.offsets))
        if kinds is None:
            return row, self.keys
        chosen = np.isin(self.keys & KIND_MASK, [int(kind) for kind in kinds])
        return row[chosen], self.keys[chosen]


def read_log(store: Path) -> Log:
    """Read the exchanges of a store."""
    with open_store(store) as reader:
        table = reader.exchanges().select(*READ).to_pyarrow()
    return log_of(table)


def log_of(table: pa.Table) -> Log:
    """Number what was read; `table` has the columns of `READ`."""
    coded = table["account_id"].combine_chunks().dictionary_encode()
    names = np.asarray(coded.dictionary.to_pylist(), dtype=np.str_)
    rank = np.empty(names.size, np.int64)
    rank[np.argsort(names)] = np.arange(names.size)
    account = rank[coded.indices.to_numpy()]
    second = table["ts"].cast(pa.timestamp("us", tz="UTC")).cast(pa.int64()).to_numpy() / 1e6
    order = np.lexsort((second, account))
    lists = table["keys"].take(order).combine_chunks()
    offsets = np.concatenate([[0], np.cumsum(lists.value_lengths().fill_null(0).to_numpy())])
    address = table["ip"].combine_chunks().dictionary_encode().indices.fill_null(-1).to_numpy()
    return Log(
        names=np.sort(names),
        account=account[order],
        second=second[order],
        offsets=offsets.astype(np.int64),
        keys=lists.flatten().to_numpy(),
        address=address[order].astype(np.int64),
        tokens=table["output_tokens"].fill_null(0).to_numpy()[order].astype(np.int64),
    )


def embed(log: Log, rows: Ints) -> npt.NDArray[np.float32]:
    """Embed exchanges by feature hashing of their text keys, unit length, shape (len(rows), DIMENSIONS).

    The log holds no text, so this stands in for the sentence encoders of the papers: prompts that share
    prefixes, shingles or suffixes are near each other, others are nearly orthogonal (Weinberger et al. 2009,
    "Feature hashing for large scale multitask learning").
    """
    return _embed(rows, log.offsets, log.keys, DIMENSIONS)


@njit(cache=True, parallel=True)
def _embed(rows, offsets, keys, dimensions):
    made = np.zeros((rows.size, dimensions), np.float32)
    for place in prange(rows.size):
        for at in range(offsets[rows[place]], offsets[rows[place] + 1]):
            bits = np.uint64(keys[at]) * np.uint64(0x9E3779B97F4A7C15)
            bits = (bits ^ (bits >> np.uint64(29))) * np.uint64(0xBF58476D1CE4E5B9)
            bits ^= bits >> np.uint64(32)
            for d in range(dimensions):
                made[place, d] += 1.0 if (bits >> np.uint64(d)) & np.uint64(1) else -1.0
        length = np.sqrt((made[place] ** 2).sum())
        if length > 0:
            made[place] /= length
    return made
