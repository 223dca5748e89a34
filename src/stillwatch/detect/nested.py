"""Campaigns inside larger groups: is the larger one a campaign, or does it only have one among its accounts?

The users of a common format are a group that shares text. Where a third of them are the accounts of a
campaign, the whole looks like one, and three honest customers in four of it would be named.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from stillwatch.detect import membership
from stillwatch.detect.mixture import looks_hostile
from stillwatch.model.findings import Verdict

if TYPE_CHECKING:
    from collections.abc import Sequence

    from scipy import sparse

    from stillwatch.detect.assemble import Judged
    from stillwatch.detect.book import Book
    from stillwatch.detect.features import Reference

_LEAST_INSIDE = 0.6
_LEAST_OF_SUM = 0.2
_MOST_IN_COMMON = 0.1
_WHOLE = 0.9


def without_hosts(judged: Sequence[Judged], book: Book, reference: Reference) -> list[Judged]:
    """Leave out campaigns that are one by the accounts of a smaller campaign only.

    What is left of the larger group without the accounts of the smaller is judged once more, as parts of a
    campaign are (`mixture.looks_hostile`); where that is no campaign, the smaller says all that there is to
    say.

    Args:
        judged: Groups with their verdicts.
        book: All accounts.
        reference: Values in the placebo pool.
    """
    kept: list[Judged] = []
    campaigns = [one for one in judged if one.verdict is Verdict.CAMPAIGN]
    for one in sorted(campaigns, key=_size):
        inside = [part for part in kept if _lies_in(part, one)]
        if all(_is_more(one, part, book, reference) for part in inside):
            kept.append(one)
    chosen = set(map(id, kept))
    return [one for one in judged if one.verdict is not Verdict.CAMPAIGN or id(one) in chosen]


def _size(one: Judged) -> int:
    return int(one.membership.strands.account.size)


def _lies_in(part: Judged, whole: Judged) -> bool:
    common = np.isin(part.membership.strands.account, whole.membership.strands.account)
    return bool(common.sum() >= _LEAST_INSIDE * common.size)


def _is_more(whole: Judged, part: Judged, book: Book, reference: Reference) -> bool:
    """Tell whether `whole` is most likely a campaign without the accounts of `part` as well."""
    inside = np.isin(whole.membership.strands.account, part.membership.strands.account)
    return bool(inside.all()) or looks_hostile(whole, ~inside, book, reference)


def merged(judged: Sequence[Judged], least_inside: float = 0.6) -> list[Judged]:
    """Leave out groups that are part of a larger group of the same verdict; campaigns come first.

    A larger group that is nothing but several groups apart is left out instead: two campaigns whose keys were
    found together are told as two.
    """
    members = [one.membership.strands.account for one in judged]
    shared = membership.overlaps(members)
    size = [accounts.size for accounts in members]
    kept: dict[int, None] = {}
    for i in sorted(range(len(size)), key=lambda i: -size[i]):
        common = zip(*membership.row_of(shared, i), strict=True)
        alike = {j: count for j, count in common if judged[j].verdict is judged[i].verdict and j != i}
        parts = {j: count for j, count in alike.items() if count >= least_inside * size[j]}
        inside = any(count >= least_inside * size[i] and j in kept for j, count in alike.items())
        if not inside and not _is_sum(parts, shared, size, i):
            kept[i] = None
    order = {Verdict.CAMPAIGN: 0, Verdict.UNDECIDED: 1}
    return sorted((judged[i] for i in kept), key=lambda one: order.get(one.verdict, 2))


def _is_sum(parts: dict[int, int], shared: sparse.csr_array, size: Sequence[int], whole: int) -> bool:
    """Tell whether two or more `parts` that have hardly an account in common make up the whole group.

    Args:
        parts: Groups that lie in the whole one, and how many of its accounts each has.
        shared: Accounts in common of every two groups.
        size: Accounts of each group.
        whole: Number of the whole group.
    """
    chosen: list[int] = []
    large = [j for j, count in parts.items() if count >= _LEAST_OF_SUM * size[whole]]
    for j in sorted(large, key=lambda j: (-parts[j], j)):
        common = dict(zip(*membership.row_of(shared, j), strict=True))
        if all(common.get(k, 0) <= _MOST_IN_COMMON * min(size[j], size[k]) for k in chosen):
            chosen.append(j)
    return len(chosen) > 1 and sum(parts[j] for j in chosen) >= _WHOLE * size[whole]
