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
        count, expected, width = _scan(day)
        chosen = _best(day, count, expected, width, _unusual(count, expected, level, least))
        for row, first in chosen:
            log_e = burst_log_e(float(count[row, first]), float(expected[row, first])) - tried
            inside = order[first : first + int(count[row, first])]
            start, days = float(day[first]), float(width[row, first])
            found.append(Cohort(np.sort(inside), start, days, float(expected[row, first]), float(log_e)))
        if not chosen:
            break
        order = np.delete(order, np.concatenate([_places(count, row, first) for row, first in chosen]))
    return sorted(found, key=lambda one: one.start)


def _places(count: Floats, row: int, first: int) -> Ints:
    return np.arange(first, first + int(count[row, first]))


def _unusual(count: Floats, expected: Floats, level: float, least: int) -> npt.NDArray[np.bool_]:
    unusual = (count >= least) & (count >= _LEAST_EXCESS * expected)
    unusual[unusual] = poisson.sf(count[unusual] - 1, expected[unusual]) <= level
    return np.asarray(unusual)


def _best(
    day: Floats, count: Floats, expected: Floats, width: Floats, unusual: npt.NDArray[np.bool_]
) -> list[tuple[int, int]]:
    """Choose the strongest window of each stretch of unusual ones; what lies apart is not compared."""
    row, place = np.nonzero(unusual)
    ratio = _log_ratio(count[unusual], expected[unusual])
    order = np.argsort(day[place], kind="stable")
    gaps = np.diff(day[place][order]) > AROUND + width.max(initial=0.0)
    stretches = np.split(order, np.flatnonzero(gaps) + 1)
    best = [int(one[np.argmax(ratio[one])]) for one in stretches if one.size]
    return [(int(row[at]), int(place[at])) for at in best]


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
