"""Sign-up cohorts: accounts opened within hours of each other, far more than the days around explain.

A rare trait that needs no text: whoever opens accounts in batches leaves bursts of sign-ups, whatever the
accounts do later. Honest people come in bursts as well (a class, a company's first day, an article), so a
burst only proposes accounts; what they are is decided by what they do.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.special import logsumexp
from scipy.stats import poisson

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

WIDTHS = (1 / 24, 6 / 24, 1.0)
"""Lengths of the windows in days."""
AROUND = 3.0
"""Days before and after a window in which sign-ups are counted for comparison."""
_LEAST_EXCESS = 3.0
"""A cohort has at least three times the sign-ups that the days around let expect: less would be a mixture."""
_MOST = 400
_RATES = np.geomspace(1.5, 1000.0, 14)


@dataclass(frozen=True)
class Cohort:
    """A burst of sign-ups.

    Attributes:
        members: Positions of the accounts, ascending.
        start: Day of the first sign-up.
        days: Length of the window.
        expected: Sign-ups that the days around let expect in it.
        log_e: Log e-value of the burst, all windows that were looked at accounted for.
    """

    members: Ints
    start: float
    days: float
    expected: float
    log_e: float


def sign_up_cohorts(created: Floats, level: float, least: int) -> list[Cohort]:
    """Find bursts of sign-ups by a scan over windows of several lengths (Kulldorff 1997).

    Windows begin at each sign-up. The count is compared with a Poisson law whose rate comes from `AROUND`
    days on either side. The window with the largest likelihood ratio is taken out, and the rest is scanned
    again, so that a burst is not compared with the next one.

    Args:
        created: Day on which each account was opened, finite, shape (n,).
        level: Level of the test of one window.
        least: Smallest number of accounts of a cohort.

    Returns:
        Cohorts in order of their start; no account is in two of them.
    """
    order = np.argsort(created, kind="stable")
    tried = np.log(max(created.size * len(WIDTHS), 1))
    found: list[Cohort] = []
    while order.size >= least and len(found) < _MOST:
        day = created[order]
        count, expected, width = (column.ravel() for column in _scan(day))
        unusual = (count >= least) & (count >= _LEAST_EXCESS * expected)
        unusual &= poisson.sf(count - 1, expected) <= level
        if not unusual.any():
            break
        at = int(np.argmax(np.where(unusual, _log_ratio(count, expected), -np.inf)))
        first = at % day.size
        inside = np.arange(first, first + int(count[at]))
        log_e = burst_log_e(float(count[at]), float(expected[at])) - tried
        found.append(
            Cohort(
                np.sort(order[inside]), float(day[first]), float(width[at]), float(expected[at]), float(log_e)
            )
        )
        order = np.delete(order, inside)
    return sorted(found, key=lambda one: one.start)


def _scan(day: Floats) -> tuple[Floats, Floats, Floats]:
    """Return count, expected count and length of each window, each of shape (widths, n); `day` ascends."""
    number = np.arange(day.size)
    low = number - np.searchsorted(day, day - AROUND)
    counts, expected = [], []
    for width in WIDTHS:
        count = np.searchsorted(day, day + width) - number
        outside = np.searchsorted(day, day + width + AROUND) - number - count + low
        # what lies before the first or after the last sign-up cannot hold one
        reach = np.minimum(day + width + AROUND, day[-1]) - np.maximum(day - AROUND, day[0]) - width
        counts.append(count.astype(np.float64))
        expected.append((outside + 1.0) * width / np.maximum(reach, width))
    return np.stack(counts), np.stack(expected), np.repeat(np.array(WIDTHS)[:, None], day.size, axis=1)


def _log_ratio(count: Floats, expected: Floats) -> Floats:
    return np.where(count > expected, count * np.log(count / expected) - (count - expected), 0.0)


def burst_log_e(count: float, expected: float) -> float:
    """Return the log e-value of `count` sign-ups where `expected` are due: a mixture over Poisson rates."""
    return float(logsumexp(count * np.log(_RATES) - expected * (_RATES - 1.0)) - np.log(_RATES.size))
