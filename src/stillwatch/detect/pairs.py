"""Account pairs that share more keys than chance allows.

Consistent bottom-B sampling keeps for each key the B accounts with the smallest fingerprints, so that the
same accounts survive in every key and overlaps are preserved while the cost of a key falls from df(df-1)/2 to
at most B(B-1)/2 pairs (`docs/method.md`, section "Groups").
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numba
import numpy as np
import numpy.typing as npt

from stillwatch.stats.poisson import critical_counts

Ints = npt.NDArray[np.int64]
Bytes = npt.NDArray[np.uint8]

_MULTIPLIER = np.uint64(0x9E3779B97F4A7C15)
_SLOTS_A_PAIR = 4


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
    def _by_account(self) -> tuple[Ints, Ints]:
        order = np.argsort(self.account, kind="stable")
        return order, np.searchsorted(self.account[order], np.arange(self.accounts + 1))

    def rows_of(self, accounts: Ints) -> Ints:
        """Return the rows of the given accounts."""
        order, bounds = self._by_account
        low, length = bounds[accounts], bounds[accounts + 1] - bounds[accounts]
        start = np.repeat(low - np.concatenate([[0], np.cumsum(length)[:-1]]), length)
        rows: Ints = order[start + np.arange(start.size)]
        return rows


def bottom(incidence: Incidence, most: int) -> Incidence:
    """Keep for each key the `most` accounts with the smallest numbers."""
    starts = incidence.bounds
    rank = np.arange(incidence.key.size) - starts[incidence.key]
    kept = rank < most
    return Incidence(incidence.key[kept], incidence.account[kept], incidence.keys, incidence.accounts)


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


def repeated_pairs(incidence: Incidence) -> Pairs:
    """Count for every pair of accounts that used at least two of the same keys how many those are.

    Most pairs meet in a single key. They are counted in small slots by a hash first, and only pairs whose
    slot was met twice are written out.
    """
    bits = max(4, (_SLOTS_A_PAIR * pair_count(incidence)).bit_length())
    slots = np.zeros(1 << bits, np.uint8)
    total = _count(incidence.bounds, incidence.account, incidence.accounts, slots, 64 - bits)
    codes = np.empty(total, np.int64)
    _write(incidence.bounds, incidence.account, incidence.accounts, slots, 64 - bits, codes)
    codes.sort()
    starts = np.flatnonzero(np.diff(codes, prepend=-1))
    shared = np.diff(starts, append=codes.size)
    code, shared = codes[starts[shared >= 2]], shared[shared >= 2]
    return Pairs(code // max(incidence.accounts, 1), code % max(incidence.accounts, 1), shared)


@numba.njit(cache=True, nogil=True)
def _slot(code: int, shift: int) -> np.uint64:
    return (np.uint64(code) * _MULTIPLIER) >> np.uint64(shift)


@numba.njit(cache=True, nogil=True)
def _count(bounds: Ints, account: Ints, accounts: int, slots: Bytes, shift: int) -> int:
    """Mark the slots that are met twice and return how many pairs they hold."""
    held = 0
    for key in range(bounds.size - 1):
        for a in range(bounds[key], bounds[key + 1]):
            base = account[a] * accounts
            for b in range(a + 1, bounds[key + 1]):
                slot = _slot(base + account[b], shift)
                before = slots[slot]
                held += 2 if before == 1 else before // 2
                slots[slot] = min(before + 1, 2)
    return held


@numba.njit(cache=True, nogil=True)
def _write(bounds: Ints, account: Ints, accounts: int, slots: Bytes, shift: int, codes: Ints) -> None:
    filled = 0
    for key in range(bounds.size - 1):
        for a in range(bounds[key], bounds[key + 1]):
            base = account[a] * accounts
            for b in range(a + 1, bounds[key + 1]):
                code = base + account[b]
                if slots[_slot(code, shift)] == 2:
                    codes[filled] = code
                    filled += 1


def validated(pairs: Pairs, incidence: Incidence, level: float) -> Pairs:
    """Keep the pairs that share more keys than a Poisson null allows.

    The null has mean d_a d_b 2 sum_k C(m_k, 2) / (sum_a d_a)^2 with d the number of sampled keys of an
    account and m_k the number of sampled accounts of a key: accounts pick keys by popularity alone. It is the
    bipartite configuration model, in the sparse limit in which the counts are Poisson.
    """
    degree = np.bincount(incidence.account, minlength=incidence.accounts).astype(np.float64)
    strength = 2.0 * pair_count(incidence) / max(degree.sum(), 1.0) ** 2
    mean = degree[pairs.a] * degree[pairs.b] * strength
    kept = pairs.shared >= critical_counts(mean, level, least=2)
    return Pairs(pairs.a[kept], pairs.b[kept], pairs.shared[kept])
