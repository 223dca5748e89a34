"""Exact null distributions for "which of the k + 1 equally likely answers was served?".

Under the null the suspect never trained on what was served. Whatever it prefers, the served answer was picked
from the candidates by recorded randomness, so each position is equally probable and independent from item to
item. Every sum of integer scores over the served answers then has a distribution that can be computed, not
approximated.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
from scipy.optimize import brentq
from scipy.special import logsumexp
from scipy.stats import rankdata

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

LEVELS = 24
"""Steps on either side of zero to which payoffs are rounded for the exact sum test."""
_STEEPEST = 60.0
_LEAST_DEVIATION = 1e-300
"""Deviations below it have too few bits left to be centred; they count as none."""


def checked(scores: ArrayLike, served: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Return `scores` and `served` as arrays.

    Args:
        scores: Preference of the suspect for each candidate, shape (items, k + 1); higher is preferred.
        served: Position of the served candidate, shape (items,).

    Raises:
        ValueError: The shapes do not fit, a position does not exist, or a score is not a finite number.
    """
    values, index = np.asarray(scores, dtype=np.float64), np.asarray(served, dtype=np.int64)
    if values.ndim != 2 or values.shape[1] < 2 or index.shape != values.shape[:1]:
        raise ValueError("scores must have shape (items, k + 1) with k of at least 1, and served (items,)")
    if not np.all(np.isfinite(values)):
        raise ValueError("scores must be finite: leave out items that were not answered")
    if np.any((index < 0) | (index >= values.shape[1])):
        raise ValueError("served must name one of the candidates")
    return values, index


def distinct(scores: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Items whose candidates do not all score alike; looks at no served position, so the null stays exact."""
    return np.asarray(np.any(scores != scores[:, :1], axis=1))


def midranks(scores: ArrayLike) -> NDArray[np.int64]:
    """Twice the mid-rank of each candidate within its item, from 2 (least preferred) to 2 (k + 1).

    Example:
        >>> midranks([[0.1, 0.5], [1.0, 1.0]]).tolist()
        [[2, 4], [3, 3]]
    """
    return np.asarray(np.rint(2.0 * rankdata(np.asarray(scores), axis=1)), dtype=np.int64)


def payoffs(scores: ArrayLike, scale: float | None = None) -> NDArray[np.float64]:
    """Centre and bound the scores of each item: mean zero over its candidates, inside [-1, 1].

    A row is divided by `scale`, or by its own largest deviation where that is larger. So one item with an
    extreme likelihood cannot decide a test. Both depend on the candidates only, never on which was served.

    Args:
        scores: Shape (items, k + 1).
        scale: Deviation that counts as a whole unit; `usual_deviation` of the scores if not given.

    Returns:
        Shape (items, k + 1); a row of equal scores is zero.
    """
    values = np.asarray(scores, dtype=np.float64)
    centred = _centred(values)
    largest = np.max(np.abs(centred), axis=1)
    unit = scale if scale is not None else usual_deviation(values)
    bound = np.maximum(largest, unit)
    return np.asarray(centred / np.where(bound > _LEAST_DEVIATION, bound, 1.0)[:, None])


def _centred(scores: NDArray[np.float64]) -> NDArray[np.float64]:
    """Subtract the mean of each row, twice: that of large scores is rounded by as much as they may differ."""
    once = scores - scores.mean(axis=1, keepdims=True)
    return np.asarray(once - once.mean(axis=1, keepdims=True))


def usual_deviation(scores: NDArray[np.float64]) -> float:
    """Ninth decile of each item's largest deviation from its mean; 0 where no item has any."""
    largest = np.max(np.abs(_centred(scores)), axis=1)
    positive = largest[largest > 0.0]
    return float(np.quantile(positive, 0.9)) if positive.size else 0.0


def sum_log_p(quantised: ArrayLike, served: ArrayLike) -> float:
    """Log of the exact probability that a random choice in each item reaches the served sum or more.

    The distribution of a sum of independent uniform draws, one from each row, is convolved pairwise by FFT.
    It is first tilted exponentially so that the observed sum is its mean, which keeps the relative precision
    of far tails (the idea of Wilson & Keich 2016, "Accurate pairwise convolution of non-negative vectors via
    FFT"); rounding is then around 1e-10 of the value.

    Args:
        quantised: Integer scores, shape (items, k + 1).
        served: Position of the served candidate, shape (items,).

    Returns:
        Natural logarithm of the one-sided p-value; 0 when there are no items.

    Example:
        >>> round(float(np.exp(sum_log_p([[0, 1]] * 10, [1] * 10))) * 1024, 9)
        1.0
    """
    levels, index = np.asarray(quantised, dtype=np.int64), np.asarray(served, dtype=np.int64)
    levels = levels - levels.min(axis=1, keepdims=True, initial=np.iinfo(np.int64).max)
    if not levels.size:
        return 0.0
    reached = int(levels[np.arange(index.size), index].sum())
    if reached <= float(levels.mean(axis=1).sum()):
        return math.log(_tail(levels, reached, 0.0))
    if reached == int(levels.max(axis=1).sum()):
        return float(np.sum(np.log(np.mean(levels == levels.max(axis=1, keepdims=True), axis=1))))
    return _tilted_log_tail(levels, reached)


def _tilted_log_tail(levels: NDArray[np.int64], reached: int) -> float:
    def excess(tilt: float) -> float:
        weights = np.exp(tilt * (levels - levels.max(axis=1, keepdims=True)))
        return float(np.sum(np.sum(weights * levels, axis=1) / np.sum(weights, axis=1))) - reached

    tilt = float(brentq(excess, 0.0, _STEEPEST)) if excess(_STEEPEST) > 0.0 else _STEEPEST
    size = levels.shape[1]
    cumulant = float(np.sum(logsumexp(tilt * levels, axis=1))) - levels.shape[0] * math.log(size)
    inner = _tail(levels, reached, tilt)
    return min(0.0, cumulant - tilt * reached + math.log(inner)) if inner > 0.0 else -math.inf


def _tail(levels: NDArray[np.int64], reached: int, tilt: float) -> float:
    """Sum over s >= reached of exp(-tilt (s - reached)) times the tilted probability of s."""
    mass = _sum_law(_laws(levels, tilt))
    above = np.arange(mass.size - reached)
    return float(np.clip(np.sum(mass[reached:] * np.exp(-tilt * above)), 0.0, 1.0))


def _laws(levels: NDArray[np.int64], tilt: float) -> NDArray[np.float64]:
    """Tilted law of each item, shape (items, highest level + 1)."""
    items, size = levels.shape
    weights = np.exp(tilt * (levels - levels.max(axis=1, keepdims=True)).astype(np.float64))
    weights /= weights.sum(axis=1, keepdims=True)
    laws = np.zeros((items, int(levels.max()) + 1))
    np.add.at(laws, (np.repeat(np.arange(items), size), levels.ravel()), weights.ravel())
    return laws


def _sum_law(laws: NDArray[np.float64]) -> NDArray[np.float64]:
    """Law of the sum of independent draws from all rows, by pairwise convolution."""
    while laws.shape[0] > 1:
        if laws.shape[0] % 2:
            certain = np.zeros((1, laws.shape[1]))
            certain[0, 0] = 1.0
            laws = np.concatenate([laws, certain])
        width = 2 * laws.shape[1] - 1
        size = 1 << (width - 1).bit_length()
        left, right = np.fft.rfft(laws[0::2], size), np.fft.rfft(laws[1::2], size)
        laws = np.maximum(np.fft.irfft(left * right, size)[:, :width], 0.0)
        laws /= laws.sum(axis=1, keepdims=True)
    return np.asarray(laws[0])
