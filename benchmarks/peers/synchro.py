"""SynchroTrap: accounts that do the same thing at the same time, again and again."""

from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
from scipy import sparse
from scipy.sparse import csgraph

from peers.protocol import Ints, grouped

if TYPE_CHECKING:
    from collections.abc import Mapping

    from peers.log import Log

_HOURS = (1, 24)
_MOST_USERS = 100
"""Accounts kept of a bucket that more share, the first by number; the paper spreads such buckets out."""
_SEED = 29
Floats = npt.NDArray[np.float64]


class SynchroTrap:
    """Cao, Yang, Yu, Palow, "Uncovering large groups of active malicious accounts in online social networks".

    Two accounts match when they act on one object within the same time bucket; a pair's similarity is the
    Jaccard index of their actions; pairs above a threshold are linked and single-linkage clusters of some
    size are named. Objects here are text keys and addresses. Days are summed instead of asked for one by one.
    """

    name = "synchrotrap"
    source = "Cao et al., CCS 2014, doi 10.1145/2660267.2660269"
    grid = tuple(
        {"hours": hours, "similarity": similarity, "matches": matches, "accounts": accounts}
        for hours, similarity, matches, accounts in product(
            _HOURS, (0.02, 0.05, 0.1, 0.2, 0.5), (3, 10), (10, 30)
        )
    )

    def measure(self, log: Log) -> dict[int, tuple[Ints, Ints, Ints, Floats]]:
        """Return for each bucket length the pairs (a, b), their matches and their similarity."""
        return {hours: _pairs(log, hours * 3600) for hours in _HOURS}

    def claims(
        self, log: Log, measured: dict[int, tuple[Ints, Ints, Ints, Floats]], settings: Mapping[str, float]
    ) -> list[Ints]:
        """Link similar pairs and name the clusters."""
        a, b, matches, similarity = measured[int(settings["hours"])]
        kept = (matches >= settings["matches"]) & (similarity >= settings["similarity"])
        graph = sparse.coo_array((np.ones(int(kept.sum())), (a[kept], b[kept])), shape=(log.size, log.size))
        label = csgraph.connected_components(graph, directed=False)[1].astype(np.int64)
        return grouped(label, np.arange(log.size), int(settings["accounts"]))


def _pairs(log: Log, seconds: int) -> tuple[Ints, Ints, Ints, Floats]:
    row, key = log.uses()
    known = np.flatnonzero(log.address >= 0)
    thing = np.concatenate([key, log.address[known]])
    row = np.concatenate([row, known])
    bucket = (log.second[row] // seconds).astype(np.int64)
    action = _action(thing, bucket)
    actions = np.unique(np.column_stack([action, log.account[row]]), axis=0)
    total = np.bincount(actions[:, 1], minlength=log.size)
    _, number, size = np.unique(actions[:, 0], return_inverse=True, return_counts=True)
    first = np.concatenate([[0], np.cumsum(size)[:-1]])
    kept = (size[number] >= 2) & (np.arange(number.size) - first[number] < _MOST_USERS)
    _, column = np.unique(number[kept], return_inverse=True)
    shape = (log.size, int(column.max(initial=-1)) + 1)
    matrix = sparse.csr_array((np.ones(column.size, np.int32), (actions[kept, 1], column)), shape=shape)
    both = sparse.triu(matrix @ matrix.T, k=1).tocoo()
    several = both.data >= 3
    a, b, matches = (part[several].astype(np.int64) for part in (both.row, both.col, both.data))
    return a, b, matches, matches / np.maximum(total[a] + total[b] - matches, 1)


def _action(thing: Ints, bucket: Ints) -> Ints:
    """Hash (object, bucket) to one number; 64 bits make chance collisions negligible here."""
    with np.errstate(over="ignore"):
        mixed = thing.astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15) + bucket.astype(np.uint64)
        mixed = (mixed ^ (mixed >> np.uint64(31))) * np.uint64(0xBF58476D1CE4E5B9)
    return (mixed ^ (mixed >> np.uint64(29))).view(np.int64)
