"""One figure over many seeds: its median with an interval, and rates of rare events with an upper bound."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import numpy as np
from scipy.stats import beta, binom

if TYPE_CHECKING:
    from collections.abc import Sequence


class Spread(msgspec.Struct, frozen=True):
    """A figure over seeds.

    Attributes:
        seeds: Number of seeds.
        median: Median over the seeds.
        low: Lower end of the interval of the median.
        high: Upper end.
        least: Smallest value of all seeds.
        most: Largest value.
    """

    seeds: int
    median: float
    low: float
    high: float
    least: float
    most: float


def over_seeds(values: Sequence[float], confidence: float = 0.95) -> Spread:
    """Summarise one figure of several seeds.

    The interval of the median is that of the order statistics: the rank of the true median among n
    independent values is binomial (n, 1/2), whatever their distribution (David and Nagaraja, Order
    Statistics, 2003, section 7.1). With fewer than six seeds no such interval has a confidence of 95 %; it is
    then the whole range.

    Raises:
        ValueError: There is no value.
    """
    if not values:
        raise ValueError("no seed, no figure: give at least one value")
    ordered = np.sort(np.asarray(values, dtype=np.float64))
    count = ordered.size
    rank = int(binom.ppf((1.0 - confidence) / 2.0, count, 0.5))
    # ppf gives the first rank whose lower tail reaches the level; the order statistic before it still covers
    place = max(rank - 1, 0)
    return Spread(
        seeds=count,
        median=float(np.median(ordered)),
        low=float(ordered[place]),
        high=float(ordered[count - 1 - place]),
        least=float(ordered[0]),
        most=float(ordered[-1]),
    )


def at_most(events: int, trials: int, confidence: float = 0.95) -> float:
    """Return the upper confidence bound of a rate (Clopper and Pearson 1934, doi 10.1093/biomet/26.4.404).

    With no event in n trials it is about 3 / n; with no trial nothing is known and it is 1.
    """
    if events >= trials:
        return 1.0
    return float(beta.ppf(confidence, events + 1, trials - events))
