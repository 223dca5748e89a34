"""Which accounts belong to a group: confirmation on exchanges that did not find it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import sparse

from stillwatch.detect.book import Book
from stillwatch.detect.candidates import Candidate
from stillwatch.detect.strands import CLASS_BITS, Strands
from stillwatch.detect.tables import DISCOVERY
from stillwatch.stats.evalues import log_mean_e, log_mixture_e
from stillwatch.stats.fdr import e_bh
from stillwatch.stats.overdispersion import TYPICAL_DISPERSION, BetaBinomial, fit_beta_binomial

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

_REFUSED_LOG_E = float(np.log(20.0))
_MOST_ROUNDS = 5
_VARIETY_DISPERSION = 300.0
"""Prior of the dispersion of variety: whoever used one key of a pool uses another in one of 300 exchanges.

Fits where outsiders do use keys of a pool lie between 100 and 750 (`docs/method.md`)."""
_LEAST_STRAND = 3
_CORE_SHARE = 0.8

@dataclass(frozen=True)
class Membership:
    """The members of a group.

    Attributes:
        strands: Strands of the members only.
        log_e: Log e-value of each member, shape of `strands.account`.
        group_log_e: Log of the mean e-value of the seeds (of all carriers where there are no seeds).
        background: Rate at which outsiders carry the keys.
        dispersion: Over-dispersion (alpha + beta) of that background.
        held_out: Exchanges that the confirmation was computed from.
    """

    strands: Strands
    log_e: Floats
    group_log_e: float
    background: float
    dispersion: float
    held_out: int


def confirm(candidate: Candidate, strands: Strands, book: Book, level: float) -> Membership:
    """Find the accounts that carry the candidate's keys more often than the background allows.

    The null of an account: it carries the keys at the outsiders' rate, over-dispersed (beta-binomial). Keys are
    chosen such that no single account decided on any of them (`candidates.of_communities`), so each account is
    judged on all that it sent; members are chosen by e-BH over all accounts of the log. That the sharing as
    such is real is judged on the confirmation slices of the seeds alone.

    Args:
        candidate: Keys and seeds.
        strands: Carriers of the keys.
        book: All accounts.
        level: False-discovery rate among the members.
    """
    trials = book.totals[strands.account]
    null = _background(strands.hits.sum(axis=1), strands.account, book, TYPICAL_DISPERSION)
    log_e = _account_log_e(strands, null, book)
    chosen = _nameable(strands, e_bh(log_e, level, total=book.size))
    seed = np.isin(strands.account, candidate.seeds) if candidate.seeds.size else np.ones(chosen.size, bool)
    hits, held_out = strands.hits[seed, DISCOVERY + 1 :].sum(axis=1), trials[seed, DISCOVERY + 1 :].sum(axis=1)
    judged = log_mixture_e(hits, held_out, null.mean, null.dispersion)
    group = float(log_mean_e(judged, axis=0)) if judged.size else 0.0
    return Membership(strands.only(chosen), log_e[chosen], group, null.mean, null.dispersion, int(held_out.sum()))


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
    return chosen & ((strands.variety >= 2) | ((strands.bits & core) != 0))


def _account_log_e(strands: Strands, null: BetaBinomial, book: Book) -> Floats:
    """Average two e-values of each account: one on its strand exchanges, one on their variety.

    A person who likes one template repeats it, so repetition is expected under the null and the first e-value
    grows slowly. Using many *different* keys of one group is not; the second has a null of its own. The mean
    of e-values is an e-value, whatever their dependence.
    """
    trials = book.exchanges[strands.account]
    variety = np.minimum(strands.variety, trials)
    apart = _background(variety, strands.account, book, _VARIETY_DISPERSION)
    both = [
        log_mixture_e(strands.hits.sum(axis=1), trials, null.mean, null.dispersion),
        log_mixture_e(variety, trials, apart.mean, apart.dispersion),
    ]
    return log_mean_e(np.stack(both), axis=0)


def _background(counts: Ints, account: Ints, book: Book, typical_dispersion: float) -> BetaBinomial:
    """Fit the rate at which accounts outside the group carry its keys.

    An outsider is first an account for which the keys are a small part of its traffic (at most one in twenty
    exchanges, or a single one). Accounts that the fitted null refuses at e = 20 are then left out and the null
    is fitted again, until nothing changes: members with little traffic would widen it. Were all accounts to
    follow the null, each round would leave out at most one in twenty (Markov). A key that is popular outside
    has a wide null from the first round on, so hardly anybody is left out and it stays wide.

    Args:
        counts: Exchanges with the keys, or different keys, of each carrier, shape (n,).
        account: The carriers, shape (n,).
        book: All accounts; those that carry nothing are outsiders.
        typical_dispersion: Prior of the dispersion.
    """
    trials = book.exchanges[account]
    # accounts without a hit only count by their volume
    volumes, silent = book.volumes
    silent = silent.copy()
    np.subtract.at(silent, np.searchsorted(volumes, trials), 1)
    outside = (counts <= 1) | (counts <= 0.05 * trials)
    for _ in range(_MOST_ROUNDS):
        null = fit_beta_binomial(
            np.concatenate([np.zeros_like(volumes), counts[outside]]),
            np.concatenate([volumes, trials[outside]]),
            np.concatenate([silent, np.ones(int(outside.sum()), np.int64)]),
            typical_dispersion,
        )
        accepted = outside & (log_mixture_e(counts, trials, null.mean, null.dispersion) < _REFUSED_LOG_E)
        if accepted.sum() == outside.sum():
            break
        outside = accepted
    return null


def distinct(found: list[Membership], least_overlap: float = 0.6) -> list[int]:
    """Return the positions of the groups that do not repeat a larger one.

    Two candidates are the same group when their members overlap by `least_overlap` (Jaccard); the larger is
    kept. Containment alone is not enough: a campaign may hide among the users of a popular application.
    """
    sizes = np.array([len(group.log_e) for group in found], dtype=np.int64)
    rows = np.repeat(np.arange(len(found)), sizes)
    accounts = np.concatenate([group.strands.account for group in found] or [np.empty(0, np.int64)])
    width = int(accounts.max(initial=0)) + 1
    matrix = sparse.csr_array((np.ones(rows.size, np.int32), (rows, accounts)), shape=(len(found), width))
    shared = (matrix @ matrix.T).tocsr()
    kept: list[int] = []
    dropped = np.zeros(len(found), bool)
    for i in np.lexsort((np.arange(len(found)), -sizes)):
        if dropped[i]:
            continue
        kept.append(int(i))
        others = shared.indices[shared.indptr[i] : shared.indptr[i + 1]]
        common = shared.data[shared.indptr[i] : shared.indptr[i + 1]]
        dropped[others[common >= least_overlap * (sizes[i] + sizes[others] - common)]] = True
    return sorted(kept)
