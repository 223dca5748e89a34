"""Search for the keys that more than one account uses: most keys are private content and link nobody."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import numba
import numpy as np
import numpy.typing as npt

from stillwatch.detect.carriers import list_bounds
from stillwatch.detect.dealing import Dealt, Small, deal, numbered

if TYPE_CHECKING:
    import ibis.expr.types as ir
    import pyarrow as pa

    from stillwatch.detect.keyindex import KeyIndex
    from stillwatch.detect.tables import Span

Ints = npt.NDArray[np.int64]

_SAMPLE_CYCLE = 65_536


def sampled(exchanges: ir.Table, fraction: float) -> ir.Table:
    """Keep a share of the exchanges, chosen by fingerprints so that every engine keeps the same ones."""
    if fraction >= 1.0:
        return exchanges
    mixed = exchanges.item_fp.fill_null(0).__rshift__(8) ^ exchanges.account_fp.__rshift__(13)
    return exchanges.filter((mixed & (_SAMPLE_CYCLE - 1)) < max(1, int(fraction * _SAMPLE_CYCLE)))


def screen_fraction(span: Span, most_incidences: int) -> float:
    """Return the share of exchanges to look at so that about `most_incidences` keys are grouped."""
    return min(1.0, most_incidences / max(span.incidences, 1))


def shared_keys(exchanges: ir.Table, accounts: KeyIndex) -> Ints:
    """Return the text keys that at least two accounts used, ascending.

    Args:
        exchanges: Exchanges; all their keys are held in memory at once (`screen_fraction`), 12 bytes each.
        accounts: Fingerprints of all accounts.
    """
    dealt = Dealt.read(exchanges.select("account_fp", "keys"), partial(_dealt, accounts=accounts))
    return np.sort(np.concatenate([np.empty(0, np.int64), *dealt.map(_of_several)]))


def _dealt(batch: pa.RecordBatch, accounts: KeyIndex) -> pa.RecordBatch:
    owner = accounts.find(batch["account_fp"].to_numpy())
    return deal(*_pairs(*list_bounds(batch["keys"]), owner))


@numba.njit(cache=True, nogil=True)
def _pairs(starts: Ints, ends: Ints, values: Ints, owner: Ints) -> tuple[Ints, Small]:
    """Put the owner of its row beside every value."""
    size = (ends - starts).sum()
    keys, owners, filled = np.empty(size, np.int64), np.empty(size, np.int32), 0
    for row in range(starts.size):
        for at in range(starts[row], ends[row]):
            keys[filled], owners[filled] = values[at], owner[row]
            filled += 1
    return keys, owners


@numba.njit(cache=True, nogil=True)
def _of_several(keys: Ints, account: Small) -> Ints:
    """Return the distinct keys that stand there with two different accounts."""
    number, distinct = numbered(keys)
    first, several = np.full(distinct.size, -1, np.int32), np.zeros(distinct.size, np.bool_)
    for at in range(keys.size):
        if first[number[at]] < 0:
            first[number[at]] = account[at]
        several[number[at]] |= first[number[at]] != account[at]
    found: Ints = distinct[several]
    return found
