"""A per-account test of a shifted mean embedding: Mahalanobis distance from all traffic."""

from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from peers.log import DIMENSIONS, embed
from peers.protocol import Ints, alone

if TYPE_CHECKING:
    from collections.abc import Mapping

    from peers.log import Log

_LEAST = 10
_SAMPLE = 200_000
_SEED = 17


class EmbeddingShift:
    """Names an account when the mean of its queries lies too far from that of all traffic.

    The statistic is n (m - mu)' S^-1 (m - mu) with mean and covariance of pooled traffic, which is
    chi-squared with as many degrees of freedom as dimensions if the account's queries are independent draws
    of that traffic (the assumption of window tests, and the one that real accounts break). Thresholds are
    multiples of the dimension.
    """

    name = "embedding-shift"
    source = "Mahalanobis test, one of the detectors compared in arXiv 2606.05725"
    grid = tuple(
        {"factor": factor, "least": least}
        for factor, least in product((1.5, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0), (10, 30, 100))
    )

    def measure(self, log: Log) -> tuple[Ints, npt.NDArray[np.float64]]:
        """Return the accounts with enough queries and their statistics."""
        everything = np.arange(log.account.size)
        points = embed(log, everything)
        sums = np.zeros((log.size, DIMENSIONS))
        np.add.at(sums, log.account, points)
        drawn = points[
            np.random.default_rng(_SEED).integers(0, max(len(points), 1), min(_SAMPLE, len(points)))
        ]
        inverse = np.linalg.pinv(np.cov(drawn.T.astype(np.float64)) + 1e-6 * np.eye(DIMENSIONS))
        tested = np.flatnonzero(log.volume >= _LEAST)
        number = log.volume[tested].astype(np.float64)
        away = sums[tested] / number[:, None] - drawn.mean(axis=0)
        return tested, number * np.einsum("ij,jk,ik->i", away, inverse, away) / DIMENSIONS

    def claims(
        self, log: Log, measured: tuple[Ints, npt.NDArray[np.float64]], settings: Mapping[str, float]
    ) -> list[Ints]:
        """Name the accounts beyond the threshold."""
        tested, statistic = measured
        return alone(tested[(log.volume[tested] >= settings["least"]) & (statistic > settings["factor"])])
