"""E-values in natural logarithms: over-dispersed mixtures, conformal e-values, means and products.

An e-value is a non-negative statistic whose expectation is at most one under the null, so that a value of
1000 is a bet that paid a thousandfold (Vovk & Wang 2021, Annals of Statistics 49(3)). Everything here takes
and returns log e, because a campaign's evidence overflows a double.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numba import vectorize
from scipy.special import logsumexp

from stillwatch.stats.betabinomial import log_mean_ratios, log_pmf

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike, NDArray

DEFAULT_ALTERNATIVES = (0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.5, 0.7, 0.9)
"""Rates at which a member of a campaign may hit the campaign's keys."""


def _pmf_of_unit(hits: float, trials: float, mean: float, dispersion: float) -> float:
    """Return `log_pmf`, as a function of its own: two compiled forms of one function share a cache file."""
    return float(log_pmf(hits, trials, mean, dispersion))


_log_pmf = vectorize(cache=True)(_pmf_of_unit)


def log_beta_binomial_pmf(
    hits: ArrayLike, trials: ArrayLike, mean: ArrayLike, dispersion: ArrayLike = np.inf
) -> NDArray[np.float64]:
    """Log probability of `hits` among `trials` when each unit draws its own rate from a beta distribution.

    Accurate for any dispersion, also where the usual difference of log-gamma values cancels (1e-3 to
    infinity).

    Args:
        hits: Counts from 0 to `trials`.
        trials: Non-negative counts.
        mean: Mean rate, inside (0, 1).
        dispersion: alpha + beta of the beta distribution, above 0; infinity is the binomial distribution.

    Returns:
        Log probabilities, in the broadcast shape of the arguments.

    Raises:
        ValueError: An argument is outside its range.

    Example:
        >>> np.exp(log_beta_binomial_pmf([0, 1, 2], 2, mean=0.5, dispersion=2.0)).round(6)
        array([0.333333, 0.333333, 0.333333])
    """
    k, n, m, s = _checked_counts(hits, trials, mean, dispersion)
    return np.asarray(_log_pmf(k, n, m, s))


def log_mixture_e(
    hits: ArrayLike,
    trials: ArrayLike,
    null_mean: ArrayLike,
    null_dispersion: ArrayLike = np.inf,
    alternatives: Sequence[float] = DEFAULT_ALTERNATIVES,
) -> NDArray[np.float64]:
    """Log of the mean likelihood ratio of higher rates against an over-dispersed null.

    e = mean over j of BB(hits; r_j, s) / BB(hits; p0, s), over the alternatives r_j above the null mean p0.
    Which alternatives count depends on the null only, never on the hits, so E[e] is exactly 1 under the given
    null.

    The alternatives have the dispersion of the null. Binomial alternatives would be just as valid, but
    against an over-dispersed null their ratio *falls* once the hits exceed what r_j expects: an account with
    100 of 100 hits would look less suspicious than one with 90. With equal dispersion each ratio increases in
    the hits (monotone likelihood ratio), so more hits are never less evidence. Without over-dispersion both
    are the same.

    The running value at cumulated hits and trials of one unit is a test martingale (see `sequential`). Two
    values of the same unit from two slices must NOT be multiplied: the unit keeps its rate, so the slices are
    dependent.

    Args:
        hits: Counts from 0 to `trials`.
        trials: Non-negative counts.
        null_mean: Mean rate under the null, inside (0, 1).
        null_dispersion: alpha + beta of the null, above 0; infinity is the binomial null.
        alternatives: Rates inside (0, 1); those not above the null mean are left out.

    Returns:
        Log e-values, in the broadcast shape of the arguments; 0 where no alternative lies above the null
        mean.

    Raises:
        ValueError: An argument is outside its range.

    Example:
        >>> log_mixture_e(hits=[0, 2, 10], trials=26, null_mean=1e-3, null_dispersion=50.0).round(1)
        array([-1.5,  3.1, 13.4])
    """
    k, n, m, s = _checked_counts(hits, trials, null_mean, null_dispersion)
    rates = np.asarray(alternatives, dtype=np.float64)
    if rates.ndim != 1 or not np.all((rates > 0.0) & (rates < 1.0)):
        raise ValueError("alternatives must be a flat list of rates inside (0, 1)")
    shape = np.broadcast_shapes(k.shape, n.shape, m.shape, s.shape)
    flat = [np.broadcast_to(values, shape).ravel() for values in (k, n, m, s)]
    return np.asarray(log_mean_ratios(*flat, rates)).reshape(shape)


def log_mean_e(log_e: ArrayLike, axis: int = -1) -> NDArray[np.float64]:
    """Log of the arithmetic mean of e-values: valid under any dependence (Vovk & Wang 2021, section 3).

    Args:
        log_e: Log e-values; minus infinity is e = 0.
        axis: The axis that is averaged away.

    Returns:
        Log e-values without `axis`.

    Raises:
        ValueError: There is nothing to average, or a value is not a number.

    Example:
        >>> float(np.exp(log_mean_e(np.log([1.0, 3.0]))).round(6))
        2.0
    """
    values = _checked_log_e(log_e)
    if values.ndim == 0 or values.shape[axis] == 0:
        raise ValueError("the mean of no e-values is not defined: give at least one along the axis")
    return np.asarray(np.logaddexp.reduce(values, axis=axis) - np.log(values.shape[axis]))


def log_product_e(log_e: ArrayLike, axis: int = -1) -> NDArray[np.float64]:
    """Log of the product of e-values: valid when each has expectation at most one *given the ones before it*.

    An e-value of 0 makes the product 0 even beside an infinite one: what the null excluded once is no
    evidence.

    Args:
        log_e: Log e-values; minus infinity is e = 0.
        axis: The axis that is multiplied away; the product of none is e = 1.

    Returns:
        Log e-values without `axis`.

    Raises:
        ValueError: A value is not a number.

    Example:
        >>> float(np.exp(log_product_e(np.log([2.0, 3.0]))).round(6))
        6.0
    """
    values = _checked_log_e(log_e)
    zero = np.any(np.isneginf(values), axis=axis)
    total = np.sum(np.where(np.isneginf(values), 0.0, values), axis=axis)
    return np.asarray(np.where(zero, -np.inf, total))


def conformal_log_e(score: ArrayLike, placebo_scores: ArrayLike) -> NDArray[np.float64]:
    """Log conformal e-value of non-negative scores: e = (m + 1) s / (s + sum of the m placebo scores).

    If score and placebos are exchangeable, the m + 1 values that each of them would get add up to m + 1, so
    E[e] = 1 (arXiv 2302.07294, 2501.02703). The value never exceeds m + 1. When all scores are 0, every e is
    1.

    Args:
        score: Shape (G,) or a scalar; higher speaks more against the null.
        placebo_scores: Shape (G, m), or (m,) when all groups share the placebos.

    Returns:
        Log e-values in the shape of `score`.

    Raises:
        ValueError: A score is negative or not finite, or the shapes do not fit.

    Example:
        >>> float(np.exp(conformal_log_e(9.0, [1.0, 1.0, 1.0])).round(6))
        3.0
    """
    scores, placebos = np.asarray(score, dtype=np.float64), np.asarray(placebo_scores, dtype=np.float64)
    for values in (scores, placebos):
        if not np.all(np.isfinite(values) & (values >= 0.0)):
            raise ValueError(
                "conformal e-values need finite scores of at least 0: transform the scores first"
            )
    with np.errstate(divide="ignore"):
        return conformal_log_e_from_log(np.log(scores), np.log(placebos))


def conformal_log_e_from_log(log_score: ArrayLike, log_placebo: ArrayLike) -> NDArray[np.float64]:
    """Log conformal e-value, as in `conformal_log_e`, of scores that are given as logarithms.

    Args:
        log_score: Shape (G,) or a scalar; minus infinity is a score of 0.
        log_placebo: Shape (G, m), or (m,) when all groups share the placebos.

    Returns:
        Log e-values in the shape of `log_score`.

    Raises:
        ValueError: A value is not a number or plus infinity, or the shapes do not fit.

    Example:
        >>> float(np.exp(conformal_log_e_from_log(5000.0, [0.0, 0.0])).round(6))
        3.0
    """
    scores, placebos = np.asarray(log_score, dtype=np.float64), np.asarray(log_placebo, dtype=np.float64)
    _check_conformal_shapes(scores, placebos)
    if not (np.all(scores < np.inf) and np.all(placebos < np.inf)):
        raise ValueError("log scores must be numbers below infinity")
    rest = np.broadcast_to(logsumexp(placebos, axis=-1), scores.shape)
    nothing = np.isneginf(scores) & np.isneginf(rest)
    whole = np.logaddexp(np.where(nothing, 0.0, scores), np.where(nothing, 0.0, rest))
    value = np.log(placebos.shape[-1] + 1.0) + scores - whole
    return np.asarray(np.where(nothing, 0.0, value))


def _checked_counts(
    hits: ArrayLike, trials: ArrayLike, mean: ArrayLike, dispersion: ArrayLike
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    k, n = np.asarray(hits, dtype=np.float64), np.asarray(trials, dtype=np.float64)
    m, s = np.asarray(mean, dtype=np.float64), np.asarray(dispersion, dtype=np.float64)
    if not (np.all(k >= 0.0) and np.all(n < np.inf) and np.all(k <= n)):
        raise ValueError("hits must lie between 0 and trials")
    if not np.all((m > 0.0) & (m < 1.0)):
        raise ValueError("the mean rate must lie inside (0, 1): fit it with overdispersion.fit_beta_binomial")
    if not np.all(s > 0.0):
        raise ValueError("the dispersion must be above 0")
    return k, n, m, s


def _checked_log_e(log_e: ArrayLike) -> NDArray[np.float64]:
    values = np.asarray(log_e, dtype=np.float64)
    if np.any(np.isnan(values)):
        raise ValueError("log e-values must be numbers: one of them is not")
    return values


def _check_conformal_shapes(scores: NDArray[np.float64], placebos: NDArray[np.float64]) -> None:
    shared = placebos.ndim == 1
    own = placebos.ndim == scores.ndim + 1 and placebos.shape[:-1] == scores.shape
    if not (shared or own) or placebos.shape[-1] == 0:
        raise ValueError("placebo scores must have shape (m,) or (groups, m) with m of at least 1")
