"""Account pairs that share more keys than chance allows.

Consistent bottom-B sampling keeps for each key the B accounts with the smallest fingerprints, so that the
same accounts survive in every key and overlaps are preserved while the cost of a key falls from df(df-1)/2 to
at most B(B-1)/2 pairs (`docs/method.md`, section "Groups").
"""

from __future__ import annotations

import itertools
import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numba
import numpy as np
import numpy.typing as npt

from stillwatch.stats import poisson

if TYPE_CHECKING:
    from collections.abc import Callable

Ints = npt.NDArray[np.int64]

_PARTS = 4


@dataclass(frozen=True)
class Incidence:
    """Which account used which key, after bottom-B sampling; sorted by key, then account.

    Attributes:
        key: Dense key numbers, ascending, shape (I,).
        account: Dense account numbers in the order of account fingerprints, shape (I,).
        keys: Number of keys.
        accounts: Number of accounts.
    """

    key: Ints
    account: Ints
    keys: int
    accounts: int

    @cached_property
    def bounds(self) -> Ints:
        """Start of each key's rows and the end of the last, shape (keys + 1,)."""
        return np.searchsorted(self.key, np.arange(self.keys + 1))

    @cached_property
    def by_account(self) -> tuple[Ints, Ints]:
        """Rows in the order of accounts, shape (I,), and where each account starts, shape (accounts + 1,)."""
        found: tuple[Ints, Ints] = by_number(self.account, self.accounts)
        return found

    @cached_property
    def keys_by_account(self) -> Ints:
        """Key of each row in the order of accounts, shape (I,)."""
        return self.key[self.by_account[0]]


@numba.njit(cache=True, nogil=True)
def by_number(number: Ints, numbers: int) -> tuple[Ints, Ints]:
    """Return the rows in the order of their numbers, equal ones as they stand, and where each starts."""
    bounds = np.zeros(numbers + 1, np.int64)
    for value in number:
        bounds[value + 1] += 1
    bounds = np.cumsum(bounds)
    place, order = bounds[:-1].copy(), np.empty(number.size, np.int64)
    for row in range(number.size):
        order[place[number[row]]] = row
        place[number[row]] += 1
    return order, bounds


def bottom(incidence: Incidence, most: int) -> Incidence:
    """Keep for each key the `most` accounts with the smallest numbers."""
    size = int(np.minimum(np.diff(incidence.bounds), most).sum())
    key, account = np.empty(size, np.int64), np.empty(size, np.int64)
    _first(incidence.bounds, incidence.account, most, key, account)
    return Incidence(key, account, incidence.keys, incidence.accounts)


@numba.njit(cache=True, nogil=True)
def _first(bounds: Ints, account: Ints, most: int, key: Ints, kept: Ints) -> None:
    """Write the first `most` accounts of each key beside its number."""
    filled = 0
    for number in range(bounds.size - 1):
        for row in range(bounds[number], min(bounds[number + 1], bounds[number] + most)):
            key[filled], kept[filled] = number, account[row]
            filled += 1


def pair_count(incidence: Incidence) -> int:
    """Return how many pairs of accounts meet in a key, each key by itself."""
    sizes = np.diff(incidence.bounds)
    return int((sizes * (sizes - 1) // 2).sum())


def bounded(incidence: Incidence, most_accounts: int, most_pairs: int) -> Incidence:
    """Lower B from `most_accounts` until at most `most_pairs` pairs are left."""
    kept = bottom(incidence, most_accounts)
    while pair_count(kept) > most_pairs and most_accounts > 4:
        most_accounts = most_accounts * 3 // 4
        kept = bottom(incidence, most_accounts)
    return kept


@dataclass(frozen=True)
class Pairs:
    """Pairs of accounts with the number of keys that they share; a < b."""

    a: Ints
    b: Ints
    shared: Ints


def repeated_pairs(incidence: Incidence, keep: Callable[[Pairs], Pairs] = lambda found: found) -> Pairs:
    """Count for every pair of accounts that used at least two of the same keys how many those are.

    The upper triangle of a sparse matrix product, row by row (Gustavson 1978, doi 10.1145/355791.355796): the
    counts of one account's partners lie in one small array, and most pairs, which meet in a single key, are
    never written out. Accounts are divided among the cores.

    Args:
        incidence: Which account used which key.
        keep: Chooses among the pairs of a part of the accounts.
    """
    order, bounds = incidence.by_account
    parts = _PARTS * (os.cpu_count() or 1)  # accounts that come first meet the most others
    cuts = np.searchsorted(bounds, np.linspace(0, order.size, parts + 1)[1:-1])
    ranges = itertools.pairwise([0, *cuts.tolist(), incidence.accounts])
    ends = incidence.bounds[1:][incidence.keys_by_account]
    small = incidence.account.astype(np.int32)  # half the memory to read at random

    def count(part: tuple[int, int]) -> Pairs:
        return keep(Pairs(*_partners(*part, order, ends, bounds, small)))

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        found = list(pool.map(count, ranges))
    columns = zip(*((some.a, some.b, some.shared) for some in found), strict=True)
    return Pairs(*(np.concatenate(column) for column in columns))


@numba.njit(cache=True, nogil=True)
def _partners(
    first: int,
    last: int,
    rows: Ints,
    ends: Ints,
    bounds: Ints,
    account: npt.NDArray[np.int32],
) -> tuple[Ints, Ints, Ints]:
    """Count the keys that each account from `first` to before `last` shares with each later account.

    Args:
        first: First account.
        last: The account after the last.
        rows: Rows in the order of accounts.
        ends: Where the key of each of them ends; to look it up here would be to wait for memory.
        bounds: Where each account starts in `rows`.
        account: Account of each row, key after key.
    """
    counts = np.zeros(bounds.size - 1, np.int32)
    met = np.empty(bounds.size - 1, np.int64)
    found, filled = np.empty((1024, 3), np.int64), 0
    for one in range(first, last):
        size = 0
        for place in range(bounds[one], bounds[one + 1]):
            for partner in account[rows[place] + 1 : ends[place]]:
                if counts[partner] == 1:  # met for the second time
                    met[size] = partner
                    size += 1
                counts[partner] += 1
        while filled + size > found.shape[0]:
            found = np.concatenate((found, np.empty_like(found)))
        for partner in np.sort(met[:size]):
            found[filled] = one, partner, np.int64(counts[partner])
            filled += 1
        for place in range(bounds[one], bounds[one + 1]):
            for partner in account[rows[place] + 1 : ends[place]]:
                counts[partner] = 0
    return found[:filled, 0].copy(), found[:filled, 1].copy(), found[:filled, 2].copy()


def validated(pairs: Pairs, incidence: Incidence, level: float) -> Pairs:
    """Keep the pairs that share more keys than a Poisson null allows.

    The null has mean d_a d_b 2 sum_k C(m_k, 2) / (sum_a d_a)^2 with d the number of sampled keys of an
    account and m_k the number of sampled accounts of a key: accounts pick keys by popularity alone. It is the
    bipartite configuration model, in the sparse limit in which the counts are Poisson.
    """
    degree = np.diff(incidence.by_account[1]).astype(np.float64)
    strength = 2.0 * pair_count(incidence) / max(degree.sum(), 1.0) ** 2
    mean = degree[pairs.a] * degree[pairs.b] * strength
    kept = poisson.validated(pairs.shared, mean, level, least=2)
    return Pairs(pairs.a[kept], pairs.b[kept], pairs.shared[kept])
