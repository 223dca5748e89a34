"""Exact p-values of a total score under the null law of a scheme.

H0 is about the key: the text was made without knowledge of it, so under a random key each distinct input of
the pseudo-random function gives one independent score of a known law. The total of n scores is then a gamma,
binomial or hypoexponential variable, and its tail is computed, never approximated by a normal one: for 25
green of 40 tokens the normal tail is 27 times too small, for a Gumbel mean of 2.2 over 30 tokens 10,000
times.

The words of the function have 24 bits, so a Gumbel score is an exponential variable rounded to a grid: the
tail of one score is larger than stated by a factor of 1 + 2**-24.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from stillwatch.mark.detection.gamma import log_binomial_tail, log_gamma_tail, log_upper_gamma
from stillwatch.mark.detection.hypoexponential import log_hypoexponential_tail
from stillwatch.mark.detection.saddlepoint import WeightedSum, log_saddle_tail

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from stillwatch.mark.schemes import Null

_CLEARLY_NOTHING = math.log(1e-2)
_FEW = 64


def log_tail(null: Null, totals: ArrayLike, count: int) -> NDArray[np.float64]:
    """Log of P(total of `count` scores >= total) under H0, for the totals of many keys.

    Exact for every law. For a hypoexponential law with more than 64 totals, those whose saddle-point tail is
    above 0.01 keep that value (its relative error is below one per cent there); all others are computed
    exactly.

    Args:
        null: Law of one score.
        totals: Observed totals, shape (k,).
        count: Number of distinct scores in each total.

    Returns:
        Natural logarithms, shape (k,); 0 where nothing was scored.

    Raises:
        ValueError: A total is not possible under the law.

    Examples:
        >>> from stillwatch.mark.schemes import Null
        >>> log_tail(Null("exponential"), [3.0], 1)
        array([-3.])
    """
    values = np.atleast_1d(np.asarray(totals, dtype=np.float64))
    if count == 0:
        return np.zeros(values.shape)
    if null.kind == "exponential":
        return log_gamma_tail(values, count)
    if null.kind == "hypoexponential":
        return _log_hypoexponential_tails(null, values, count)
    return log_binomial_tail(np.round(values), count * null.bits, null.probability)


def z_scores(null: Null, totals: ArrayLike, count: int) -> NDArray[np.float64]:
    """Standardised totals, for showing and for the panel of decoys; decisions rest on `log_tail`."""
    values = np.atleast_1d(np.asarray(totals, dtype=np.float64))
    if count == 0:
        return np.zeros(values.shape)
    return np.asarray((values - count * null.mean) / math.sqrt(count * null.variance))


def matched_moments_log_tail(null: Null, totals: ArrayLike, count: int) -> NDArray[np.float64]:
    """The approximation that detectors in use report for dual keys, kept to show how far it is off.

    A gamma law with the mean and variance of the total. Never used for a decision.
    """
    values = np.atleast_1d(np.asarray(totals, dtype=np.float64))
    scale = null.variance / null.mean
    shape = count * null.mean / scale
    return np.array([log_upper_gamma(shape, value / scale) for value in values])


def _log_hypoexponential_tails(null: Null, values: NDArray[np.float64], count: int) -> NDArray[np.float64]:
    weights, sizes = np.asarray(null.weights), np.full(len(null.weights), float(count))
    if values.size > _FEW:
        result = log_saddle_tail(WeightedSum(null, np.ones(1), np.array([float(count)])), values)
        deep = result < _CLEARLY_NOTHING
    else:
        result, deep = np.zeros(values.shape), np.ones(values.shape, dtype=np.bool_)
    result[deep] = [log_hypoexponential_tail(float(value), weights, sizes) for value in values[deep]]
    return result
