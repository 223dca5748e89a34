"""Evidence that the accounts of a group act together, calibrated on placebo groups.

A group is cut into two halves of accounts. In each half every statistic gets a conformal e-value against
placebo groups of the same size and volume from one half of the pool; the e-values of a half are averaged,
because their dependence is unknown, and the two halves are multiplied, because they share no account
(Vovk and Wang 2021, doi 10.1214/20-AOS2020; conformal e-values: arXiv 2302.07294). All statistics of a half
are scored in one compiled pass over the placebos; `stats.evalues.conformal_log_e` is the same for one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numba
import numpy as np
import numpy.typing as npt

from stillwatch.detect.placebo import Null, Placebos, half_size
from stillwatch.detect.profiles import COVARIANCE, STATISTICS, Profiles, statistics_of
from stillwatch.stats.dispersion import deseasonalised
from stillwatch.stats.evalues import log_mean_e

if TYPE_CHECKING:
    from stillwatch.model.views import View

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

_POWER = 4
_NAMES = tuple(STATISTICS)
_TWO_SIDED = np.array([name == COVARIANCE for name in _NAMES])
_VIEWS = {
    view: np.array([found is view for found in STATISTICS.values()])
    for view in dict.fromkeys(STATISTICS.values())
}


@dataclass(frozen=True)
class Measured:
    """One statistic of a group beside its placebo distribution.

    Attributes:
        name: Name of the statistic.
        view: Its view.
        value: Mean over the halves.
        reference: Median over the placebos.
        spread: Robust standard deviation over the placebos (from the interquartile range).
        log_e: Log e-value, both halves together.
        p_value: Larger of the halves' conformal p-values.
    """

    name: str
    view: View
    value: float
    reference: float
    spread: float
    log_e: float
    p_value: float


@dataclass(frozen=True)
class Evidence:
    """All statistics of one group.

    Attributes:
        measured: One entry a statistic, in the order of `STATISTICS`; empty when the group is too small.
        log_e: Log e-value of the group: averaged over statistics, multiplied over halves.
        view_log_e: The same for each view alone.
        accounts: Accounts that it was computed from.
    """

    measured: tuple[Measured, ...]
    log_e: float
    view_log_e: dict[View, float]
    accounts: int


NOTHING = Evidence((), 0.0, {}, 0)


def weigh(profiles: Profiles, volume: Ints, placebos: Placebos, rng: np.random.Generator) -> Evidence:
    """Compute the evidence of one group.

    Args:
        profiles: Profiles of the sampled members, made from their strands.
        volume: Strand exchanges of these members.
        placebos: Null distributions.
        rng: Source of the random halves.
    """
    size = half_size(profiles.account.size // 2)
    if size == 0:
        return NOTHING
    order = rng.permutation(profiles.account.size)
    halves = [order[:size], order[size : 2 * size]]
    residuals = deseasonalised(profiles.counts, placebos.rhythm)
    values, nulls = [], []
    for half, rows in enumerate(halves):
        values.append(statistics_of(profiles, rows[None, :], residuals)[0])
        nulls.append(placebos.distribution(size, float(np.median(volume[rows])), half))
    return combine(np.stack(values), (nulls[0], nulls[1]), 2 * size)


def combine(values: Floats, nulls: tuple[Null, Null], accounts: int) -> Evidence:
    """Turn the statistics of two halves and of their placebos into evidence.

    Args:
        values: Shape (2, S).
        nulls: The halves' null distributions.
        accounts: Accounts behind the values.
    """
    judged = [_against(values[half], nulls[half]) for half in (0, 1)]
    log_e = np.stack([one[0] for one in judged])
    p_values = np.stack([one[1] for one in judged]).max(axis=0)
    view_log_e = {view: float(log_mean_e(log_e[:, rows], axis=1).sum()) for view, rows in _VIEWS.items()}
    measured = tuple(
        Measured(name, STATISTICS[name], *row)
        for name, *row in zip(
            _NAMES,
            values.mean(axis=0).tolist(),
            ((nulls[0].median + nulls[1].median) / 2).tolist(),
            ((nulls[0].spread + nulls[1].spread) / 2).tolist(),
            log_e.sum(axis=0).tolist(),
            p_values.tolist(),
            strict=True,
        )
    )
    return Evidence(measured, float(log_mean_e(log_e, axis=1).sum()), view_log_e, accounts)


def _against(values: Floats, null: Null) -> tuple[Floats, Floats]:
    """Return log e-values and p-values of one half, each of shape (S,).

    The score is the fourth power of the distance from the centre: it needs no scale, and a group that lies
    clearly beyond all placebos gets nearly the largest possible e-value, m + 1. The centre is the median of
    placebos and group together, so that all m + 1 are exchangeable under the null. The covariance counts on
    both sides of it (load balancers lie below), all others only above.
    """
    centre = np.clip(values, null.low_middle, null.high_middle)
    mine, total, beyond = _scores(values, null.values, centre, _TWO_SIDED)
    whole = np.where(mine + total > 0, mine + total, 1.0)
    groups = null.values.shape[0] + 1.0
    with np.errstate(divide="ignore"):
        log_e = np.where(mine + total > 0, np.log(groups * mine / whole), 0.0)
    return log_e, (1.0 + beyond) / groups


@numba.njit(cache=True, nogil=True)
def _scores(
    values: Floats, placebos: Floats, centre: Floats, two_sided: npt.NDArray[np.bool_]
) -> tuple[Floats, Floats, Floats]:
    """Score the group and its placebos: its scores, the sums of theirs, and how many of theirs reach it."""
    mine, total, beyond = np.empty(values.size), np.zeros(values.size), np.zeros(values.size)
    for column in range(values.size):
        away = values[column] - centre[column]
        mine[column] = (abs(away) if two_sided[column] else max(away, 0.0)) ** _POWER
    for row in range(placebos.shape[0]):
        for column in range(values.size):
            away = placebos[row, column] - centre[column]
            score = (abs(away) if two_sided[column] else max(away, 0.0)) ** _POWER
            total[column] += score
            beyond[column] += score >= mine[column]
    return mine, total, beyond
