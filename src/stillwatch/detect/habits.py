"""Habits: how each account goes about its work, in a few numbers that need no text and no companion.

All come from one pass over the exchanges, as whole numbers, so every engine says the same.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import ibis
import ibis.expr.types as ir
import numpy as np
import numpy.typing as npt
import pyarrow as pa

from stillwatch.detect.features import EXTRACTION
from stillwatch.detect.keyindex import index_of
from stillwatch.store.engine import epoch_us

if TYPE_CHECKING:
    from stillwatch.detect.book import Book

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

LEAST_EXCHANGES = 24
"""Accounts with less show no habits."""
_HOUR_US = 3_600_000_000
_HOURS = 24
HABITS = ("volume", "rhythm", "first turns", "elicitation", "tools")
FINEST = 0.05
"""Differences below this are no differences: of log volumes, resultant lengths, angles and correlations."""


def hourly(exchanges: ir.Table, accounts: Ints, book: Book) -> pa.Table:
    """Count what the accounts send in each hour of the day.

    Args:
        exchanges: Exchanges of all slices.
        accounts: Account numbers.
        book: All accounts.
    """
    wanted = ibis.memtable(pa.table({"account_fp": book.fingerprint[accounts]}))
    hour = (epoch_us(exchanges.ts) // _HOUR_US % _HOURS).cast("int64")
    rows = exchanges.semi_join(wanted, "account_fp").select(
        "account_fp", "turn", "elicitation", "tools_fp", hour=hour
    )
    asked = (rows.elicitation & int(EXTRACTION)) != 0
    return (
        rows.group_by(["account_fp", "hour"])
        .aggregate(
            sent=rows.count(),
            turns=rows.turn.count(),
            first=(rows.turn <= 1).sum(),
            read=rows.elicitation.count(),
            asked=asked.sum(),
            tools=rows.tools_fp.count(),
        )
        .to_pyarrow()
    )


def habits_of(counts: pa.Table, accounts: Ints, book: Book) -> Floats:
    """Turn the result of `hourly` into habits, shape (accounts, len(HABITS)).

    Volumes are logarithms and shares angles (arcsine of the square root), so that equal differences are
    about equally surprising everywhere. What the source does not tell is 0 for everybody.
    """
    place = np.argsort(accounts)
    owner = place[index_of(counts["account_fp"].to_numpy(), book.fingerprint[accounts[place]])]
    columns = {
        name: counts[name].fill_null(0).to_numpy().astype(np.float64)
        for name in counts.column_names
        if name != "account_fp"
    }

    def total(values: Floats) -> Floats:
        return np.bincount(owner, values, accounts.size).astype(np.float64)

    sent = np.maximum(total(columns["sent"]), 1.0)
    angle = columns["hour"] * (2 * np.pi / _HOURS)
    length = total(columns["sent"] * np.cos(angle)) ** 2 + total(columns["sent"] * np.sin(angle)) ** 2
    rhythm = np.maximum(length - sent, 0.0) / np.maximum(sent * (sent - 1.0), 1.0)
    return np.column_stack(
        [
            np.log(sent),
            np.sqrt(rhythm),
            _angle(total(columns["first"]), total(columns["turns"])),
            _angle(total(columns["asked"]), total(columns["read"])),
            _angle(total(columns["tools"]), sent),
        ]
    )


def _angle(part: Floats, whole: Floats) -> Floats:
    return np.asarray(np.arcsin(np.sqrt(part / np.maximum(whole, 1.0))))


def distances(habits: Floats, cohort: Floats) -> Floats:
    """Return how far each account's habits are from those of a cohort, in spreads of the cohort.

    The centre is the median and the spread the median absolute deviation of each habit, so a cohort may hold
    strangers, as long as most are of one kind.

    Args:
        habits: Habits of any accounts, shape (n, h).
        cohort: Habits of the accounts of the cohort, shape (m, h).

    Returns:
        Euclidean distances, shape (n,).
    """
    centre = np.median(cohort, axis=0)
    spread = np.maximum(1.4826 * np.median(np.abs(cohort - centre), axis=0), FINEST)
    return np.asarray(np.sqrt((((habits - centre) / spread) ** 2).sum(axis=1)))
