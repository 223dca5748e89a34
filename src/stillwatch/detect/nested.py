"""Campaigns inside larger groups: is the larger one a campaign, or does it only have one among its accounts?

The users of a common format are a group that shares text. Where a third of them are the accounts of a
campaign, the whole looks like one, and three honest customers in four of it would be named.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from stillwatch.detect import features, verdict
from stillwatch.model.findings import Verdict
from stillwatch.model.views import KIND_MASK

if TYPE_CHECKING:
    from collections.abc import Sequence

    from stillwatch.detect.assemble import Judged
    from stillwatch.detect.book import Book

_LEAST_INSIDE = 0.6


def without_hosts(judged: Sequence[Judged], book: Book, reference: features.Reference) -> list[Judged]:
    """Leave out campaigns that are one by the accounts of a smaller campaign only.

    What is left of the larger group without the accounts of the smaller is judged once more, with the group
    evidence of the whole; where that is no campaign, the smaller says all that there is to say.

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


def _is_more(whole: Judged, part: Judged, book: Book, reference: features.Reference) -> bool:
    """Tell whether `whole` is most likely a campaign without the accounts of `part` as well."""
    accounts, members = part.membership.strands.account, whole.membership.strands.account
    rest = ~np.isin(members, accounts)
    rows = whole.rows.rows(~np.isin(whole.rows.account, accounts))
    kinds = frozenset((whole.raw & KIND_MASK).tolist())
    left = whole.membership.strands.only(rest)
    if not rest.any() or not rows.account.size:
        return True
    known = features.features_of(left, rows, book, whole.evidence, reference, kinds)
    return verdict.hypotheses(known)[0].kind is Verdict.CAMPAIGN
