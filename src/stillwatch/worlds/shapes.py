"""Distributions of the simulated traffic, as quantile tables read by linear interpolation.

Tables instead of closed forms for two reasons: they are fitted to public traces as they stand, and
interpolation uses only addition and multiplication, which give the same bits on every machine where
vectorised `exp` and `log` do not.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from collections.abc import Sequence

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

LEVELS = (0.0, 0.01, 0.05, 0.10, 0.25, 0.50, 0.75, 0.90, 0.95, 0.99, 1.0)
"""Probabilities at which a quantile table of eleven numbers is given."""

NORMAL = (-3.1, -2.326, -1.645, -1.282, -0.674, 0.0, 0.674, 1.282, 1.645, 2.326, 3.1)
"""Quantiles of the standard normal distribution at `LEVELS`, cut at three standard deviations."""


def draw(table: Sequence[float], count: int, rng: np.random.Generator) -> Floats:
    """Draw `count` values of the distribution whose quantiles at `LEVELS` are `table`."""
    return interpolated(rng.random(count), table)


def interpolated(levels: Floats, table: Sequence[float]) -> Floats:
    """Read quantiles at `levels` (in [0, 1)) from a table, one array operation at a time.

    `np.interp` may fuse multiplication and addition, which changes the last bit on some processors.
    """
    values = np.asarray(table, dtype=np.float64)
    edges = np.asarray(LEVELS)
    slopes = np.diff(values) / np.diff(edges)
    place = np.searchsorted(edges, levels, side="right") - 1
    steps = levels - edges[place]
    steps *= slopes[place]
    return np.asarray(values[place] + steps)


def lognormal_table(median: float, sigma: float) -> tuple[float, ...]:
    """Quantiles at `LEVELS` of a lognormal with this `median` and log standard deviation `sigma`."""
    return tuple(float(f"{median * 2.718281828459045 ** (sigma * z):.6g}") for z in NORMAL)


def whole(values: Floats, least: int = 1) -> Ints:
    """Round to whole numbers of at least `least`."""
    return np.maximum(np.floor(values + 0.5).astype(np.int64), least)


def pick(weights: Sequence[float] | Floats, count: int, rng: np.random.Generator) -> Ints:
    """Draw `count` indexes with probabilities proportional to `weights`."""
    edges = np.cumsum(np.asarray(weights, dtype=np.float64))
    found = np.searchsorted(edges, rng.random(count) * edges[-1], side="right")
    return np.asarray(np.minimum(found, len(edges) - 1), dtype=np.int64)


def zipf_weights(size: int) -> Floats:
    """Popularity of `size` public things: proportional to 1 / (rank + 1.5)."""
    return np.asarray(1.0 / (np.arange(size) + 2.5))


def share_out(total: int, sizes: Sequence[float], rng: np.random.Generator) -> Ints:
    """Give each of `total` things to one of `len(sizes)` owners, in random order, in about these shares."""
    edges = np.floor(np.cumsum(np.asarray(sizes, dtype=np.float64)) / sum(sizes) * total + 0.5)
    owner = np.searchsorted(edges, np.arange(total), side="right").clip(0, len(sizes) - 1)
    return rng.permutation(owner).astype(np.int64)


def ranks(counts: Ints) -> Ints:
    """For groups of `counts` consecutive rows, the position of each row inside its group."""
    starts = np.cumsum(counts) - counts
    return np.asarray(np.arange(counts.sum()) - np.repeat(starts, counts), dtype=np.int64)
