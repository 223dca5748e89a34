"""Anytime-valid evidence: running e-processes and the moment at which they cross a threshold.

Ville's inequality (1939): if the increments multiply to a non-negative supermartingale that starts at 1, the
probability that it *ever* reaches 1/alpha is at most alpha, at any stopping time, however often one looks.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numba import njit

from stillwatch.stats.evalues import DEFAULT_ALTERNATIVES, log_mixture_e

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike, NDArray

NEVER = -1
"""Index that `crossing_index` gives to a process that never crosses."""


def crossing_index(
    log_increments: ArrayLike, log_threshold: float, offsets: ArrayLike | None = None
) -> NDArray[np.int64]:
    """Index of the first step after which each running product has reached the threshold.

    With a threshold of log(1/alpha) and increments that are e-values given the past, the share of null
    processes that ever cross is at most alpha (Ville).

    Args:
        log_increments: Log e-value of each step; shape (processes, steps), or flat when `offsets` is given.
        log_threshold: Natural logarithm of the threshold.
        offsets: Shape (processes + 1,): process i has the steps offsets[i] to offsets[i + 1].

    Returns:
        Step within the process, counted from 0, or `NEVER`; shape (processes,).

    Raises:
        ValueError: An increment is not a number, or the offsets do not cover the increments in order.

    Example:
        >>> crossing_index([[1.0, 2.0, 3.0], [0.0, -1.0, 0.5]], log_threshold=3.0)
        array([ 1, -1])
    """
    steps = np.asarray(log_increments, dtype=np.float64)
    if np.any(np.isnan(steps)):
        raise ValueError("log increments must be numbers: one of them is not")
    if offsets is not None:
        return np.asarray(_first_crossings(steps, _checked_offsets(offsets, steps), log_threshold))
    if steps.ndim != 2:
        raise ValueError("log increments must have shape (processes, steps), or be flat with offsets")
    bounds = np.arange(steps.shape[0] + 1, dtype=np.int64) * steps.shape[1]
    return np.asarray(_first_crossings(np.ascontiguousarray(steps).ravel(), bounds, log_threshold))


def running_mixture_log_e(
    hits: ArrayLike,
    trials: ArrayLike,
    null_mean: ArrayLike,
    null_dispersion: ArrayLike = np.inf,
    alternatives: Sequence[float] = DEFAULT_ALTERNATIVES,
) -> NDArray[np.float64]:
    """Log of the mixture e-process of each unit after each step, under a null in which units differ.

    A unit keeps the rate that it drew, so its steps depend on each other and their separate e-values must not
    be multiplied. The likelihood ratio of the whole history, which is `log_mixture_e` at cumulated counts, is
    a martingale under the beta-binomial null, so Ville's bound holds for its running maximum.

    Args:
        hits: Hits in each step, shape (units, steps).
        trials: Trials in each step, shape (units, steps).
        null_mean: Mean rate under the null; a scalar or shape (units, 1).
        null_dispersion: alpha + beta of the null; a scalar or shape (units, 1).
        alternatives: Rates inside (0, 1).

    Returns:
        Log e after each step, shape (units, steps); its differences are the increments for `crossing_index`.

    Raises:
        ValueError: An argument is outside its range.

    Example:
        >>> running_mixture_log_e([[0, 1, 1]], [[1, 1, 1]], null_mean=1e-3, null_dispersion=50.0).round(1)
        array([[-0.4,  4.8,  7.8]])
    """
    if np.any(np.asarray(hits) > np.asarray(trials)):
        raise ValueError("hits must lie between 0 and trials in each step")
    return log_mixture_e(
        np.cumsum(hits, axis=-1), np.cumsum(trials, axis=-1), null_mean, null_dispersion, alternatives
    )


def _checked_offsets(offsets: ArrayLike, steps: NDArray[np.float64]) -> NDArray[np.int64]:
    bounds = np.asarray(offsets, dtype=np.int64)
    covers = bounds.ndim == 1 and bounds.size > 0 and bounds[0] == 0 and bounds[-1] == steps.size
    if steps.ndim != 1 or not covers or np.any(np.diff(bounds) < 0):
        raise ValueError("offsets must rise from 0 to the number of increments")
    return bounds


@njit(cache=True)
def _first_crossings(
    steps: NDArray[np.float64], bounds: NDArray[np.int64], log_threshold: float
) -> NDArray[np.int64]:
    found = np.full(bounds.size - 1, -1, dtype=np.int64)
    for process in range(bounds.size - 1):
        total = 0.0
        for step in range(bounds[process], bounds[process + 1]):
            total += steps[step]
            if total >= log_threshold:
                found[process] = step - bounds[process]
                break
            if total == -np.inf:
                break
    return found
