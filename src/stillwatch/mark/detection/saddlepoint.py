"""Tails of weighted sums of scores: saddle-point approximation and a bound that always holds.

Under a random key the scores g_i of distinct inputs are independent with a known law, so any statistic
T = sum a_i g_i with weights a_i that do not depend on the key has a known cumulant function
K(t) = sum k(a_i t). From it follow

- the Lugannani-Rice tail (Lugannani & Rice 1980, Advances in Applied Probability 12, 475-490), with a
  relative error that stays small far into the tail, where a normal approximation is wrong by orders of
  magnitude;
- the Chernoff bound exp(K(t) - t x), which is never below the truth.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy import special

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from stillwatch.mark.schemes import Null

    Floats = NDArray[np.float64]

_STEPS = 200
_NEAR_MEAN = 1e-3


@dataclass(frozen=True)
class WeightedSum:
    """The law of sum a_i g_i for independent scores g_i of one null law.

    Attributes:
        null: Law of one score.
        weights: Distinct weights above 0, shape (G,).
        counts: How many scores carry each weight, shape (G,).
    """

    null: Null
    weights: Floats
    counts: Floats

    @classmethod
    def of(cls, null: Null, weights: ArrayLike) -> WeightedSum:
        """Group `weights`, shape (n,), by value; zeros are left out.

        Raises:
            ValueError: A weight is negative or not finite.
        """
        values = np.asarray(weights, dtype=np.float64)
        if not np.all(np.isfinite(values) & (values >= 0.0)):
            raise ValueError("weights must be finite and not negative")
        distinct, counts = np.unique(values[values > 0.0], return_counts=True)
        return cls(null, distinct, counts.astype(np.float64))

    @property
    def mean(self) -> float:
        """Expectation of the sum."""
        return float(self.null.mean * np.sum(self.counts * self.weights))

    @property
    def variance(self) -> float:
        """Variance of the sum."""
        return float(self.null.variance * np.sum(self.counts * self.weights**2))

    @property
    def most(self) -> float:
        """Largest possible value."""
        if self.null.kind in {"exponential", "hypoexponential"}:
            return math.inf
        return float(self.null.bits * np.sum(self.counts * self.weights))

    @property
    def span(self) -> float:
        """Spacing that the tail is corrected for: the largest weight where scores are whole numbers.

        Right for equal weights (Daniels 1987, International Statistical Review 55, 37-48, first continuity
        correction); for unequal ones the sums lie closer together and the correction makes the tail larger
        than it is, never smaller.
        """
        continuous = self.null.kind in {"exponential", "hypoexponential"} or not self.weights.size
        return 0.0 if continuous else float(self.weights.max())


def log_saddle_tail(law: WeightedSum, totals: ArrayLike) -> Floats:
    """Log of the Lugannani-Rice approximation of P(sum >= total) for each total.

    Near the mean, where the formula is 0/0, the first Edgeworth term takes over.

    Args:
        law: Law of the sum.
        totals: Observed sums, shape (m,).

    Returns:
        Natural logarithms, shape (m,), at most 0.
    """
    x = np.atleast_1d(np.asarray(totals, dtype=np.float64))
    spread = math.sqrt(law.variance)
    if spread == 0.0:
        return np.where(x <= law.mean, 0.0, -np.inf)
    z = (x - law.mean) / spread
    result = np.log(np.clip(_edgeworth(z, _skewness(law), law.span / spread), 1e-300, 1.0))
    away = (np.abs(z) > _NEAR_MEAN) & (x < law.most) & (x > 0.0)
    if np.any(away):
        result[away] = _lugannani_rice(law, x[away])
    return np.minimum(np.where(x <= 0.0, 0.0, _at_the_end(law, x, result)), 0.0)


def log_chernoff_bound(law: WeightedSum, totals: ArrayLike) -> Floats:
    """Log of the least exp(K(t) - t x) over t >= 0: an upper bound of P(sum >= total), always.

    Args:
        law: Law of the sum.
        totals: Observed sums, shape (m,).

    Returns:
        Natural logarithms, shape (m,), at most 0.
    """
    x = np.atleast_1d(np.asarray(totals, dtype=np.float64))
    result = np.zeros(x.shape)
    above = (x > law.mean) & (x < law.most)
    if np.any(above):
        t = saddle(law, x[above])
        result[above] = cumulants(law, t)[0] - t * x[above]
    return np.minimum(_at_the_end(law, x, result), 0.0)


def cumulants(law: WeightedSum, t: ArrayLike) -> tuple[Floats, Floats, Floats]:
    """Return K(t) and its first two derivatives, shape (m,) each, at the tilts `t`, shape (m,)."""
    points = np.atleast_1d(np.asarray(t, dtype=np.float64))[:, None]
    scaled = points * law.weights
    k0, k1, k2 = score_cumulants(law.null, scaled)
    return (
        np.asarray(k0 @ law.counts),
        np.asarray(k1 @ (law.counts * law.weights)),
        np.asarray(k2 @ (law.counts * law.weights**2)),
    )


def score_cumulants(null: Null, t: Floats) -> tuple[Floats, Floats, Floats]:
    """Return the cumulant function of one score, with two derivatives, at each tilt of `t`, in its shape."""
    if null.kind in {"exponential", "hypoexponential"}:
        parts = null.weights or (1.0,)
        left = [1.0 - w * t for w in parts]
        k0 = -sum((np.log(one) for one in left), np.zeros_like(t))
        k1 = sum((w / one for w, one in zip(parts, left, strict=True)), np.zeros_like(t))
        k2 = sum(((w / one) ** 2 for w, one in zip(parts, left, strict=True)), np.zeros_like(t))
        return k0, k1, k2
    rate = null.probability
    tilted = special.expit(t + math.log(rate / (1.0 - rate)))
    k0 = np.logaddexp(math.log1p(-rate), math.log(rate) + t)
    return null.bits * k0, null.bits * tilted, null.bits * tilted * (1.0 - tilted)


def _limit(law: WeightedSum) -> float:
    """The tilt at which the cumulant function ends."""
    if law.null.kind in {"exponential", "hypoexponential"}:
        return 1.0 / (float(law.weights.max()) * max(law.null.weights or (1.0,)))
    return math.inf


def saddle(law: WeightedSum, x: Floats) -> Floats:
    """Return the tilts t with K'(t) = x, shape (m,), for x inside the range of the law, by bisection."""
    end, unit = _limit(law), 1.0 / math.sqrt(law.variance)
    low, high = np.full(x.shape, -unit), np.full(x.shape, unit if math.isinf(end) else end * 0.5)
    for _ in range(_STEPS):
        short = cumulants(law, low)[1] > x
        if not np.any(short):
            break
        low[short] *= 2.0
    for _ in range(_STEPS):
        short = cumulants(law, high)[1] < x
        if not np.any(short):
            break
        high[short] = high[short] * 2.0 if math.isinf(end) else (high[short] + end) / 2.0
    for _ in range(_STEPS):
        middle = (low + high) / 2.0
        above = cumulants(law, middle)[1] > x
        low, high = np.where(above, low, middle), np.where(above, middle, high)
        if np.all(high - low <= 1e-14 * np.abs(high)):
            break
    return np.asarray((low + high) / 2.0)


def _lugannani_rice(law: WeightedSum, x: Floats) -> Floats:
    """Log tail where the saddle point is not 0; written with Mills' ratio, so that nothing underflows.

    Capped by Chernoff's bound, which few scores on a grid would exceed.
    """
    t = saddle(law, x)
    k0, _, k2 = cumulants(law, t)
    depth = np.maximum(t * x - k0, 0.0)
    step = t if law.span == 0.0 else -np.expm1(-t * law.span) / law.span
    w, u = np.sign(t) * np.sqrt(2.0 * depth), step * np.sqrt(k2)
    mills = math.sqrt(math.pi / 2.0) * special.erfcx(np.maximum(w, 0.0) / math.sqrt(2.0))
    with np.errstate(divide="ignore", invalid="ignore"):
        upper = -depth + np.minimum(np.log((mills + 1.0 / u - 1.0 / w) / math.sqrt(2.0 * math.pi)), 0.0)
        density = np.exp(-depth) / math.sqrt(2.0 * math.pi)
        lower = np.log(np.clip(special.ndtr(-w) + density * (1.0 / u - 1.0 / w), 1e-300, 1.0))
    return np.asarray(np.where(w > 0.0, upper, lower))


def _at_the_end(law: WeightedSum, x: Floats, result: Floats) -> Floats:
    """Put in the probability of the largest possible value, and 0 beyond it."""
    if math.isinf(law.most):
        return result
    all_ones = law.null.bits * float(np.sum(law.counts)) * math.log(law.null.probability)
    beyond = x > law.most * (1.0 + 1e-12)
    return np.where(beyond, -np.inf, np.where(x >= law.most, all_ones, result))


def third_moment(null: Null) -> float:
    """Return the third central moment of one score."""
    if null.kind in {"exponential", "hypoexponential"}:
        return sum(2.0 * w**3 for w in null.weights or (1.0,))
    return null.variance * (1.0 - 2.0 * null.probability)


def _skewness(law: WeightedSum) -> float:
    return float(third_moment(law.null) * np.sum(law.counts * law.weights**3) / law.variance**1.5)


def _edgeworth(z: Floats, skewness: float, span: float) -> Floats:
    density = np.exp(-0.5 * z * z) / math.sqrt(2.0 * math.pi)
    return np.asarray(special.ndtr(-z) + density * (skewness / 6.0 * (z * z - 1.0) + span / 2.0))
