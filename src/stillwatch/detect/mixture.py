"""Campaigns with honest users among them: a campaign must look like one in each of its parts.

The keys of a group may be a format that honest customers use as well. They carry it and are members by
their keys, and what makes the whole look like a campaign is the campaign's share in it. But they do not use
the same keys of the group as the campaign does.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
from scipy.cluster.vq import ClusterError, kmeans2

from stillwatch.detect import features, verdict
from stillwatch.detect.carriers import CLASS_BITS
from stillwatch.model.findings import Verdict
from stillwatch.model.views import KIND_MASK

if TYPE_CHECKING:
    from collections.abc import Callable

    from stillwatch.detect.assemble import Judged
    from stillwatch.detect.book import Book

Bools = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

_LEAST_PART = 8
_MOST_ROUNDS = 6


@dataclass(frozen=True)
class Purified:
    """What is left of a group.

    Attributes:
        kept: Members that are left, shape (n,).
        parts: Parts between which it was chosen, over all rounds.
    """

    kept: Bools
    parts: int


def purified(judged: Judged, book: Book, reference: features.Reference) -> Purified | None:
    """Leave out the part of a campaign that is no campaign by itself, None where there is none.

    Members are divided in two by the keys that they use. Where one part is most likely no campaign and the
    other is one (`looks_hostile`), the other is divided again, and so on. A campaign by itself has two parts
    that both look like it, and is left whole.

    Args:
        judged: A group whose verdict is campaign.
        book: All accounts.
        reference: Values in the placebo pool.
    """
    strands = judged.membership.strands
    profile = key_profiles(strands.bits)
    kept, parts = np.ones(strands.account.size, np.bool_), 1
    for _ in range(_MOST_ROUNDS):
        left = _hostile_part(profile, kept, lambda part: looks_hostile(judged, part, book, reference))
        if left is None:
            break
        kept, parts = left, 2 * parts
    return Purified(kept, parts) if parts > 1 else None


def key_profiles(bits: Ints) -> Floats:
    """Return which classes of keys each account uses as a vector of length 1, shape (n, `CLASS_BITS`).

    The Euclidean distance of such vectors is the Hellinger distance of even use of the classes, so who uses
    few keys is not near to everybody who does.
    """
    used = ((bits[:, None] >> np.arange(CLASS_BITS)) & 1).astype(np.float64)
    profiles: Floats = used / np.sqrt(np.maximum(used.sum(axis=1, keepdims=True), 1.0))
    return profiles


def halves(profiles: Floats) -> Bools | None:
    """Divide accounts in two by 2-means, from both sides of the main direction; None where all are alike.

    Args:
        profiles: Shape (n, d).

    Returns:
        Who belongs to the first half, shape (n,).
    """
    away = profiles - profiles.mean(axis=0)
    if not np.ptp(profiles, axis=0).any():
        return None
    direction = np.linalg.eigh(away.T @ away)[1][:, -1]
    side = away @ direction > 0
    if side.all() or not side.any():
        return None
    start = np.stack([profiles[side].mean(axis=0), profiles[~side].mean(axis=0)])
    try:
        return np.asarray(kmeans2(profiles, start, minit="matrix", missing="raise")[1] == 0)
    except ClusterError:  # one half went over to the other
        return None


def _hostile_part(profile: Floats, members: Bools, is_campaign: Callable[[Bools], bool]) -> Bools | None:
    """Return the part that is a campaign where the other is none, None where nothing is to be left out."""
    place = np.flatnonzero(members)
    first = halves(profile[place])
    if first is None or min(first.sum(), (~first).sum()) < _LEAST_PART:
        return None
    parts = [np.isin(np.arange(members.size), place[side]) for side in (first, ~first)]
    hostile = [is_campaign(part) for part in parts]
    return parts[hostile.index(True)] if sum(hostile) == 1 else None


def looks_hostile(judged: Judged, part: Bools, book: Book, reference: features.Reference) -> bool:
    """Tell whether a part of a campaign is most likely one by itself.

    It is judged from its own strands, records and exchanges; payments that it shares with the other part
    count. The schedule and the number of wordings are known of the whole only, and may be the other part's,
    so they speak for no part; a part of which no exchange was read is taken to be like the whole.

    Args:
        judged: The whole.
        part: Which of its members are judged, shape (n,).
        book: All accounts.
        reference: Values in the placebo pool.
    """
    strands = judged.membership.strands.only(part)
    rows = judged.rows.rows(np.isin(judged.rows.account, strands.account))
    if not rows.account.size:
        return True
    kinds = frozenset((judged.raw & KIND_MASK).tolist())
    circle = judged.membership.circle
    known = features.features_of(strands, rows, book, reference, kinds, circle)
    return verdict.hypotheses(known)[0].kind is Verdict.CAMPAIGN
