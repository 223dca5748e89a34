"""Upper tails of the gamma and binomial laws as logarithms that do not underflow."""

# mypy: disable-error-code="no-any-return"
# The types of compiled functions are machine types, which numba checks; mypy sees Python numbers.

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
from numba import njit
from scipy import special

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

_LEAST = 1e-280
"""Below this the functions of scipy come near the end of a double's range."""


def log_upper_gamma(shape: float, value: float) -> float:
    """Log of P(Gamma(shape, 1) >= value).

    Scipy's function where it is in range, else Legendre's continued fraction (NIST DLMF 8.9.2).

    Args:
        shape: Above 0; the number of standard exponentials summed.
        value: The observed sum.

    Returns:
        The natural logarithm of the probability.

    Examples:
        >>> log_upper_gamma(1.0, 2000.0)
        -2000.0
    """
    if value <= 0.0:
        return 0.0
    direct = float(special.gammaincc(shape, value))
    if direct > _LEAST:
        return math.log(direct)
    return float(_gamma_fraction(shape, value))


def log_gamma_tail(totals: ArrayLike, count: int) -> NDArray[np.float64]:
    """Log of P(sum of `count` standard exponentials >= total) for each total.

    Args:
        totals: Observed sums, any shape.
        count: Number of exponentials; without any, the probability is 1.

    Returns:
        Natural logarithms in the shape of `totals`.

    Examples:
        >>> log_gamma_tail([0.0, 5.0], 1)
        array([ 0., -5.])
    """
    values = np.asarray(totals, dtype=np.float64)
    if count == 0:
        return np.zeros(values.shape)
    with np.errstate(divide="ignore"):
        logs = np.log(special.gammaincc(float(count), np.maximum(values, 0.0)))
    deep = logs < math.log(_LEAST)
    logs[deep] = [_gamma_fraction(float(count), value) for value in values[deep]]
    return np.asarray(logs)


def log_binomial_tail(hits: ArrayLike, trials: int, rate: float) -> NDArray[np.float64]:
    """Log of P(Binomial(trials, rate) >= hits) for each number of hits.

    Args:
        hits: Whole numbers from 0 to `trials`, any shape.
        trials: Number of independent draws.
        rate: Probability of a hit inside (0, 1).

    Returns:
        Natural logarithms in the shape of `hits`.

    Raises:
        ValueError: A number of hits or the rate is out of range.

    Examples:
        >>> np.exp(log_binomial_tail([0, 1, 2], 2, 0.5)).round(6)
        array([1.  , 0.75, 0.25])
    """
    counts = np.asarray(hits, dtype=np.float64)
    if not np.all((counts >= 0.0) & (counts <= trials)) or not 0.0 < rate < 1.0:
        raise ValueError("hits must lie between 0 and the trials, and the rate inside (0, 1)")
    with np.errstate(divide="ignore", invalid="ignore"):
        tail = special.betainc(np.maximum(counts, 1.0), trials - counts + 1.0, rate)
        logs = np.where(counts == 0.0, 0.0, np.log(tail))
    deep = logs < math.log(_LEAST)
    logs[deep] = [_binomial_series(count, float(trials), rate) for count in counts[deep]]
    return np.asarray(logs)


@njit(cache=True, nogil=True)
def _gamma_fraction(a: float, x: float) -> float:
    """Lentz's evaluation of the continued fraction; converges fast where x lies above a."""
    b = x + 1.0 - a
    c = 1e300
    d = 1.0 / b
    h = d
    for i in range(1, 100_000):
        numerator = -i * (i - a)
        b += 2.0
        d = 1.0 / (numerator * d + b)
        c = b + numerator / c
        h *= d * c
        if abs(d * c - 1.0) < 1e-15:
            break
    return a * math.log(x) - x - math.lgamma(a) + math.log(h)


@njit(cache=True, nogil=True)
def _binomial_series(k: float, n: float, rate: float) -> float:
    """Log of the sum of the probabilities of k, k + 1, ... hits; their ratios fall, so the sum is short."""
    first = math.lgamma(n + 1.0) - math.lgamma(k + 1.0) - math.lgamma(n - k + 1.0)
    first += k * math.log(rate) + (n - k) * math.log1p(-rate)
    total, term, odds = 1.0, 1.0, rate / (1.0 - rate)
    while k < n:
        term *= (n - k) / (k + 1.0) * odds
        k += 1.0
        total += term
        if term < 1e-17 * total:
            break
    return first + math.log(total)
