"""Evidence that a sign-up cohort acts together, from everything but the sign-ups that proposed it.

The null is that whoever signs up within these hours acts as anybody else of like volume. The cohort is
tested as the scan of sign-ups left it: nobody was chosen by what they do. Statistics that a common date of
birth alone can move are left out where the cohort is young (`crowd_evidence.allowed`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from stillwatch.detect.evidence import NOTHING, Evidence, Measured
from stillwatch.detect.matched import matched_groups
from stillwatch.detect.placebo import half_size
from stillwatch.detect.profiles import COVARIANCE, STATISTICS, statistics_of
from stillwatch.model.views import View
from stillwatch.stats.dispersion import deseasonalised
from stillwatch.stats.evalues import conformal_log_e, log_mean_e

if TYPE_CHECKING:
    from stillwatch.detect.behaviour import Behaviour
    from stillwatch.detect.placebo import Placebos
    from stillwatch.detect.profiles import Profiles
    from stillwatch.detect.schedules import Schedules

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

SCHEDULE = "shared_schedule"
_FORMING = "births"
_OF_AGE = (COVARIANCE, "pivot")
_POWER = 4


def allowed(*, settled: bool) -> dict[str, View]:
    """Return the statistics that may speak, with their views, those of `STATISTICS` in its order.

    Births proposed the cohort. Accounts that were opened together within the log, or just before it, are also
    inactive before that and new to everything at the same time, so their activity and the day of their first
    use of a model agree without any plan.

    Args:
        settled: Whether the cohort was opened well before the log begins.
    """
    named = {
        name: view
        for name, view in STATISTICS.items()
        if name != _FORMING and (settled or name not in _OF_AGE)
    }
    return {**named, SCHEDULE: View.TIMING}


def weigh_cohort(
    rows: Behaviour,
    profiles: Profiles,
    volume: Ints,
    placebos: Placebos,
    eligible: Ints,
    schedules: Schedules | None,
    rng: np.random.Generator,
    *,
    settled: bool,
) -> Evidence:
    """Compute the evidence of one cohort; see `evidence.weigh` for the method.

    Args:
        rows: All exchanges of the sampled members.
        profiles: Their profiles.
        volume: Their exchanges.
        placebos: The placebo pool.
        eligible: Rows of the pool that might have been in a cohort.
        schedules: Spectra of the pool since the cohort settled, None where too few days are left.
        rng: Source of the random halves.
        settled: Whether the cohort was opened well before the log begins.
    """
    size = half_size(profiles.account.size // 2)
    views = allowed(settled=settled)
    if size == 0:
        return NOTHING
    order = rng.permutation(profiles.account.size)
    residuals = deseasonalised(profiles.counts, placebos.rhythm)
    values, nulls = [], []
    for half in (0, 1):
        members = order[half * size : (half + 1) * size]
        mine = eligible[eligible % 2 == half]  # the halves are compared with separate accounts
        groups = matched_groups(placebos.volume[mine], volume[members], placebos.number, rng)
        groups = np.where(groups >= 0, mine[groups], -1)
        given = statistics_of(profiles, members[None, :], residuals)[0]
        null = statistics_of(placebos.profiles, groups, placebos.residuals)
        if schedules is not None:
            given = np.append(given, schedules.ratios(rows, profiles.account, members[None, :]))
            null = np.column_stack([null, schedules.null(groups)])
        values.append(given)
        nulls.append(null)
    names = [*STATISTICS, SCHEDULE][: values[0].size]
    chosen = np.array([name in views for name in names])
    return _combined(
        {name: views[name] for name in names if name in views},
        np.stack(values)[:, chosen],
        [null[:, chosen] for null in nulls],
        2 * size,
    )


def _combined(views: dict[str, View], values: Floats, nulls: list[Floats], accounts: int) -> Evidence:
    """Average over statistics within a half, multiply over halves (`evidence.combine`)."""
    two_sided = np.array([name == COVARIANCE for name in views])
    judged = [_against(values[half], nulls[half], two_sided) for half in (0, 1)]
    log_e = np.stack([one[0] for one in judged])
    p_values = np.maximum(judged[0][1], judged[1][1])
    middle = np.median(np.concatenate(nulls), axis=0)
    low, high = np.quantile(np.concatenate(nulls), [0.25, 0.75], axis=0)
    view_log_e = {
        view: float(log_mean_e(log_e[:, [one is view for one in views.values()]], axis=1).sum())
        for view in dict.fromkeys(views.values())
    }
    columns = zip(
        views.items(),
        values.mean(axis=0).tolist(),
        middle.tolist(),
        ((high - low) / 1.349).tolist(),
        log_e.sum(axis=0).tolist(),
        p_values.tolist(),
        strict=True,
    )
    measured = tuple(Measured(*named, *row) for named, *row in columns)
    return Evidence(measured, float(log_mean_e(log_e, axis=1).sum()), view_log_e, accounts)


def _against(values: Floats, null: Floats, two_sided: npt.NDArray[np.bool_]) -> tuple[Floats, Floats]:
    """Return log e-values and p-values of one half against its placebos, null of shape (m, S)."""
    away = np.vstack([values, null])
    away -= np.median(away, axis=0)
    score = np.where(two_sided, np.abs(away), np.maximum(away, 0.0)) ** _POWER
    p_values = (1.0 + (score[1:] >= score[0]).sum(axis=0)) / score.shape[0]
    return np.asarray(conformal_log_e(score[0], score[1:].T)), p_values
