"""Profiles: per-account columns from which the statistics of any set of accounts are computed.

A statistic of a group is a function of its members' profiles, so the same code computes it for the group and
for thousands of placebo groups.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numba
import numpy as np
import numpy.typing as npt

from stillwatch.detect.behaviour import Behaviour, mode_of
from stillwatch.detect.dealing import numbered
from stillwatch.detect.tables import DISCOVERY
from stillwatch.model.views import View
from stillwatch.stats.dispersion import residual_ratios

if TYPE_CHECKING:
    from stillwatch.detect.book import Book

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

MATCHES: dict[str, View] = {
    "sampling_uniformity": View.SAMPLING,
    "client_uniformity": View.INFRASTRUCTURE,
    "address_sharing": View.INFRASTRUCTURE,
    "payment_sharing": View.IDENTITY,
    "device_sharing": View.IDENTITY,
    "email_domain_sharing": View.IDENTITY,
    "births": View.IDENTITY,
    "pivot": View.TIMING,
}
COVARIANCE = "activity_covariance"
_DAY = 86_400.0
STATISTICS: dict[str, View] = {COVARIANCE: View.TIMING, **MATCHES}
"""Every group statistic with its view; the order is that of all score arrays."""


@dataclass(frozen=True)
class Profiles:
    """Columns of n accounts.

    Attributes:
        account: Account numbers in the book, ascending, shape (n,).
        codes: For each statistic of `MATCHES` a code of each account, -1 where unknown, each of shape (n,).
        counts: Exchanges in each confirmation block, shape (n, bins).
    """

    account: Ints
    codes: dict[str, Ints]
    counts: Floats


@dataclass(frozen=True)
class Frame:
    """What all profiles of a run have in common.

    Attributes:
        blocks: Numbers of the confirmation blocks, ascending, shape (bins,).
        block_seconds: Length of a block.
        newest: Name of the model that appeared last within the window, None where none did.
    """

    blocks: Ints
    block_seconds: int
    newest: str | None


def newest_model(rows: Behaviour) -> str | None:
    """Return the model that appeared last, if that was at least a day after the first exchange of `rows`."""
    known = rows.model >= 0
    if not known.any():
        return None
    first = np.full(len(rows.models), np.inf)
    np.minimum.at(first, rows.model[known], rows.second[known])
    last = int(np.argmax(np.where(np.isfinite(first), first, -np.inf)))
    return rows.models[last] if first[last] - rows.second.min() >= _DAY else None


def _pivot_days(rows: Behaviour, account: Ints, newest: str | None) -> Ints:
    """Return the day of each account's first exchange with the newest model, -1 where there was none."""
    first = np.full(account.size, np.inf)
    if newest in rows.models:
        moved = rows.model == rows.models.index(newest or "")
        np.minimum.at(first, np.searchsorted(account, rows.account[moved]), rows.second[moved])
    seen = np.isfinite(first)
    return np.where(seen, np.where(seen, first, 0.0) // _DAY, -1).astype(np.int64)


def make_profiles(rows: Behaviour, book: Book, frame: Frame) -> Profiles:
    """Summarise exchanges by account.

    Args:
        rows: Exchanges of the accounts: their strand, or all their traffic in the placebo pool.
        book: All accounts.
        frame: What all profiles have in common.
    """
    account, sampling = mode_of(rows.account, rows.sampling)
    codes = {
        "sampling_uniformity": sampling,
        "client_uniformity": mode_of(rows.account, rows.client)[1],
        "address_sharing": mode_of(rows.account, rows.address)[1],
        "payment_sharing": book.codes["payment_fp"][account],
        "device_sharing": book.codes["device_fp"][account],
        "email_domain_sharing": book.codes["email_domain"][account],
        "births": np.nan_to_num(np.floor(book.created[account]), nan=-1).astype(np.int64),
        "pivot": _pivot_days(rows, account, frame.newest),
    }
    return Profiles(account, codes, _block_counts(rows, account, frame))


def _block_counts(rows: Behaviour, account: Ints, frame: Frame) -> Floats:
    held = rows.slice != DISCOVERY
    block = (rows.second[held] // frame.block_seconds).astype(np.int64)
    place = np.minimum(np.searchsorted(frame.blocks, block), max(frame.blocks.size - 1, 0))
    owner = np.searchsorted(account, rows.account[held])
    bins = max(frame.blocks.size, 1)
    counts = np.bincount(owner * bins + place, minlength=account.size * bins)
    return counts.reshape(account.size, bins).astype(np.float64)


@numba.njit(cache=True, nogil=True)
def _match_fractions(codes: Ints, groups: Ints) -> Floats:
    """Return the fraction of pairs of members with the same code."""
    number, distinct = numbered(codes)
    times = np.zeros(distinct.size, np.int64)  # how often each code was met in the group
    fractions = np.zeros(groups.shape[0])
    for group in range(groups.shape[0]):
        filled, matches = 0, 0
        for member in groups[group]:
            filled += member >= 0
            if member >= 0 and codes[member] >= 0:
                matches += times[number[member]]
                times[number[member]] += 1
        for member in groups[group]:
            if member >= 0:
                times[number[member]] = 0
        fractions[group] = matches / max(filled * (filled - 1) / 2, 1.0)
    return fractions


def statistics_of(profiles: Profiles, groups: Ints, residuals: Floats) -> Floats:
    """Compute all statistics of many groups of equal size.

    Args:
        profiles: Columns of the accounts.
        groups: Rows of `profiles` for each group, -1 for an empty place, shape (m, k).
        residuals: What the accounts do apart from the rhythm of the service, `stats.dispersion`
            (`deseasonalised`), shape (n, bins).

    Returns:
        Shape (m, len(STATISTICS)). The covariance is the logarithm of the ratio; a match is the fraction of
        account pairs with the same known code.
    """
    columns = [np.log(np.maximum(residual_ratios(residuals, groups), 1e-3))]
    columns += [_match_fractions(profiles.codes[name], groups) for name in MATCHES]
    return np.column_stack(columns)
