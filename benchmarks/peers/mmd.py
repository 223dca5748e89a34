"""An MMD window test: does a window of an account's queries come from ordinary traffic?"""

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

WINDOWS = (50, 100, 200)
LEVELS = (0.01, 0.001)
_FEATURES = 256
_REFERENCE = 20_000
_NULLS = 2_000
_SEED = 23
Floats = npt.NDArray[np.float64]


class MmdWindow:
    """Liu, Guo and Dong, a maximum mean discrepancy between a window of queries and historical traffic.

    Kernel: Gaussian with the median heuristic, by random Fourier features (Rahimi and Recht 2007). The
    threshold is a quantile over windows of the same size drawn at random from pooled traffic, as in the
    paper; an account is named when its last window exceeds it. Windows shorter than the smallest size are not
    tested. The paper's windows have up to 1,500 queries; most accounts here never send so many.
    """

    name = "mmd-window"
    source = "arXiv 2606.05725 (2026), on hashed n-gram features"
    grid = tuple({"window": window, "level": level} for window, level in product(WINDOWS, LEVELS))

    def measure(self, log: Log) -> dict[int, tuple[Ints, Floats, Floats]]:
        """Return for each window size accounts, statistics, and the null's statistics."""
        rng = np.random.default_rng(_SEED)
        drawn = rng.integers(0, log.account.size, min(_REFERENCE, log.account.size))
        features = _features(embed(log, drawn), rng)
        reference = features(embed(log, drawn))
        centre = reference.mean(axis=0)
        return {window: _windows(log, window, features, reference, centre, rng) for window in WINDOWS}

    def claims(
        self, log: Log, measured: dict[int, tuple[Ints, Floats, Floats]], settings: Mapping[str, float]
    ) -> list[Ints]:
        """Name the accounts whose window lies beyond the quantile."""
        del log
        tested, statistic, null = measured[int(settings["window"])]
        return alone(tested[statistic > np.quantile(null, 1.0 - settings["level"])])


def _features(
    sample: npt.NDArray[np.float32], rng: np.random.Generator
):  # a closure over the drawn frequencies
    pairs = rng.integers(0, len(sample), (2, 4_000))
    gaps = np.linalg.norm(sample[pairs[0]] - sample[pairs[1]], axis=1)
    width = max(float(np.median(gaps)), 1e-3)
    frequency = rng.standard_normal((DIMENSIONS, _FEATURES)).astype(np.float32) / width
    phase = rng.uniform(0, 2 * np.pi, _FEATURES).astype(np.float32)
    return lambda points: np.sqrt(2.0 / _FEATURES) * np.cos(points @ frequency + phase)


def _windows(log, window, features, reference, centre, rng) -> tuple[Ints, Floats, Floats]:
    tested = np.flatnonzero(log.volume >= window)
    last = log.bounds[tested + 1]
    rows = (last[:, None] - window + np.arange(window)).ravel()
    statistic = np.empty(tested.size)
    for low in range(0, tested.size, 500):
        part = features(embed(log, rows[low * window : (low + 500) * window]))
        means = part.reshape(-1, window, _FEATURES).mean(axis=1)
        statistic[low : low + 500] = ((means - centre) ** 2).sum(axis=1)
    drawn = rng.integers(0, len(reference), (_NULLS, window))
    null = np.array([((reference[one].mean(axis=0) - centre) ** 2).sum() for one in drawn])
    return tested, statistic, null
