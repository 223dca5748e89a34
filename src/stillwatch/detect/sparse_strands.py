"""Members of a group that carries its keys in one exchange of a hundred or fewer.

Such accounts have a hit or two, as have strangers who write one of the phrases that were taken for keys, and
the background that is fitted to all swallows them. What strangers carry is told from what members carry by
the accounts that show a single key: members among them show it as accounts with many keys show keys alone in
an exchange, and what is left over is the strangers'. Against that, how often an account carries keys, which
they are and how many stand in an exchange tells members from strangers.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from stillwatch.detect.background import Carriage, fit_silent_background
from stillwatch.detect.carriers import CLASS_BITS
from stillwatch.stats.overdispersion import TYPICAL_DISPERSION, BetaBinomial

if TYPE_CHECKING:
    from collections.abc import Iterable

    from stillwatch.detect.book import Volumes
    from stillwatch.detect.strands import Strands

Bools = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

_STRONG = 5
"""Different keys of an account that no stranger is thought to have by chance."""
_LEAST_FITTED = 50
_AS_MEMBERS = 0.25
"""Quantile of keys whose single users are members: the more a key's share exceeds it, the more are not."""
_CHANCE = 2.0
"""Standard deviations up to which single users beyond the members' part are chance."""
_AS_MEMBERS_TOO = 0.05
"""Part of the strangers that is taken to use keys as members do: no key is evidence of more than 20."""
_CARRIES = math.log(20.0)
_MORE_PROBABLE = 0.5
_SEVERAL = 0.05
"""Bound on the probability that a stranger shows more keys than exchanges."""


@dataclass(frozen=True)
class Sparse:
    """What the keys of n carriers tell.

    Attributes:
        background: How often keys are carried by those who never carry one.
        log_e: Log e-values of the carriers against strangers, shape (n,); -inf where nobody is told.
        alike: Who carries keys against that background, at e = 20, and is by its only key more probably a
            member than a stranger, shape (n,).
    """

    background: BetaBinomial
    log_e: Floats
    alike: Bools


@dataclass(frozen=True)
class Strangers:
    """How accounts that are no members carry a candidate's keys.

    Attributes:
        ratio: For each class of keys the log of the members' share over the strangers', shape
            (`CLASS_BITS`,).
        chance: Probability that a carrier is a stranger, by its only key; 0 where it shows several, shape
            (carriers,).
    """

    ratio: Floats
    chance: Floats


def sparse_log_e(
    strands: Strands, trials: Ints, volumes: Volumes, languages: Iterable[tuple[Bools, Volumes]] = ()
) -> Sparse | None:
    """Judge carriers against strangers, by how often, which and how many at once they carry.

    Those of a language with a background of its own are judged against its strangers as well. Where no group
    stands apart from the silent speakers, its speakers carry the keys as phrases of that language and nobody
    is told by them.

    Args:
        strands: All carriers of a candidate's keys.
        trials: Their exchanges, shape (n,).
        volumes: Volumes of all accounts, carriers included.
        languages: Carriers of each language with a background of its own, shape (n,), and the volumes of all
            its accounts.

    Returns:
        None where too few accounts use many of the keys, or where no group stands beside those who never
        carry one.
    """
    variety = strands.variety
    strong, single = variety >= _STRONG, variety == 1
    if min(int(strong.sum()), int(single.sum())) < _LEAST_FITTED:
        return None
    hits = strands.hits.sum(axis=1)
    everybody = Carriage.of(hits, trials, volumes)
    silent = fit_silent_background(everybody)
    if silent is None:
        return None
    strangers = _strangers(strands, strong, single)
    log_e = _against(strangers.chance, hits, trials, everybody)
    carried = everybody.carriers_log_e(silent)
    for mine, spoken in languages:
        speakers = Carriage.of(hits[mine], trials[mine], spoken)
        own = fit_silent_background(speakers)
        lower = _against(strangers.chance[mine], hits[mine], trials[mine], speakers)
        log_e[mine] = -np.inf if own is None else np.minimum(log_e[mine], lower)
        carried[mine] = -np.inf if own is None else np.minimum(carried[mine], speakers.carriers_log_e(own))
    return Sparse(
        background=silent,
        log_e=log_e + _classes(strands.bits) @ strangers.ratio + _surplus(variety, hits),
        alike=(carried >= _CARRIES) & (strangers.chance < _MORE_PROBABLE),
    )


def _strangers(strands: Strands, strong: Bools, single: Bools) -> Strangers:
    """Tell what strangers carry from the accounts with a single key.

    Members among them show each key as often as it is all that an exchange of an account with many keys
    carries; the part of members is a low quantile, since strangers add to some keys. What a key has beyond
    that and beyond chance is the strangers'.
    """
    bits = _classes(strands.bits)
    alone = _classes(strands.alone) if strands.alone.size else bits
    shown: Bools = np.asarray(bits.any(axis=0))
    seen = bits[single].sum(axis=0)
    members = _shares(alone[strong], shown)
    part = np.quantile(_shares(bits[single], shown)[shown] / members[shown], _AS_MEMBERS)
    due = min(1.0, float(part)) * float(single.sum()) * members
    beyond = np.where(seen - due > _CHANCE * np.sqrt(due), seen - due, 0.0)
    used = _shares(bits[strong], shown)
    theirs = np.where(shown, beyond + 0.5, 0.0)
    theirs = (1.0 - _AS_MEMBERS_TOO) * theirs / theirs.sum() + _AS_MEMBERS_TOO * used
    ratio = np.zeros(CLASS_BITS)
    ratio[shown] = np.log(used[shown] / theirs[shown])
    return Strangers(ratio, np.where(single, bits @ (beyond / np.maximum(seen, 1.0)), 0.0))


def _classes(bits: Ints) -> Floats:
    """Spread the classes of keys over columns, shape (n, `CLASS_BITS`)."""
    return ((bits[:, None] >> np.arange(CLASS_BITS)) & 1).astype(np.float64)


def _shares(used: Floats, shown: Bools) -> Floats:
    """Share of each class that anybody shows, shape (`CLASS_BITS`,)."""
    counts = np.where(shown, used.sum(axis=0) + 0.5, 0.0)
    shares: Floats = counts / counts.sum()
    return shares


def _against(chance: Floats, hits: Ints, trials: Ints, carriage: Carriage) -> Floats:
    """Log e-values of carriers by how often they carry keys, against strangers of a population.

    Strangers carry keys as often as the hits that are thought theirs, over the exchanges of all who carry
    none and of the strangers themselves; they differ as units of unknown dispersion are taken to.
    """
    silent = carriage.hits == 0
    sent = float((carriage.units * carriage.trials)[silent].sum()) + float((chance * trials).sum())
    rate = (float((chance * hits).sum()) + 0.5) / (sent + 1.0)
    return carriage.carriers_log_e(BetaBinomial(min(rate, 0.5), TYPICAL_DISPERSION))


def _surplus(variety: Ints, hits: Ints) -> Floats:
    """Log likelihood ratio of showing more keys than exchanges: a template has several, a phrase is one.

    How often members do so is read off all carriers with as many hits, strangers included, which makes it
    less.
    """
    several = variety > hits
    place = np.minimum(hits, CLASS_BITS)
    often = (np.bincount(place, several) + 0.5) / (np.bincount(place) + 1.0)
    share = np.clip(often, _SEVERAL, 1.0 - _SEVERAL)[place]
    return np.where(several, np.log(share / _SEVERAL), np.log((1.0 - share) / (1.0 - _SEVERAL)))
