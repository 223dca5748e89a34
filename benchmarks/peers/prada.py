"""PRADA: distances between an account's queries that do not look normal."""

from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
from numba import njit
from scipy.stats import shapiro

from peers.log import embed
from peers.protocol import Ints, alone

if TYPE_CHECKING:
    from collections.abc import Mapping

    from peers.log import Log

_MOST = 400
"""Queries of an account that are looked at, the first ones: the test is quadratic in them."""
_LEAST = 20
_CHUNK = 500


class Prada:
    """Juuti, Szyller, Marchal, Asokan, "PRADA: Protecting against DNN model stealing attacks".

    For each query the distance to the nearest earlier query of the growing set is taken; benign distances
    look normal, so an account is named when the Shapiro-Wilk statistic of its distances falls below delta.
    Outliers beyond three standard deviations are left out first. The paper looks at each predicted class
    apart; an answer of a language model has no class, so all queries of an account are one.
    """

    name = "prada"
    source = "arXiv 1805.02628 (EuroS&P 2019), algorithm 3"
    grid = tuple(
        {"delta": delta, "least": least}
        for delta, least in product((0.5, 0.6, 0.7, 0.8, 0.85, 0.9, 0.95), (20, 50, 100))
    )

    def measure(self, log: Log) -> tuple[Ints, Ints, npt.NDArray[np.float64]]:
        """Return accounts, number of their distances, and the Shapiro-Wilk statistics."""
        tested = np.flatnonzero(log.volume >= _LEAST)
        found = [
            one for part in np.array_split(tested, tested.size // _CHUNK + 1) for one in _part(log, part)
        ]
        return tested, np.array([n for n, _ in found], np.int64), np.array([w for _, w in found], np.float64)

    def claims(
        self,
        log: Log,
        measured: tuple[Ints, Ints, npt.NDArray[np.float64]],
        settings: Mapping[str, float],
    ) -> list[Ints]:
        """Name the accounts whose distances are not normal."""
        del log
        tested, number, statistic = measured
        return alone(tested[(number >= settings["least"]) & (statistic < settings["delta"])])


def _part(log: Log, accounts: Ints) -> list[tuple[int, float]]:
    """Embed the first queries of some accounts at once and test each account's."""
    number = np.minimum(log.volume[accounts], _MOST)
    ends = np.cumsum(number)
    rows = np.repeat(log.bounds[accounts] - ends + number, number) + np.arange(number.sum())
    points = embed(log, rows)
    return [_statistic(one) for one in np.split(points, ends[:-1])] if accounts.size else []


def _statistic(points: npt.NDArray[np.float32]) -> tuple[int, float]:
    distance = nearest_earlier(points)
    spread = distance.std()
    kept = distance[np.abs(distance - distance.mean()) <= 3 * spread]
    if kept.size < 3 or np.ptp(kept) < 1e-6:
        return int(kept.size), 1.0 if kept.size < 3 else 0.0
    return int(kept.size), float(shapiro(kept).statistic)


@njit(cache=True)
def nearest_earlier(points):
    """Return the distance of each point from the nearest point of the growing set (algorithm 2 of the paper).

    A point joins the set when its distance exceeds the threshold, which is the largest value that mean minus
    standard deviation of the set's own distances ever had.
    """
    count = points.shape[0]
    distances = np.zeros(max(count - 1, 0))
    members = np.zeros(count, np.int64)
    joined = 1
    total, squares, threshold = 0.0, 0.0, 0.0
    for at in range(1, count):
        best = np.inf
        for place in range(joined):
            gap = 0.0
            for d in range(points.shape[1]):
                gap += (points[at, d] - points[members[place], d]) ** 2
            best = min(best, gap)
        distance = np.sqrt(best)
        distances[at - 1] = distance
        if distance > threshold:
            members[joined] = at
            joined += 1
            total += distance
            squares += distance * distance
            mean = total / (joined - 1)
            threshold = max(threshold, mean - np.sqrt(max(squares / (joined - 1) - mean * mean, 0.0)))
    return distances
