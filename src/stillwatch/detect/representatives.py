"""Which accounts speak for themselves: one stands for all of a declared organisation.

Colleagues share an office, a payer, settings and working hours, so pairs of them say nothing about accounts
of different customers. Ten firms that use one public format look as if they were run by one hand as long as
their own pairs are counted.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from stillwatch.detect.behaviour import Behaviour

Bools = npt.NDArray[np.bool_]
Ints = npt.NDArray[np.int64]

_ONE_CUSTOMER = 0.8
"""Share of one organisation from which a group is that customer's, whose accounts may well act together."""


def representatives(org: Ints, rng: np.random.Generator) -> Bools:
    """Choose a random account of each organisation, and all accounts without one.

    Placebo groups are independent accounts. Accounts of one organisation are not independent whether the
    group is a campaign or not; its representatives and the accounts without one are, under the null
    hypothesis that the group is made of customers who act each for themselves.

    Args:
        org: Organisation of each account of a group, negative for none, shape (n,).
        rng: Source of the choice.

    Returns:
        Shape (n,); all true for a group that is, but for a few, one organisation's.
    """
    chosen = org < 0
    order = rng.permutation(org.size)
    names, first, count = np.unique(org[order], return_index=True, return_counts=True)
    several = count[names >= 0]
    if several.size and several.max() >= _ONE_CUSTOMER * org.size:
        return np.ones(org.size, np.bool_)
    chosen[order[first[names >= 0]]] = True
    return chosen


def independent(rows: Behaviour, org: Ints, rng: np.random.Generator) -> Behaviour:
    """Keep the exchanges of the representatives.

    Args:
        rows: Strand exchanges of the sampled members of one group.
        org: Organisation of every account of the book, negative for none.
        rng: Source of the choice.
    """
    account = np.unique(rows.account)
    chosen = representatives(org[account], rng)
    return rows if chosen.all() else rows.rows(np.isin(rows.account, account[chosen]))
