"""Placebo groups: sets of the operator's own accounts that have nothing in common by construction.

They are drawn at random, matched to the group in size and in volume, from accounts outside all candidate
groups. Their statistics are the null distribution of the group's statistics, so that the operator's own
traffic, not a model of it, says what is unusual.
"""

from __future__ import annotations

from concurrent.futures import Executor, Future
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from stillwatch.detect.profiles import Profiles, statistics_of
from stillwatch.stats.dispersion import deseasonalised

if TYPE_CHECKING:
    from collections.abc import Iterable

    from stillwatch.detect.book import Book

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

SIZES = (4, 6, 8, 12, 16, 24, 32, 48, 64, 80)
"""Sizes of half groups; a half is cut down to the next of these, so that placebos can be shared."""
_LEAST_WINDOW = 101
_THIN = 50
_STAND_INS = 4


def draw_pool(book: Book, group: Ints, wanted: int, rng: np.random.Generator) -> Ints:
    """Choose the accounts of the placebo pool, all volumes alike.

    Where a volume has too few accounts outside all candidate groups, a few of each group stand in: never many
    of one, since a campaign that is louder than everybody else would then be compared with itself.

    Args:
        book: All accounts.
        group: Candidate group of each account, -1 for none, shape (A,).
        wanted: Size of the pool.
        rng: Source of randomness.

    Returns:
        Account numbers, ascending.
    """
    stratum = np.log2(np.maximum(book.exchanges, 1)).astype(np.int64)
    strata = np.unique(stratum)
    each = max(_THIN, wanted // max(strata.size, 1))
    chosen = []
    for value in strata:
        members = rng.permutation(np.flatnonzero(stratum == value))
        outside = members[group[members] < 0]
        chosen.append(outside[:each])
        if outside.size < _THIN:
            chosen.append(_few_of_each(members[group[members] >= 0], group)[: _THIN - outside.size])
    return np.sort(np.concatenate(chosen))


def _few_of_each(members: Ints, group: Ints) -> Ints:
    """Keep the first `_STAND_INS` members of each group, in the given order."""
    order = np.argsort(group[members], kind="stable")
    owner = group[members][order]
    rank = np.arange(owner.size) - np.searchsorted(owner, owner)
    return members[np.sort(order[rank < _STAND_INS])]


def half_size(accounts: int) -> int:
    """Return the size to which a half of so many accounts is cut, 0 when it is too small."""
    return max((size for size in SIZES if size <= accounts), default=0)


@dataclass(frozen=True)
class Null:
    """Statistics of placebo groups, each column sorted by itself; m groups, S statistics.

    Attributes:
        values: Shape (m, S).
        low_middle: The smaller of the two middle values (the middle one for odd m), shape (S,).
        high_middle: The larger of the two, shape (S,).
        spread: Standard deviation from the interquartile range, shape (S,).
    """

    values: Floats
    low_middle: Floats
    high_middle: Floats
    spread: Floats

    @staticmethod
    def of(statistics: Floats) -> Null:
        """Sort the statistics of placebo groups, shape (m, S)."""
        values = np.sort(statistics, axis=0)
        number = values.shape[0]
        low, high = np.quantile(values, [0.25, 0.75], axis=0)
        return Null(values, values[(number - 1) // 2], values[number // 2], (high - low) / 1.349)

    @property
    def median(self) -> Floats:
        """Median of each statistic, shape (S,)."""
        return (self.low_middle + self.high_middle) / 2


@dataclass
class Placebos:
    """Null distributions of the group statistics, made when first asked for and then kept.

    Attributes:
        profiles: Profiles of the pool.
        volume: Exchanges of each account of the pool, shape (n,).
        rhythm: Activity of the service in each block.
        number: Placebo groups in a distribution.
        seed: Seed of the draws.
    """

    profiles: Profiles
    volume: Ints
    rhythm: Floats
    number: int
    seed: int
    _made: dict[tuple[int, int, int], Future[Null]] = field(default_factory=dict)

    @cached_property
    def residuals(self) -> Floats:
        """What the pool does apart from the rhythm of the service, shape (n, bins)."""
        return deseasonalised(self.profiles.counts, self.rhythm)

    def distribution(self, size: int, volume: float, half: int) -> Null:
        """Return the null distribution of groups of one size and volume.

        Args:
            size: Accounts in a group, one of `SIZES`.
            volume: Typical number of exchanges of an account; rounded to a power of two.
            half: 0 or 1; the two halves of a group are compared with separate accounts.
        """
        key = (size, _octave(volume), half)
        if key not in self._made:
            made: Future[Null] = Future()
            made.set_result(self._make(key))  # kept only once it is made: whoever asks again must not wait
            self._made[key] = made
        return self._made[key].result()

    def prepare(self, wanted: Iterable[tuple[int, float, int]], cores: Executor) -> None:
        """Let `cores` make the distributions of several sizes, volumes and halves, which are then kept."""
        for size, volume, half in wanted:
            key = (size, _octave(volume), half)
            if key not in self._made:
                self._made[key] = cores.submit(self._make, key)

    def _make(self, key: tuple[int, int, int]) -> Null:
        size, octave, half = key
        rng = np.random.default_rng([self.seed, *key])
        groups = self.draw(size, 2.0**octave, half, self.number, rng)
        return Null.of(statistics_of(self.profiles, groups, self.residuals))

    def draw(self, size: int, volume: float, half: int, number: int, rng: np.random.Generator) -> Ints:
        """Draw groups of about the given volume (to a power of two) from one half, as rows of the pool.

        Each group is a uniform choice, without repeats, from a window of the pool ordered by volume; places
        that the window cannot fill are -1.
        """
        mine = np.flatnonzero(np.arange(self.volume.size) % 2 == half)
        ordered = mine[np.argsort(self.volume[mine], kind="stable")]
        width = min(max(6 * size, _LEAST_WINDOW), ordered.size)
        middle = int(np.searchsorted(self.volume[ordered], 1.5 * 2.0 ** _octave(volume)))
        low = int(np.clip(middle - width // 2, 0, ordered.size - width))
        filled = min(size, width)
        chosen = np.argpartition(rng.random((number, width)), filled - 1, axis=1)[:, :filled]
        groups = np.full((number, size), -1, dtype=np.int64)
        groups[:, :filled] = ordered[low : low + width][chosen]
        return groups


def _octave(volume: float) -> int:
    return int(np.log2(max(volume, 1.0)))
