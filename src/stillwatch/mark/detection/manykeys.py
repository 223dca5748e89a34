"""Error control over all keys tried: family-wise for an accusation, false-discovery for a watch list."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import msgspec
import numpy as np

from stillwatch.stats.fdr import e_bh_levels

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray


def benjamini_hochberg_of_logs(log_p: ArrayLike) -> NDArray[np.float64]:
    """Smallest false-discovery rate at which Benjamini-Hochberg rejects each; from logarithms of p-values.

    Keys are independent under H0, so the rate is held. The step-up rule of e-BH on 1/p is the same procedure.

    Args:
        log_p: Natural logarithms of p-values, shape (k,).

    Returns:
        Levels up to 1, shape (k,).

    Examples:
        >>> benjamini_hochberg_of_logs(np.log([0.01, 0.04, 0.5])).round(6)
        array([0.03, 0.06, 0.5 ])
    """
    return e_bh_levels(-_checked(log_p))


class WeakSignals(msgspec.Struct, frozen=True):
    """Whether many keys of one cohort are each a little too good, though none of them stands out.

    Attributes:
        keys: Number of keys.
        higher_criticism: The statistic of Donoho & Jin.
        p: Its p-value among simulated uniform p-values.
        sum_p: p-value of the sum of -log p (Fisher), among the same simulations.
    """

    keys: int
    higher_criticism: float
    p: float
    sum_p: float


def weak_signals(log_p: ArrayLike, rng: np.random.Generator, draws: int = 99_999) -> WeakSignals:
    """Test a cohort of keys as a whole: higher criticism and a sum statistic, calibrated by simulation.

    Source: Donoho & Jin 2004, Annals of Statistics 32, 962-994; the smallest p-values enter with the variance
    of 1/k, as they advise. Under H0 the p-values of independent keys are uniform (or larger), so the rank
    among sets of uniform values is a valid p-value for both statistics. Simulation stops at the twentieth set
    that is as extreme, which keeps the p-value valid (Besag & Clifford 1991, Biometrika 78, 301-304).

    Args:
        log_p: Natural logarithms of the p-values of the cohort's keys, shape (k,), k of at least 2.
        rng: Source of the simulated sets.
        draws: Most simulated sets; the smallest p-value is 1 / (draws + 1).

    Raises:
        ValueError: Fewer than two keys.

    Examples:
        >>> weak_signals(np.log([0.2, 0.5, 0.7, 0.9]), np.random.default_rng(1)).p > 0.05
        True
    """
    values = np.exp(np.maximum(_checked(log_p), -700.0))
    if values.size < 2:
        raise ValueError("weak signals need a cohort of at least two keys")
    observed = _statistics(values[None, :])[0]
    ranks = (_Rank(), _Rank())
    batch = min(1000, max(1, 2_000_000 // values.size))
    for start in range(0, draws, batch):
        extreme = _statistics(rng.random((min(batch, draws - start), values.size))) >= observed
        for rank, column in zip(ranks, extreme.T, strict=True):
            rank.add(column)
        if all(rank.final is not None for rank in ranks):
            break
    return WeakSignals(values.size, float(observed[0]), ranks[0].p, ranks[1].p)


class _Rank:
    """A p-value by simulation that stops at the twentieth set as extreme as what was observed."""

    enough = 20

    def __init__(self) -> None:
        self.sets, self.extreme = 0, 0
        self.final: float | None = None

    def add(self, extreme: NDArray[np.bool_]) -> None:
        """Count more sets; further ones are ignored after the stop."""
        if self.final is not None:
            return
        running = self.extreme + np.cumsum(extreme)
        if running[-1] >= self.enough:
            self.final = self.enough / (self.sets + int(np.searchsorted(running, self.enough)) + 1.0)
        self.sets, self.extreme = self.sets + extreme.size, int(running[-1])

    @property
    def p(self) -> float:
        """The p-value from what has been counted."""
        return (1.0 + self.extreme) / (self.sets + 1.0) if self.final is None else self.final


def _statistics(p: NDArray[np.float64]) -> NDArray[np.float64]:
    """Higher criticism over the smaller half, and the sum of -2 log p (Fisher), shape (sets, 2)."""
    count = p.shape[1]
    half = max(1, count // 2)
    ranked = np.sort(p, axis=1)[:, :half]
    expected = np.arange(1, half + 1) / count
    floor = np.maximum(ranked, 1.0 / count)
    gap = math.sqrt(count) * (expected - ranked) / np.sqrt(floor * (1.0 - np.minimum(floor, 1.0 - 1e-12)))
    fisher = -2.0 * np.sum(np.log(np.maximum(p, 1e-300)), axis=1)
    return np.stack([gap.max(axis=1), fisher], axis=1)


def _checked(log_p: ArrayLike) -> NDArray[np.float64]:
    values = np.asarray(log_p, dtype=np.float64)
    if values.ndim != 1 or not np.all(values <= 0.0):
        raise ValueError("give a flat array of logarithms of p-values, each at most 0")
    return values
