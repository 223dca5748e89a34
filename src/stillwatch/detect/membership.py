"""Which accounts belong to a group: each against the background of all others."""

from __future__ import annotations

import math
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
from scipy import sparse

from stillwatch.detect.background import FITS_AT_A_TIME, Carriage, begin_fits, fit_backgrounds
from stillwatch.detect.keyusage import usage_of
from stillwatch.detect.sparse_strands import sparse_log_e
from stillwatch.detect.tables import DISCOVERY
from stillwatch.stats.betabinomial import log_ratios
from stillwatch.stats.evalues import log_mean_e
from stillwatch.stats.fdr import e_bh
from stillwatch.stats.overdispersion import TYPICAL_DISPERSION, BetaBinomial, fit_beta_binomial

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from concurrent.futures import Executor

    from stillwatch.detect.book import Book, Volumes
    from stillwatch.detect.strands import Strands

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]
Fitted = tuple[Carriage, BetaBinomial]

_VARIETY_DISPERSION = 300.0
"""Prior of the dispersion of variety: whoever used one key of a pool uses another in one of 300 exchanges.

Fits where outsiders do use keys of a pool lie between 100 and 750 (`docs/method.md`)."""
_AT_A_TIME = FITS_AT_A_TIME // 2
_OFTEN = 0.05
_LEAST_OUTSIDE = 1000
_MORE_OFTEN = 3.0
_LEAST_HEARD = 20
_LEAST_FITTED = 3
_FITTED_WEIGHT = 0.2
_SILENT_WEIGHT = 0.8
"""Weight of the e-value by which keys an account carries; the other loses little where it decides."""
_MOSTLY = 0.5
_FEW = 50
"""Accounts named by either way below which their numbers do not tell which way is the group's."""
_REFUSED_LOG_E = math.log(20.0)
_STRANGERS = 1e-5
"""Bound on the probability that an account that is no member is named for the keys that it carries."""
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
        alike: Accounts that carry the keys like members, with or without enough exchanges to be named; empty
            where that was not asked.
        sparse: Whether most members do not stand out by how often they carry the keys, but by which they
            carry (`sparse_strands`).
    """

    strands: Strands
    log_e: Floats
    group_log_e: float
    background: float
    dispersion: float
    held_out: int
    sent: int
    alike: Ints = field(default_factory=lambda: np.empty(0, np.int64))
    sparse: bool = False

    @property
    def circle(self) -> Ints:
        """Accounts among whom members share what identifies them, ascending.

        Of a sparse group these are all that carry keys like members: whom it names is a matter of how much
        they happened to send, and those who pay together seldom are all among them.
        """
        return np.union1d(self.strands.account, self.alike) if self.sparse else self.strands.account

    def only(self, rows: npt.NDArray[np.bool_]) -> Membership:
        """Keep the given members."""
        strands = self.strands.only(rows)
        share = strands.hits.sum() / max(self.strands.hits.sum(), 1)
        return replace(self, strands=strands, log_e=self.log_e[rows], sent=int(self.sent * share))


def confirm_all(groups: Sequence[Strands], book: Book, level: float, keys: Sequence[int]) -> list[Membership]:
    """Confirm many candidates, with arguments as in `confirm`.

    The backgrounds of some are fitted while others are prepared, or confirmed.
    """
    each = list(zip(groups, keys, strict=True))
    parts = [each[first : first + _AT_A_TIME] for first in range(0, len(each), _AT_A_TIME)]
    with ThreadPoolExecutor(1) as other:
        begun = [_begun(part, book, other) for part in parts]
        return [
            _confirmed(strands, book, level, number, backgrounds)
            for part, fits in zip(parts, begun, strict=True)
            for (strands, number), backgrounds in zip(part, fits(), strict=True)
        ]


def _begun(
    part: Sequence[tuple[Strands, int]], book: Book, pool: Executor
) -> Callable[[], list[list[Fitted]]]:
    """Begin to fit the backgrounds of some candidates; the result, when called, waits for them."""
    wanted = [_wanted(strands, book, book.volumes, number) for strands, number in part]
    begun = begin_fits([one for several in wanted for one in several], pool)

    def fitted() -> list[list[Fitted]]:
        nulls = iter(begun.result())
        return [[(carriage, next(nulls)) for carriage, _ in several] for several in wanted]

    return fitted


def confirm(strands: Strands, book: Book, level: float, keys: int) -> Membership:
    """Find the accounts that carry the candidate's keys more often than the background allows.

    Keys are chosen such that no single account decided on any of them (`candidates.of_communities`), so each
    account is judged on all that it sent; members are chosen by e-BH over all accounts of the log. Where
    many accounts use many of the keys, an account's e-value is the weighted mean of two: of how often it
    carries keys, against all others, and of which keys it carries, against who never does. A mean of e-values
    is one whatever their dependence, so that nobody has two chances.

    Args:
        strands: Carriers of a candidate's keys.
        book: All accounts.
        level: False-discovery rate among the members.
        keys: Number of keys of the candidate.
    """
    return confirm_all([strands], book, level, [keys])[0]


def _confirmed(
    strands: Strands, book: Book, level: float, keys: int, backgrounds: Sequence[Fitted]
) -> Membership:
    """Confirm a candidate, given the backgrounds of all accounts."""
    trials, hits = book.exchanges[strands.account], strands.hits.sum(axis=1)
    null, log_e = _against(strands, trials, np.ones(trials.size, bool), backgrounds)
    languages = list(_languages(strands, log_e, book))
    for mine, volumes in languages:
        own, own_log_e = _against(strands, trials, mine, _fitted(strands.only(mine), book, volumes, keys))
        if own.mean > _MORE_OFTEN * null.mean:
            log_e[mine] = np.minimum(log_e[mine], own_log_e)
    often = e_bh(log_e, level, total=book.size)
    spoken = [(mine, volumes) for mine, volumes in languages if (mine & often).any()]
    silent = sparse_log_e(strands, trials, book.volumes, spoken)
    sparse = False
    if silent is not None:
        which = e_bh(silent.log_e, level, total=book.size)
        sparse = _sparsely(log_e, often, silent.log_e, which)
        null = silent.background if sparse else null
        both = np.logaddexp(np.log1p(-_SILENT_WEIGHT) + log_e, np.log(_SILENT_WEIGHT) + silent.log_e)
        log_e = np.where(np.isneginf(silent.log_e), log_e, both)
    alike = e_bh(log_e, level, total=book.size)
    usage = usage_of(strands, hits, alike)
    alike &= usage.various
    chosen = alike & usage.nameable
    if silent is not None:
        chosen &= rarely_strangers(log_e, chosen)
    if silent is not None and sparse:  # its keys are those of all carriers: most members carry one or two
        alike = (log_e >= _REFUSED_LOG_E) | silent.alike
    group, held_out = _group_log_e(strands, null, book)
    return Membership(
        strands=strands.only(chosen),
        log_e=log_e[chosen],
        group_log_e=group,
        background=null.mean,
        dispersion=null.dispersion,
        held_out=held_out,
        sent=int(trials[chosen].sum()),
        alike=strands.account[alike],
        sparse=sparse,
    )


def _sparsely(often_log_e: Floats, often: Bools, which_log_e: Floats, which: Bools) -> bool:
    """Tell whether most members are told by which keys they carry, and not by how often.

    Asked of those who are chosen by each; where hardly anybody is yet, of those who stand at e = 20.
    """
    if max(often.sum(), which.sum()) < _FEW:
        often, which = often_log_e >= _REFUSED_LOG_E, which_log_e >= _REFUSED_LOG_E
    return bool(often.sum() < _MOSTLY * which.sum())


def rarely_strangers(log_e: Floats, chosen: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    """Bound how probably a stranger is named.

    A list of ten thousand members may hold a hundred false ones at `member_fdr`, however few strangers there
    are. An e-value that is a likelihood ratio tells more: what strangers name themselves with is rare among
    them as it is among members, over e. So P(stranger is named) = E[1/e; named] over members, of whom there
    are at least as many as have e >= 20.

    Args:
        log_e: Log e-values of all carriers, shape (n,).
        chosen: Who would be named, shape (n,).

    Returns:
        Who may be named, those of the largest e-values, shape (n,).
    """
    order = np.argsort(-np.where(chosen, log_e, -np.inf), kind="stable")[: int(chosen.sum())]
    members = max(int((log_e >= _REFUSED_LOG_E).sum()), 1)
    named = order[np.cumsum(np.exp(-log_e[order])) <= _STRANGERS * members]
    bounded = np.zeros(log_e.size, np.bool_)
    bounded[named] = True
    return bounded


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


def _wanted(strands: Strands, book: Book, volumes: Volumes, keys: int) -> list[tuple[Carriage, float]]:
    """Return what the backgrounds of a population are fitted to (`fit_backgrounds`).

    Args:
        strands: Carriers of the population.
        book: All accounts.
        volumes: Volumes of the accounts of the population, carriers included.
        keys: Number of keys of the group.

    Returns:
        Exchanges that carry keys, and different keys, which a group of a single key does not have.
    """
    trials = book.exchanges[strands.account]
    often = Carriage.of(strands.hits.sum(axis=1), trials, volumes)
    if keys <= 1:
        return [(often, TYPICAL_DISPERSION)]
    various = Carriage.of(np.minimum(strands.variety, trials), trials, volumes)
    return [(often, TYPICAL_DISPERSION), (various, _VARIETY_DISPERSION)]


def _fitted(strands: Strands, book: Book, volumes: Volumes, keys: int) -> list[Fitted]:
    """Fit the backgrounds of a population, with arguments as in `_wanted`."""
    wanted = _wanted(strands, book, volumes, keys)
    nulls = fit_backgrounds(wanted)
    return [(carriage, null) for (carriage, _), null in zip(wanted, nulls, strict=True)]


def _against(
    strands: Strands, trials: Ints, mine: npt.NDArray[np.bool_], backgrounds: Sequence[Fitted]
) -> tuple[BetaBinomial, Floats]:
    """Judge the carriers of a population against its background.

    The e-value of an account is a weighted mean of up to three, an e-value whatever their dependence: of its
    exchanges against a mixture of rates, of its exchanges against what the other carriers do, and of the
    number of different keys, of which there is none where the group has a single key. The second has the
    least weight, since it bets most on the shape of the fitted background.

    Args:
        strands: All carriers.
        trials: Their exchanges, shape (n,).
        mine: Which of them belong to the population, shape (n,).
        backgrounds: Of the exchanges and, if there are several keys, of the different keys (`_wanted`).

    Returns:
        The background, and the log e-values of the carriers of the population.
    """
    null = backgrounds[0][1]
    found = [carriage.carriers_log_e(background) for carriage, background in backgrounds]
    mixed = log_mean_e(np.stack(found), axis=0) if len(found) > 1 else found[0]
    fitted = _fitted_log_e(strands.account, strands.hits.sum(axis=1), trials, null)[mine]
    return null, np.logaddexp(np.log1p(-_FITTED_WEIGHT) + mixed, np.log(_FITTED_WEIGHT) + fitted)


def _languages(
    strands: Strands, log_e: Floats, book: Book
) -> Iterator[tuple[npt.NDArray[np.bool_], Volumes]]:
    """Name the languages whose speakers have a background of their own.

    A phrase of Chinese marks those who write Chinese: against the whole log, in which few do, each of them
    stands out. Their background is therefore fitted among themselves as well, and the less favourable counts.
    Where hardly anybody of a language is outside the group, there is no such background: outside are those
    whom the background of everybody does not refuse.

    Args:
        strands: The carriers.
        log_e: Their log e-values against the background of everybody.
        book: All accounts.

    Yields:
        The carriers of the language, and the volumes of all its accounts.
    """
    hits = strands.hits.sum(axis=1)
    refused = log_e >= _REFUSED_LOG_E
    language = book.language[strands.account]
    for code, volumes in book.volumes_by_language.items():
        mine = language == code
        outside = int(volumes.accounts.sum()) - int((mine & refused).sum())
        heard = int(hits[mine & ~refused].sum())  # a few accounts alone have a higher rate by smoothing only
        if (mine & refused).any() and outside >= _LEAST_OUTSIDE and heard >= _LEAST_HEARD:
            yield mine, volumes


def _fitted_log_e(account: Ints, hits: Ints, trials: Ints, null: BetaBinomial) -> Floats:
    """Log e-value of each account's exchanges against what the *other* accounts of the group do.

    A mixture over all rates spends most of its bet on rates that this group does not have. The rate here is
    fitted to the accounts of one half that carry the keys often, and judges those of the other half, so it
    never depends on the account that it judges (cross-fitting, as in universal inference: Wasserman, Ramdas
    and Balakrishnan 2020, doi 10.1073/pnas.1922664117). The dispersion is that of the null, as in the
    mixture: a narrower alternative would live on whatever the null gets wrong about its tail.
    """
    often = (hits > 1) & (hits > _OFTEN * trials)
    log_e = np.full(hits.size, -np.inf)
    carried, sent = hits.astype(np.float64), trials.astype(np.float64)
    for half in (0, 1):
        mine = account % 2 == half
        others = often & ~mine
        if others.sum() >= _LEAST_FITTED:
            fitted = fit_beta_binomial(hits[others], trials[others])
            if fitted.mean > null.mean:
                rate = fitted.mean
                log_e[mine] = log_ratios(carried[mine], sent[mine], rate, null.mean, null.dispersion)
    return log_e


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
