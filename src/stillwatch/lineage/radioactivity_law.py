"""Tail of a weighted sum of mark scores whose weights have both signs.

Under a random key the scores g_i of distinct inputs of the pseudo-random function are independent with a
known law. A statistic T = sum a_i (g_i - mean), with weights a_i that do not depend on the key, therefore has
a known cumulant function, whatever the suspect is. Its tail follows from it twice: by the Lugannani-Rice
formula (Advances in Applied Probability 12, 1980, 475-490), whose relative error stays small far out, and as
the Chernoff bound, which is never below the truth.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy import special
from scipy.interpolate import PchipInterpolator
from scipy.optimize import brentq

from stillwatch.mark.detection.saddlepoint import score_cumulants, third_moment

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from stillwatch.mark.schemes import Null

    Floats = NDArray[np.float64]

_NEAR_MEAN = 0.05
"""In standard deviations; nearer to the mean the formula is 0/0 and the Edgeworth term serves."""
_GRID = 64
_CONTINUOUS = frozenset({"exponential", "hypoexponential"})


@dataclass(frozen=True)
class SignedSum:
    """The law of sum a_i (g_i - mean) for independent scores g_i of one null law.

    Attributes:
        null: Law of one score.
        weights: The a_i, of either sign, shape (n,).
    """

    null: Null
    weights: Floats

    @property
    def deviation(self) -> float:
        """Standard deviation of the sum."""
        return math.sqrt(self.null.variance * float(self.weights @ self.weights))

    def cumulants(self, t: float) -> tuple[float, float, float]:
        """The cumulant function at tilt `t` and its first two derivatives."""
        value, first, second = score_cumulants(self.null, self.weights * t)
        drift = self.null.mean * float(self.weights.sum())
        return (
            float(value.sum()) - drift * t,
            float((self.weights * first).sum()) - drift,
            float((np.square(self.weights) * second).sum()),
        )

    def slope(self, t: float) -> float:
        """First derivative of the cumulant function at tilt `t`, for less than `cumulants` costs."""
        scaled = self.weights * t
        if self.null.kind in _CONTINUOUS:
            parts = self.null.weights or (1.0,)
            first = sum((part / (1.0 - part * scaled) for part in parts), np.zeros_like(scaled))
        else:
            rate = self.null.probability
            first = self.null.bits * special.expit(scaled + math.log(rate / (1.0 - rate)))
        return float((self.weights * (first - self.null.mean)).sum())

    def end(self) -> float:
        """The tilt at which the cumulant function ends, infinite where it never does."""
        heaviest = float(self.weights.max(initial=0.0)) * max(self.null.weights or (1.0,))
        return 1.0 / heaviest if self.null.kind in _CONTINUOUS and heaviest > 0.0 else math.inf

    def most(self) -> float:
        """The largest value the sum can take."""
        if self.null.kind in _CONTINUOUS:
            return math.inf if np.any(self.weights > 0.0) else -self.null.mean * float(self.weights.sum())
        highest = float(np.maximum(self.weights, 0.0).sum()) * self.null.bits
        return highest - self.null.mean * float(self.weights.sum())

    def log_tail(self, total: float) -> float:
        """Log of the approximate probability of a sum of at least `total`.

        Example:
            >>> from stillwatch.mark.schemes import Null
            >>> law = SignedSum(Null("exponential"), np.array([1.0]))
            >>> round(law.log_tail(9.0) / -10.0, 2)  # exactly -10
            1.0
        """
        deviation = self.deviation
        if deviation == 0.0:
            return 0.0 if total <= 0.0 else -math.inf
        if total >= self.most():
            return self.log_bound(total)
        if abs(total) < _NEAR_MEAN * deviation:
            return math.log(self._edgeworth(total / deviation))
        return min(0.0, self._lugannani_rice(total))

    def log_tails(self, totals: Floats) -> Floats:
        """`log_tail` of each of the `totals`, (k,).

        For more than 64 totals it is computed on a grid and interpolated by a monotone cubic, which is off
        by less than 0.01 in the logarithm.
        """
        if len(totals) <= _GRID:
            return np.array([self.log_tail(float(one)) for one in totals])
        grid = np.linspace(float(totals.min()), float(totals.max()), _GRID)
        return np.asarray(PchipInterpolator(grid, [self.log_tail(float(one)) for one in grid])(totals))

    def log_bound(self, total: float) -> float:
        """Log of the Chernoff bound, never below the log of P(sum >= `total`); 0 below the mean."""
        if total <= 0.0:
            return 0.0
        if total > self.most() * (1.0 + 1e-12):
            return -math.inf
        tilt = self._tilt(total)
        return min(0.0, self.cumulants(tilt)[0] - tilt * total)

    def _tilt(self, total: float) -> float:
        """Solve K'(t) = `total`; K' increases."""
        high, end = 1.0 / self.deviation, self.end()
        high = min(high, end / 2.0)
        for _ in range(200):
            if self.slope(high) >= total:
                break
            high = high * 2.0 if math.isinf(end) else (high + end) / 2.0
        low = -1.0 / self.deviation if total < 0.0 else 0.0
        lowest = SignedSum(self.null, -self.weights).end()
        low = max(low, -lowest / 2.0)
        for _ in range(200):
            if self.slope(low) <= total:
                break
            low = low * 2.0 if math.isinf(lowest) else (low - lowest) / 2.0
        return float(brentq(lambda t: self.slope(t) - total, low, high, xtol=1e-11 * high, rtol=1e-10))

    def _lugannani_rice(self, total: float) -> float:
        tilt = self._tilt(total)
        value, _, curvature = self.cumulants(tilt)
        depth = max(tilt * total - value, 0.0)
        w, u = math.copysign(math.sqrt(2.0 * depth), tilt), tilt * math.sqrt(curvature)
        if w > 0.0:
            mills = math.sqrt(math.pi / 2.0) * float(special.erfcx(w / math.sqrt(2.0)))
            rest = mills + 1.0 / u - 1.0 / w
            if rest <= 0.0:
                return self.log_bound(total)
            return -depth - 0.5 * math.log(2.0 * math.pi) + math.log(rest)
        density = math.exp(-depth) / math.sqrt(2.0 * math.pi)
        return math.log(min(max(float(special.ndtr(-w)) + density * (1.0 / u - 1.0 / w), 1e-300), 1.0))

    def _edgeworth(self, z: float) -> float:
        third = third_moment(self.null) * float(np.sum(self.weights**3)) / self.deviation**3
        density = math.exp(-0.5 * z * z) / math.sqrt(2.0 * math.pi)
        return min(max(float(special.ndtr(-z)) + density * third / 6.0 * (z * z - 1.0), 1e-300), 1.0)
