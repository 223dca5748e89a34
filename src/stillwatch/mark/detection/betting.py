"""Sequential evidence that may be looked at after every answer: likelihood-ratio test martingales.

Under H0 the scores of distinct inputs are independent with a known law, so the likelihood ratio of a tilted
law against it, exp(s t - k(t)) for a score s with cumulant function k, has expectation 1. Products over
scores and mixtures over tilts keep that. The mixture is a test martingale: the probability that it *ever*
reaches 1/alpha is at most alpha (Ville 1939), at any stopping time. For Gumbel scores the tilted law is
exponential with the mean 1/(1 - t); for green lists it is a higher green share.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import msgspec
import numpy as np
from scipy.special import logsumexp

from stillwatch.mark.detection.saddlepoint import WeightedSum, cumulants, saddle
from stillwatch.stats.sequential import NEVER, crossing_index

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from stillwatch.mark.schemes import Null

SHIFTS = (0.01, 0.02, 0.05, 0.1, 0.2, 0.4, 0.8, 1.6)
"""Mean shifts of one score, in standard deviations, among which the bet is spread evenly."""


class StoppingRule(msgspec.Struct, frozen=True):
    """What must be written down before the first score is seen.

    Attributes:
        alpha: Level; evidence of 1/alpha stops the test with a finding.
        most_scores: The test ends without a finding after this many distinct scores.
        shifts: Mean shifts of one score, in standard deviations, that the bet covers.
    """

    alpha: float
    most_scores: int
    shifts: tuple[float, ...] = SHIFTS


class Stopped(msgspec.Struct, frozen=True):
    """How a sequential test ended.

    Attributes:
        scores: Distinct scores that were used.
        log_e: Natural logarithm of the evidence when it ended.
        found: Whether the evidence reached 1/alpha.
        finished: Whether the test has ended; if not, more scores may be added.
    """

    scores: int
    log_e: float
    found: bool
    finished: bool


def tilts(null: Null, shifts: ArrayLike = SHIFTS) -> NDArray[np.float64]:
    """Return the tilts under which the mean of one score is higher by `shifts` standard deviations.

    Shifts beyond the largest possible score are left out.
    """
    one = WeightedSum(null, np.ones(1), np.ones(1))
    means = null.mean + math.sqrt(null.variance) * np.asarray(shifts, dtype=np.float64)
    return saddle(one, means[means < one.most])


def running_log_e(null: Null, scores: ArrayLike, shifts: ArrayLike = SHIFTS) -> NDArray[np.float64]:
    """Log evidence after each score, in the order given.

    Args:
        null: Law of one score.
        scores: Scores of distinct inputs in an order that does not depend on the key, shape (..., n).
        shifts: Mean shifts in standard deviations, above 0.

    Returns:
        Natural logarithms, shape (..., n).
    """
    values = np.asarray(scores, dtype=np.float64)
    points = tilts(null, shifts)
    price = cumulants(WeightedSum(null, np.ones(1), np.ones(1)), points)[0]
    steps = np.arange(1, values.shape[-1] + 1)
    bets = np.cumsum(values, axis=-1)[..., None] * points - steps[:, None] * price
    return np.asarray(logsumexp(bets, axis=-1) - math.log(points.size))


def total_log_e(null: Null, totals: ArrayLike, count: int, shifts: ArrayLike = SHIFTS) -> NDArray[np.float64]:
    """Log evidence of totals of `count` scores: the last value of `running_log_e`, for many keys at once."""
    points = tilts(null, shifts)
    price = cumulants(WeightedSum(null, np.ones(1), np.ones(1)), points)[0]
    bets = np.asarray(totals, dtype=np.float64)[..., None] * points - count * price
    return np.asarray(logsumexp(bets, axis=-1) - math.log(points.size))


def run(rule: StoppingRule, null: Null, scores: ArrayLike) -> Stopped:
    """Apply a stopping rule that was written down beforehand to the scores so far.

    Args:
        rule: The rule.
        null: Law of one score.
        scores: Scores of distinct inputs in their order, shape (n,).

    Raises:
        ValueError: The level is outside (0, 1), or no score is allowed.
    """
    if not 0.0 < rule.alpha < 1.0 or rule.most_scores < 1:
        raise ValueError("the level must lie inside (0, 1) and at least one score must be allowed")
    values = np.asarray(scores, dtype=np.float64)[: rule.most_scores]
    if values.size == 0:
        return Stopped(0, 0.0, found=False, finished=False)
    path = running_log_e(null, values, rule.shifts)
    crossed = int(crossing_index([np.diff(path, prepend=0.0)], -math.log(rule.alpha))[0])
    if crossed != NEVER:
        return Stopped(crossed + 1, float(path[crossed]), found=True, finished=True)
    return Stopped(values.size, float(path[-1]), found=False, finished=values.size == rule.most_scores)
