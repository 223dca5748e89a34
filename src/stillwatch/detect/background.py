"""The background of a group's keys: how often accounts outside the group carry them.

Some accounts may belong to the group and would widen the null; leaving out whoever stands out would narrow it
and make every null look refuted. Both are avoided by the two-groups model (Efron 2008, doi
10.1214/07-STS236): each account comes from the background, a beta-binomial, or with some probability from a
second one of higher rates. It is fitted by classification EM (Celeux and Govaert 1992, doi
10.1016/0167-9473(92)90042-E), and is believed only where it explains the counts better than the background
alone; otherwise the background is fitted to all accounts.
"""

from __future__ import annotations

import math
import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numba
import numpy as np
import numpy.typing as npt

from stillwatch.detect.book import Volumes, rounded_volume
from stillwatch.stats.betabinomial import log_mean_ratios, log_pmfs
from stillwatch.stats.evalues import DEFAULT_ALTERNATIVES
from stillwatch.stats.overdispersion import TYPICAL_DISPERSION, BetaBinomial, distinct, fit_distinct

if TYPE_CHECKING:
    from collections.abc import Sequence
    from concurrent.futures import Executor, Future

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

_ROUNDS = 12
_LEAST_GAIN = 10.0
"""Least gain in log likelihood by the second component, which has three parameters."""
FITS_AT_A_TIME = 32
_STARTS = (0.05, 0.0)
"""Shares of the exchanges up to which an account begins as background; the first that finds a group counts.

A campaign in one request of twenty begins as background itself at the first."""
_LEAST_MEMBERS = 3
_MOST_OF_STRATUM = 0.95
"""Largest share of members among accounts of like volume; more cannot be told from a background of them."""
_REFUSED_LOG_E = math.log(20.0)
_RATES = np.array(DEFAULT_ALTERNATIVES)
_TYPICAL = math.log(TYPICAL_DISPERSION)


@dataclass(frozen=True)
class Carriage:
    """How often all accounts carry the keys, each pair of hits and exchanges once.

    Attributes:
        hits: Hits of the carriers, then zeros, shape (n,).
        trials: Exchanges, for the zeros each volume that occurs, shape (n,).
        units: How many accounts that is, shape (n,).
        place: For each carrier its row, shape (carriers,).
    """

    hits: Floats
    trials: Floats
    units: Floats
    place: Ints

    @staticmethod
    def of(hits: Ints, trials: Ints, volumes: Volumes) -> Carriage:
        """Put carriers and silent accounts together.

        Args:
            hits: Hits of the carriers, shape (carriers,).
            trials: Their exchanges, shape (carriers,).
            volumes: Volumes of all accounts, carriers included.
        """
        return Carriage(*_carriage(hits, trials, volumes.volume, volumes.accounts))

    def log_e(self, null: BetaBinomial) -> Floats:
        """Log e-value of each row against `null`, as `stats.evalues.log_mixture_e`, shape (n,)."""
        log_e: Floats = _log_e(self.hits, self.trials, *null)
        return log_e

    def carriers_log_e(self, null: BetaBinomial) -> Floats:
        """Log e-value of each carrier against `null`, shape (carriers,)."""
        rows = int(self.place.max(initial=-1)) + 1
        log_e: Floats = _log_e(self.hits[:rows], self.trials[:rows], *null)[self.place]
        return log_e


@numba.njit(cache=True, nogil=True)
def _carriage(hits: Ints, trials: Ints, volume: Ints, accounts: Ints) -> tuple[Floats, Floats, Floats, Ints]:
    carried, sent, units, place = distinct(hits, trials, np.ones(hits.size))
    silent = accounts.astype(np.float64)
    for at in np.searchsorted(volume, rounded_volume(trials)):
        silent[at] -= 1.0
    some = volume > 0  # accounts without exchanges say nothing
    return (
        np.concatenate((carried, np.zeros(some.sum()))),
        np.concatenate((sent, volume[some].astype(np.float64))),
        np.concatenate((units, silent[some])),
        place,
    )


def fit_background(carriage: Carriage, typical_dispersion: float) -> BetaBinomial:
    """Fit the background.

    Args:
        carriage: Hits and exchanges of all accounts.
        typical_dispersion: Prior of the dispersion (`stats.overdispersion`).
    """
    return fit_backgrounds([(carriage, typical_dispersion)])[0]


def fit_backgrounds(wanted: Sequence[tuple[Carriage, float]]) -> list[BetaBinomial]:
    """Fit many backgrounds on all cores, each from the arguments of `fit_background`.

    Several fits are one call of compiled code: threads that come back to the interpreter after each of them
    spend more time waiting for one another than they save.
    """
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        parts = range(0, len(wanted), FITS_AT_A_TIME)
        begun = [begin_fits(wanted[first : first + FITS_AT_A_TIME], pool) for first in parts]
        return [fit for part in begun for fit in part.result()]


def begin_fits(wanted: Sequence[tuple[Carriage, float]], pool: Executor) -> Future[list[BetaBinomial]]:
    """Fit some backgrounds in one call of compiled code, which holds no lock, in a thread of `pool`."""
    columns = [(carriage.hits, carriage.trials, carriage.units) for carriage, _ in wanted]
    rows = [np.concatenate(column) for column in zip(*columns, strict=True)]
    bounds = np.cumsum([0, *(hits.size for hits, _, _ in columns)])
    priors = np.array([math.log(dispersion) for _, dispersion in wanted])
    return pool.submit(lambda: [BetaBinomial(*one) for one in _fit_several(*rows, bounds, priors).tolist()])


def fit_silent_background(carriage: Carriage) -> BetaBinomial | None:
    """Fit the background where it is those who never carry a key; None where there is no group beside it.

    A campaign in one request of a hundred leaves most of its accounts with a hit or two. Less their hits than
    who has none, a quiet account or a loud one, tells the campaign from a background of low rate: so the fit
    begins with "background is who has none", and the share of members may depend on the volume.
    """
    hits, trials, units = _rounded(carriage.hits, carriage.trials, carriage.units)
    octave = np.log2(np.maximum(trials, 1.0)).astype(np.int64)
    fitted = _fit_silent(hits, trials, units, octave, _TYPICAL)
    return BetaBinomial(*fitted) if fitted[0] > 0 else None


@numba.njit(cache=True, nogil=True)
def _rounded(hits: Floats, trials: Floats, units: Floats) -> tuple[Floats, Floats, Floats]:
    """Put like units together, so that the fit has a hundred rows and not a thousand.

    Counts of carriers above 32 are taken to one part in 32. Silent accounts differ in their volumes only:
    those between two eighths of a power of two stand there with their mean volume, so that all exchanges
    count.
    """
    sent, few = trials.astype(np.int64), rounded_volume(hits.astype(np.int64))
    volume = np.where(few == 0, rounded_volume(sent, 4), np.maximum(rounded_volume(sent), few))
    hits, mean, number, place = distinct(few, volume, units)
    whole = np.zeros(number.size)
    for row in range(place.size):
        whole[place[row]] += units[row] * trials[row]
    for pair in range(number.size):
        if hits[pair] == 0 and number[pair] > 0:
            mean[pair] = whole[pair] / number[pair]
    return hits, mean, number


@numba.njit(cache=True, nogil=True)
def _log_e(hits: Floats, trials: Floats, mean: float, dispersion: float) -> Floats:
    means, dispersions = np.full(hits.size, mean), np.full(hits.size, dispersion)
    log_e: Floats = log_mean_ratios(hits, trials, means, dispersions, _RATES)
    return log_e


@numba.njit(cache=True, nogil=True)
def _fit(hits: Floats, trials: Floats, units: Floats, prior: float) -> tuple[float, float]:
    alone: tuple[float, float] = _decreasing(*fit_distinct(hits, trials, units, prior))
    alike = np.zeros(hits.size, np.int64)  # one stratum
    for most in _STARTS:
        weight = ((hits <= 1) | (hits <= most * trials)).astype(np.float64)
        if (units * (1.0 - weight)).sum() < _LEAST_MEMBERS:
            continue
        null, members, log_p, weight = _divided(hits, trials, units, weight, alike, prior)
        gain = (units * (log_p - log_pmfs(hits, trials, alone[0], alone[1]))).sum()
        if gain >= _LEAST_GAIN and members[0] > null[0]:
            clean: tuple[float, float] = _without_refused(hits, trials, units, weight, null, prior)
            return clean
    return alone


@numba.njit(cache=True, nogil=True)
def _fit_several(hits: Floats, trials: Floats, units: Floats, bounds: Ints, priors: Floats) -> Floats:
    """Fit several backgrounds; the rows of each lie between its bounds."""
    fitted = np.empty((priors.size, 2))
    for one in range(priors.size):
        low, high = bounds[one], bounds[one + 1]
        rounded = _rounded(hits[low:high], trials[low:high], units[low:high])
        fitted[one] = _fit(*rounded, priors[one])
    return fitted


@numba.njit(cache=True, nogil=True)
def _fit_silent(
    hits: Floats, trials: Floats, units: Floats, octave: Ints, prior: float
) -> tuple[float, float]:
    alone: tuple[float, float] = _decreasing(*fit_distinct(hits, trials, units, prior))
    begin = (hits == 0).astype(np.float64)
    null, members, log_p, weight = _divided(hits, trials, units, begin, octave, prior)
    members, log_p = _beside(hits, trials, units, null, members, octave)
    gain = (units * (log_p - log_pmfs(hits, trials, alone[0], alone[1]))).sum()
    if gain < _LEAST_GAIN * (octave.max() + 1) or members[0] <= null[0]:
        return 0.0, 0.0
    clean: tuple[float, float] = _without_refused(hits, trials, units, weight, null, prior)
    return clean


@numba.njit(cache=True, nogil=True)
def _beside(
    hits: Floats,
    trials: Floats,
    units: Floats,
    null: tuple[float, float],
    members: tuple[float, float],
    stratum: Ints,
) -> tuple[tuple[float, float], Floats]:
    """Fit the members beside a given background by EM: members, log density of both.

    Most members have no hit or one where they carry a key in one exchange of a hundred. Whoever has none is
    background in `_divided`, and members would all have hits: their rate is too high, and both together
    explain the counts worse than a single distribution.
    """
    inside = units * (hits > 0)
    low = log_pmfs(hits, trials, null[0], null[1])
    log_p = low
    for _ in range(_ROUNDS):
        members = fit_distinct(hits, trials, inside, _TYPICAL, members[1])
        share = _shares(inside, units, stratum)
        both = np.log(share) + log_pmfs(hits, trials, members[0], members[1])
        log_p = np.logaddexp(np.log1p(-share) + low, both)
        inside = units * np.exp(both - log_p)
    return members, log_p


@numba.njit(cache=True, nogil=True)
def _shares(inside: Floats, units: Floats, stratum: Ints) -> Floats:
    """Return the share of members in the stratum of each row; without strata never above a half."""
    strata = stratum.max() + 1
    members, everybody = np.zeros(strata), np.zeros(strata)
    for row in range(units.size):
        members[stratum[row]] += inside[row]
        everybody[stratum[row]] += units[row]
    most = 0.5 if strata == 1 else _MOST_OF_STRATUM
    share: Floats = np.minimum(np.maximum(members / np.maximum(everybody, 1.0), 1e-9), most)[stratum]
    return share


@numba.njit(cache=True, nogil=True)
def _without_refused(
    hits: Floats, trials: Floats, units: Floats, weight: Floats, null: tuple[float, float], prior: float
) -> tuple[float, float]:
    """Fit the background once more without the accounts that it refuses itself.

    Where a group stands apart, its members with little traffic lie between the two components and are counted
    as background. Were there none, this would leave out at most one account in twenty (Markov); it is done
    only where a group was found, since it would narrow a background that stands alone.
    """
    kept = weight * (_log_e(hits, trials, null[0], null[1]) < _REFUSED_LOG_E)
    clean: tuple[float, float] = _decreasing(*fit_distinct(hits, trials, units * kept, prior))
    return clean


@numba.njit(cache=True, nogil=True)
def _divided(
    hits: Floats, trials: Floats, units: Floats, weight: Floats, stratum: Ints, prior: float
) -> tuple[tuple[float, float], tuple[float, float], Floats, Floats]:
    """Divide the accounts by classification EM: background, members, log density, rows of the background."""
    null, members = (0.0, 0.0), (0.0, 0.0)
    for _ in range(_ROUNDS):
        inside = units * (1.0 - weight)
        null = fit_distinct(hits, trials, units * weight, prior, null[1])
        null = _decreasing(null[0], null[1])
        members = fit_distinct(hits, trials, inside, _TYPICAL, members[1])
        share = _shares(inside, units, stratum)
        low = np.log1p(-share) + log_pmfs(hits, trials, null[0], null[1])
        high = np.log(share) + log_pmfs(hits, trials, members[0], members[1])
        # each account counts for one side only: a hundred members that count as background for one per cent
        # each would be one member in the background
        previous = weight
        weight = (low >= high).astype(np.float64)
        if (weight == previous).all():
            break
    return null, members, np.logaddexp(low, high), weight


@numba.njit(cache=True, nogil=True)
def _decreasing(mean: float, dispersion: float) -> tuple[float, float]:
    """Keep the density of rates decreasing: high rates must be rarer in the background than low ones.

    A beta-binomial with (1 - mean) dispersion < 1 has a second mode at rate 1. It would explain any group of
    accounts that do nothing else as the upper end of the background (the zero assumption of Efron 2004).
    """
    return mean, max(dispersion, 1.0 / (1.0 - mean))
