"""Upper tail of the Poisson distribution for very many pairs: do two accounts share too many keys?"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
from numba import njit
from scipy.special import gammaincinv

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

_TABLE = 4096
"""Counts up to which thresholds are tabulated; larger ones are rare and computed one by one."""


def log_sf(counts: ArrayLike, means: ArrayLike) -> NDArray[np.float64]:
    """Log of P(X >= count) for a Poisson variable, exact far beyond where the probability itself underflows.

    Args:
        counts: Whole numbers; 0 and below have probability 1.
        means: Non-negative means.

    Returns:
        Log probabilities, in the broadcast shape of the arguments.

    Raises:
        ValueError: A mean is negative or not finite.

    Example:
        >>> log_sf([1, 2, 40], 1e-3).round(2)
        array([  -6.91,  -14.51, -386.63])
    """
    c, mean, shape = _flat(np.asarray(counts, dtype=np.int64), _checked_means(means))
    return np.asarray(_log_sf_many(c, mean).reshape(shape))


def validated(counts: ArrayLike, means: ArrayLike, level: float, least: int = 2) -> NDArray[np.bool_]:
    """Which pairs share at least `least` keys and more than chance allows: P(X >= count) <= level.

    The probability grows with the mean, so each count has one largest mean that it refutes; a table of those
    makes this one comparison per pair.

    Args:
        counts: Whole numbers, any shape.
        means: Non-negative means that broadcast with `counts`.
        level: Largest probability under the null, inside (0, 1).
        least: Smallest count that is ever validated.

    Returns:
        True where validated, in the broadcast shape.

    Raises:
        ValueError: A mean is negative or not finite, or the level is outside (0, 1).

    Example:
        >>> validated([2, 3, 9], [1e-4, 0.5, 0.5], level=1e-6)
        array([ True, False,  True])
    """
    log_level = _checked_log_level(level)
    c, mean, shape = _flat(np.asarray(counts, dtype=np.int64), _checked_means(means))
    table = _largest_means(min(int(c.max(initial=0)), _TABLE), log_level, least)
    return np.asarray(_compare(c, mean, table, log_level, least).reshape(shape))


def critical_counts(means: ArrayLike, level: float, least: int = 2) -> NDArray[np.int64]:
    """Smallest count of at least `least` that `validated` accepts at each mean.

    Args:
        means: Non-negative means, any shape.
        level: Largest probability under the null, inside (0, 1).
        least: Smallest count that is ever validated.

    Returns:
        Counts in the shape of `means`.

    Raises:
        ValueError: A mean is negative or not finite, or the level is outside (0, 1).

    Example:
        >>> critical_counts([1e-4, 0.5, 20.0], level=1e-6)
        array([ 2,  8, 46])
    """
    log_level = _checked_log_level(level)
    mean = _checked_means(means)
    table = _largest_means(_TABLE, log_level, least)
    return np.asarray(np.maximum(_critical_many(mean.ravel(), table, log_level), least).reshape(mean.shape))


def _largest_means(largest_count: int, log_level: float, least: int) -> NDArray[np.float64]:
    """Largest mean that each count from 0 to `largest_count` refutes; -1 for a count that never does."""
    counts = np.arange(largest_count + 1, dtype=np.float64)
    table = np.asarray(gammaincinv(np.maximum(counts, 1.0), math.exp(log_level)))
    table[: max(least, 1)] = -1.0
    return table


def _checked_means(means: ArrayLike) -> NDArray[np.float64]:
    values = np.asarray(means, dtype=np.float64)
    if not np.all((values >= 0.0) & (values < np.inf)):
        raise ValueError("Poisson means must be finite and at least 0")
    return values


def _flat(
    counts: NDArray[np.int64], means: NDArray[np.float64]
) -> tuple[NDArray[np.int64], NDArray[np.float64], tuple[int, ...]]:
    """Both arguments at every place of the shape that they broadcast to, in one dimension, and that shape."""
    shape = np.broadcast_shapes(counts.shape, means.shape)
    return _spread(counts, shape), _spread(means, shape), shape


def _spread(values: NDArray[Any], shape: tuple[int, ...]) -> NDArray[Any]:
    """A copy where one is needed: numba asks whether an array may be written, and broadcast views warn."""
    return values.ravel() if values.shape == shape else np.broadcast_to(values, shape).flatten()


def _checked_log_level(level: float) -> float:
    if not 0.0 < level < 1.0:
        raise ValueError("the level must lie inside (0, 1)")
    return math.log(level)


@njit(cache=True, nogil=True)
def _log_sf(count: int, mean: float) -> float:
    if count <= 0:
        return 0.0
    if mean == 0.0:
        return -math.inf
    term = total = 1.0
    if count > mean:
        step = count
        while term > total * 1e-17:
            step += 1
            term *= mean / step
            total += term
        return count * math.log(mean) - mean - math.lgamma(count + 1.0) + math.log(total)
    step = count - 1
    while step > 0 and term > total * 1e-17:
        term *= step / mean
        total += term
        step -= 1
    below = (count - 1) * math.log(mean) - mean - math.lgamma(count) + math.log(total)
    return math.log1p(-math.exp(below))


@njit(cache=True, nogil=True)
def _log_sf_many(counts: NDArray[np.int64], means: NDArray[np.float64]) -> NDArray[np.float64]:
    result = np.empty(counts.size)
    for i in range(counts.size):
        result[i] = _log_sf(counts[i], means[i])
    return result


@njit(cache=True, nogil=True)
def _compare(
    counts: NDArray[np.int64],
    means: NDArray[np.float64],
    table: NDArray[np.float64],
    log_level: float,
    least: int,
) -> NDArray[np.bool_]:
    result = np.empty(counts.size, dtype=np.bool_)
    for i in range(counts.size):
        count = counts[i]
        if count < table.size:
            result[i] = count > 0 and means[i] <= table[count]
        else:
            result[i] = count >= least and _log_sf(count, means[i]) <= log_level
    return result


@njit(cache=True, nogil=True)
def _critical_many(
    means: NDArray[np.float64], table: NDArray[np.float64], log_level: float
) -> NDArray[np.int64]:
    result = np.empty(means.size, dtype=np.int64)
    for i in range(means.size):
        place = np.searchsorted(table, means[i])
        result[i] = place if place < table.size else _search(means[i], table.size, log_level)
    return result


@njit(cache=True, nogil=True)
def _search(mean: float, refused: int, log_level: float) -> int:
    """Smallest count that refutes a mean which no tabulated count does."""
    low = refused - 1
    width = 1
    while _log_sf(low + width, mean) > log_level:
        width *= 2
    high = low + width
    while high - low > 1:
        middle = (low + high) // 2
        if _log_sf(middle, mean) > log_level:
            low = middle
        else:
            high = middle
    return high
