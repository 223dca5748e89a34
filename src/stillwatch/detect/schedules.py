"""Schedules: do accounts work by one plan, however late each of them carries it out?

A shared queue of jobs runs and rests. When every account follows it with a lag of its own, sums over accounts
wash the pattern out; but a lag changes the phases of a Fourier transform and never their moduli. So each
account is described by its power spectrum, apart from its own daily routine, and a group's spectra are
compared with those of placebo groups: independent people share no spectrum but the service's mean one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from stillwatch.stats.dispersion import residual_ratios

if TYPE_CHECKING:
    from stillwatch.detect.behaviour import Behaviour
    from stillwatch.detect.placebo import Placebos

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

LEAST_DAYS = 5
"""Fewer whole days have too few frequencies apart from the daily ones."""
_HOURS = 24
_HOUR = 3600.0
_CYCLES_A_DAY = 4
"""Frequencies up to four cycles a day: periods down to six hours."""
_LEAST_EXCHANGES = 24


def hourly_table(rows: Behaviour, account: Ints, first_hour: int, days: int) -> Floats:
    """Count the exchanges of each account in each hour, shape (n, days x 24).

    Args:
        rows: Exchanges.
        account: Accounts, ascending, shape (n,).
        first_hour: First hour, since the epoch.
        days: Whole days from there on.
    """
    length = days * _HOURS
    hour = (rows.second // _HOUR).astype(np.int64) - first_hour
    inside = (hour >= 0) & (hour < length)
    place = np.searchsorted(account, rows.account[inside]) * length + hour[inside]
    counts = np.bincount(place, minlength=account.size * length).astype(np.float64)
    return counts.reshape(account.size, length)


def apart_from_routine(table: Floats) -> Floats:
    """Take away each account's own mean of every hour of the day; shape of `table`."""
    hours = table.reshape(table.shape[0], -1, _HOURS)
    return np.asarray((hours - hours.mean(axis=1, keepdims=True)).reshape(table.shape))


def spectra(table: Floats) -> Floats:
    """Return the power spectrum of each account's hourly activity.

    Each account's own mean of every hour of the day is taken away, and the daily frequency and its multiples
    are left out: what is the same every day says nothing about a plan. A spectrum adds up to 1, or to 0 where
    there was too little.

    Args:
        table: Exchanges by hour, whole days, shape (n, days x 24).

    Returns:
        Shape (n, frequencies).
    """
    days = table.shape[1] // _HOURS
    frequency = np.arange(1, _CYCLES_A_DAY * days)
    frequency = frequency[frequency % days != 0]
    power = np.abs(np.fft.rfft(apart_from_routine(table), axis=1)[:, frequency]) ** 2
    power[table.sum(axis=1) < _LEAST_EXCHANGES] = 0.0
    return _share_of(power, power.sum(axis=1, keepdims=True))


def likeness(values: Floats, directions: Floats, members: Ints) -> Floats:
    """Return the correlation, about 0, of each row with the mean direction of the *other* members.

    Args:
        values: What each account does, shape (n, d).
        directions: What each account adds to the mean of a crowd, shape (n, d).
        members: Rows of the crowd.

    Returns:
        Shape (n,); 0 where a row or the mean is empty.
    """
    total = directions[members].sum(axis=0)
    found = _correlation(values, np.broadcast_to(total, values.shape))
    found[members] = _correlation(values[members], total - directions[members])
    return found


def unit(values: Floats) -> Floats:
    """Cut each row to length 1, so that nobody speaks louder than others; an empty row stays."""
    return _share_of(values, np.linalg.norm(values, axis=1, keepdims=True))


def _correlation(one: Floats, other: Floats) -> Floats:
    length = np.linalg.norm(one, axis=1) * np.linalg.norm(other, axis=1)
    return _share_of(np.einsum("nd,nd->n", one, other), length)


def _share_of(part: Floats, whole: Floats) -> Floats:
    return np.asarray(np.divide(part, whole, out=np.zeros_like(part), where=whole > 0.0))


@dataclass(frozen=True)
class Schedules:
    """Spectra of the placebo pool, for one start.

    Attributes:
        first_hour: First hour, since the epoch.
        days: Whole days from there on.
        mean: Mean spectrum of the pool.
        apart: What each account of the pool has beyond it, shape (n, frequencies).
    """

    first_hour: int
    days: int
    mean: Floats
    apart: Floats

    @staticmethod
    def of(rows: Behaviour, placebos: Placebos, first_hour: int, days: int) -> Schedules:
        """Measure the pool, whose exchanges are `rows`."""
        found = spectra(hourly_table(rows, placebos.profiles.account, first_hour, days))
        active = found.any(axis=1)
        mean = found.sum(axis=0) / max(int(active.sum()), 1)
        return Schedules(first_hour, days, mean, np.where(active.reshape(-1, 1), found - mean, 0.0))

    def ratios(self, rows: Behaviour, account: Ints, groups: Ints) -> Floats:
        """Log ratio of the summed to the single deviations from the mean spectrum, for rows of `account`."""
        found = spectra(hourly_table(rows, account, self.first_hour, self.days))
        apart = np.where(found.any(axis=1, keepdims=True), found - self.mean, 0.0)
        return _logs(apart, groups)

    def null(self, groups: Ints) -> Floats:
        """The same of placebo groups, rows of the pool, shape (number,)."""
        return _logs(self.apart, groups)


def _logs(apart: Floats, groups: Ints) -> Floats:
    return np.asarray(np.log(np.maximum(residual_ratios(apart, groups), 1e-3)))
