"""Random numbers that are the same to the last bit on every machine.

Philox (Salmon et al. 2011, "Parallel random numbers: as easy as 1, 2, 3") is counter based: word `i` of a
stream is a pure function of the key and `i`, in whole numbers. What is made of the words here uses only
additions, multiplications, divisions and square roots, one array operation at a time: IEEE 754 fixes their
last bit, while `exp`, `log` and fused multiply-adds inside compiled samplers differ between processors and
libraries. Logarithms and normal quantiles are read from tables whose entries are rounded to nine digits.
"""

from __future__ import annotations

import math
from functools import cache
from statistics import NormalDist
from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

_STEPS = 2048
_LN2 = 0.693147181
_SMALL = 12.0
"""Means below this are drawn by inversion of the tabulated distribution, others by a normal expansion."""
_GRID = 64


class ExactGenerator(np.random.Generator):
    """A generator whose continuous draws are portable; whole numbers and permutations are numpy's own.

    Example:
        >>> generator = ExactGenerator(np.random.Philox(key=7))
        >>> round(float(generator.standard_exponential(100_000).mean()), 1)
        1.0
    """

    def uniform(self, low: Any = 0.0, high: Any = 1.0, size: Any = None) -> Any:
        """Draw evenly between `low` and `high`."""
        return low + (high - low) * self.random(size)

    def standard_exponential(self, size: Any = None, *_: Any, **__: Any) -> Any:
        """Draw from the exponential distribution of mean one, by inversion."""
        return negative_log(1.0 - self.random(size))

    def standard_gamma(self, shape: Any, size: Any = None, *_: Any, **__: Any) -> Any:
        """Draw positive numbers with the mean and variance of a gamma distribution of this `shape`.

        A gamma draw needs powers. Above a coefficient of variation of one this is a balanced hyperexponential
        of two branches, below it a constant plus an exponential: the same first two moments, exactly.
        """
        shape = np.asarray(shape, dtype=np.float64)
        count = shape.shape if size is None else size
        squared = 1.0 / shape
        drawn, branch = self.standard_exponential(count), self.random(count)
        steady = np.minimum(np.sqrt(squared), 1.0)
        excess = np.sqrt(np.maximum((squared - 1.0) / (squared + 1.0), 0.0))
        high = (1.0 + excess) / 2.0
        rate = 2.0 * np.where(branch < high, high, 1.0 - high)
        bursty = drawn / np.maximum(rate, 1e-12)
        return shape * np.where(squared > 1.0, bursty, (1.0 - steady) + steady * drawn)

    def poisson(self, lam: Any = 1.0, size: Any = None) -> Any:
        """Draw whole numbers with mean and variance `lam`: by inversion, or by its normal expansion.

        A mean below zero counts as zero: whose time ends before it begins sends nothing.
        """
        mean = np.maximum(np.asarray(lam, dtype=np.float64), 0.0)
        mean = np.broadcast_to(mean, mean.shape if size is None else size)
        level = self.random(mean.shape)
        few = mean < _SMALL
        drawn = np.empty(mean.shape, dtype=np.int64)
        drawn[few] = _inverted(mean[few], level[few])
        z = normal_quantile(level[~few])
        around = mean[~few] + np.sqrt(mean[~few]) * z + (z * z - 1.0) / 6.0
        drawn[~few] = np.maximum(np.floor(around + 0.5), 0.0).astype(np.int64)
        return drawn


@cache
def _log_table() -> Floats:
    return np.array([round(-math.log(0.5 + place / (2 * _STEPS)), 9) for place in range(_STEPS + 1)])


def negative_log(values: Any) -> Any:
    """Natural logarithm of numbers in (0, 1], its sign turned; right to seven digits, the same everywhere."""
    mantissa, exponent = np.frexp(values)
    place = (mantissa - 0.5) * (2 * _STEPS)
    index = np.minimum(place.astype(np.int64) if isinstance(place, np.ndarray) else int(place), _STEPS - 1)
    table = _log_table()
    low = table[index]
    step = (table[index + 1] - low) * (place - index)
    return np.maximum(low + step - exponent * _LN2, 0.0)


@cache
def _normal_table() -> Floats:
    levels = [(place + 0.5) / (_STEPS + 1) for place in range(_STEPS + 1)]
    return np.array([round(NormalDist().inv_cdf(level), 9) for level in levels])


def normal_quantile(level: Floats) -> Floats:
    """Quantile of the standard normal distribution, by interpolation; cut at about 3.5."""
    place = np.clip(level * (_STEPS + 1) - 0.5, 0.0, _STEPS - 1e-9)
    index = place.astype(np.int64)
    low = _normal_table()[index]
    return np.asarray(low + (_normal_table()[index + 1] - low) * (place - index))


@cache
def _poisson_table() -> Floats:
    """Distribution functions for means of whole 64ths below 12, shape (768, 48), rounded to nine digits."""
    table = np.ones((int(_SMALL * _GRID), 48))
    for row in range(len(table)):
        mean, total = row / _GRID, 0.0
        term = math.exp(-mean)
        for count in range(table.shape[1]):
            total += term
            table[row, count] = round(total, 9)
            term *= mean / (count + 1)
    return table


def _inverted(mean: Floats, level: Floats) -> npt.NDArray[np.int64]:
    """Smallest counts whose distribution function reaches `level`; means are dithered to the grid."""
    scaled = mean * _GRID
    low = np.floor(scaled)
    # the fraction of the grid step is made up for by the low bits of the level, which decide nothing else
    spare = level * 1_048_576.0
    up = (spare - np.floor(spare)) < scaled - low
    row = np.minimum((low + up).astype(np.int64), len(_poisson_table()) - 1)
    drawn = np.zeros(len(mean), dtype=np.int64)
    for column in _poisson_table().T:
        above = level >= column[row]
        if not above.any():
            break
        drawn += above
    return drawn
