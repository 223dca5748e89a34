"""How many items the served-versus-twin test needs, by formula and by simulation.

The model of the alternative: a share of the tested items (the *exposure*) was in the suspect's training set,
and on those the score of the served answer rises by `effect` standard deviations of a candidate's score
within its item. Neither number is known beforehand; the lab measures the effect for a given training, and the
plan states for which pairs the test has power.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy.stats import norm

from stillwatch.lineage.twins_preference import preference_test

_MOST_ITEMS = 10_000_000
_EFFICIENCY = 0.974


@dataclass(frozen=True)
class Power:
    """Simulated power at one number of items.

    Attributes:
        items: Items tested.
        runs: Simulated suspects.
        by_sum: Share of them with an exact p-value of the sum test at or below alpha.
        by_rank: The same for the rank test.
        by_betting: Share whose e-process reached 1 / alpha at any time.
        median_stop: Median number of items at which it did; NaN if it never did.
    """

    items: int
    runs: int
    by_sum: float
    by_rank: float
    by_betting: float
    median_stop: float


def win_chance(effect: float, exposure: float = 1.0) -> float:
    """Return the chance that a served answer is preferred to one twin.

    It is 1/2 + exposure (Phi(effect / sqrt 2) - 1/2).

    Example:
        >>> round(win_chance(0.5, exposure=0.2), 4)
        0.5276
    """
    return 0.5 + exposure * (float(norm.cdf(effect / math.sqrt(2.0))) - 0.5)


def needed_items(
    effect: float, exposure: float, *, twins: int = 1, alpha: float = 0.001, power: float = 0.9
) -> int:
    """Return about how many items the sum test needs.

    n = (z_alpha + z_power)^2 (1 + 1/k) / (0.974 (exposure * effect)^2), the sample size of a one-sided z-test
    of the served score against the mean of its k twins. Bounding the payoffs at the ninth decile keeps 0.974
    of the information of normal scores. Halving the exposure costs four times the items.

    Args:
        effect: Shift of a trained-on answer, in standard deviations of a candidate's score.
        exposure: Share of the tested items in the training set, inside (0, 1].
        twins: Twins of each item (k).
        alpha: One-sided level.
        power: Wanted chance of detection.

    Raises:
        ValueError: An argument is outside its range.

    Example:
        >>> needed_items(0.3, 1.0), needed_items(0.3, 0.5)
        (437, 1745)
    """
    if not (effect > 0.0 and 0.0 < exposure <= 1.0 and twins >= 1 and 0 < alpha < 0.5 and 0.5 <= power < 1):
        raise ValueError("effect, exposure, twins, alpha or power is outside its range")
    quantiles = float(norm.isf(alpha) + norm.isf(1.0 - power))
    count = quantiles**2 * (1.0 + 1.0 / twins) / (_EFFICIENCY * (exposure * effect) ** 2)
    return math.ceil(min(max(count, math.log(1.0 / alpha) / math.log(twins + 1.0)), _MOST_ITEMS))


def simulate_power(
    items: int,
    effect: float,
    exposure: float,
    *,
    twins: int = 1,
    alpha: float = 0.001,
    runs: int = 200,
    seed: int = 1,
) -> Power:
    """Measure the power of the tests themselves on simulated scores (normal within an item).

    Args:
        items: Items tested.
        effect: As in `needed_items`; 0 simulates the null.
        exposure: As in `needed_items`.
        twins: Twins of each item.
        alpha: Level of each test.
        runs: Simulated suspects.
        seed: Seed of the simulation.

    Example:
        >>> simulate_power(60, effect=3.0, exposure=1.0, runs=5).by_sum
        1.0
    """
    rng = np.random.default_rng(seed)
    found = np.zeros((runs, 3))
    stops = np.full(runs, np.nan)
    for run in range(runs):
        scores = rng.standard_normal((items, twins + 1))
        served = rng.integers(twins + 1, size=items)
        scores[np.arange(items), served] += effect * (rng.random(items) < exposure)
        test = preference_test(scores, served, alpha=alpha)
        found[run] = test.p_sum <= alpha, test.p_rank <= alpha, test.stopped_at >= 0
        stops[run] = test.stopped_at + 1 if test.stopped_at >= 0 else np.nan
    by_sum, by_rank, by_betting = found.mean(axis=0)
    reached = stops[np.isfinite(stops)]
    median = float(np.median(reached)) if reached.size else math.nan
    return Power(items, runs, float(by_sum), float(by_rank), float(by_betting), median)
