"""Pairs of a key and an account, dealt to buckets by the key, so that each bucket is worked on by itself.

A hash table of all keys would be far larger than the cache of a processor, and each look at it a wait for
memory. Pairs are therefore dealt to buckets by the hash of their key, batch by batch as they are read, and
each bucket is worked on in tables that stay in the cache (the radix partitioning of hash joins: Manegold,
Boncz and Kersten 2002, doi 10.1109/TKDE.2002.1019210).
"""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

import numba
import numpy as np
import numpy.typing as npt
import pyarrow as pa

from stillwatch.detect.keyindex import mixed
from stillwatch.store.engine import map_batches

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    import ibis.expr.types as ir

Ints = npt.NDArray[np.int64]
Small = npt.NDArray[np.int32]
Result = TypeVar("Result")

_BITS = 10
BUCKETS = 1 << _BITS
_PAIRS = pa.schema({"key": pa.int64(), "account": pa.int32()})


def deal(keys: Ints, accounts: Small) -> pa.RecordBatch:
    """Write pairs bucket after bucket: columns key and account, a number below 2^31."""
    return pa.record_batch([pa.array(column) for column in _deal(keys, accounts)], schema=_PAIRS)


@dataclass(frozen=True)
class Dealt:
    """Pairs of keys and accounts in buckets.

    Attributes:
        chunks: Keys and accounts of each batch, bucket after bucket.
        edges: Where each bucket of a batch starts, and the end of the last, each of shape (BUCKETS + 1,).
    """

    chunks: list[tuple[Ints, Small]]
    edges: list[Ints]

    @staticmethod
    def read(exchanges: ir.Table, function: Callable[[pa.RecordBatch], pa.RecordBatch]) -> Dealt:
        """Read the pairs that `function` makes of each batch of exchanges by `deal`."""
        pairs = map_batches(exchanges, function, _PAIRS)
        return Dealt.of(zip(pairs["key"].chunks, pairs["account"].chunks, strict=True))

    @staticmethod
    def of(columns: Iterable[tuple[pa.Array, pa.Array]]) -> Dealt:
        """Take the keys and accounts of several batches that were dealt."""
        chunks = [_in_buckets(key.to_numpy(), account.to_numpy()) for key, account in columns]
        return Dealt(chunks, [_edges(keys) for keys, _ in chunks])

    def map(self, function: Callable[[Ints, Small], Result]) -> list[Result]:
        """Apply `function` to the keys and accounts of every bucket, on all cores."""
        if not self.chunks:
            return []
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            return list(pool.map(lambda number: function(*self._bucket(number)), range(BUCKETS)))

    def _bucket(self, number: int) -> tuple[Ints, Small]:
        parts = [slice(edge[number], edge[number + 1]) for edge in self.edges]
        both = [(keys[part], owner[part]) for (keys, owner), part in zip(self.chunks, parts, strict=True)]
        return np.concatenate([keys for keys, _ in both]), np.concatenate([owner for _, owner in both])


@numba.njit(cache=True, nogil=True)
def bucket_of(key: int) -> np.int64:
    """Return the bucket of a key."""
    return np.int64(mixed(key) >> np.uint64(64 - _BITS))


def _in_buckets(keys: Ints, accounts: Small) -> tuple[Ints, Small]:
    """Deal pairs again where an engine has joined several batches on their way here, as Spark does."""
    return (keys, accounts) if _dealt(keys) else _deal(keys, accounts)


@numba.njit(cache=True, nogil=True)
def _dealt(keys: Ints) -> bool:
    last = 0
    for key in keys:
        bucket = bucket_of(key)
        if bucket < last:
            return False
        last = bucket
    return True


def _deal(keys: Ints, accounts: Small) -> tuple[Ints, Small]:
    # NumPy asks for huge pages where compiled code would not, and touching these costs a fraction
    dealt, owner = np.empty(keys.size, np.int64), np.empty(keys.size, np.int32)
    _write(keys, accounts, dealt, owner)
    return dealt, owner


@numba.njit(cache=True, nogil=True)
def _write(keys: Ints, accounts: Small, dealt: Ints, owner: Small) -> None:
    place = _edges(keys)
    for at in range(keys.size):
        bucket = bucket_of(keys[at])
        dealt[place[bucket]], owner[place[bucket]] = keys[at], accounts[at]
        place[bucket] += 1


@numba.njit(cache=True, nogil=True)
def _edges(keys: Ints) -> Ints:
    """Return where each bucket starts when the keys stand bucket after bucket, and the end of the last."""
    edges = np.zeros(BUCKETS + 1, np.int64)
    for at in range(keys.size):
        edges[bucket_of(keys[at]) + 1] += 1
    return np.cumsum(edges)


@numba.njit(cache=True, nogil=True)
def numbered(keys: Ints) -> tuple[Ints, Ints]:
    """Number keys in the order in which they first stand there.

    Returns:
        Number of each, and the distinct keys.
    """
    bits = 4
    while (1 << bits) < 2 * keys.size:
        bits += 1
    mask = (1 << bits) - 1
    slots = np.full(mask + 1, -1, np.int32)
    number, distinct, filled = np.empty(keys.size, np.int64), np.empty(keys.size, np.int64), 0
    for at in range(keys.size):
        slot = np.int64(mixed(keys[at]) >> np.uint64(20)) & mask
        while slots[slot] >= 0 and distinct[slots[slot]] != keys[at]:
            slot = (slot + 1) & mask
        if slots[slot] < 0:
            slots[slot] = filled
            distinct[filled] = keys[at]
            filled += 1
        number[at] = slots[slot]
    return number, distinct[:filled]
