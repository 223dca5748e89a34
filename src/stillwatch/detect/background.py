"""The background of a group's keys: how often accounts outside the group carry them.

Some accounts may belong to the group and would widen the null; leaving out whoever stands out would narrow it
and make every null look refuted. Both are avoided by the two-groups model (Efron 2008, doi
10.1214/07-STS236): each account comes from the background, a beta-binomial, or with some probability from a
second one of higher rates. It is fitted by classification EM (Celeux and Govaert 1992, doi
10.1016/0167-9473(92)90042-E), and is believed only where it explains the counts better than the background
alone; otherwise the background is fitted to all accounts.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from stillwatch.detect.book import Volumes, rounded_volume
from stillwatch.stats.evalues import log_beta_binomial_pmf, log_mixture_e
from stillwatch.stats.overdispersion import BetaBinomial, fit_beta_binomial

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

_ROUNDS = 12
_LEAST_GAIN = 10.0
"""Least gain in log likelihood by the second component, which has three parameters."""
_LEAST_MEMBERS = 3
_REFUSED_LOG_E = float(np.log(20.0))


@dataclass(frozen=True)
class Carriage:
    """How often all accounts carry the keys.

    Attributes:
        hits: Hits of the carriers, then zeros, shape (n + v,).
        trials: Exchanges, for the zeros each volume that occurs, shape (n + v,).
        units: How many accounts that is: 1 for carriers, the number of silent accounts of that volume else.
    """

    hits: Ints
    trials: Ints
    units: Floats

    @staticmethod
    def of(hits: Ints, trials: Ints, volumes: Volumes) -> Carriage:
        """Put carriers and silent accounts together.

        Args:
            hits: Hits of the carriers, shape (n,).
            trials: Their exchanges, shape (n,).
            volumes: Volumes of all accounts, carriers included.
        """
        silent = volumes.accounts.astype(np.float64)
        np.subtract.at(silent, np.searchsorted(volumes.volume, rounded_volume(trials)), 1.0)
        return Carriage(
            np.concatenate([hits, np.zeros_like(volumes.volume)]),
            np.concatenate([trials, volumes.volume]),
            np.concatenate([np.ones(hits.size), silent]),
        )


def fit_background(carriage: Carriage, typical_dispersion: float) -> BetaBinomial:
    """Fit the background.

    Args:
        carriage: Hits and exchanges of all accounts.
        typical_dispersion: Prior of the dispersion (`stats.overdispersion`).
    """
    alone = _decreasing(fit_beta_binomial(carriage.hits, carriage.trials, carriage.units, typical_dispersion))
    weight = _start(carriage)
    if (carriage.units * (1.0 - weight)).sum() < _LEAST_MEMBERS:
        return alone
    for _ in range(_ROUNDS):
        outside, inside = carriage.units * weight, carriage.units * (1.0 - weight)
        null = _decreasing(fit_beta_binomial(carriage.hits, carriage.trials, outside, typical_dispersion))
        members = fit_beta_binomial(carriage.hits, carriage.trials, inside)
        share = float(np.clip(inside.sum() / carriage.units.sum(), 1e-9, 0.5))
        low, high = np.log1p(-share) + _log_p(carriage, null), np.log(share) + _log_p(carriage, members)
        # each account counts for one side only: a hundred members that count as background for one per cent
        # each would be one member in the background
        previous, weight = weight, (low >= high).astype(np.float64)
        if (weight == previous).all():
            break
    gain = (carriage.units * (np.logaddexp(low, high) - _log_p(carriage, alone))).sum()
    if gain < _LEAST_GAIN or members.mean <= null.mean:
        return alone
    return _without_stragglers(carriage, null, weight, typical_dispersion)


def _without_stragglers(
    carriage: Carriage, null: BetaBinomial, weight: Floats, typical_dispersion: float
) -> BetaBinomial:
    """Fit the background once more without the accounts that it refuses itself.

    Where a group stands apart, its members with little traffic lie between the two components and are counted
    as background. Were there none, this would leave out at most one account in twenty (Markov). It is done
    only where a group was found, since it would narrow a background that stands alone.
    """
    log_e = log_mixture_e(carriage.hits, carriage.trials, null.mean, null.dispersion)
    kept = carriage.units * weight * (log_e < _REFUSED_LOG_E)
    return _decreasing(fit_beta_binomial(carriage.hits, carriage.trials, kept, typical_dispersion))


def _decreasing(null: BetaBinomial) -> BetaBinomial:
    """Keep the density of rates decreasing: high rates must be rarer in the background than low ones.

    A beta-binomial with (1 - mean) dispersion < 1 has a second mode at rate 1. It would explain any group of
    accounts that do nothing else as the upper end of the background (the zero assumption of Efron 2004).
    """
    return BetaBinomial(null.mean, max(null.dispersion, 1.0 / (1.0 - null.mean)))


def _start(carriage: Carriage) -> Floats:
    """Take accounts for background at first that carry the keys once or in at most 5 % of exchanges."""
    return ((carriage.hits <= 1) | (carriage.hits <= 0.05 * carriage.trials)).astype(np.float64)


def _log_p(carriage: Carriage, fitted: BetaBinomial) -> Floats:
    return log_beta_binomial_pmf(carriage.hits, carriage.trials, fitted.mean, fitted.dispersion)
