"""Covariance of activity: do the accounts of a group work together, apart, or by turns?

C = Var(sum of the accounts' counts) / sum of their variances over time bins, once the rhythm of the service
is removed. Independent accounts give about 1, a shared job queue far more, a load balancer far less.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numba import njit

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray


def covariance_ratio(counts: ArrayLike, seasonality: ArrayLike | None = None) -> float:
    """Variance of the summed activity over the summed variances of all accounts given.

    Args:
        counts: Exchanges per account and time bin, shape (accounts, bins).
        seasonality: Activity of the whole service per bin, shape (bins,), in any unit; None is a flat rhythm.

    Returns:
        The ratio C; 1 when no account deviates from the rhythm at all.

    Raises:
        ValueError: A count is negative or the shapes do not fit.

    Example:
        >>> covariance_ratio([[0, 4, 0, 4], [0, 4, 0, 4]]), covariance_ratio([[0, 4], [4, 0]])
        (2.0, 0.0)
    """
    members = np.arange(len(np.atleast_1d(np.asarray(counts))), dtype=np.int64)[None, :]
    return float(covariance_ratios(counts, members, seasonality)[0])


def covariance_ratios(
    counts: ArrayLike, groups_index: ArrayLike, seasonality: ArrayLike | None = None
) -> NDArray[np.float64]:
    """`covariance_ratio` of many groups that are drawn from the same accounts, as placebo calibration needs.

    Costs m x k x bins additions: 10,000 placebo groups of 200 accounts in 64 bins are 1.3e8.

    Args:
        counts: Exchanges per account and time bin, shape (accounts, bins).
        groups_index: Rows of `counts` per group, shape (m, k); a negative index pads a smaller group.
        seasonality: Activity of the whole service per bin, shape (bins,), in any unit; None is a flat rhythm.

    Returns:
        The ratios C, shape (m,).

    Raises:
        ValueError: A count is negative, an index is beyond the accounts, or the shapes do not fit.

    Example:
        >>> covariance_ratios([[0, 4], [0, 4], [4, 0]], [[0, 1], [0, 2], [1, -1]])
        array([2., 0., 1.])
    """
    return residual_ratios(deseasonalised(counts, seasonality), groups_index)


def residual_ratios(residuals: NDArray[np.float64], groups_index: ArrayLike) -> NDArray[np.float64]:
    """`covariance_ratios` of counts that are deseasonalised already.

    Args:
        residuals: Result of `deseasonalised`, shape (accounts, bins).
        groups_index: Rows of `residuals` per group, shape (m, k); a negative index pads a smaller group.

    Returns:
        The ratios C, shape (m,).

    Raises:
        ValueError: An index is beyond the accounts, or the shapes do not fit.

    Example:
        >>> residual_ratios(deseasonalised([[0, 4], [0, 4], [4, 0]]), [[0, 1], [0, 2], [1, -1]])
        array([2., 0., 1.])
    """
    groups = np.ascontiguousarray(groups_index, dtype=np.int64)
    if groups.ndim != 2:
        raise ValueError("the group index must have shape (groups, members)")
    if groups.size and int(groups.max()) >= residuals.shape[0]:
        raise ValueError("the group index names an account that has no row of counts")
    return np.asarray(_ratios(residuals, np.sum(residuals**2, axis=1), groups))


def deseasonalised(counts: ArrayLike, seasonality: ArrayLike | None = None) -> NDArray[np.float64]:
    """Counts minus what each account would do if it followed the rhythm of the whole service.

    Args:
        counts: Exchanges per account and time bin, shape (accounts, bins).
        seasonality: Activity of the whole service per bin, shape (bins,), in any unit; None is a flat rhythm.

    Returns:
        Residuals that add up to 0 for each account, shape (accounts, bins).

    Raises:
        ValueError: A count is negative or the shapes do not fit.

    Example:
        >>> deseasonalised([[2, 2]], seasonality=[1, 3])
        array([[ 1., -1.]])
    """
    table = np.ascontiguousarray(counts, dtype=np.float64)
    if table.ndim != 2 or table.shape[1] == 0 or not np.all((table >= 0.0) & (table < np.inf)):
        raise ValueError("counts must be non-negative and have shape (accounts, bins) with at least one bin")
    bins = table.shape[1]
    rhythm = np.ones(bins) if seasonality is None else np.asarray(seasonality, dtype=np.float64)
    if rhythm.shape != (bins,) or not np.all((rhythm >= 0.0) & (rhythm < np.inf)) or not rhythm.sum() > 0.0:
        raise ValueError("the seasonality must be non-negative, not all 0, and have one value per bin")
    totals = table.sum(axis=1, keepdims=True)
    residuals = table - totals * (rhythm / rhythm.sum())
    # Rounding of an account that follows the rhythm exactly would otherwise be taken for its variance.
    return np.asarray(np.where(np.abs(residuals) <= 1e-12 * totals, 0.0, residuals))


@njit(cache=True, nogil=True)
def _ratios(
    residuals: NDArray[np.float64], squares: NDArray[np.float64], groups: NDArray[np.int64]
) -> NDArray[np.float64]:
    bins = residuals.shape[1]
    ratios = np.ones(groups.shape[0])
    total = np.empty(bins)
    for group in range(groups.shape[0]):
        total[:] = 0.0
        apart = 0.0
        for account in groups[group]:
            if account >= 0:
                total += residuals[account]
                apart += squares[account]
        if apart > 0.0:
            ratios[group] = np.sum(total * total) / apart
    return ratios
