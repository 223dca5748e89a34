"""The audit of the null: the method applied to groups that are nothing by construction."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
from scipy.stats import norm

from stillwatch.detect.evidence import combine
from stillwatch.detect.profiles import STATISTICS, statistics_of
from stillwatch.model.findings import NullAudit
from stillwatch.stats.nullaudit import within

if TYPE_CHECKING:
    from stillwatch.detect.placebo import Placebos

Floats = npt.NDArray[np.float64]

_GROUPS = 400
_SIZE = 12
_MOST_LOG_E = float(np.log(100.0))


def audit_null(placebos: Placebos, group_p: Floats, seed: int) -> NullAudit:
    """Judge groups drawn like placebos, but with other random numbers, as if they were candidates.

    Their e-values must average at most 1, and their z-scores must have a standard deviation of 1 (compare
    Efron 2004, doi 10.1198/016214504000000089); otherwise every error rate of the report is
    in doubt and the report says so.

    Args:
        placebos: Null distributions and the pool behind them.
        group_p: p-values of the candidate groups' activity covariance, for the share of null groups.
        seed: Seed of the audit's draws; must differ from that of the placebos.
    """
    volume = float(np.median(placebos.volume))
    rng = np.random.default_rng([seed, 3])
    drawn = [placebos.draw(_SIZE, volume, half, _GROUPS, rng) for half in (0, 1)]
    values = np.stack(
        [statistics_of(placebos.profiles, groups, placebos.residuals) for groups in drawn], axis=1
    )
    nulls = (placebos.distribution(_SIZE, volume, 0), placebos.distribution(_SIZE, volume, 1))
    log_e = np.array([combine(one, nulls, 2 * _SIZE).log_e for one in values])
    z = _covariance_z(values[:, 0], nulls[0].values, rng)
    # a single lucky draw must not decide, so e-values count up to a bound; their expectation stays at most 1
    capped = np.exp(np.minimum(log_e, _MOST_LOG_E))
    mean_e, error = float(capped.mean()), float(capped.std() / np.sqrt(_GROUPS))
    # nothing but nulls stands here, so all scores count, not only their centre as in Efron's estimate
    sigma = float(z.std())
    sound = within(sigma) and mean_e - 3 * error <= 1.0
    return NullAudit(
        placebos=placebos.number,
        mean_e=mean_e,
        sigma=sigma,
        pi0=_null_share(group_p),
        sound=sound,
        sentence=_sentence(mean_e, sigma, sound),
    )


def _covariance_z(values: Floats, null: Floats, rng: np.random.Generator) -> Floats:
    """Return z-scores of the first statistic by its rank among the placebos, ties broken at random."""
    first = list(STATISTICS).index("activity_covariance")
    below = np.searchsorted(null[:, first], values[:, first], side="left")
    equal = np.searchsorted(null[:, first], values[:, first], side="right") - below
    rank = (below + rng.uniform(size=below.size) * (equal + 1)) / (null.shape[0] + 1)
    scores: Floats = norm.ppf(np.clip(rank, 1e-6, 1 - 1e-6))
    return scores


def _null_share(p_values: Floats) -> float:
    """Estimate the share of null groups (Storey 2002, doi 10.1111/1467-9868.00346, at lambda = 1/2)."""
    if p_values.size == 0:
        return 1.0
    return float(min(1.0, (1 + (p_values > 0.5).sum()) / (0.5 * p_values.size)))


def _sentence(mean_e: float, sigma: float, sound: bool) -> str:
    state = "is sound" if sound else "is NOT sound: treat every error rate of this report as too low"
    return (
        f"Groups drawn at random average an e-value of {mean_e:.2f} (at most 1 is right) and their scores "
        f"have a standard deviation of {sigma:.2f} (1 is right, 0.8 to 1.2 is accepted): "
        f"the calibration {state}."
    )
