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

Rising = tuple[float, float, float]
Kernel = tuple[float, float, Rising, Rising]

_STIRLING_FROM = 32.0
_FEW = 12


@njit(cache=True, nogil=True)
def log_rising_excess(a: float, k: float) -> float:
    """Sum over i < k of log(1 + i / a), that is log(Gamma(a + k) / Gamma(a)) - k log(a); 0 for infinite a.

    The product itself for small k, log-gamma for small a, and for large a Stirling's series in difference
    form, where the two log-gammas would cancel.
    """
    return float(log_rising_excess_of(rising(a), k))


@njit(cache=True, nogil=True)
def rising(a: float) -> Rising:
    """What `log_rising_excess` of one `a` needs for every k: `a`, log-gamma or Stirling's tail, logarithm."""
    if math.isinf(a):
        return a, 0.0, a
    return a, math.lgamma(a) if a < _STIRLING_FROM else _stirling_tail(a), math.log(a)


@njit(cache=True, nogil=True)
def log_rising_excess_of(start: Rising, k: float) -> float:
    """`log_rising_excess` for many k, with `start` of `rising`."""
    a, gamma, log_a = start
    if math.isinf(a) or k < 2.0:
        return 0.0
    if k <= _FEW and a > 1e-3:
        product = 1.0
        for i in range(1, int(k)):
            product *= 1.0 + i / a
        return math.log(product)
    if a < _STIRLING_FROM:
        return math.lgamma(a + k) - gamma - k * log_a
    return float((a + k - 0.5) * math.log1p(k / a) - k + (_stirling_tail(a + k) - gamma))


@njit(cache=True, nogil=True)
def _stirling_tail(x: float) -> float:
    inverse = 1.0 / x
    square = inverse * inverse
    return float(inverse * (1.0 / 12.0 - square * (1.0 / 360.0 - square / 1260.0)))


@njit(cache=True, nogil=True)
def kernel(mean: float, dispersion: float) -> Kernel:
    """What `log_kernel` of one distribution needs for every unit."""
    return math.log(mean), math.log1p(-mean), rising(mean * dispersion), rising((1.0 - mean) * dispersion)


@njit(cache=True, nogil=True)
def log_kernel(given: Kernel, hits: float, trials: float) -> float:
    """The part of the log probability that depends on the mean; the rest cancels in a likelihood ratio."""
    log_mean, log_rest, some, others = given
    misses = trials - hits
    excess = log_rising_excess_of(some, hits) + log_rising_excess_of(others, misses)
    return float(hits * log_mean + misses * log_rest + excess)


@njit(cache=True, nogil=True)
def log_pmf(hits: float, trials: float, mean: float, dispersion: float) -> float:
    """Log probability of `hits` among `trials`."""
    return float(_log_pmf(kernel(mean, dispersion), rising(dispersion), hits, trials))


@njit(cache=True, nogil=True)
def _log_pmf(given: Kernel, whole: Rising, hits: float, trials: float) -> float:
    ways = math.lgamma(trials + 1.0) - math.lgamma(hits + 1.0) - math.lgamma(trials - hits + 1.0)
    return float(ways + log_kernel(given, hits, trials) - log_rising_excess_of(whole, trials))


@njit(cache=True, nogil=True)
def log_pmfs(
    hits: NDArray[np.float64], trials: NDArray[np.float64], mean: float, dispersion: float
) -> NDArray[np.float64]:
    """Log probabilities of many units under one distribution, shape (units,)."""
    result = np.empty(hits.size)
    given, whole = kernel(mean, dispersion), rising(dispersion)
    for i in range(hits.size):
        result[i] = _log_pmf(given, whole, hits[i], trials[i])
    return result


@njit(cache=True, nogil=True)
def log_ratios(
    hits: NDArray[np.float64], trials: NDArray[np.float64], mean: float, null: float, dispersion: float
) -> NDArray[np.float64]:
    """Log likelihood ratios of two means at one dispersion, shape (units,)."""
    result = np.empty(hits.size)
    one, other = kernel(mean, dispersion), kernel(null, dispersion)
    for i in range(hits.size):
        result[i] = log_kernel(one, hits[i], trials[i]) - log_kernel(other, hits[i], trials[i])
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
        if i == 0 or mean[i] != mean[i - 1] or dispersion[i] != dispersion[i - 1]:
            null, spread = kernel(mean[i], dispersion[i]), dispersion[i]
            others = [kernel(rate, spread) for rate in rates if rate > mean[i]]
        start = log_kernel(null, hits[i], trials[i])
        for used in range(len(others)):
            ratios[used] = log_kernel(others[used], hits[i], trials[i]) - start
        if len(others) > 0:
            top = ratios[: len(others)].max()
            result[i] = top + math.log(np.exp(ratios[: len(others)] - top).sum() / len(others))
    return result
