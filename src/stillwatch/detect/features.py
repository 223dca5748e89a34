"""Features of a group's behaviour: the numbers from which the verdict is added up.

A feature that cannot be computed, because the source lacks the column, is NaN and adds nothing to any
hypothesis. All features but the reference values are within the group; none looks at a single prompt.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numba
import numpy as np
import numpy.typing as npt

from stillwatch.detect.behaviour import Behaviour, distinct_of, mode_of
from stillwatch.detect.book import MISSING, Book
from stillwatch.detect.dealing import numbered
from stillwatch.detect.profiles import COVARIANCE
from stillwatch.model.views import Elicitation

if TYPE_CHECKING:
    from stillwatch.detect.evidence import Evidence
    from stillwatch.detect.strands import Strands

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

EXTRACTION = (
    Elicitation.REASONING
    | Elicitation.INLINE_TAGS
    | Elicitation.BACKFILL
    | Elicitation.GRADING
    | Elicitation.REWRITING
    | Elicitation.SYNTHESIS
)
_NAN = float("nan")
_WINDOW_DAYS = 2.0
_FAIL_OVER_SECONDS = 72 * 3600.0
_LEAST_BANS = 3
_LEAST_EXCHANGES = 4
_LEAST_SHARED = 2
_ALL_BITS = sum(Elicitation)


@dataclass(frozen=True)
class Reference:
    """What the features are in the placebo pool.

    Attributes:
        rhythm: Mean daily rhythm of an account.
        cells: Effective number of capability cells of the pooled exchanges.
        throwaway: Share of accounts with virtual or prepaid cards.
    """

    rhythm: float
    cells: float
    throwaway: float


def reference_of(pool: Behaviour, book: Book) -> Reference:
    """Measure the reference values on the placebo pool."""
    return Reference(rhythm(pool), effective_cells(pool), known_share(book.throwaway))


def features_of(
    strands: Strands,
    rows: Behaviour,
    book: Book,
    reference: Reference,
    text_kinds: frozenset[int],
    circle: Ints | None = None,
) -> dict[str, float]:
    """Compute the features of a group that need neither placebos nor keys: not `schedule`, `effective_keys`.

    Args:
        strands: Strands of all members.
        rows: Strand exchanges of the sampled members.
        book: All accounts.
        reference: Values in the placebo pool.
        text_kinds: Key kinds among the group's keys.
        circle: Accounts among whom payments are shared, where these are not the members alone.
    """
    members = strands.account
    return {
        "extraction_share": share((rows.elicitation[rows.elicitation >= 0] & int(EXTRACTION)) != 0),
        "repeat_share": repeat_share(rows),
        "single_turn_share": share(rows.turn[rows.turn >= 0] <= 1),
        "tool_share": share(rows.tools == 1),
        "same_organisation": top_share(book.codes["org_id"][members]),
        "same_payer": top_share(book.codes["payment_fp"][members]),
        "shared_payments": shared_payments(book, members, members if circle is None else circle),
        "throwaway_excess": known_share(book.throwaway[members]) - reference.throwaway,
        "verified_share": known_share(book.verified[members]),
        "programme_share": share(book.programme[members]) if book.known.any() else _NAN,
        "reseller_share": share(book.reseller[members]) if book.known.any() else _NAN,
        "birth_burst": birth_burst(book.created[members]),
        "same_address": top_share(_modal_address(rows)),
        "rhythm": rhythm(rows) / reference.rhythm if reference.rhythm > 0.01 else _NAN,
        "coverage": float(np.log(effective_cells(rows) / reference.cells)),
        "fail_over": fail_over(strands, book),
        "strand_volume": float(np.median(strands.hits.sum(axis=1))),
        "strand_share": float(np.median(strands.hits.sum(axis=1) / book.exchanges[members])),
        "software_keys": float(bool(text_kinds & {7, 8})),
    }


def share(true: npt.NDArray[np.bool_]) -> float:
    """Return the share of true values, NaN when there are none at all."""
    return float(true.mean()) if true.size else _NAN


def known_share(flags: Ints) -> float:
    """Return the share of ones among the known flags, NaN when none is known."""
    return share(flags[flags != MISSING] == 1)


def top_share(codes: Ints) -> float:
    """Return the share of all members that have the most frequent known code, NaN when none is known."""
    known = codes[codes >= 0]
    return float(np.unique(known, return_counts=True)[1].max() / codes.size) if known.size else _NAN


def shared_payments(book: Book, members: Ints, circle: Ints) -> float:
    """Return the share of members that share their payment with somebody of no common organisation.

    A single payer of most of the group is an organisation's mark, not a ring's: the feature is then 0.

    Args:
        book: All accounts.
        members: Accounts of the group.
        circle: Accounts among whom is shared: the members, those of a group of which they are a part, or more
            of whom it is known that they belong to them (`Membership.circle`).
    """
    if not (book.codes["payment_fp"][members] >= 0).any():
        return _NAN
    if top_share(book.codes["payment_fp"][members]) >= 0.5:
        return 0.0
    codes, counts = np.unique(_own_payments(book, circle), return_counts=True)
    shared = np.isin(_own_payments(book, members), codes[counts >= _LEAST_SHARED])
    return float(shared.sum() / members.size)


def _own_payments(book: Book, accounts: Ints) -> Ints:
    """Payments of the accounts without an organisation."""
    payment, org = book.codes["payment_fp"][accounts], book.codes["org_id"][accounts]
    own: Ints = payment[(payment >= 0) & (org == MISSING)]
    return own


def birth_burst(created: Floats) -> float:
    """Return the share of members that were created within the densest two days."""
    days = np.sort(created[np.isfinite(created)])
    if days.size == 0:
        return _NAN
    inside = np.searchsorted(days, days + _WINDOW_DAYS, side="right") - np.arange(days.size)
    return float(inside.max() / days.size)


def repeat_share(rows: Behaviour) -> float:
    """Return the share of strand exchanges whose whole prompt another member sent as well.

    Everyone who runs a benchmark or does the same homework runs the same items; a queue that is shared out
    has no repeats (`docs/method.md`, section "Verdict").
    """
    known = rows.item != 0
    if not known.any():
        return _NAN
    item, account = numbered(rows.item[known])[0], rows.account[known]
    return float(_several(item, account)[item].mean())


@numba.njit(cache=True, nogil=True)
def _several(item: Ints, account: Ints) -> npt.NDArray[np.bool_]:
    """Tell which items, numbered in the order in which they first stand there, several accounts sent."""
    first, several = np.full(item.size, MISSING), np.zeros(item.size, np.bool_)
    for row in range(item.size):
        if first[item[row]] == MISSING:
            first[item[row]] = account[row]
        several[item[row]] |= first[item[row]] != account[row]
    return several


def effective_cells(rows: Behaviour) -> float:
    """Return the effective number of capability cells, 1 / sum p^2 (Simpson, unbiased), NaN when unknown."""
    cells = rows.cell[rows.cell >= 0]
    if cells.size < 2:
        return _NAN
    counts = np.bincount(cells).astype(np.float64)
    simpson = (counts * (counts - 1)).sum() / (cells.size * (cells.size - 1.0))
    return float(1.0 / max(simpson, 1.0 / (cells.size * (cells.size - 1.0))))


def rhythm(rows: Behaviour) -> float:
    """Return the mean daily rhythm of an account: squared resultant length of its times on a 24-hour circle.

    Unbiased for the number of exchanges: 0 for use around the clock, 1 for a single moment of the day
    (Mardia and Jupp, Directional Statistics, 2000).
    """
    angle = rows.second * (2 * np.pi / 86_400)
    accounts, place = distinct_of(rows.account)
    if accounts.size == 0:
        return _NAN
    count = np.bincount(place)
    vector = np.bincount(place, np.cos(angle)) ** 2 + np.bincount(place, np.sin(angle)) ** 2
    enough = count >= _LEAST_EXCHANGES
    squared = (vector[enough] - count[enough]) / (count[enough] * (count[enough] - 1.0))
    return float(squared.mean()) if squared.size else _NAN


def schedule(evidence: Evidence) -> dict[str, float]:
    """Return the feature that needs placebos: how many of their spreads the activity covariance lies off."""
    for measured in evidence.measured:
        if measured.name == COVARIANCE and measured.spread > 0:
            return {"schedule": abs(measured.value - measured.reference) / measured.spread}
    return {"schedule": _NAN}


def effective_keys(accounts: Ints) -> dict[str, float]:
    """Return the feature that is of keys and not of members: how many there are, as if all were used alike.

    The inverse of Simpson's index, (sum a)^2 / sum a^2 (Hill 1973, doi 10.2307/1934352): 1 for a fixed prompt
    with rare variants, the size of the pool where templates are handed out evenly.

    Args:
        accounts: Accounts that used each key of the group, shape (keys,).
    """
    used = accounts.astype(np.float64)
    return {"effective_keys": float(used.sum() ** 2 / (used @ used)) if used.any() else _NAN}


def fail_over(strands: Strands, book: Book) -> float:
    """Return the share of members that began within three days after a wave of bans, above what is expected.

    A wave is at least three bans of members; members that were active before it cannot take over and count as
    not beginning. Expected is what an even start over the whole window gives.
    """
    bans = np.sort(book.banned[strands.account])
    bans = bans[np.isfinite(bans)]
    first, last = strands.first / 1e6, float(strands.last.max(initial=0)) / 1e6
    if bans.size < _LEAST_BANS or first.size == 0:
        return 0.0 if np.isfinite(book.banned).any() else _NAN
    wave = bans[_LEAST_BANS - 1]
    window = max(last - float(first.min()), _FAIL_OVER_SECONDS)
    began = share((first > wave - 3600) & (first <= wave + _FAIL_OVER_SECONDS))
    return began - _FAIL_OVER_SECONDS / window if began > 0 else 0.0


def _modal_address(rows: Behaviour) -> Ints:
    return mode_of(rows.account, rows.address)[1]


def asked_for(rows: Behaviour, least: float = 0.2) -> tuple[str, ...]:
    """Return the names of the elicitation bits that at least `least` of the exchanges carry, most first."""
    counts = np.bincount(rows.elicitation[rows.elicitation >= 0] & _ALL_BITS)
    sets = np.arange(counts.size)
    known = max(int(counts.sum()), 1)
    shares = {bit.name or "": counts[(sets & int(bit)) != 0].sum() / known for bit in Elicitation}
    named = sorted(((value, name) for name, value in shares.items() if value >= least), reverse=True)
    return tuple(name.lower() for _, name in named)
