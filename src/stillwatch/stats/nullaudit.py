"""Audit of our own calibration: is the bulk of all candidate groups where the theory says it should be?"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from scipy.optimize import minimize
from scipy.special import log_ndtr, ndtr

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

_INTERQUARTILE_OF_NORMAL = 1.3489795003921634
_WINDOW = 1.5
_ENOUGH_FOR_LIKELIHOOD = 50


class EmpiricalNull(NamedTuple):
    """The normal distribution that the bulk of the z-scores follows."""

    centre: float
    """Mean of the bulk; 0 when the theoretical null holds."""
    sigma: float
    """Standard deviation of the bulk; above 1, our evidence is over-confident."""
    pi0: float
    """Share of scores that belong to the null, at most 1."""


def empirical_null(z: ArrayLike) -> EmpiricalNull:
    """Estimate centre, spread and share of the null from the middle of all z-scores.

    After Efron (2004, JASA 99(465)). Median and interquartile range give a start. With 50 scores or more, a
    normal distribution truncated to 1.5 spreads around the median is fitted by maximum likelihood, so that
    real discoveries in the tails do not widen it. The share of the null is Storey's (2002, JRSS-B 64(3)) at
    lambda = 1/2, on two-sided p-values under the fitted null.

    Args:
        z: Z-scores of all candidate groups, shape (G,), at least 3.

    Returns:
        Centre, sigma and pi0. Sigma is 0 when at least half of the scores are equal.

    Raises:
        ValueError: There are fewer than 3 scores, or one is not a number.

    Example:
        >>> null = empirical_null(np.random.default_rng(1).normal(size=2000))
        >>> round(null.centre, 2), round(null.sigma, 2), within(null.sigma)
        (-0.04, 1.03, True)
    """
    scores = np.asarray(z, dtype=np.float64)
    if scores.ndim != 1 or scores.size < 3 or not np.all(np.isfinite(scores)):
        raise ValueError("the audit of the null needs a flat array of at least 3 finite z-scores")
    scores = np.sort(scores)  # so that the order of the groups cannot change the last digits
    low, centre, high = (float(q) for q in np.quantile(scores, [0.25, 0.5, 0.75]))
    sigma = (high - low) / _INTERQUARTILE_OF_NORMAL
    if sigma > 0.0 and scores.size >= _ENOUGH_FOR_LIKELIHOOD:
        centre, sigma = _truncated_normal(scores, centre, sigma)
    return EmpiricalNull(centre, sigma, _storey(scores, centre, sigma))


def within(sigma: float, low: float = 0.8, high: float = 1.2) -> bool:
    """Whether the spread of the bulk is what calibrated scores have; if not, distrust tonight's evidence.

    Args:
        sigma: Spread from `empirical_null`.
        low: Smallest spread that is accepted.
        high: Largest spread that is accepted.

    Returns:
        True when the audit passes; False also when sigma is not a number.

    Example:
        >>> within(1.1), within(1.3)
        (True, False)
    """
    return low <= sigma <= high


def _truncated_normal(scores: NDArray[np.float64], centre: float, sigma: float) -> tuple[float, float]:
    left, right = centre - _WINDOW * sigma, centre + _WINDOW * sigma
    inside = scores[(scores >= left) & (scores <= right)]
    first, second = float(inside.mean()), float(np.mean(inside**2))

    def loss(parameters: NDArray[np.float64]) -> float:
        mean, log_spread = float(parameters[0]), float(parameters[1])
        spread = float(np.exp(log_spread))
        square = (second - 2.0 * mean * first + mean * mean) / (2.0 * spread * spread)
        return square + log_spread + _log_mass((left - mean) / spread, (right - mean) / spread)

    bounds = [(centre - sigma, centre + sigma), (np.log(sigma / 2.0), np.log(sigma * 2.0))]
    found = minimize(loss, [centre, np.log(sigma)], method="L-BFGS-B", bounds=bounds).x
    return float(found[0]), float(np.exp(found[1]))


def _log_mass(left: float, right: float) -> float:
    """Log of the standard normal mass between two points."""
    return float(log_ndtr(right) + np.log1p(-np.exp(log_ndtr(left) - log_ndtr(right))))


def _storey(scores: NDArray[np.float64], centre: float, sigma: float) -> float:
    if sigma <= 0.0:
        return 1.0
    p = 2.0 * ndtr(-np.abs(scores - centre) / sigma)
    return float(min(1.0, (1.0 + np.sum(p > 0.5)) / (0.5 * scores.size)))
