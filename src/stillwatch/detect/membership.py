"""Which accounts belong to a group: each against the background of all others."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
from scipy import sparse

from stillwatch.detect.background import Carriage, fit_background
from stillwatch.detect.strands import CLASS_BITS, Strands
from stillwatch.detect.tables import DISCOVERY
from stillwatch.stats.evalues import log_mean_e, log_mixture_e
from stillwatch.stats.fdr import e_bh
from stillwatch.stats.overdispersion import TYPICAL_DISPERSION, BetaBinomial

if TYPE_CHECKING:
    from collections.abc import Sequence

    from stillwatch.detect.book import Book

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

_VARIETY_DISPERSION = 300.0
"""Prior of the dispersion of variety: whoever used one key of a pool uses another in one of 300 exchanges.

Fits where outsiders do use keys of a pool lie between 100 and 750 (`docs/method.md`)."""
_LEAST_STRAND = 3
_CORE_SHARE = 0.8
_SHARES = np.array([1e-4, 1e-3, 3e-3, 1e-2, 3e-2, 1e-1])


@dataclass(frozen=True)
class Membership:
    """The members of a group.

    Attributes:
        strands: Strands of the members only.
        log_e: Log e-value of each member, shape of `strands.account`.
        group_log_e: Log e-value of the sharing as such, from the confirmation slices.
        background: Rate at which outsiders carry the keys.
        dispersion: Over-dispersion (alpha + beta) of that background.
        held_out: Exchanges that the confirmation was computed from.
        sent: All exchanges of the members.
    """

    strands: Strands
    log_e: Floats
    group_log_e: float
    background: float
    dispersion: float
    held_out: int
    sent: int

    def only(self, rows: npt.NDArray[np.bool_]) -> Membership:
        """Keep the given members."""
        strands = self.strands.only(rows)
        share = strands.hits.sum() / max(self.strands.hits.sum(), 1)
        return replace(self, strands=strands, log_e=self.log_e[rows], sent=int(self.sent * share))


def confirm(strands: Strands, book: Book, level: float) -> Membership:
    """Find the accounts that carry the candidate's keys more often than the background allows.

    Keys are chosen such that no single account decided on any of them (`candidates.of_communities`), so each
    account is judged on all that it sent; members are chosen by e-BH over all accounts of the log.

    Args:
        strands: Carriers of a candidate's keys.
        book: All accounts.
        level: False-discovery rate among the members.
    """
    trials = book.exchanges[strands.account]
    hits = strands.hits.sum(axis=1)
    null = fit_background(Carriage.of(hits, trials, book.volumes), TYPICAL_DISPERSION)
    log_e = _account_log_e(strands, null, book)
    chosen = _nameable(strands, e_bh(log_e, level, total=book.size))
    group, held_out = _group_log_e(strands, null, book)
    return Membership(
        strands=strands.only(chosen),
        log_e=log_e[chosen],
        group_log_e=group,
        background=null.mean,
        dispersion=null.dispersion,
        held_out=held_out,
        sent=int(trials[chosen].sum()),
    )


def _group_log_e(strands: Strands, null: BetaBinomial, book: Book) -> tuple[float, int]:
    """Return the evidence that the sharing is real, from the confirmation slices, and what it rests on.

    The null is that *all* accounts come from the background; the alternative that a share pi of them does
    not. Accounts are independent under the null, so for each pi the product of (1 - pi) + pi e over all
    accounts is an e-value, and so is its mean over several pi.

    Returns:
        Log e-value, and the exchanges of the carriers in these slices.
    """
    trials = book.totals[strands.account, DISCOVERY + 1 :].sum(axis=1)
    hits = strands.hits[:, DISCOVERY + 1 :].sum(axis=1)
    carriage = Carriage.of(hits, trials, book.held_out_volumes)
    log_e = log_mixture_e(carriage.hits, carriage.trials, null.mean, null.dispersion)
    mixed = np.logaddexp(np.log1p(-_SHARES)[:, None], np.log(_SHARES)[:, None] + log_e)
    return float(log_mean_e((carriage.units * mixed).sum(axis=1), axis=0)), int(trials.sum())


def _nameable(strands: Strands, chosen: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    """Leave out accounts that no reviewer would accept, whatever their e-value.

    Nobody is named for less than three exchanges. Nobody is named for a single key either, unless even the
    members with the least traffic use it (one fixed prompt): in a pool of many keys, one may be an honest
    customer's template.
    """
    hits = strands.hits.sum(axis=1)
    chosen = chosen & (hits >= _LEAST_STRAND)
    if not chosen.any():
        return chosen
    quiet = chosen & (hits <= np.quantile(hits[chosen], 0.25))
    classes = np.int64(1) << np.arange(CLASS_BITS)
    core = int(classes[((strands.bits[quiet][:, None] & classes) != 0).mean(axis=0) >= _CORE_SHARE].sum())
    named: npt.NDArray[np.bool_] = chosen & ((strands.variety >= 2) | ((strands.bits & core) != 0))
    return named


def _account_log_e(strands: Strands, null: BetaBinomial, book: Book) -> Floats:
    """Average two e-values of each account: one on its strand exchanges, one on their variety.

    A person who likes one template repeats it, so repetition is expected under the null and the first e-value
    grows slowly. Using many *different* keys of one group is not; the second has a null of its own. The mean
    of e-values is an e-value, whatever their dependence.
    """
    trials = book.exchanges[strands.account]
    variety = np.minimum(strands.variety, trials)
    apart = fit_background(Carriage.of(variety, trials, book.volumes), _VARIETY_DISPERSION)
    both = [
        log_mixture_e(strands.hits.sum(axis=1), trials, null.mean, null.dispersion),
        log_mixture_e(variety, trials, apart.mean, apart.dispersion),
    ]
    return log_mean_e(np.stack(both), axis=0)


def overlaps(groups: Sequence[Ints]) -> sparse.csr_array:
    """Return how many accounts every two groups have in common, shape (groups, groups)."""
    size = [accounts.size for accounts in groups]
    accounts = np.concatenate([*groups, np.empty(0, np.int64)])
    shape = (len(groups), int(accounts.max(initial=0)) + 1)
    rows = np.repeat(np.arange(len(groups)), size)
    matrix = sparse.csr_array((np.ones(rows.size, np.int64), (rows, accounts)), shape=shape)
    return (matrix @ matrix.T).tocsr()


def row_of(shared: sparse.csr_array, number: int) -> tuple[list[int], list[int]]:
    """Return the groups that overlap group `number`, and by how many accounts."""
    inside = slice(shared.indptr[number], shared.indptr[number + 1])
    return shared.indices[inside].tolist(), shared.data[inside].tolist()


def distinct(found: Sequence[Membership], least_overlap: float = 0.6) -> list[int]:
    """Return the positions of the groups that do not repeat a larger one.

    Two candidates are the same group when their members overlap by `least_overlap` (Jaccard); the larger is
    kept. Containment alone is not enough: a campaign may hide among the users of a popular application.
    """
    shared = overlaps([group.strands.account for group in found])
    size = np.array([group.log_e.size for group in found], dtype=np.int64)
    kept: list[int] = []
    dropped: set[int] = set()
    for i in np.argsort(-size, kind="stable").tolist():
        if i in dropped:
            continue
        kept.append(i)
        both = zip(*row_of(shared, i), strict=True)
        dropped |= {j for j, common in both if common >= least_overlap * (size[i] + size[j] - common)}
    return sorted(kept)
