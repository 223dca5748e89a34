"""Which of many accounts taught the suspect?"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import msgspec
import numpy as np

from stillwatch.lineage.radioactivity import key_totals, strongest
from stillwatch.stats.fdr import holm_log_levels

if TYPE_CHECKING:
    from stillwatch.lab.examination import Sitting
    from stillwatch.lab.school import School

_PAIRS = 6000
"""Pairs of most weight that are scored under every key."""


class Tracing(msgspec.Struct, frozen=True):
    """Accounts named from the suspect alone.

    Attributes:
        accounts: Number of accounts whose keys were tried.
        ranks: Rank of each guilty account among all, best first.
        guilty_z: Standardised statistic of each guilty account, in the same order.
        guilty_levels: Family-wise level at which each guilty account is named (Holm).
        named: Accounts named at 1 %.
        wrongly_named: Innocent accounts named at 1 %.
        innocent_mean: Mean of z over the innocent accounts.
        innocent_deviation: Standard deviation of z over them.
        innocent_best: Largest z among them.
    """

    accounts: int
    ranks: tuple[int, ...]
    guilty_z: tuple[float, ...]
    guilty_levels: tuple[float, ...]
    named: int
    wrongly_named: int
    innocent_mean: float
    innocent_deviation: float
    innocent_best: float


def trace(school: School, sitting: Sitting) -> Tracing:
    """Try the keys of all accounts on the largest closed contrast of `sitting`."""
    name = f"contrast, {len(sitting.answers)} answers"
    evidence = strongest(sitting.evidence[name], _PAIRS)
    totals, law = key_totals(evidence, school.scheme(sitting.condition), school.keys[2:])
    z = totals / law.deviation
    # Only a clear statistic can be named among thousands; the rest need no exact tail.
    log_p = np.array([law.log_tail(float(total)) if total > 2.5 * law.deviation else 0.0 for total in totals])
    levels = np.exp(holm_log_levels(log_p))
    guilty, order = school.guilty(), np.argsort(-z)
    innocent = np.setdiff1d(np.arange(len(z)), guilty)
    ranks = np.empty(len(z), dtype=np.int64)
    ranks[order] = np.arange(1, len(z) + 1)
    best_first = guilty[np.argsort(ranks[guilty])]
    return Tracing(
        accounts=len(z),
        ranks=tuple(int(one) for one in ranks[best_first]),
        guilty_z=tuple(float(one) for one in z[best_first]),
        guilty_levels=tuple(float(one) for one in levels[best_first]),
        named=int(np.sum(levels[guilty] < 0.01)),
        wrongly_named=int(np.sum(levels[innocent] < 0.01)),
        innocent_mean=float(z[innocent].mean()),
        innocent_deviation=float(z[innocent].std()),
        innocent_best=float(z[innocent].max(initial=-math.inf)),
    )
