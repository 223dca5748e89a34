"""P-values of weighted sums of scores: what context-level, top-k and open tests report."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Literal

import msgspec
import numpy as np

from stillwatch.mark.detection.gamma import log_binomial_tail
from stillwatch.mark.detection.hypoexponential import log_hypoexponential_tail, rounded_up
from stillwatch.mark.detection.saddlepoint import WeightedSum, log_chernoff_bound, log_saddle_tail

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from stillwatch.mark.schemes import Null

    Floats = NDArray[np.float64]

Method = Literal["exact", "saddle point", "nothing scored"]

_MOST_WORK = 30_000_000
_SPREAD = 200.0
_RAISED = 0.02
"""Standard deviations by which rounding weights up may raise the mean."""


class WeightedTail(msgspec.Struct, frozen=True):
    """A p-value of a weighted sum.

    Attributes:
        log_p: Natural logarithm of the p-value.
        log_bound: Logarithm of Chernoff's bound, which the true p-value never exceeds.
        z: The standardised sum.
        scores: Number of distinct scores with a weight above 0.
        effective: Number of equally weighted scores that carry as much, (sum a)^2 / sum a^2.
        method: How `log_p` was computed.
    """

    log_p: float
    log_bound: float
    z: float
    scores: int
    effective: float
    method: Method


def weighted_tail(null: Null, weights: ArrayLike, total: float, *, exact: bool = True) -> WeightedTail:
    """P-value of T = sum a_i g_i >= total for independent scores g_i under a random key.

    Exponential scores get the exact tail where that is cheap (their weights rounded up on a fine grid, which
    can only raise the p-value, and only where it moves z by less than 0.02), else the saddle point.
    Whole-numbered scores get the exact binomial tail where all weights are equal, else the saddle point with
    its continuity correction.

    Args:
        null: Law of one score.
        weights: Weights a_i of at least 0 that do not depend on the key, shape (n,).
        total: The observed T.
        exact: Whether the exact tail is computed where that is cheap.

    Raises:
        ValueError: A weight is negative or not finite.

    Examples:
        >>> from stillwatch.mark.schemes import Null
        >>> round(weighted_tail(Null("exponential"), [1.0, 1.0], 4.0).log_p, 6)  # log(5 exp(-4))
        -2.390562
    """
    law = WeightedSum.of(null, weights)
    if law.weights.size == 0:
        return WeightedTail(0.0, 0.0, 0.0, 0, 0.0, "nothing scored")
    z = (total - law.mean) / math.sqrt(law.variance)
    log_p, method = _log_p(law, np.asarray(weights, dtype=np.float64), total, exact=exact)
    bound = float(log_chernoff_bound(law, total)[0])
    ratio = float((law.counts @ law.weights) ** 2 / (law.counts @ law.weights**2))
    return WeightedTail(log_p, max(bound, log_p), z, int(law.counts.sum()), ratio, method)


def _log_p(law: WeightedSum, weights: Floats, total: float, *, exact: bool) -> tuple[float, Method]:
    if exact and law.null.kind in {"exponential", "hypoexponential"}:
        grouped = _grouped(law.null, weights[weights > 0.0])
        raised = (float(grouped[0] @ grouped[1]) - law.mean) / math.sqrt(law.variance)
        if raised < _RAISED and _work(*grouped, total) <= _MOST_WORK:
            return log_hypoexponential_tail(total, *grouped), "exact"
    elif law.weights.size == 1 and not math.isinf(law.most):
        hits = np.round(total / law.weights[0])
        trials = int(law.counts[0]) * law.null.bits
        return float(log_binomial_tail(hits, trials, law.null.probability)), "exact"
    return float(log_saddle_tail(law, total)[0]), "saddle point"


def _grouped(null: Null, weights: Floats) -> tuple[Floats, Floats]:
    parts = null.weights or (1.0,)
    return rounded_up(np.concatenate([part * weights for part in parts]), spread=_SPREAD)


def _work(weights: Floats, counts: Floats, total: float) -> float:
    """About how many steps the exact series takes."""
    base = float(weights.min())
    terms = float(counts @ (weights / base)) + 12.0 * math.sqrt(float(counts @ (weights / base) ** 2))
    return (max(terms, total / base) - float(counts.sum())) * weights.size
