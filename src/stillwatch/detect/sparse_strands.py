"""Members of a group that carries its keys in one exchange of a hundred or fewer.

Such accounts have a hit or two, as have strangers who write one of the phrases that were taken for keys, and
the background that is fitted to all swallows them. Against a background that never carries a key all carriers
stand out alike; which keys they carry, and how many in an exchange, tells members from strangers.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from stillwatch.detect.background import Carriage, fit_silent_background
from stillwatch.detect.carriers import CLASS_BITS

if TYPE_CHECKING:
    from collections.abc import Iterable

    from stillwatch.detect.book import Volumes
    from stillwatch.detect.strands import Strands
    from stillwatch.stats.overdispersion import BetaBinomial

Bools = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

_STRONG = 5
"""Different keys of an account that no stranger is thought to have by chance."""
_LEAST_FITTED = 200
_AS_MEMBERS = 0.25
"""Quantile of keys whose single users are members: the more a key's share exceeds it, the more are not."""
_SEVERAL = 0.05
"""Bound on the probability that a stranger shows more keys than exchanges."""


def sparse_log_e(
    strands: Strands, trials: Ints, volumes: Volumes, languages: Iterable[tuple[Bools, Volumes]] = ()
) -> tuple[BetaBinomial, Floats] | None:
    """Judge carriers against a background that never carries a key.

    Those of a language with a background of its own are judged against its silent speakers as well. Where
    these do not stand apart, its speakers carry the keys as phrases of that language and nobody is told by
    them.

    Args:
        strands: All carriers of a candidate's keys.
        trials: Their exchanges, shape (n,).
        volumes: Volumes of all accounts, carriers included.
        languages: Carriers of each language with a background of its own, shape (n,), and the volumes of all
            its accounts.

    Returns:
        The background and the log e-values, shape (n,); None where too few accounts use many of the keys, or
        where no group stands beside such a background.
    """
    variety = strands.variety
    strong, single = variety >= _STRONG, variety == 1
    if min(int(strong.sum()), int(single.sum())) < _LEAST_FITTED:
        return None
    hits = strands.hits.sum(axis=1)
    everybody = _against_silent(hits, trials, volumes)
    if everybody is None:
        return None
    null, log_e = everybody
    for mine, spoken in languages:
        own = _against_silent(hits[mine], trials[mine], spoken)
        log_e[mine] = -np.inf if own is None else np.minimum(log_e[mine], own[1])
    return null, log_e + _mix(strands.bits, strong, single) + _surplus(variety, hits)


def _against_silent(hits: Ints, trials: Ints, volumes: Volumes) -> tuple[BetaBinomial, Floats] | None:
    """Return the background of the silent and log e-values of carriers; None where no group is beside it."""
    carriage = Carriage.of(hits, trials, volumes)
    null = fit_silent_background(carriage)
    return None if null is None else (null, carriage.carriers_log_e(null))


def _mix(bits: Ints, strong: Bools, single: Bools) -> Floats:
    """Log likelihood ratio of the keys of each account: as members use them, against as strangers do.

    Members' use is that of accounts with many keys. Accounts with a single key are members and strangers;
    what they use beyond what members among them would is the strangers' use.
    """
    used = ((bits[:, None] >> np.arange(CLASS_BITS)) & 1).astype(np.float64)
    members, both = _shares(used[strong]), _shares(used[single])
    part = min(1.0, float(np.quantile(both / members, _AS_MEMBERS)))
    beyond = np.maximum(both - part * members, 0.0)
    strangers = beyond / max(float(beyond.sum()), 1e-9)
    ratio: Floats = used @ np.log(members / (0.5 * strangers + 0.5 * members))
    return ratio


def _shares(used: Floats) -> Floats:
    counts = used.sum(axis=0) + 0.5
    shares: Floats = counts / counts.sum()
    return shares


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
