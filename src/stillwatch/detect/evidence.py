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


@dataclass(frozen=True)
class Halves:
    """Statistics of the two halves of a group, before they are held against placebos.

    Attributes:
        values: Shape (2, S).
        size: Accounts of a half.
        volume: Typical number of exchanges of an account of each half.
    """

    values: Floats
    size: int
    volume: tuple[float, float]

    @property
    def placebos(self) -> list[tuple[int, float, int]]:
        """The null distributions that it is compared with (`Placebos.distribution`)."""
        return [(self.size, volume, half) for half, volume in enumerate(self.volume)]


def halved(profiles: Profiles, volume: Ints, rhythm: Floats, rng: np.random.Generator) -> Halves | None:
    """Compute the statistics of a group's halves, None where it is too small.

    Args:
        profiles: Profiles of the sampled members, made from their strands.
        volume: Strand exchanges of these members.
        rhythm: Activity of the service in each block.
        rng: Source of the random halves.
    """
    size = half_size(profiles.account.size // 2)
    if size == 0:
        return None
    order = rng.permutation(profiles.account.size)
    rows = order[: 2 * size].reshape(2, size)
    values = statistics_of(profiles, rows, deseasonalised(profiles.counts, rhythm))
    return Halves(values, size, (float(np.median(volume[rows[0]])), float(np.median(volume[rows[1]]))))


def weigh(halves: Halves | None, placebos: Placebos) -> Evidence:
    """Compute the evidence of one group from its halves."""
    if halves is None:
        return NOTHING
    first, second = (placebos.distribution(*wanted) for wanted in halves.placebos)
    return combine(halves.values, (first, second), 2 * halves.size)


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
