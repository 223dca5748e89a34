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
from stillwatch.stats.betabinomial import log_pmfs
from stillwatch.stats.evalues import log_mean_e
from stillwatch.stats.fdr import e_bh
from stillwatch.stats.overdispersion import TYPICAL_DISPERSION, BetaBinomial, fit_beta_binomial

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
_OFTEN = 0.05
_LEAST_FITTED = 3
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


def confirm(strands: Strands, book: Book, level: float, keys: int) -> Membership:
    """Find the accounts that carry the candidate's keys more often than the background allows.

    Keys are chosen such that no single account decided on any of them (`candidates.of_communities`), so each
    account is judged on all that it sent; members are chosen by e-BH over all accounts of the log.

    Args:
        strands: Carriers of a candidate's keys.
        book: All accounts.
        level: False-discovery rate among the members.
        keys: Number of keys of the candidate.
    """
    trials = book.exchanges[strands.account]
    carriage = Carriage.of(strands.hits.sum(axis=1), trials, book.volumes)
    null = fit_background(carriage, TYPICAL_DISPERSION)
    views = [carriage.log_e(null)[carriage.place], _fitted_log_e(strands, trials, null)]
    if keys > 1:
        views.append(_variety_log_e(strands, trials, book))
    log_e = log_mean_e(np.stack(views), axis=0)
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
    log_e = carriage.log_e(null)
    mixed = np.logaddexp(np.log1p(-_SHARES)[:, None], np.log(_SHARES)[:, None] + log_e)
    return float(log_mean_e((carriage.units * mixed).sum(axis=1), axis=0)), int(trials.sum())


def _fitted_log_e(strands: Strands, trials: Ints, null: BetaBinomial) -> Floats:
    """Log e-value of each account's exchanges against what the *other* accounts of the group do.

    A mixture over all rates spends most of its bet on rates that this group does not have. The alternative
    here is fitted to the accounts of one half that carry the keys often, and judges those of the other half,
    so it never depends on the account that it judges (cross-fitting, as in universal inference: Wasserman,
    Ramdas and Balakrishnan 2020, doi 10.1073/pnas.1922664117). It is the mean with the mixture that counts.
    """
    hits = strands.hits.sum(axis=1).astype(np.float64)
    sent = trials.astype(np.float64)
    often = (hits > 1) & (hits > _OFTEN * sent)
    log_e = np.full(hits.size, -np.inf)
    for half in (0, 1):
        mine = strands.account % 2 == half
        others = often & ~mine
        if others.sum() >= _LEAST_FITTED:
            fitted = fit_beta_binomial(hits[others], sent[others])
            if fitted.mean > null.mean:
                log_e[mine] = log_pmfs(hits[mine], sent[mine], *fitted) - log_pmfs(
                    hits[mine], sent[mine], *null
                )
    return log_e


def _variety_log_e(strands: Strands, trials: Ints, book: Book) -> Floats:
    """Log e-value of the number of different keys of the group that each account used.

    A person who likes one template repeats it, so repetition is expected under the null and the e-value of
    the exchanges grows slowly. Using many *different* keys of one group is not; this has a null of its own.
    The mean of such e-values is one, whatever their dependence. Of a single key there is no variety.
    """
    carriage = Carriage.of(np.minimum(strands.variety, trials), trials, book.volumes)
    return carriage.log_e(fit_background(carriage, _VARIETY_DISPERSION))[carriage.place]


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
