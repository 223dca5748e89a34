"""How much honest units differ: the beta-binomial null that plain Bernoulli evidence would get wrong."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numba import njit

from stillwatch.stats.betabinomial import log_rising_excess_of, rising

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

TYPICAL_DISPERSION = 10.0
_COARSE = np.log(10.0) * np.linspace(-1.0, 5.0, 13)
_FINE = np.log(10.0) * np.linspace(-0.5, 0.5, 9)


class BetaBinomial(NamedTuple):
    """A beta-binomial distribution: each unit draws its own rate from a beta distribution."""

    mean: float
    """Mean rate, alpha / (alpha + beta), inside (0, 1)."""
    dispersion: float
    """alpha + beta: 1 is extreme difference between units, infinity is none."""


def fit_beta_binomial(
    hits: ArrayLike,
    trials: ArrayLike,
    units: ArrayLike | None = None,
    typical_dispersion: float = TYPICAL_DISPERSION,
) -> BetaBinomial:
    """Fit mean and dispersion of the rates of many units, cautious where the data are silent.

    For each dispersion s the mean is the weighted one of Kleinman (1973, JASA 68(341)): a unit of n trials
    counts as w = n / (1 + (n - 1) / (s + 1)) independent ones. It is smoothed by Jeffreys' rule, x + 1/2 of
    w + 1, the posterior mean under a Beta(1/2, 1/2) prior. Without any hit it is therefore 0.5 / (w + 1) and
    never 0, so that a first hit is evidence of a size that the observed traffic supports, and not infinite.

    The dispersion maximises the likelihood times a log-normal prior with a log spread of 1 around
    `typical_dispersion`. At 10, a unit that hit in its first trial is expected to hit again about once in
    eleven, which is more difference between units than the 50 at which plain Bernoulli evidence measurably
    fails. Without hits the fit stays near that value.

    Units that are suspected themselves must be left out by the caller, or they widen the null.

    Args:
        hits: Hits of each unit, shape (units,).
        trials: Trials of each unit, shape (units,); units without trials say nothing.
        units: How many units have these hits and trials, shape (units,); one each if not given.
        typical_dispersion: Median of the prior of the dispersion.

    Returns:
        Mean and dispersion (0.03 to 3e5).

    Raises:
        ValueError: Hits are not between 0 and trials, or no unit has trials.

    Example:
        >>> fit = fit_beta_binomial(hits=[0] * 900 + [8] * 5, trials=[26] * 905)
        >>> round(fit.mean, 4), round(fit.dispersion, 2)
        (0.0019, 1.33)
    """
    k, n = np.asarray(hits, dtype=np.int64), np.asarray(trials, dtype=np.int64)
    if k.shape != n.shape or k.ndim != 1 or np.any(k < 0) or np.any(k > n):
        raise ValueError("hits must lie between 0 and trials, one of each per unit")
    if not np.any(n > 0):
        raise ValueError("a null rate cannot be fitted without trials: give at least one unit that has some")
    number = np.ones(k.size) if units is None else np.asarray(units, dtype=np.float64)
    x, size, weight, _ = distinct(k[n > 0], n[n > 0], number[n > 0])
    return BetaBinomial(*fit_distinct(x, size, weight, math.log(typical_dispersion)))


@njit(cache=True, nogil=True)
def distinct(
    hits: NDArray[np.int64], trials: NDArray[np.int64], units: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64], NDArray[np.int64]]:
    """Put units with the same hits and trials together: most honest units share a few pairs.

    Args:
        hits: Hits, shape (units,).
        trials: Trials, not fewer, shape (units,).
        units: How many units each of them stands for, shape (units,).

    Returns:
        Hits, trials and number of units of each pair that occurs, ascending, shape (pairs,), and for each of
        the units the place of its pair, shape (units,).
    """
    width = np.int64(1) + (trials.max() if trials.size else 0)
    if width >= 1 << 31:  # then no number tells a pair
        return hits.astype(np.float64), trials.astype(np.float64), units, np.arange(hits.size)
    code = hits * width + trials
    found, place = np.zeros((3, code.size)), np.empty(code.size, np.int64)
    last, pair = np.int64(-1), -1
    for row in np.argsort(code, kind="mergesort"):
        if code[row] != last:
            last, pair = code[row], pair + 1
            found[0, pair], found[1, pair] = hits[row], trials[row]
        found[2, pair] += units[row]
        place[row] = pair
    return found[0, : pair + 1].copy(), found[1, : pair + 1].copy(), found[2, : pair + 1].copy(), place


@njit(cache=True, nogil=True)
def fit_distinct(
    hits: NDArray[np.float64],
    trials: NDArray[np.float64],
    weight: NDArray[np.float64],
    prior: float,
    near: float = 0.0,
) -> tuple[float, float]:
    """Fit mean and dispersion as `fit_beta_binomial` does, to units that are counted and checked already.

    Args:
        hits: Hits, shape (pairs,).
        trials: Trials, all above 0, shape (pairs,).
        weight: How many units have these hits and trials, 0 where they are left out, shape (pairs,).
        prior: Logarithm of the typical dispersion.
        near: Dispersion of a fit to nearly the same units, from where the search starts; 0 for a whole
            search.

    Returns:
        Mean and dispersion.
    """
    if near > 0.0:
        first = int(np.argmin(np.abs(_COARSE - math.log(near))))
        best = _climbed(hits, trials, weight, prior, _COARSE, first)
    else:
        best, most = 0.0, -np.inf
        for coarse in _COARSE:
            value = _log_posterior(hits, trials, weight, coarse, prior)
            if value > most:
                best, most = coarse, value
    best = _climbed(hits, trials, weight, prior, best + _FINE, _FINE.size // 2)
    dispersion = math.exp(best)
    return _smoothed_mean(hits, trials, weight, dispersion), dispersion


@njit(cache=True, nogil=True)
def _climbed(
    hits: NDArray[np.float64],
    trials: NDArray[np.float64],
    weight: NDArray[np.float64],
    prior: float,
    grid: NDArray[np.float64],
    first: int,
) -> float:
    """Go up the posterior along a grid of log dispersions, from `first` to the nearest top."""
    at, most = first, _log_posterior(hits, trials, weight, grid[first], prior)
    for step in (-1, 1):
        moved = False
        while 0 <= at + step < grid.size:
            value = _log_posterior(hits, trials, weight, grid[at + step], prior)
            if value <= most:
                break
            at, most, moved = at + step, value, True
        if moved:
            break
    return float(grid[at])


@njit(cache=True, nogil=True)
def _smoothed_mean(
    hits: NDArray[np.float64], trials: NDArray[np.float64], weight: NDArray[np.float64], dispersion: float
) -> float:
    shares, size = 0.0, 0.0
    for i in range(hits.size):
        effective = weight[i] / (1.0 + (trials[i] - 1.0) / (dispersion + 1.0))
        shares += effective * hits[i]
        size += effective * trials[i]
    return (shares + 0.5) / (size + 1.0)


@njit(cache=True, nogil=True)
def _log_posterior(
    hits: NDArray[np.float64],
    trials: NDArray[np.float64],
    weight: NDArray[np.float64],
    log_dispersion: float,
    prior: float,
) -> float:
    """Log posterior of a dispersion at its smoothed mean, up to a constant."""
    s = math.exp(log_dispersion)
    mean = _smoothed_mean(hits, trials, weight, s)
    some, others, whole = rising(mean * s), rising((1.0 - mean) * s), rising(s)
    total = -0.5 * (log_dispersion - prior) ** 2
    log_mean, log_rest = math.log(mean), math.log1p(-mean)
    for i in range(hits.size):
        if weight[i] > 0.0:
            misses = trials[i] - hits[i]
            total += weight[i] * (
                hits[i] * log_mean
                + misses * log_rest
                + log_rising_excess_of(some, hits[i])
                + log_rising_excess_of(others, misses)
                - log_rising_excess_of(whole, trials[i])
            )
    return total
