"""Compiled arithmetic of the beta-binomial distribution, shared by its fit and by its e-values.

Everything takes a dispersion s = alpha + beta up to infinity, where the distribution is binomial. The usual
difference of log-gamma values cancels there; the rising factorial in excess of a power does not.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
from numba import njit

if TYPE_CHECKING:
    from numpy.typing import NDArray

_STIRLING_FROM = 32.0
_FEW = 12


@njit(cache=True, nogil=True)
def log_rising_excess(a: float, k: float) -> float:
    """Sum over i < k of log(1 + i / a), that is log(Gamma(a + k) / Gamma(a)) - k log(a); 0 for infinite a.

    The product itself for small k, log-gamma for small a, and for large a Stirling's series in difference
    form, where the two log-gammas would cancel.
    """
    if math.isinf(a) or k < 2.0:
        return 0.0
    if k <= _FEW and a > 1e-3:
        product = 1.0
        for i in range(1, int(k)):
            product *= 1.0 + i / a
        return math.log(product)
    if a < _STIRLING_FROM:
        return math.lgamma(a + k) - math.lgamma(a) - k * math.log(a)
    series = _stirling_tail(a + k) - _stirling_tail(a)
    return float((a + k - 0.5) * math.log1p(k / a) - k + series)


@njit(cache=True, nogil=True)
def _stirling_tail(x: float) -> float:
    inverse = 1.0 / x
    square = inverse * inverse
    return float(inverse * (1.0 / 12.0 - square * (1.0 / 360.0 - square / 1260.0)))


@njit(cache=True, nogil=True)
def log_kernel(hits: float, trials: float, mean: float, dispersion: float) -> float:
    """The part of the log probability that depends on the mean; the rest cancels in a likelihood ratio."""
    misses = trials - hits
    excess = log_rising_excess(mean * dispersion, hits) + log_rising_excess((1.0 - mean) * dispersion, misses)
    return float(hits * math.log(mean) + misses * math.log1p(-mean) + excess)


@njit(cache=True, nogil=True)
def log_pmf(hits: float, trials: float, mean: float, dispersion: float) -> float:
    """Log probability of `hits` among `trials`."""
    ways = math.lgamma(trials + 1.0) - math.lgamma(hits + 1.0) - math.lgamma(trials - hits + 1.0)
    return float(ways + log_kernel(hits, trials, mean, dispersion) - log_rising_excess(dispersion, trials))


@njit(cache=True, nogil=True)
def log_pmfs(
    hits: NDArray[np.float64], trials: NDArray[np.float64], mean: float, dispersion: float
) -> NDArray[np.float64]:
    """Log probabilities of many units under one distribution, shape (units,)."""
    result = np.empty(hits.size)
    for i in range(hits.size):
        result[i] = log_pmf(hits[i], trials[i], mean, dispersion)
    return result


@njit(cache=True, nogil=True)
def log_mean_ratios(
    hits: NDArray[np.float64],
    trials: NDArray[np.float64],
    mean: NDArray[np.float64],
    dispersion: NDArray[np.float64],
    rates: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Log of the mean over the `rates` above the null mean of the likelihood ratio against the null.

    All arrays but `rates` have shape (units,). Where no rate lies above the null mean the result is 0.
    """
    result = np.zeros(hits.size)
    ratios = np.empty(rates.size)
    for i in range(hits.size):
        null = log_kernel(hits[i], trials[i], mean[i], dispersion[i])
        used = 0
        for rate in rates:
            if rate > mean[i]:
                ratios[used] = log_kernel(hits[i], trials[i], rate, dispersion[i]) - null
                used += 1
        if used:
            top = ratios[:used].max()
            result[i] = top + math.log(np.exp(ratios[:used] - top).sum() / used)
    return result
